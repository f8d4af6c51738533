/* SPDX-License-Identifier: BSD-3-Clause */
/* The lanes engine: a tile of matrices at once, one in each lane of the processor's vectors (see kernels/lanes-inl.h). */
#include "engines.h"
#include "stream.h"
#include "tuning.h"

#include <math.h>

enum { WORK, STAGED };

static double estimate(const struct stack *s, const struct kernels *kernels)
{
    const double m = s->m, general = (6.4e-9 * m * m + 2.2e-10 * m * m * m) / kernels->lanes;
    return general * cost_of(s);
}

/* Bytes of a tile's results if they are streamed to memory, else 0. */
static ptrdiff_t staged_bytes(const struct call *call, int lanes)
{
    const struct stack *s = call->stack;
    const ptrdiff_t matrix = dense_bytes(s->m, s->inverse, inverse_bytes(s));
    const ptrdiff_t least = LEAST_STAGED_BYTES * (call->method == STACKINV_TRIANGLE ? 2 : 1);
    if (STACKINV_STREAMS && matrix && s->n * matrix > LEAST_STREAMED_BYTES && least <= lanes * matrix &&
        lanes * matrix <= MOST_STAGED_BYTES && s->ndim == 1 && s->strides[STACKINV_INVERSE][0] == matrix)
        return lanes * matrix;
    return 0;
}

static void plan(struct call *call)
{
    const struct stack *s = call->stack;
    struct plan *p = &call->plan;
    p->unit = call->kernels->lanes;
    p->staged = staged_bytes(call, p->unit);
    lay_out(p, WORK, call->kernels->work_size[call->method](s->m));
    lay_out(p, STAGED, p->staged);
    p->slot = sizeof(struct slot);
}

static void describe_tile(struct tile *t, const struct call *call, struct slot *slot)
{
    const struct stack *s = call->stack;
    t->m = s->m;
    t->symmetry = call->symmetry;
    t->transposed = s->transposed;
    t->a_single = s->a.single;
    t->out_single = s->inverse.single;
    t->a_row = s->a.row;
    t->a_column = s->a.column;
    t->out_row = s->inverse.row;
    t->out_column = s->inverse.column;
    t->ahead = s->ndim == 1 ? call->plan.unit * s->strides[STACKINV_A][0] : 0;
    t->fetch_a = t->ahead ? dense_bytes(s->m, s->a, a_bytes(s)) : 0;
    t->fetch_out = call->plan.staged ? 0 : dense_bytes(s->m, s->inverse, inverse_bytes(s));
    t->work = piece_of(call, slot, WORK);
}

/* Matrices i to i + n - 1, one for each lane; lanes that are left over have the first one again. */
static void fill_lanes(struct tile *t, const struct call *call, ptrdiff_t i, int n, char *staged)
{
    const struct stack *s = call->stack;
    const int lanes = call->plan.unit;
    if (s->ndim <= 1) {
        const ptrdiff_t a = s->strides[STACKINV_A][0], inverse = s->strides[STACKINV_INVERSE][0];
        t->a[0] = s->at[STACKINV_A] + i * a;
        t->out[0] = s->at[STACKINV_INVERSE] + i * inverse;
        for (int lane = 1; lane < n; lane++) {
            t->a[lane] = t->a[lane - 1] + a;
            t->out[lane] = t->out[lane - 1] + inverse;
        }
    } else {
        const int axis = s->ndim - 1;
        const ptrdiff_t length = s->shape[axis];
        struct place place;
        for (ptrdiff_t lane = 0, along = i % length; lane < n; lane++, along++) {
            if (along == length)
                along = 0;
            if (lane == 0 || along == 0)
                place = locate(s, i + lane);
            else {
                place.at[STACKINV_A] += s->strides[STACKINV_A][axis];
                place.at[STACKINV_INVERSE] += s->strides[STACKINV_INVERSE][axis];
            }
            t->a[lane] = place.at[STACKINV_A];
            t->out[lane] = place.at[STACKINV_INVERSE];
        }
    }
    for (int lane = n; lane < lanes; lane++) {
        t->a[lane] = t->a[0];
        t->out[lane] = t->out[0];
    }
    if (call->plan.staged)
        for (int lane = 0; lane < lanes; lane++)
            t->out[lane] = staged + lane * (call->plan.staged / lanes);
}

static bool go_on(struct call *call, struct slot *slot)
{
    const struct stack *s = call->stack;
    const int lanes = call->plan.unit;
    const ptrdiff_t staged_matrix = call->plan.staged / lanes;
    char *staged = piece_of(call, slot, STAGED);
    double rcond[STACKINV_MOST_LANES];
    ptrdiff_t singular = 0;
    struct tile t;
    describe_tile(&t, call, slot);
    t.rcond = s->at[STACKINV_RCOND] ? rcond : NULL;
    for (ptrdiff_t i = slot->first; i < slot->last; i += lanes) {
        const int n = slot->last - i < lanes ? (int)(slot->last - i) : lanes;
        fill_lanes(&t, call, i, n, staged);
        const bool any_singular = call->kernels->invert[call->method](&t);
        if (t.symmetry)
            for (int lane = 0; lane < n; lane++)
                make_symmetric(s, t.out[lane], 0, s->m);
        if (any_singular || t.rcond)
            for (int lane = 0; lane < n; lane++) {
                const struct place place = locate(s, i + lane);
                if (note(s, &place, any_singular ? t.info[lane] : 0, rcond[lane])) {
                    singular++;
                    write_all(s, t.out[lane], NAN);
                }
            }
        if (call->plan.staged)
            stream(s->at[STACKINV_INVERSE] + i * s->strides[STACKINV_INVERSE][0], staged, n * staged_matrix);
    }
    if (call->plan.staged)
        stream_end();
    take(&call->singular, singular);
    return true;
}

const struct engine lanes_engine = {false, estimate, plan, NULL, NULL, go_on};
