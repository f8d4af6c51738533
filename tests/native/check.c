/* SPDX-License-Identifier: BSD-3-Clause */
/* Every instruction set, structure, type, precision and layout, by both engines, few matrices and many, the whole way of the
   data, with unread triangles full of NaN and all memory of the very size: for sanitizers, valgrind and emulators. Each
   inverse must be one, and each solution solve its system.

       check FIRST_M LAST_M STEP THREADS [fences] */
#include "call.h"
#include "tuning.h"

#include <complex.h>
#include <math.h>
#include <string.h>

enum arrangement { BY_ROWS, BY_COLUMNS, PADDED_ROWS, SPACED, ROWS_BACKWARDS, BACKWARDS, ACROSS, ARRANGEMENTS };

/* A stack in memory of its own: each matrix from its first byte to its last. */
struct held {
    struct memory memory;
    char *origin;
    struct layout layout;
    ptrdiff_t step;
};

static struct held hold(ptrdiff_t n, int m, int width, int parts, bool single, enum arrangement how)
{
    struct held h;
    const ptrdiff_t size = single ? 4 : 8, element = size * parts;
    ptrdiff_t row = element * width, column = element;
    if (how == BY_COLUMNS)
        column = element * m, row = element;
    else if (how == PADDED_ROWS)
        row = element * (width + 3);
    else if (how == SPACED)
        column = 3 * element, row = column * width + element;
    else if (how == ACROSS)
        column = n * element, row = column * width;
    const ptrdiff_t last = (m - 1) * row + (width - 1) * column;
    if (how == ACROSS) {
        h.memory = take_pieces(1, last + n * element, size);
        h.step = element;
    } else {
        h.memory = take_pieces(n, last + element, size);
        h.step = h.memory.step;
    }
    h.origin = h.memory.at;
    if (how == ROWS_BACKWARDS || how == BACKWARDS) {
        h.origin += (m - 1) * row;
        row = -row;
    }
    if (how == BACKWARDS) {
        h.origin += (width - 1) * column;
        column = -column;
    }
    h.layout = (struct layout){single, row, column};
    return h;
}

static char *element(const struct held *h, ptrdiff_t k, int i, int j)
{
    return h->origin + k * h->step + i * h->layout.row + j * h->layout.column;
}

static double get(const struct held *h, ptrdiff_t k, int i, int j, int part)
{
    const char *at = element(h, k, i, j);
    return h->layout.single ? ((const float *)at)[part] : ((const double *)at)[part];
}

static void set(struct held *h, ptrdiff_t k, int i, int j, int part, double value)
{
    char *at = element(h, k, i, j);
    if (h->layout.single)
        ((float *)at)[part] = (float)value;
    else
        ((double *)at)[part] = value;
}

static bool has_real_diagonal(enum structure structure)
{
    return structure == STACKINV_IS_HERMITIAN || structure == STACKINV_IS_POSITIVE_DEFINITE;
}

/* Well-conditioned matrices with exact numbers; with its rows in another order, if it is general, so that pivots count. */
static double number(enum structure structure, int m, int i, int j, int part, ptrdiff_t k)
{
    if (structure == STACKINV_IS_GENERAL)
        i = m - 1 - i;
    const bool upper = structure == STACKINV_IS_LOWER_TRIANGULAR ? j < i : j > i;
    if ((structure == STACKINV_IS_UPPER_TRIANGULAR && j < i) || (structure == STACKINV_IS_LOWER_TRIANGULAR && j > i) ||
        (structure == STACKINV_IS_DIAGONAL && i != j))
        return 0;
    const int low = i < j ? i : j, high = i < j ? j : i;
    const double off = ((low * 7 + high * 5 + (low * high + k) % 11) % 13 - 6) / 16.0;
    if (i != j)
        return part == 0 ? off : has_real_diagonal(structure) ? (upper ? off : -off) / 2 : off / 2;
    if (part)
        return has_real_diagonal(structure) ? 0 : .25;
    return structure == STACKINV_IS_POSITIVE_DEFINITE || i % 2 ? m + 1 : -m - 1;
}

static bool is_read(enum structure structure, int i, int j, int part)
{
    switch (structure) {
    case STACKINV_IS_GENERAL:
        return true;
    case STACKINV_IS_DIAGONAL:
        return i == j;
    case STACKINV_IS_UPPER_TRIANGULAR:
        return j >= i;
    default:
        return i == j && has_real_diagonal(structure) ? part == 0 : j <= i;
    }
}

enum { MOST_N = 4 * STACKINV_MOST_LANES };

/* The logarithm of the determinant of matrix k, by elimination in place; the last ones are remembered. */
static double complex logarithm_of(enum structure structure, int m, bool is_complex, ptrdiff_t k)
{
    static double complex known[MOST_N];
    static struct {
        int structure, m, is_complex;
        bool known[MOST_N];
    } of;
    if (of.structure != (int)structure || of.m != m || of.is_complex != is_complex) {
        memset(&of, 0, sizeof of);
        of.structure = structure, of.m = m, of.is_complex = is_complex;
    }
    if (of.known[k])
        return known[k];
    double complex *a = malloc(sizeof *a * m * m), logarithm = 0;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < m; j++)
            a[i * m + j] = number(structure, m, i, j, 0, k) + (is_complex ? I * number(structure, m, i, j, 1, k) : 0);
    for (int c = 0; c < m; c++) {
        int pivot = c;
        for (int i = c + 1; i < m; i++)
            if (cabs(a[i * m + c]) > cabs(a[pivot * m + c]))
                pivot = i;
        for (int j = 0; j < m && pivot != c; j++) {
            const double complex x = a[c * m + j];
            a[c * m + j] = a[pivot * m + j];
            a[pivot * m + j] = x;
        }
        logarithm += clog(a[c * m + c]) + (pivot != c ? I * M_PI : 0);
        for (int i = c + 1; i < m; i++) {
            const double complex l = a[i * m + c] / a[c * m + c];
            for (int j = c + 1; j < m; j++)
                a[i * m + j] -= l * a[c * m + j];
        }
    }
    free(a);
    of.known[k] = true;
    return known[k] = logarithm;
}

/* How far a determinant is from it, in its logarithm and its sign. */
static double determinant_error(const struct given *g, ptrdiff_t k)
{
    const int parts = parts_of(g->type);
    const double complex expected = logarithm_of(g->structure, g->m, parts == 2, k);
    const double complex sign = g->sign[2 * k] + (parts == 2 ? I * g->sign[2 * k + 1] : 0);
    return fabs(g->logarithm[k] - creal(expected)) / g->m + cabs(sign - cexp(I * cimag(expected))) / g->m;
}

/* Right-hand sides of exact numbers, or I where there are none. */
static double right_side(const struct given *g, int i, int j, int part, ptrdiff_t k)
{
    return g->columns ? ((i * 3 + j * 5 + part * 7 + k) % 9 - 4) / 8.0 : part == 0 && i == j;
}

/* The largest element of A X less those in some of its rows, infinite if any is NaN. */
static double residual(const struct given *g, const struct held *x, ptrdiff_t k)
{
    const int m = g->m, columns = g->columns ? g->columns : m, is_complex = parts_of(g->type) - 1;
    double worst = 0;
    for (int i = 0; i < m; i += 1 + m / 4)
        for (int j = 0; j < columns; j++) {
            double re = -right_side(g, i, j, 0, k), im = is_complex ? -right_side(g, i, j, 1, k) : 0;
            for (int l = 0; l < m; l++) {
                const double ar = number(g->structure, m, i, l, 0, k);
                const double ai = is_complex ? number(g->structure, m, i, l, 1, k) : 0;
                const double xr = get(x, k, l, j, 0), xi = is_complex ? get(x, k, l, j, 1) : 0;
                re += ar * xr - ai * xi;
                im += ar * xi + ai * xr;
            }
            if (isnan(re) || isnan(im))
                return INFINITY;
            worst = fmax(worst, fabs(re) + fabs(im));
        }
    return worst;
}

static int failures;

/* Solve systems of so many columns, their right-hand sides arranged as well, the solutions in their place if precisions agree
   and `in_place`. */
static void check_systems(struct given g, char *a, enum arrangement how, bool right_single, bool solution_single,
                          bool in_place)
{
    const double tolerance = right_single || solution_single || g.a.single || is_single(g.type) ? 1e-4 : 1e-12;
    const int parts = parts_of(g.type);
    struct held b = hold(g.n, g.m, g.columns, parts, right_single, how), x = b;
    in_place = in_place && right_single == solution_single;
    if (!in_place)
        x = hold(g.n, g.m, g.columns, parts, solution_single, how);
    for (ptrdiff_t k = 0; k < g.n; k++)
        for (int i = 0; i < g.m; i++)
            for (int j = 0; j < g.columns; j++)
                for (int part = 0; part < parts; part++)
                    set(&b, k, i, j, part, right_side(&g, i, j, part, k));
    g.sign = g.logarithm = NULL;
    g.right_layout = b.layout, g.right = b.origin, g.right_step = b.step;
    g.solution_layout = x.layout, g.solution = x.origin, g.solution_step = x.step;
    const ptrdiff_t singular = invert(&g, a, NULL, NULL, NULL);
    for (ptrdiff_t k = 0; k < g.n; k++) {
        const double error = residual(&g, &x, k);
        if (singular || !(error < tolerance)) {
            failures++;
            printf("%s, structure %d, type %d, M = %d, K = %d, arrangement %d, single %d %d %d, system %td of %td: "
                   "error %g\n",
                   g.engine == STACKINV_LANES ? "lanes" : "blocked", g.structure, g.type, g.m, g.columns, how,
                   g.a.single, right_single, solution_single, k, g.n, error);
        }
    }
    give_pieces(b.memory);
    if (!in_place)
        give_pieces(x.memory);
}

/* From the inverses X of general matrices A: with B = A the derivative is -X, and with B = A^H the gradient is -X^H. */
static void check_derivatives(struct given g, const struct held *inverses, enum arrangement how, bool single,
                              bool adjoint)
{
    const double tolerance = g.inverse.single || single || is_single(g.type) ? 1e-3 : 1e-12;
    const int parts = parts_of(g.type);
    struct held b = hold(g.n, g.m, g.m, parts, single, how), y = hold(g.n, g.m, g.m, parts, g.inverse.single, how);
    for (ptrdiff_t k = 0; k < g.n; k++)
        for (int i = 0; i < g.m; i++)
            for (int j = 0; j < g.m; j++)
                for (int part = 0; part < parts; part++) {
                    const double value = number(g.structure, g.m, adjoint ? j : i, adjoint ? i : j, part, k);
                    set(&b, k, i, j, part, adjoint && part ? -value : value);
                }
    struct given d = g;
    d.structure = adjoint ? STACKINV_IS_FOR_GRADIENT : STACKINV_IS_FOR_DERIVATIVE;
    d.sign = d.logarithm = NULL;
    d.a = g.inverse, d.a_step = g.inverse_step;
    d.columns = g.m;
    d.right_layout = b.layout, d.right = b.origin, d.right_step = b.step;
    d.solution_layout = y.layout, d.solution = y.origin, d.solution_step = y.step;
    invert(&d, inverses->origin, NULL, NULL, NULL);
    for (ptrdiff_t k = 0; k < g.n; k++) {
        double error = 0;
        for (int i = 0; i < g.m; i++)
            for (int j = 0; j < g.m; j++)
                for (int part = 0; part < parts; part++) {
                    const double x = get(inverses, k, adjoint ? j : i, adjoint ? i : j, part);
                    const double off = fabs(get(&y, k, i, j, part) + (adjoint && part ? -x : x));
                    error = isnan(off) ? INFINITY : fmax(error, off);
                }
        if (!(error < tolerance)) {
            failures++;
            printf("%s, type %d, M = %d, arrangement %d, single %d %d, matrix %td of %td: error %g\n",
                   adjoint ? "gradient" : "derivative", g.type, g.m, how, g.inverse.single, single, k, g.n, error);
        }
    }
    give_pieces(b.memory);
    give_pieces(y.memory);
}

/* Whether the determinants without the inverses are those with them, to the bit. */
static bool same_without_inverse(struct given g, char *a)
{
    double *sign = calloc(2 * g.n, sizeof *sign), *logarithm = malloc(g.n * sizeof *logarithm);
    double *with_sign = g.sign, *with_logarithm = g.logarithm;
    bool same = true;
    g.sign = sign, g.logarithm = logarithm;
    invert(&g, a, NULL, NULL, NULL);
    for (ptrdiff_t k = 0; k < g.n; k++)
        same = same && sign[2 * k] == with_sign[2 * k] && logarithm[k] == with_logarithm[k] &&
               (parts_of(g.type) == 1 || sign[2 * k + 1] == with_sign[2 * k + 1]);
    free(sign);
    free(logarithm);
    return same;
}

static void check(struct given g, enum arrangement how, bool a_single, bool inverse_single)
{
    const double tolerance = a_single || inverse_single || is_single(g.type) ? 1e-4 : 1e-12;
    const int parts = parts_of(g.type);
    struct held a = hold(g.n, g.m, g.m, parts, a_single, how), x = hold(g.n, g.m, g.m, parts, inverse_single, how);
    int *info = malloc(g.n * sizeof *info);
    double *rcond = malloc(g.n * sizeof *rcond);
    double *sign = malloc(2 * g.n * sizeof *sign), *logarithm = malloc(g.n * sizeof *logarithm);
    for (ptrdiff_t k = 0; k < g.n; k++)
        for (int i = 0; i < g.m; i++)
            for (int j = 0; j < g.m; j++)
                for (int part = 0; part < parts; part++)
                    set(&a, k, i, j, part,
                        is_read(g.structure, i, j, part) ? number(g.structure, g.m, i, j, part, k) : NAN);
    g.a = a.layout, g.a_step = a.step;
    g.inverse = x.layout, g.inverse_step = x.step;
    g.sign = sign, g.logarithm = logarithm;
    const ptrdiff_t singular = invert(&g, a.origin, x.origin, info, rcond);
    const bool same = same_without_inverse(g, a.origin);
    for (ptrdiff_t k = 0; k < g.n; k++) {
        const double error = residual(&g, &x, k) + determinant_error(&g, k);
        if (singular || info[k] || !same || !(error < tolerance) || !(rcond[k] > 1e-4 && rcond[k] < 1.01)) {
            failures++;
            printf("%s, structure %d, type %d, M = %d, arrangement %d, single %d %d, matrix %td of %td: info %d, error "
                   "%g, rcond %g\n",
                   g.engine == STACKINV_LANES ? "lanes" : "blocked", g.structure, g.type, g.m, how, a_single,
                   inverse_single, k, g.n, info[k], error, rcond[k]);
        }
    }
    for (g.columns = 1; g.columns <= 7; g.columns += 1 + (g.m + how) % 4)
        check_systems(g, a.origin, (how + g.columns) % ARRANGEMENTS, inverse_single, a_single, g.m % 3 == 0);
    g.columns = 0;
    if (g.structure == STACKINV_IS_GENERAL && g.engine == STACKINV_LANES) {
        check_derivatives(g, &x, (how + 1) % ARRANGEMENTS, a_single, false);
        check_derivatives(g, &x, (how + 2) % ARRANGEMENTS, a_single, true);
    }
    free(info);
    free(rcond);
    free(sign);
    free(logarithm);
    give_pieces(a.memory);
    give_pieces(x.memory);
}

static void check_all(const struct build *build, int first, int last, int step, int threads)
{
    const int before = failures;
    long calls = 0;
    for (int structure = 0; structure < STACKINV_STRUCTURES; structure++)
        for (int type = 0; type < STACKINV_TYPES; type++)
            for (int m = first; m <= last; m += step)
                for (int how = 0; how < ARRANGEMENTS; how++) {
                    const int precisions = m + how + structure, lanes = build->kernels[type]->lanes;
                    const bool a_single = precisions % 2, inverse_single = precisions / 2 % 2;
                    stackinv_tuning.least_streamed = (m + structure) % 2 ? 0 : INFINITY; /* past the caches, or not */
                    struct given g = {
                        .type = type, .structure = structure, .m = m, .threads = threads, .garbage = 0xff};
                    /* From two tiles on those that lie across each other are gathered. */
                    const ptrdiff_t counts[] = {how == ACROSS ? 2 * lanes + m % lanes : lanes, 1 + (m + how) % lanes};
                    g.engine = STACKINV_LANES;
                    for (int k = 0; k < (threads == 1 ? 2 : 0); k++) { /* in this engine threads share no matrix */
                        g.n = counts[k];
                        check(g, how, a_single, inverse_single);
                        calls++;
                    }
                    g.engine = STACKINV_BLOCKED; /* several are gathered if they lie across */
                    g.n = how == ACROSS ? 5 : 1;
                    check(g, how, a_single, inverse_single);
                    calls++;
                }
    printf("%ld calls, %d failures\n", calls, failures - before);
    fflush(stdout);
}

/* What is calculated in the thread's stack fits there, with all kernels that were compiled. */
static void check_stack(const struct build *build)
{
    for (int type = 0; type < STACKINV_TYPES; type++)
        for (int method = 0; method < STACKINV_LANES_METHODS; method++)
            for (int m = 1; m <= ALWAYS_FEW_M; m++)
                if (build->kernels[type]->work_size[method](m) > MOST_FEW_BYTES) {
                    printf("FAILED: %s, type %d, method %d: a tile of M = %d is too large for the stack\n", build->name,
                           type, method, m);
                    failures++;
                }
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: %s FIRST_M LAST_M STEP THREADS [fences]\n", argv[0]);
        return 2;
    }
    const int first = atoi(argv[1]), last = atoi(argv[2]), step = atoi(argv[3]), threads = atoi(argv[4]);
    fences = argc > 5;
    stackinv_prepare();
    for (int k = 0; k < stackinv_build_count; k++) {
        printf("%s: ", stackinv_builds[k].name);
        check_stack(&stackinv_builds[k]);
        if (stackinv_builds[k].runs_here()) {
            stackinv_use_build(&stackinv_builds[k]);
            check_all(&stackinv_builds[k], first, last, step, threads);
        } else
            printf("does not run here\n");
    }
    return failures != 0;
}
