/* SPDX-License-Identifier: BSD-3-Clause */
/* The loop over the stack: which engine, memory, who does what, turns. */
#include "caches.h"
#include "engines.h"
#include "tuning.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

/* ---- Settings ---- */

struct atomic_settings stackinv_now = {NULL, -1, TURN_SECONDS, LEAST_SHARED_SECONDS};

void stackinv_use_build(const struct build *build)
{
    atomic_store_explicit(&stackinv_now.build, build, memory_order_relaxed);
}

void stackinv_use_engine(int engine)
{
    atomic_store_explicit(&stackinv_now.engine, engine, memory_order_relaxed);
}

double stackinv_override_turn(double seconds)
{
    return atomic_exchange_explicit(&stackinv_now.turn_seconds, seconds, memory_order_relaxed);
}

double stackinv_override_sharing(double least_seconds)
{
    return atomic_exchange_explicit(&stackinv_now.least_shared_seconds, least_seconds, memory_order_relaxed);
}

static const struct engine *const engines[] = {
    [STACKINV_LANES] = &lanes_engine,
    [STACKINV_BLOCKED] = &blocked_engine,
    [STACKINV_TOGETHER] = &together_engine,
    [STACKINV_DIAGONALS] = &diagonal_engine,
};

void stackinv_prepare(void)
{
    const struct build *build = stackinv_builds;
    while (!build->runs_here())
        build++;
    stackinv_use_build(build);
    stackinv_tuning.second_cache = (double)cache_bytes(2);
    if (!storing_past_caches_pays())
        stackinv_tuning.least_streamed = INFINITY;
    pool_prepare();
}

/* ---- Which engine ---- */

int stackinv_most_lanes_m(const struct build *build, enum type type, enum structure structure)
{
    return build->most_m[stackinv_structures[structure].method][type];
}

/* Lanes up to the order that the build gives for this type, as far as they are filled; then what the build says.

   Few of the smallest are worth it all the same, for one result whether they are alone or in a stack. */
static enum engine_name choose_engine(const struct stack *s, const struct build *build, int asked)
{
    const ptrdiff_t lanes = build->kernels[s->type]->lanes;
    if (s->structure == STACKINV_IS_DIAGONAL ||
        (s->structure == STACKINV_IS_UPPER_TRIANGULAR && !wants_all(s))) /* only its diagonal counts */
        return STACKINV_DIAGONALS;
    if (s->structure >= STACKINV_STRUCTURES) { /* products: for BLAS if their tiles leave the cache of a core */
        const size_t tiles = build->kernels[s->type]->work_size[stackinv_structures[s->structure].method](s->m);
        return (double)tiles <= stackinv_tuning.second_cache ? STACKINV_LANES : STACKINV_LAPACK;
    }
    if (asked >= 0)
        return asked;
    const double most_m = stackinv_most_lanes_m(build, s->type, s->structure), m = s->m;
    if (m <= ALWAYS_LANES_M ||
        (m <= most_m && s->n * pow(most_m / m, build->gain) >= (s->n + lanes - 1) / lanes * lanes))
        return STACKINV_LANES;
    return build->blocked ? STACKINV_BLOCKED : STACKINV_LAPACK;
}

struct choice stackinv_choose(const struct stack *s, bool lapack)
{
    const struct settings now = stackinv_settings();
    struct choice choice = {.build = now.build};
    choice.engine = choose_engine(s, now.build, now.engine);
    if (choice.engine == STACKINV_LAPACK && !lapack)
        choice.engine = STACKINV_LANES;
    if (choice.engine != STACKINV_LAPACK)
        choice.seconds = engines[choice.engine]->estimate(s, now.build->kernels[s->type]);
    choice.shared = s->n * choice.seconds > now.least_shared_seconds;
    return choice;
}

/* How many of the matrices, the last ones, are each inverted by all threads together: the n % threads of the last round, if
   that is faster than one thread each; all, if one takes long. */
static ptrdiff_t count_together(const struct stack *s, struct choice choice, int threads)
{
    const double serial = SERIAL_ROWS / (double)s->m, speedup = 1 / (serial + (1 - serial) / threads);
    const ptrdiff_t rest = s->n % threads;
    if (choice.engine != STACKINV_BLOCKED || threads == 1)
        return 0;
    if (choice.seconds > MOST_ALONE_SECONDS)
        return s->n;
    if (choice.seconds < stackinv_settings().least_shared_seconds)
        return 0;
    return rest < speedup ? rest : 0;
}

/* ---- Memory ---- */

/* That of the last call. */
static _Atomic(struct call *) spare;

static struct call *take_spare(void)
{
    return atomic_exchange_explicit(&spare, NULL, memory_order_acquire);
}

/* Whether there was none meanwhile, so that it is. */
static bool keep_spare(struct call *call)
{
    struct call *none = NULL;
    return atomic_compare_exchange_strong_explicit(&spare, &none, call, memory_order_release, memory_order_relaxed);
}

void stackinv_use_large_pages(void *memory, size_t size)
{
#ifdef MADV_HUGEPAGE
    const size_t page = 4096, first = ((size_t)memory + page - 1) / page * page;
    const size_t end = ((size_t)memory + size) / page * page;
    if (size >= LEAST_LARGE_PAGES_BYTES)
        madvise((void *)first, end - first, MADV_HUGEPAGE); /* which the system may refuse */
#else
    (void)memory, (void)size;
#endif
}

/* So many bytes, or a few more, of which `size` tells, or NULL. */
static struct call *take_memory(size_t size)
{
    struct call *call = take_spare();
    if (call && call->size >= size)
        return call;
    if (call && !keep_spare(call))
        free(call);
    call = malloc(size);
    if (call) {
        stackinv_use_large_pages(call, size);
        call->size = size;
    }
    return call;
}

/* The largest of those that are not too large stays. */
static void give_memory(struct call *call)
{
    if (call->size <= MOST_SPARE_BYTES) {
        struct call *other = take_spare();
        if (other && other->size > call->size) {
            struct call *larger = other;
            other = call;
            call = larger;
        }
        free(other);
        if (keep_spare(call))
            return;
    }
    free(call);
}

/* Bytes behind the call: the queue, what the threads share, the slots. */
static size_t plan_part(struct call *call, const struct engine *engine)
{
    call->engine = engine;
    call->plan = (struct plan){0};
    engine->plan(call);
    call->per_slot = call->plan.own + padded(call->plan.slot);
    return padded(call->threads * sizeof(int)) + call->plan.shared + call->threads * call->per_slot;
}

static struct call plan_call(const struct stack *s, struct choice choice, int threads)
{
    struct call plan = {.stack = s, .kernels = choice.build->kernels[s->type], .threads = threads};
    plan.method = stackinv_structures[s->structure].method;
    plan.symmetry = stackinv_structures[s->structure].symmetry;
    plan.alone = s->n - count_together(s, choice, threads);
    if (plan.alone && plan.threads > s->n)
        plan.threads = (int)s->n;
    return plan;
}

/* Of a call and all behind it; 0 if that is more than any machine has. */
static size_t bytes_of(const struct call *plan, const struct engine *engine)
{
    struct call scratch = *plan;
    size_t size = 0, other = 0;
    if ((double)plan->threads * plan->stack->m * plan->stack->m * element_bytes(plan->stack->type) >= 0x1p60)
        return 0;
    if (plan->alone)
        size = plan_part(&scratch, engine);
    if (plan->alone < plan->stack->n)
        other = plan_part(&scratch, &together_engine);
    return padded(sizeof *plan) + (size > other ? size : other) + 64;
}

size_t stackinv_memory(const struct stack *s, struct choice choice, int threads)
{
    const struct call plan = plan_call(s, choice, threads);
    return bytes_of(&plan, engines[choice.engine]);
}

/* ---- Parts, turns, chunks ---- */

/* How many units are taken at a time: few enough for the threads to end together. */
static ptrdiff_t chunk_of(const struct call *call)
{
    const struct stack *s = call->stack;
    const ptrdiff_t unit = call->plan.unit, threads = call->threads;
    ptrdiff_t units = CHUNK_BYTES / (inverse_bytes(s) * s->m * s->m * unit);
    if (call->engine->begin) /* its units are no matrices */
        return 1;
    if (threads > 1) {
        const ptrdiff_t fair = (call->units + unit - 1) / unit / (16 * threads);
        units = units < fair ? units : fair;
    }
    return (units > 1 ? units : 1) * unit;
}

static void begin_part(struct call *call, const struct engine *engine)
{
    char *start = (char *)call + padded(sizeof *call);
    start += -(size_t)start & 63;
    plan_part(call, engine);
    call->queue = (int *)start;
    call->shared = start + padded(call->threads * sizeof(int));
    call->slots = call->shared + call->plan.shared;
    for (int k = 0; k < call->threads; k++)
        memset(slot_of(call, k), 0, call->plan.slot);
    call->units = engine->begin ? engine->begin(call) : call->alone;
    call->next = call->finished = 0;
    call->chunk = chunk_of(call);
}

/* In memory of so many bytes, which are kept for another call at the end, or 0 if they are the caller's. */
static struct call *begin(struct call *call, size_t size, const struct call *plan, const struct engine *engine)
{
    *call = *plan;
    call->size = size;
    call->matrix = call->alone;
    begin_part(call, call->alone ? engine : &together_engine);
    return call;
}

struct call *stackinv_begin(const struct stack *s, struct choice choice, int threads)
{
    const struct call plan = plan_call(s, choice, threads);
    const size_t size = bytes_of(&plan, engines[choice.engine]);
    struct call *call = size ? take_memory(size) : NULL;
    return call ? begin(call, call->size, &plan, engines[choice.engine]) : NULL;
}

struct call *stackinv_begin_in(void *memory, const struct stack *s, struct choice choice, int threads)
{
    const struct call plan = plan_call(s, choice, threads);
    return begin(memory, 0, &plan, engines[choice.engine]);
}

/* Those with work left come first, in its order, so that none waits for what nobody goes on with. */
static void queue_slots(struct call *call)
{
    int count = 0;
    for (int k = 0; k < call->threads; k++)
        if (slot_of(call, k)->first < slot_of(call, k)->last) {
            int i = count++;
            for (; i > 0 && slot_of(call, call->queue[i - 1])->first > slot_of(call, k)->first; i--)
                call->queue[i] = call->queue[i - 1];
            call->queue[i] = k;
        }
    call->left_off = count;
    call->claimed = 0;
    for (int k = 0; k < call->threads; k++)
        if (slot_of(call, k)->first == slot_of(call, k)->last)
            call->queue[count++] = k;
}

/* Go on with the work of a slot; whether it is done, else the time is up. */
static bool finish_chunk(struct call *call, struct slot *slot, int member)
{
    while (slot->first < slot->last) {
        const ptrdiff_t end = call->engine->by_units ? slot->first + 1 : slot->last;
        if (!call->engine->go_on(call, slot))
            return false;
        take(&call->finished, end - slot->first);
        slot->first = end;
        if (time_is_up(&call->limit))
            return false;
        if (member == 0 && call->threads > 1)
            team_make_room(&call->members);
    }
    return true;
}

static bool take_chunk(struct call *call, struct slot *slot)
{
    slot->first = take(&call->next, call->chunk);
    slot->last = slot->first + call->chunk < call->units ? slot->first + call->chunk : call->units;
    if (slot->first < slot->last)
        return true;
    slot->first = slot->last = 0;
    return false;
}

/* The part of one thread: what was left off, then chunk after chunk, until none is left or the time is up. */
static void take_part(void *argument, int member)
{
    struct call *call = argument;
    int claimed = take_below(&call->claimed, call->threads);
    if (claimed == call->threads) /* it comes so late that others have gone on with its slot */
        return;
    for (;;) {
        struct slot *slot = slot_of(call, call->queue[claimed]);
        if (!finish_chunk(call, slot, member))
            return;
        const int another = claimed < call->left_off ? take_below(&call->claimed, call->left_off) : call->left_off;
        if (another < call->left_off)
            claimed = another;
        else if (!take_chunk(call, slot))
            return;
    }
}

bool stackinv_turn(struct call *call)
{
    if (call->finished == call->units) /* only the part before is done */
        begin_part(call, &together_engine);
    queue_slots(call);
    call->limit = (time_limit){read_clock() + stackinv_settings().turn_seconds, 0};
    if (call->threads == 1)
        take_part(call, 0);
    else
        team_run(&call->members, call->threads, take_part, call);
    if (call->finished < call->units)
        return true;
    if (call->engine->end) {
        call->engine->end(call);
        call->matrix++;
    }
    return call->matrix < call->stack->n;
}

ptrdiff_t stackinv_finished(const struct call *call)
{
    return call->engine->end ? call->matrix : call->finished;
}

ptrdiff_t stackinv_end(struct call *call)
{
    const ptrdiff_t singular = call->singular;
    if (call->size)
        give_memory(call);
    return singular;
}

ptrdiff_t stackinv_invert_few(const struct stack *s)
{
    const struct settings now = stackinv_settings();
    struct choice choice = {.build = now.build, .engine = choose_engine(s, now.build, now.engine)};
    if (choice.engine == STACKINV_LANES) {
        const ptrdiff_t singular = lanes_few(s, now.build->kernels[s->type]);
        if (singular >= 0)
            return singular;
    }
    struct call *call = choice.engine == STACKINV_LAPACK ? NULL : stackinv_begin(s, choice, 1);
    if (!call)
        return -1;
    struct slot *slot = slot_of(call, 0);
    for (slot->last = s->n; slot->first < s->n; slot->first = call->engine->by_units ? slot->first + 1 : s->n)
        call->engine->go_on(call, slot);
    return stackinv_end(call);
}
