/* SPDX-License-Identifier: BSD-3-Clause */
/* The lanes engine: a tile of matrices at once, one in each lane of the processor's vectors (see kernels/lanes-inl.h). */
#include "engines.h"
#include "gather.h"
#include "stream.h"
#include "tile.h"
#include "tuning.h"

#include <math.h>

enum { WORK, STAGED, GATHERED };

static double estimate(const struct stack *s, const struct kernels *kernels)
{
    const double m = s->m, general = (6.4e-9 * m * m + 2.2e-10 * m * m * m) / kernels->lanes;
    return general * cost_of(s);
}

/* Bytes of a tile's results if they are streamed to memory, else 0. */
static ptrdiff_t staged_bytes(const struct call *call, int lanes)
{
    const struct stack *s = call->stack;
    const ptrdiff_t matrix = wants_inverse(s) ? dense_bytes(s->m, s->inverse, inverse_bytes(s)) : 0;
    const ptrdiff_t least = LEAST_STAGED_BYTES * (call->method == STACKINV_TRIANGLE ? 2 : 1);
    if (STACKINV_STREAMS && matrix && s->n * matrix > stackinv_tuning.least_streamed && least <= lanes * matrix &&
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
    p->gathered = choose_gathered(s, p->unit);
    lay_out(p, GATHERED, gathered_bytes(s, p->gathered));
    p->slot = sizeof(struct slot);
}

static void describe_stack(struct tile *t, const struct stack *s, const struct tile_layouts *layouts, void *work)
{
    describe_tile(t, s->m, stackinv_structures[s->structure].symmetry, s->transposed, wants_inverse(s), s->columns,
                  layouts, work);
}

/* What all tiles of a stack have in common, whose matrices may be gathered. */
static void describe_tiles(struct tile *t, const struct call *call, struct slot *slot, const struct gathered *g)
{
    const struct stack *s = call->stack;
    const ptrdiff_t streams = s->ndim == 1 ? s->m * s->m * element_bytes(s->type) : 0;
    const struct tile_layouts layouts = {g->a_at ? g->a : s->a, g->inverse_at ? g->inverse : s->inverse, s->right,
                                         s->solution};
    describe_stack(t, s, &layouts, piece_of(call, slot, WORK));
    t->ahead = s->ndim == 1 ? call->plan.unit * s->strides[STACKINV_A][0] : 0;
    t->fetch_a = g->a_at ? streams : t->ahead ? dense_bytes(s->m, s->a, a_bytes(s)) : 0;
    t->fetch_out = g->inverse_at                            ? streams
                   : call->plan.staged || !wants_inverse(s) ? 0
                                                            : dense_bytes(s->m, s->inverse, inverse_bytes(s));
}

/* Matrices i to i + n - 1, one for each lane; lanes that are left over have the first one again. */
static void fill_lanes(struct tile *t, const struct stack *s, int lanes, ptrdiff_t i, int n)
{
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
}

/* The right-hand sides of matrices i to i + n - 1, and where their solutions go; else the same. */
static void fill_systems(struct tile *t, const struct stack *s, int lanes, ptrdiff_t i, int n)
{
    const int axis = s->ndim > 0 ? s->ndim - 1 : 0;
    const ptrdiff_t length = s->ndim > 1 ? s->shape[axis] : s->n;
    const ptrdiff_t right_step = s->strides[STACKINV_RIGHT][axis], step = s->strides[STACKINV_SOLUTION][axis];
    for (int lane = 0, last; lane < n; lane = last) { /* runs along the last axis */
        const ptrdiff_t along = s->ndim > 1 ? (i + lane) % length : i + lane;
        char *right = s->at[STACKINV_RIGHT] + along * right_step, *solution = s->at[STACKINV_SOLUTION] + along * step;
        if (s->ndim > 1) {
            const struct place place = locate(s, i + lane);
            right = place.at[STACKINV_RIGHT];
            solution = place.at[STACKINV_SOLUTION];
        }
        last = length - along < n - lane ? lane + (int)(length - along) : n;
        for (int k = lane; k < last; k++, right += right_step, solution += step) {
            t->right[k] = right;
            t->solution[k] = solution;
        }
    }
    for (int lane = n; lane < lanes; lane++) {
        t->right[lane] = t->right[0];
        t->solution[lane] = t->solution[0];
    }
}

/* The same for matrices that are gathered, and what to fetch of the next ones meanwhile. */
static void fill_lanes_gathered(struct tile *t, const struct gathered *g, ptrdiff_t i, int n, int lanes)
{
    const struct stack *s = g->stack;
    const ptrdiff_t a = a_bytes(s), inverse = inverse_bytes(s);
    for (int lane = 0; lane < lanes; lane++) {
        const ptrdiff_t k = i - g->first + (lane < n ? lane : 0);
        if (g->a_at)
            t->a[lane] = g->a_at + k * a;
        if (g->inverse_at)
            t->out[lane] = g->inverse_at + k * inverse;
    }
    if (s->ndim != 1)
        return;
    const int tile = (int)(i - g->first) / lanes, tiles = g->length / lanes;
    if (g->a_at)
        t->a_streams =
            (struct streams){s->at[STACKINV_A] + g->last * a, s->a.row, s->a.column, (int)(g->length * a), tile, tiles};
    if (g->inverse_at)
        t->out_streams = (struct streams){s->at[STACKINV_INVERSE] + g->first * inverse,
                                          s->inverse.row,
                                          s->inverse.column,
                                          (int)(g->length * inverse),
                                          tile,
                                          tiles};
}

/* A tile is inverted: note what came of its matrices, of which the inverses lie as `results` says; how many are singular. */
static ptrdiff_t note_tile(const struct stack *s, const struct stack *results, const struct tile *t, ptrdiff_t i, int n,
                           bool any_singular)
{
    ptrdiff_t singular = 0;
    if (t->symmetry && t->inverse)
        for (int lane = 0; lane < n; lane++)
            make_symmetric(results, t->out[lane], 0, t->m);
    if (t->determinants)
        write_determinants(s, i, n, t->determinants);
    if (any_singular || t->rcond)
        for (int lane = 0; lane < n; lane++) {
            const struct place place = locate(s, i + lane);
            if (note(s, &place, any_singular ? t->info[lane] : 0, t->rcond ? t->rcond[lane] : 0)) {
                singular++;
                if (t->inverse)
                    write_all(results, t->out[lane], NAN);
                else
                    write_singular(s, &place);
            }
        }
    return singular;
}

static bool go_on(struct call *call, struct slot *slot)
{
    const struct stack *s = call->stack, *results = s;
    const int lanes = call->plan.unit;
    const ptrdiff_t staged_matrix = call->plan.staged / lanes;
    char *staged = piece_of(call, slot, STAGED);
    struct gathered g = prepare_gathered(s, call->plan.gathered, piece_of(call, slot, GATHERED), slot->first);
    double rcond[STACKINV_MOST_LANES];
    struct determinants determinants;
    ptrdiff_t singular = 0;
    struct stack gathered;
    struct tile t;
    describe_tiles(&t, call, slot, &g);
    t.rcond = s->at[STACKINV_RCOND] ? rcond : NULL;
    t.determinants = wants_determinant(s) ? &determinants : NULL;
    want_determinants(s, &determinants);
    if (g.inverse_at) {
        gathered = *s;
        gathered.inverse = g.inverse;
        results = &gathered;
    }
    for (ptrdiff_t i = slot->first; i < slot->last; i += lanes) {
        const int n = slot->last - i < lanes ? (int)(slot->last - i) : lanes;
        if (g.length && i == g.last)
            gather_next(&g, slot->last);
        fill_lanes(&t, s, lanes, i, n);
        if (t.columns)
            fill_systems(&t, s, lanes, i, n);
        for (int lane = 0; lane < lanes && call->plan.staged; lane++)
            t.out[lane] = staged + lane * staged_matrix;
        if (g.length)
            fill_lanes_gathered(&t, &g, i, n, lanes);
        const bool any_singular = call->kernels->invert[call->method](&t);
        singular += note_tile(s, results, &t, i, n, any_singular);
        if (call->plan.staged)
            stream(s->at[STACKINV_INVERSE] + i * s->strides[STACKINV_INVERSE][0], staged, n * staged_matrix);
        if (i + n == g.last)
            scatter_gathered(&g);
    }
    if (call->plan.staged)
        stream_end();
    take(&call->singular, singular);
    return true;
}

ptrdiff_t lanes_few(const struct stack *s, const struct kernels *kernels)
{
    const enum method method = stackinv_structures[s->structure].method;
    const int lanes = kernels->lanes, n = (int)s->n;
    const struct tile_layouts layouts = {s->a, s->inverse, s->right, s->solution};
    char memory[MOST_FEW_BYTES + 64], *work = memory + (-(size_t)memory & 63);
    double rcond[STACKINV_MOST_LANES];
    struct determinants determinants;
    struct tile t;
    if (s->n > lanes || kernels->work_size[method](s->m) > MOST_FEW_BYTES)
        return -1;
    describe_stack(&t, s, &layouts, work);
    t.rcond = s->at[STACKINV_RCOND] ? rcond : NULL;
    t.determinants = wants_determinant(s) ? &determinants : NULL;
    want_determinants(s, &determinants);
    fill_lanes(&t, s, lanes, 0, n);
    if (t.columns)
        fill_systems(&t, s, lanes, 0, n);
    return note_tile(s, s, &t, 0, n, kernels->invert[method](&t));
}

const struct engine lanes_engine = {false, estimate, plan, NULL, NULL, go_on};
