/* SPDX-License-Identifier: BSD-3-Clause */
/* What other compiled code calls: ../include/stackinv/stackinv.h, in terms of loop.h. */
#include "api.h"
#include "stack.h"
#include "tile.h"
#include "tuning.h"

#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

_Static_assert((int)STACKINV_GENERAL == STACKINV_IS_GENERAL && (int)STACKINV_SYMMETRIC == STACKINV_IS_SYMMETRIC &&
                   (int)STACKINV_HERMITIAN == STACKINV_IS_HERMITIAN &&
                   (int)STACKINV_POSITIVE_DEFINITE == STACKINV_IS_POSITIVE_DEFINITE &&
                   (int)STACKINV_UPPER_TRIANGULAR == STACKINV_IS_UPPER_TRIANGULAR &&
                   (int)STACKINV_LOWER_TRIANGULAR == STACKINV_IS_LOWER_TRIANGULAR &&
                   (int)STACKINV_DIAGONAL == STACKINV_IS_DIAGONAL,
               "structures have the same numbers");

static _Atomic(int) default_threads = 1;

void stackinv_set_default_threads(int threads)
{
    default_threads = threads;
}

static bool is_single_type(int type)
{
    return type == STACKINV_FLOAT32 || type == STACKINV_COMPLEX64;
}

static int parts_of_type(int type)
{
    return type >= STACKINV_COMPLEX64 ? 2 : 1;
}

static ptrdiff_t bytes_of_type(int type)
{
    return (is_single_type(type) ? sizeof(float) : sizeof(double)) * parts_of_type(type);
}

/* In double precision, as NumPy. */
static enum type calculation(int type)
{
    return parts_of_type(type) == 2 ? STACKINV_COMPLEX_DOUBLE : STACKINV_DOUBLE;
}

/* ---- One matrix ---- */

static struct layout rows(int type, ptrdiff_t ld)
{
    const ptrdiff_t size = bytes_of_type(type);
    return (struct layout){is_single_type(type), ld * size, size};
}

static struct layout turned_layout(struct layout layout)
{
    return (struct layout){layout.single, layout.column, layout.row};
}

static inline int check_one(int structure, int m, ptrdiff_t lda)
{
    if (structure < STACKINV_GENERAL || structure > STACKINV_DIAGONAL)
        return STACKINV_WRONG_STRUCTURE;
    if (m < 0)
        return STACKINV_WRONG_SIZE;
    return lda < m ? STACKINV_WRONG_STRIDES : 0;
}

/* Calculate what is asked of the stack, on so many threads; how many of its matrices are singular. */
static ptrdiff_t run(const struct stack *s, struct choice choice, int threads, void *workspace)
{
    struct call *call =
        workspace ? stackinv_begin_in(workspace, s, choice, threads) : stackinv_begin(s, choice, threads);
    if (!call)
        return STACKINV_NO_MEMORY;
    while (stackinv_turn(call))
        ;
    return stackinv_end(call);
}

/* A matrix, and what is asked of it: what is NULL is not. */
struct one {
    int type, structure, m, columns;
    const char *a, *right;
    char *inverse, *solution;
    struct tile_layouts layouts;
    double *rcond, *sign, *logabsdet;
};

static void describe_one(struct stack *s, const struct one *o, int *info)
{
    char *const at[STACKINV_ARRAYS] = {[STACKINV_A] = (char *)o->a,         [STACKINV_INVERSE] = o->inverse,
                                       [STACKINV_INFO] = (char *)info,      [STACKINV_RCOND] = (char *)o->rcond,
                                       [STACKINV_SIGN] = (char *)o->sign,   [STACKINV_LOGARITHM] = (char *)o->logabsdet,
                                       [STACKINV_RIGHT] = (char *)o->right, [STACKINV_SOLUTION] = o->solution};
    stackinv_describe(s, calculation(o->type), (enum structure)o->structure, o->m, o->layouts.a,
                      o->inverse ? o->layouts.inverse : o->layouts.a, at);
    if (o->solution)
        stackinv_add_systems(s, o->columns, o->layouts.right, o->layouts.solution);
}

/* By whichever engine; LAPACK's info. */
static int run_one(struct one o)
{
    int info = 0;
    struct stack s;
    describe_one(&s, &o, &info);
    ptrdiff_t singular = stackinv_invert_few(&s);
    if (singular < 0)
        singular = run(&s, stackinv_choose(&s, false), 1, NULL);
    return singular < 0 ? (int)singular : info;
}

/* NaN for what is asked of a singular matrix. */
static void spoil(struct one o)
{
    int info = 0;
    struct stack s;
    o.sign = o.logabsdet = NULL;
    describe_one(&s, &o, &info);
    const struct place place = locate(&s, 0);
    if (o.inverse)
        write_all(&s, o.inverse, NAN);
    else if (o.solution)
        write_singular(&s, &place);
}

/* Whether nothing but a tile is needed, as the loop chooses for it. Symmetric results take another step. */
static inline bool is_simple(const struct one *o, const struct settings *now)
{
    const bool triangular = o->structure == STACKINV_UPPER_TRIANGULAR || o->structure == STACKINV_LOWER_TRIANGULAR;
    return o->m <= ALWAYS_LANES_M && (now->engine < 0 || now->engine == STACKINV_LANES) &&
           (o->structure == STACKINV_GENERAL || o->structure == STACKINV_POSITIVE_DEFINITE ||
            (triangular && !o->logabsdet));
}

#if defined(__GNUC__) || defined(__clang__)
#define ALWAYS_INLINE inline __attribute__((always_inline))
#else
#define ALWAYS_INLINE inline
#endif

/* A call takes tens of nanoseconds: all of this is compiled into each function, less what it does not ask for. What it passes on
   is copied, so that the rest stays in registers. */
static ALWAYS_INLINE int calculate_one(const struct one *o)
{
    const struct settings now = stackinv_settings();
    const struct kernels *kernels = now.build->kernels[calculation(o->type)];
    const enum method method = stackinv_structures[o->structure].method;
    if (!is_simple(o, &now) || (o->m > ALWAYS_FEW_M && kernels->work_size[method](o->m) > MOST_FEW_BYTES))
        return run_one(*o);
    char memory[MOST_FEW_BYTES + 64], *work = memory + (-(size_t)memory & 63);
    const bool turned = o->structure == STACKINV_LOWER_TRIANGULAR;
    struct tile_layouts layouts = o->layouts;
    if (turned) {
        layouts.a = turned_layout(layouts.a);
        layouts.inverse = turned_layout(layouts.inverse);
    }
    double rcond[STACKINV_MOST_LANES];
    struct determinants d;
    struct tile t;
    describe_tile(&t, o->m, STACKINV_NOT_SYMMETRIC, turned, o->inverse != NULL, o->columns, &layouts, work);
    if (o->rcond)
        t.rcond = rcond;
    if (o->logabsdet) {
        t.determinants = &d;
        d.logarithms = true;
        d.numbers = false;
    }
    for (int lane = 0; lane < kernels->lanes; lane++) {
        t.a[lane] = o->a;
        t.out[lane] = o->inverse;
        if (o->solution) {
            t.right[lane] = o->right;
            t.solution[lane] = o->solution;
        }
    }
    const int info = kernels->invert[method](&t) ? t.info[0] : 0;
    if (info)
        spoil(*o);
    if (o->rcond)
        *o->rcond = info ? 0 : rcond[0];
    if (o->logabsdet) {
        o->sign[0] = d.sign[0][0];
        if (parts_of_type(o->type) == 2)
            o->sign[1] = d.sign[1][0];
        *o->logabsdet = d.logarithm[0];
    }
    return info;
}

static ALWAYS_INLINE int invert_one(int type, int structure, int m, const void *a, ptrdiff_t lda, void *x,
                                    ptrdiff_t ldx, double *rcond)
{
    const int wrong = check_one(structure, m, lda < ldx ? lda : ldx);
    if (wrong)
        return wrong;
    if (m == 0) {
        if (rcond)
            *rcond = 1;
        return 0;
    }
    const struct one one = {.type = type,
                            .structure = structure,
                            .m = m,
                            .a = a,
                            .inverse = x,
                            .rcond = rcond,
                            .layouts = {.a = rows(type, lda), .inverse = rows(type, ldx)}};
    return calculate_one(&one);
}

static ALWAYS_INLINE int solve_one(int type, int structure, int m, int k, const void *a, ptrdiff_t lda, const void *b,
                                   ptrdiff_t ldb, void *x, ptrdiff_t ldx)
{
    const int wrong = check_one(structure, m, lda);
    if (wrong)
        return wrong;
    if (k < 0)
        return STACKINV_WRONG_SIZE;
    if (ldb < k || ldx < k)
        return STACKINV_WRONG_STRIDES;
    if (m == 0 || k == 0)
        return 0;
    const struct one one = {.type = type,
                            .structure = structure,
                            .m = m,
                            .a = a,
                            .columns = k,
                            .right = b,
                            .solution = x,
                            .layouts = {.a = rows(type, lda), .right = rows(type, ldb), .solution = rows(type, ldx)}};
    return calculate_one(&one);
}

static ALWAYS_INLINE int slogdet_one(int type, int structure, int m, const void *a, ptrdiff_t lda, double *sign,
                                     double *logabsdet)
{
    const int wrong = check_one(structure, m, lda);
    if (wrong)
        return wrong;
    if (m == 0) {
        sign[0] = 1;
        if (parts_of_type(type) == 2)
            sign[1] = 0;
        *logabsdet = 0;
        return 0;
    }
    const struct one one = {.type = type,
                            .structure = structure,
                            .m = m,
                            .a = a,
                            .sign = sign,
                            .logabsdet = logabsdet,
                            .layouts = {.a = rows(type, lda)}};
    return calculate_one(&one);
}

#define DEFINE(letter, NUMBER, type)                                                                                   \
    static int letter##inv(int structure, int m, const NUMBER *a, ptrdiff_t lda, NUMBER *x, ptrdiff_t ldx,             \
                           double *rcond)                                                                              \
    {                                                                                                                  \
        return invert_one(type, structure, m, a, lda, x, ldx, rcond);                                                  \
    }                                                                                                                  \
    static int letter##solve(int structure, int m, int k, const NUMBER *a, ptrdiff_t lda, const NUMBER *b,             \
                             ptrdiff_t ldb, NUMBER *x, ptrdiff_t ldx)                                                  \
    {                                                                                                                  \
        return solve_one(type, structure, m, k, a, lda, b, ldb, x, ldx);                                               \
    }                                                                                                                  \
    static int letter##slogdet(int structure, int m, const NUMBER *a, ptrdiff_t lda, double *sign, double *logabsdet)  \
    {                                                                                                                  \
        return slogdet_one(type, structure, m, a, lda, sign, logabsdet);                                               \
    }
DEFINE(s, float, STACKINV_FLOAT32)
DEFINE(d, double, STACKINV_FLOAT64)
DEFINE(c, void, STACKINV_COMPLEX64)
DEFINE(z, void, STACKINV_COMPLEX128)

/* ---- A stack ---- */

/* Bytes of an element of one of the arrays, how many axes it has besides those of the stack, and how long the last of them is. */
struct form {
    ptrdiff_t size;
    int axes;
    ptrdiff_t height, width;
};

static struct form form_of(const stackinv_stack *p, enum array array)
{
    const ptrdiff_t number = bytes_of_type(p->type), real = sizeof(double) * parts_of_type(p->type);
    switch (array) {
    case STACKINV_A:
    case STACKINV_INVERSE:
        return (struct form){number, 2, p->order, p->order};
    case STACKINV_RIGHT:
    case STACKINV_SOLUTION:
        return (struct form){number, 2, p->order, p->columns};
    case STACKINV_INFO:
        return (struct form){sizeof(int), 0, 1, 1};
    case STACKINV_SIGN:
    case STACKINV_DETERMINANT:
        return (struct form){real, 0, 1, 1};
    default:
        return (struct form){sizeof(double), 0, 1, 1};
    }
}

static const stackinv_array *array_of(const stackinv_stack *p, enum array array)
{
    const stackinv_array *const arrays[STACKINV_ARRAYS] = {[STACKINV_A] = &p->a,
                                                           [STACKINV_INVERSE] = &p->inverse,
                                                           [STACKINV_INFO] = &p->info,
                                                           [STACKINV_RCOND] = &p->rcond,
                                                           [STACKINV_SIGN] = &p->sign,
                                                           [STACKINV_LOGARITHM] = &p->logabsdet,
                                                           [STACKINV_DETERMINANT] = &p->det,
                                                           [STACKINV_RIGHT] = &p->b,
                                                           [STACKINV_SOLUTION] = &p->solution};
    return arrays[array];
}

static struct layout layout_of(const stackinv_stack *p, enum array array)
{
    const ptrdiff_t *strides = array_of(p, array)->strides;
    if (!strides)
        return rows(p->type, form_of(p, array).width);
    return (struct layout){is_single_type(p->type), strides[p->ndim], strides[p->ndim + 1]};
}

static ptrdiff_t check(const stackinv_stack *p, int structures)
{
    ptrdiff_t matrices = 1;
    if (p->type < STACKINV_FLOAT32 || p->type > STACKINV_COMPLEX128)
        return STACKINV_WRONG_TYPE;
    if (p->structure < 0 || p->structure >= structures)
        return STACKINV_WRONG_STRUCTURE;
    if (p->ndim < 0 || p->ndim > STACKINV_MOST_AXES || (p->ndim && !p->shape) || p->order < 0 || p->order > INT_MAX ||
        p->columns < 0 || p->columns > INT_MAX || p->threads < STACKINV_ALL_THREADS)
        return STACKINV_WRONG_SIZE;
    for (int d = 0; d < p->ndim; d++) {
        if (p->shape[d] < 0 || (p->shape[d] && matrices > PTRDIFF_MAX / p->shape[d]))
            return STACKINV_WRONG_SIZE;
        matrices *= p->shape[d];
    }
    if (!p->a.data || !p->b.data != !p->solution.data || (p->inverse.data && p->solution.data) ||
        (p->rcond.data && !p->inverse.data))
        return STACKINV_WRONG_ARRAYS;
    return 0;
}

/* What there is to calculate; whether there is anything. */
static bool describe(struct stack *s, const stackinv_stack *p)
{
    char *at[STACKINV_ARRAYS];
    ptrdiff_t step[STACKINV_ARRAYS], dense[STACKINV_MOST_AXES][STACKINV_ARRAYS];
    for (int k = 0; k < STACKINV_ARRAYS; k++) {
        const struct form form = form_of(p, k);
        at[k] = array_of(p, k)->data;
        step[k] = form.size * form.height * form.width;
    }
    for (int d = p->ndim - 1; d >= 0; d--)
        for (int k = 0; k < STACKINV_ARRAYS; k++) {
            const ptrdiff_t *strides = array_of(p, k)->strides;
            dense[d][k] = strides ? strides[d] : step[k];
            step[k] *= p->shape[d];
        }
    if (p->columns == 0)
        at[STACKINV_RIGHT] = at[STACKINV_SOLUTION] = NULL;
    stackinv_describe(s, calculation(p->type), (enum structure)p->structure, (int)p->order, layout_of(p, STACKINV_A),
                      layout_of(p, at[STACKINV_INVERSE] ? STACKINV_INVERSE : STACKINV_A), at);
    if (at[STACKINV_SOLUTION])
        stackinv_add_systems(s, (int)p->columns, layout_of(p, STACKINV_RIGHT), layout_of(p, STACKINV_SOLUTION));
    for (int d = 0; d < p->ndim; d++)
        stackinv_add_axis(s, p->shape[d], dense[d]);
    return s->n > 0;
}

/* What is known of each matrix before any is calculated: all of it, if they are of order 0. */
static void fill(const struct stack *s)
{
    const size_t number = sizeof(double) * parts_of(s->type);
    const double one[2] = {1, 0};
    for (ptrdiff_t i = 0; i < s->n; i++) {
        const struct place place = locate(s, i);
        if (place.at[STACKINV_INFO])
            *(int *)place.at[STACKINV_INFO] = 0;
        if (s->m)
            continue;
        if (place.at[STACKINV_RCOND])
            *(double *)place.at[STACKINV_RCOND] = 1;
        if (place.at[STACKINV_SIGN])
            memcpy(place.at[STACKINV_SIGN], one, number);
        if (place.at[STACKINV_LOGARITHM])
            *(double *)place.at[STACKINV_LOGARITHM] = 0;
        if (place.at[STACKINV_DETERMINANT])
            memcpy(place.at[STACKINV_DETERMINANT], one, number);
    }
}

static int count_threads(const stackinv_stack *p, struct choice choice)
{
    const int all = default_threads;
    const int asked = p->threads == STACKINV_ALL_THREADS ? all : p->threads;
    return choice.shared && asked > 1 ? asked : 1;
}

static ptrdiff_t workspace_bytes(const stackinv_stack *p)
{
    struct stack s;
    const ptrdiff_t wrong = check(p, STACKINV_STRUCTURES);
    if (wrong)
        return wrong;
    if (!describe(&s, p) || !s.m)
        return 0;
    const struct choice choice = stackinv_choose(&s, false);
    const size_t size = stackinv_memory(&s, choice, count_threads(p, choice));
    return size && size < PTRDIFF_MAX ? (ptrdiff_t)size + 16 : STACKINV_NO_MEMORY;
}

static struct layout layout_of_one(const stackinv_stack *p, const stackinv_array *array, ptrdiff_t columns)
{
    if (!array->strides)
        return rows(p->type, columns);
    return (struct layout){is_single_type(p->type), array->strides[0], array->strides[1]};
}

/* One matrix of which nothing is asked that the functions for one have not. */
static ptrdiff_t calculate_alone(const stackinv_stack *p)
{
    const struct one one = {.type = p->type,
                            .structure = p->structure,
                            .m = (int)p->order,
                            .columns = p->solution.data ? (int)p->columns : 0,
                            .a = p->a.data,
                            .inverse = p->inverse.data,
                            .right = p->b.data,
                            .solution = p->solution.data,
                            .rcond = p->rcond.data,
                            .sign = p->sign.data,
                            .logabsdet = p->logabsdet.data,
                            .layouts = {.a = layout_of_one(p, &p->a, p->order),
                                        .inverse = layout_of_one(p, &p->inverse, p->order),
                                        .right = layout_of_one(p, &p->b, p->columns),
                                        .solution = layout_of_one(p, &p->solution, p->columns)}};
    const int info = calculate_one(&one);
    if (p->info.data && info >= 0)
        *(int *)p->info.data = info;
    return info > 0 ? 1 : info;
}

static bool is_alone(const stackinv_stack *p)
{
    return p->ndim == 0 && p->order > 0 && p->order <= ALWAYS_LANES_M && !p->det.data && !p->workspace &&
           !p->sign.data == !p->logabsdet.data && (p->inverse.data || p->sign.data || (p->solution.data && p->columns));
}

static ptrdiff_t calculate_known(const stackinv_stack *p, int structures)
{
    struct stack s;
    char *workspace = p->workspace;
    const ptrdiff_t wrong = check(p, structures);
    if (wrong)
        return wrong;
    if (is_alone(p))
        return calculate_alone(p);
    if (!describe(&s, p))
        return 0;
    const struct choice choice = stackinv_choose(&s, false);
    const int threads = count_threads(p, choice);
    if (s.m && workspace) {
        const size_t size = stackinv_memory(&s, choice, threads);
        workspace += -(size_t)workspace & 15;
        if (!size || (size_t)(workspace - (char *)p->workspace) + size > p->workspace_bytes)
            return STACKINV_WRONG_WORKSPACE;
    }
    if (s.at[STACKINV_INFO] || !s.m)
        fill(&s);
    if (!s.m || !(wants_all(&s) || wants_determinant(&s)))
        return 0;
    return run(&s, choice, threads, workspace);
}

static ptrdiff_t calculate(const stackinv_stack *p)
{
    return calculate_known(p, STACKINV_STRUCTURES);
}

ptrdiff_t stackinv_calculate_derivatives(const stackinv_stack *p)
{
    return calculate_known(p, STACKINV_KNOWN);
}

static const char *describe_error(ptrdiff_t error)
{
    switch (error) {
    case STACKINV_NO_MEMORY:
        return "there is not enough memory for a workspace";
    case STACKINV_WRONG_TYPE:
        return "the type is none of enum stackinv_type";
    case STACKINV_WRONG_STRUCTURE:
        return "the structure is none of enum stackinv_structure";
    case STACKINV_WRONG_SIZE:
        return "an order, a length, a number of columns, axes or threads is negative or too large";
    case STACKINV_WRONG_ARRAYS:
        return "a is needed, b with the solution, which is not calculated with the inverse, and the inverse with rcond";
    case STACKINV_WRONG_STRIDES:
        return "rows would overlap: lda and ldx must be at least the order, ldb the number of columns";
    case STACKINV_WRONG_WORKSPACE:
        return "the workspace is smaller than workspace_bytes() says";
    default:
        return error < 0 ? "an error of a later version" : "no error";
    }
}

const stackinv_functions stackinv_api = {
    STACKINV_API_VERSION,
    sinv,
    dinv,
    cinv,
    zinv,
    ssolve,
    dsolve,
    csolve,
    zsolve,
    sslogdet,
    dslogdet,
    cslogdet,
    zslogdet,
    calculate,
    workspace_bytes,
    describe_error,
    stackinv_use_large_pages,
};
