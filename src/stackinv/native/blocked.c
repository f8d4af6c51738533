/* SPDX-License-Identifier: BSD-3-Clause */
/* The blocked engine: one matrix at a time in tasks, by one thread or all of them together (see kernels/blocked-inl.h). */
#include "engines.h"
#include "tuning.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FACTORS, ROWS, GATHERED };

/* The phases of a matrix. */
enum phase {
    COLUMNS,      /* blocks of them are factored, one after the other, */
    FIRST_SWEEP,  /* then rows are inverted, */
    SECOND_SWEEP, /* by some methods in two steps, */
    SOLUTIONS,    /* or columns of solutions are found, */
    RESULT,       /* then rows of the result get what is left to do */
    PHASES
};

/* One matrix and how far it is. */
struct job {
    struct matrix matrix;
    const struct steps *steps;
    const struct stack *stack;
    ptrdiff_t number; /* of the matrix in the stack */
    struct place place;
    int counts[PHASES];            /* tasks of each phase, */
    _Atomic(int) finished[PHASES]; /* and how many are finished */
    int tasks;
    _Atomic(int) info; /* LAPACK's; the work is at its end if it is not 0 */
};

struct blocked_slot {
    struct slot slot;
    int piece; /* of a task, the next one */
    /* Of a matrix that the slot has alone: */
    bool begun;
    int task;
    struct job job;
    /* Matrices that were gathered, and the stack that they are then. */
    ptrdiff_t gathered_first, gathered_last;
    struct stack gathered;
};

static double estimate(const struct stack *s, const struct kernels *kernels)
{
    const double m = s->m, general = 2e-9 * m * m + 1.3e-10 * m * m * m / kernels->lanes;
    return general * cost_of(s);
}

static ptrdiff_t at_least(ptrdiff_t x, ptrdiff_t y)
{
    return x > y ? x : y;
}

static ptrdiff_t at_most(ptrdiff_t x, ptrdiff_t y)
{
    return x < y ? x : y;
}

/* ---- Matrices that lie across each other ---- */

/* Of one matrix: as numbers of the calculation, and then as those of the result, in place. */
static ptrdiff_t gathered_bytes(const struct stack *s)
{
    return (ptrdiff_t)s->m * s->m * at_least(element_bytes(s->type), inverse_bytes(s));
}

/* How many matrices are gathered at a time, 0 if each is read from and written to where it is. */
static int count_gathered(const struct stack *s, int threads)
{
    ptrdiff_t most = MOST_GATHERED_BYTES / gathered_bytes(s), rounds;
    if (s->ndim != 1 || at_most(most, s->n) < 4 || !(lies_across(s, STACKINV_A) || lies_across(s, STACKINV_INVERSE)))
        return 0;
    most = at_most(MOST_GATHERED, most);
    rounds = (s->n + threads * most - 1) / (threads * most);
    return (int)((s->n + threads * rounds - 1) / (threads * rounds)); /* the same for each thread */
}

/* Matrices into others, row by row, each number of all of them together. */
static void copy_across(char *to, ptrdiff_t to_step, struct layout t, const char *from, ptrdiff_t step, struct layout f,
                        ptrdiff_t count, ptrdiff_t m, int parts)
{
    for (ptrdiff_t i = 0; i < m; i++)
        copy_matrix(to + i * t.row, (struct layout){t.single, t.column, to_step}, from + i * f.row,
                    (struct layout){f.single, f.column, step}, m, count, parts);
}

/* The first matrices of the slot into memory, one after the other, and the stack that they are there. */
static void gather(const struct stack *s, struct blocked_slot *slot, char *memory, int most)
{
    struct stack *g = &slot->gathered;
    const ptrdiff_t count = at_most(most, slot->slot.last - slot->slot.first), m = s->m;
    const ptrdiff_t size = element_bytes(s->type), inverse_size = inverse_bytes(s), step = gathered_bytes(s);
    const struct place place = locate(s, slot->slot.first);
    slot->gathered_first = slot->slot.first;
    slot->gathered_last = slot->slot.first + count;
    *g = *s;
    memcpy(g->at, place.at, sizeof g->at);
    g->n = g->shape[0] = count;
    g->at[STACKINV_A] = memory;
    g->at[STACKINV_INVERSE] = wants_inverse(s) ? memory : NULL;
    g->strides[STACKINV_A][0] = g->strides[STACKINV_INVERSE][0] = step;
    g->a = (struct layout){is_single(s->type), m * size, size};
    g->inverse = (struct layout){s->inverse.single, m * inverse_size, inverse_size};
    copy_across(memory, step, g->a, place.at[STACKINV_A], s->strides[STACKINV_A][0], s->a, count, m, parts_of(s->type));
}

/* The inverses of what was gathered to where they go. */
static void scatter(const struct stack *s, const struct blocked_slot *slot)
{
    const struct stack *g = &slot->gathered;
    if (!wants_inverse(s))
        return;
    copy_across(locate(s, slot->gathered_first).at[STACKINV_INVERSE], s->strides[STACKINV_INVERSE][0], s->inverse,
                g->at[STACKINV_INVERSE], g->strides[STACKINV_INVERSE][0], g->inverse, g->n, s->m, parts_of(s->type));
}

/* ---- A matrix in tasks ---- */

/* Columns of the next matrix that find room in the second cache beside all of the present one. */
static int columns_to_fetch(const struct stack *s)
{
    const double column = (double)s->m * element_bytes(s->type),
                 room = stackinv_tuning.second_cache / 2 - s->m * column;
    return room < column ? 0 : (int)at_most(s->m, (ptrdiff_t)(room / column));
}

static void start_job(struct job *job, const struct call *call, const struct stack *s, ptrdiff_t i, int threads,
                      void *factors, time_limit *limit)
{
    const bool more = s->ndim == 1 && i + 1 < s->n;
    job->stack = s;
    job->number = i;
    job->place = locate(s, i);
    job->steps = &call->kernels->steps[call->method];
    job->matrix = (struct matrix){
        .m = s->m,
        .threads = threads,
        .symmetry = call->symmetry,
        .transposed = s->transposed,
        .a_single = s->a.single,
        .out_single = s->inverse.single,
        .a_row = s->a.row,
        .a_column = s->a.column,
        .out_row = s->inverse.row,
        .out_column = s->inverse.column,
        .right_single = s->right.single,
        .right_row = s->right.row,
        .right_column = s->right.column,
        .solution_single = s->solution.single,
        .solution_row = s->solution.row,
        .solution_column = s->solution.column,
        .columns = s->columns,
        .right = job->place.at[STACKINV_RIGHT],
        .solution = job->place.at[STACKINV_SOLUTION],
        .rcond = s->at[STACKINV_RCOND] != NULL,
        .factors = factors,
        .a = job->place.at[STACKINV_A],
        .out = job->place.at[STACKINV_INVERSE],
        .next = job->place.at[STACKINV_A] + (more ? s->strides[STACKINV_A][0] : 0),
        .next_columns = more ? columns_to_fetch(s) : 0,
        .pause = s->m >= LEAST_LEFT_OFF_M ? time_is_up : NULL,
        .clock = limit,
    };
    job->steps->count_tasks(s->m, threads, &job->counts[COLUMNS], &job->counts[FIRST_SWEEP]);
    job->counts[RESULT] = (s->m + RESULT_ROWS - 1) / RESULT_ROWS;
    if (!wants_inverse(s))
        job->counts[FIRST_SWEEP] = job->counts[RESULT] = 0;
    job->counts[SECOND_SWEEP] = job->steps->sweeps[1] ? job->counts[FIRST_SWEEP] : 0;
    job->counts[SOLUTIONS] = wants_solution(s) ? job->steps->count_solutions(s->m, s->columns, threads) : 0;
    job->tasks = 0;
    job->info = 0;
    for (int phase = 0; phase < PHASES; phase++) {
        job->finished[phase] = 0;
        job->tasks += job->counts[phase];
    }
}

/* Go on with a block of columns: read it, apply each earlier one, factor it. Whether that is done. */
static bool do_block(struct job *job, int *piece, int block)
{
    if (*piece == 0) {
        job->steps->read_block(&job->matrix, block);
        *piece = 1;
    }
    for (; *piece <= block;) {
        if (!wait_until(&job->finished[COLUMNS], *piece, job->matrix.clock))
            return false;
        if (look(&job->info)) {
            *piece = 0;
            return true;
        }
        job->steps->update_block(&job->matrix, *piece - 1, block);
        ++*piece;
        if (job->matrix.pause && job->matrix.pause(job->matrix.clock))
            return false;
    }
    const int info = job->steps->factor_block(&job->matrix, block);
    if (info)
        announce(&job->info, info);
    announce(&job->finished[COLUMNS], info ? job->counts[COLUMNS] : block + 1);
    *piece = 0;
    return true;
}

static void finish_rows(const struct job *job, int first, int last)
{
    char *inverse = job->place.at[STACKINV_INVERSE];
    if (job->info)
        write_rows(job->stack, inverse, first, last, NAN);
    else
        make_symmetric(job->stack, inverse, first, last);
}

/* Go on with a task; whether it is done, else the time is up.

   Threads take the tasks in order, so that none waits for what nobody has begun. */
static bool do_task(struct job *job, int *piece, int task, void *rows)
{
    int phase = COLUMNS;
    while (task >= job->counts[phase]) {
        task -= job->counts[phase];
        if (!wait_until(&job->finished[phase], job->counts[phase], job->matrix.clock))
            return false;
        phase++;
    }
    if (phase == COLUMNS)
        return do_block(job, piece, task);
    if (phase == RESULT)
        finish_rows(job, task * RESULT_ROWS, (int)at_most(job->matrix.m, (task + 1) * RESULT_ROWS));
    else if (!look(&job->info)) {
        bool (*const sweep)(const struct matrix *, int, int *, void *) =
            phase == SOLUTIONS ? job->steps->solve : job->steps->sweeps[phase - FIRST_SWEEP];
        if (!sweep(&job->matrix, task, piece, rows))
            return false;
    }
    count_one(&job->finished[phase]);
    *piece = 0;
    return true;
}

/* Note the outcome; whether the matrix is singular. */
static bool end_job(const struct job *job)
{
    const bool asked = job->matrix.rcond && !job->info;
    if (wants_determinant(job->stack)) {
        struct determinants determinant;
        want_determinants(job->stack, &determinant);
        if (job->info)
            make_singular(&determinant, 0);
        else
            job->steps->determinant(&job->matrix, &determinant);
        write_determinants(job->stack, job->number, 1, &determinant);
    }
    if (job->info && wants_solution(job->stack))
        write_singular(job->stack, &job->place);
    return note(job->stack, &job->place, job->info, asked ? job->steps->rcond(&job->matrix) : 0);
}

/* What one of so many threads needs for its tasks. */
static size_t rows_bytes(const struct stack *s, const struct steps *steps, int threads)
{
    return wants_solution(s) ? steps->solution_size(s->m, s->columns, threads) : steps->rows_size(s->m, threads);
}

/* ---- Each matrix by one thread ---- */

static void plan(struct call *call)
{
    const struct stack *s = call->stack;
    const struct steps *steps = &call->kernels->steps[call->method];
    struct plan *p = &call->plan;
    lay_out(p, FACTORS, steps->factors_size(s->m));
    lay_out(p, ROWS, rows_bytes(s, steps, 1));
    p->gathered = count_gathered(s, call->threads);
    p->unit = p->gathered ? p->gathered : 1;
    lay_out(p, GATHERED, p->gathered * gathered_bytes(s));
    p->slot = sizeof(struct blocked_slot);
}

/* Go on with matrix i of the stack, the slot's own; whether it is done, else the time is up. */
static bool go_on_with_job(struct call *call, const struct stack *s, struct blocked_slot *slot, ptrdiff_t i)
{
    struct job *job = &slot->job;
    char *rows = piece_of(call, &slot->slot, ROWS);
    if (!slot->begun) {
        start_job(job, call, s, i, 1, piece_of(call, &slot->slot, FACTORS), &call->limit);
        slot->task = slot->piece = 0;
        slot->begun = true;
    }
    while (slot->task < job->tasks) {
        if (!do_task(job, &slot->piece, slot->task, rows))
            return false;
        slot->task++;
        if (job->matrix.pause && slot->task < job->tasks && time_is_up(&call->limit))
            return false;
    }
    take(&call->singular, end_job(job));
    slot->begun = false;
    return true;
}

static bool go_on(struct call *call, struct slot *its)
{
    const struct stack *s = call->stack;
    struct blocked_slot *slot = (struct blocked_slot *)its;
    const int gathered = call->plan.gathered;
    if (!gathered)
        return go_on_with_job(call, s, slot, its->first);
    if (its->first >= slot->gathered_last)
        gather(s, slot, piece_of(call, its, GATHERED), gathered);
    if (!go_on_with_job(call, &slot->gathered, slot, its->first - slot->gathered_first))
        return false;
    if (its->first + 1 == slot->gathered_last)
        scatter(s, slot);
    return true;
}

const struct engine blocked_engine = {true, estimate, plan, NULL, NULL, go_on};

/* ---- Each matrix by all threads ---- */

static struct job *shared_job(const struct call *call)
{
    return (struct job *)call->shared;
}

static void plan_together(struct call *call)
{
    const struct stack *s = call->stack;
    const struct steps *steps = &call->kernels->steps[call->method];
    struct plan *p = &call->plan;
    p->shared = padded(sizeof(struct job)) + padded(steps->factors_size(s->m));
    lay_out(p, FACTORS, 0);
    lay_out(p, ROWS, rows_bytes(s, steps, call->threads));
    p->unit = 1;
    p->slot = sizeof(struct blocked_slot);
}

static ptrdiff_t begin_together(struct call *call)
{
    struct job *job = shared_job(call);
    start_job(job, call, call->stack, call->matrix, call->threads, call->shared + padded(sizeof *job), &call->limit);
    return job->tasks;
}

static bool go_on_together(struct call *call, struct slot *slot)
{
    return do_task(shared_job(call), &((struct blocked_slot *)slot)->piece, (int)slot->first,
                   piece_of(call, slot, ROWS));
}

static void end_together(struct call *call)
{
    call->singular += end_job(shared_job(call));
}

const struct engine together_engine = {true, estimate, plan_together, begin_together, end_together, go_on_together};
