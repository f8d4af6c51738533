/* SPDX-License-Identifier: BSD-3-Clause */
/* Diagonal matrices: the reciprocals of their diagonals between zeros, as fast as memory is written. */
#include "engines.h"
#include "stream.h"
#include "tuning.h"

#include <complex.h>
#include <math.h>
#include <string.h>

enum { TEMPLATE, NUMBERS };

/* Norms are calculated times this, so that sums do not overflow. */
#define NORM_UNIT 0x1p-20

static double estimate(const struct stack *s, const struct kernels *kernels)
{
    const double m = s->m;
    (void)kernels;
    return 1e-8 + 2e-9 * m + 2e-10 * m * m;
}

static ptrdiff_t result_bytes(const struct stack *s)
{
    return (ptrdiff_t)s->m * s->m * inverse_bytes(s);
}

/* How many results there are in a template, 0 if it is not used. */
static ptrdiff_t template_matrices(const struct stack *s)
{
    const ptrdiff_t size = wants_inverse(s) ? dense_bytes(s->m, s->inverse, inverse_bytes(s)) : 0;
    if (!size || size > MOST_TEMPLATE_BYTES ||
        !(s->ndim == 0 || (s->ndim == 1 && s->strides[STACKINV_INVERSE][0] == size)))
        return 0;
    return size < TEMPLATE_BYTES ? TEMPLATE_BYTES / size : 1;
}

static void plan(struct call *call)
{
    const struct stack *s = call->stack;
    const ptrdiff_t matrices = template_matrices(s);
    struct plan *p = &call->plan;
    p->unit = matrices ? (int)matrices : wants_inverse(s) ? 1 : call->kernels->lanes;
    p->staged = matrices * result_bytes(s);
    p->streamed = STACKINV_STREAMS && matrices && s->n * result_bytes(s) > LEAST_STREAMED_BYTES;
    lay_out(p, TEMPLATE, p->staged);
    lay_out(p, NUMBERS, (p->unit + 1) * s->m * element_bytes(s->type));
    p->slot = sizeof(struct slot);
}

/* m of the user's numbers, `step` bytes from each other, to or from consecutive ones of the calculation. */
static void read_numbers(const struct stack *s, const char *at, bool single, ptrdiff_t step, void *to)
{
    copy_matrix(to, (struct layout){is_single(s->type), element_bytes(s->type), 0}, at,
                (struct layout){single, step, 0}, s->m, 1, parts_of(s->type));
}

static void write_numbers(const struct stack *s, char *at, bool single, ptrdiff_t step, const void *from)
{
    copy_matrix(at, (struct layout){single, step, 0}, from,
                (struct layout){is_single(s->type), element_bytes(s->type), 0}, s->m, 1, parts_of(s->type));
}

static void read_diagonal(const struct stack *s, const char *at, void *to)
{
    read_numbers(s, at, s->a.single, s->a.row + s->a.column, to);
}

static void write_diagonal(const struct stack *s, char *at, const void *from)
{
    write_numbers(s, at, s->inverse.single, s->inverse.row + s->inverse.column, from);
}

/* A column of right-hand sides, and of solutions. */
static void read_column(const struct stack *s, const char *at, void *to)
{
    read_numbers(s, at, s->right.single, s->right.row, to);
}

static void write_column(const struct stack *s, char *at, const void *from)
{
    write_numbers(s, at, s->solution.single, s->solution.row, from);
}

#define NUMBER float
#define MODULUS(x) fabs((double)(x) * NORM_UNIT)
#define DIAGONAL(name) s_##name
#include "diagonal-inl.h"
#undef NUMBER
#undef DIAGONAL
#define NUMBER double
#define DIAGONAL(name) d_##name
#include "diagonal-inl.h"
#undef NUMBER
#undef DIAGONAL
#undef MODULUS
#define MODULUS(x) hypot(creal(x) * NORM_UNIT, cimag(x) * NORM_UNIT)
#define NUMBER float complex
#define DIAGONAL(name) c_##name
#include "diagonal-inl.h"
#undef NUMBER
#undef DIAGONAL
#define NUMBER double complex
#define DIAGONAL(name) z_##name
#include "diagonal-inl.h"

static bool go_on(struct call *call, struct slot *slot)
{
    static ptrdiff_t (*const invert[STACKINV_TYPES])(struct call *, struct slot *) = {s_invert, d_invert, c_invert,
                                                                                      z_invert};
    take(&call->singular, invert[call->stack->type](call, slot));
    if (call->plan.streamed)
        stream_end();
    return true;
}

const struct engine diagonal_engine = {false, estimate, plan, NULL, NULL, go_on};
