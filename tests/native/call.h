/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernels called as the loop over the stack calls them, for the programs beside this file. */
#ifndef STACKINV_TESTS_CALL_H
#define STACKINV_TESTS_CALL_H

#include "kernels.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

/* The build that is called. */
static const struct kernels *const *kernels; /* by type */
/* Whether memory ends at a page that must not be touched. Else it is malloc's, which sanitizers and valgrind watch. */
static bool fences;

struct memory {
    char *at;
    void *whole;
    size_t length;
};

/* So many bytes and no more. */
static struct memory take_memory(size_t size, size_t alignment)
{
    struct memory memory;
    size = (size + alignment - 1) / alignment * alignment;
    if (fences) {
        const size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (size + page - 1) / page * page;
        memory.length = inner + page;
        memory.whole = mmap(NULL, memory.length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory.whole == MAP_FAILED || mprotect((char *)memory.whole + inner, page, PROT_NONE))
            abort();
        memory.at = (char *)memory.whole + inner - size;
    } else {
        memory.length = size;
        memory.at = memory.whole = aligned_alloc(alignment, size);
        if (!memory.whole)
            abort();
    }
    return memory;
}

static void give_memory(struct memory memory)
{
    if (fences)
        munmap(memory.whole, memory.length);
    else
        free(memory.whole);
}

struct call {
    bool lanes; /* else blocked */
    int method, type, m;
    enum symmetry symmetry;
    bool transposed, a_single, out_single;
    ptrdiff_t a_row, a_column, out_row, out_column;
    int threads; /* at a matrix of the blocked engine */
    int garbage; /* what is in the workspace before */
};

/* What tiles and matrices have in common. */
#define WHERE(c)                                                                                                       \
    .m = (c)->m, .symmetry = (c)->symmetry, .transposed = (c)->transposed, .a_single = (c)->a_single,                  \
    .out_single = (c)->out_single, .a_row = (c)->a_row, .a_column = (c)->a_column, .out_row = (c)->out_row,            \
    .out_column = (c)->out_column

static int parts(const struct call *c)
{
    return c->type < 2 ? 1 : 2;
}

static struct memory take_workspace(size_t size, int garbage)
{
    struct memory memory = take_memory(size, 64);
    memset(memory.at, garbage, size);
    return memory;
}

static void invert_in_lanes(const struct call *c, int n, char *const *a, char *const *out, int *info, double *rcond)
{
    const int lanes = kernels[c->type]->lanes;
    const struct memory work = take_workspace(kernels[c->type]->work_size[c->method](c->m), c->garbage);
    double rconds[STACKINV_MOST_LANES];
    struct tile t = {WHERE(c), .work = work.at, .rcond = rconds};
    for (int lane = 0; lane < lanes; lane++) {
        t.a[lane] = a[lane < n ? lane : 0];
        t.out[lane] = out[lane < n ? lane : 0];
    }
    const bool any = kernels[c->type]->invert[c->method](&t);
    for (int lane = 0; lane < n; lane++) {
        info[lane] = any ? t.info[lane] : 0;
        rcond[lane] = rconds[lane];
    }
    give_memory(work);
}

/* One matrix in tasks, which its threads take in order. */
struct job {
    const struct call *call;
    const struct steps *steps;
    struct matrix matrix;
    int blocks, row_tasks, tasks;
    int next, done, swept, info;
};

/* Each piece of a task is a call of its own. */
static bool leave_off(void *clock)
{
    (void)clock;
    return true;
}

static void wait_until(const int *what, int value)
{
    while (__atomic_load_n(what, __ATOMIC_ACQUIRE) < value)
        sched_yield();
}

static void do_task(struct job *job, int task, void *rows)
{
    if (task < job->blocks) {
        job->steps->read_block(&job->matrix, task);
        for (int earlier = 0; earlier < task; earlier++) {
            wait_until(&job->done, earlier + 1);
            if (__atomic_load_n(&job->info, __ATOMIC_ACQUIRE))
                return;
            job->steps->update_block(&job->matrix, earlier, task);
        }
        const int info = job->steps->factor_block(&job->matrix, task);
        __atomic_store_n(&job->info, info, __ATOMIC_RELEASE);
        __atomic_store_n(&job->done, info ? job->blocks : task + 1, __ATOMIC_RELEASE);
        return;
    }
    wait_until(&job->done, job->blocks);
    if (__atomic_load_n(&job->info, __ATOMIC_ACQUIRE))
        return;
    const int sweep = (task - job->blocks) / job->row_tasks;
    if (sweep)
        wait_until(&job->swept, job->row_tasks);
    int piece = 0;
    while (!job->steps->sweeps[sweep](&job->matrix, (task - job->blocks) % job->row_tasks, &piece, rows))
        ;
    if (!sweep)
        __atomic_fetch_add(&job->swept, 1, __ATOMIC_RELEASE);
}

static void *do_tasks(void *argument)
{
    struct job *job = argument;
    const struct memory rows = take_workspace(job->steps->rows_size(job->call->m), job->call->garbage);
    for (int task; (task = __atomic_fetch_add(&job->next, 1, __ATOMIC_RELAXED)) < job->tasks;)
        do_task(job, task, rows.at);
    give_memory(rows);
    return NULL;
}

static void invert_in_blocks(const struct call *c, const char *a, char *out, int *info, double *rcond)
{
    struct job job = {.call = c, .steps = &kernels[c->type]->steps[c->method]};
    const struct memory factors = take_workspace(job.steps->factors_size(c->m), c->garbage);
    pthread_t others[8];
    job.matrix = (struct matrix){WHERE(c), .rcond = true, .factors = factors.at, .a = a, .out = out, .next = a};
    job.matrix.pause = c->threads > 1 ? leave_off : NULL;
    job.steps->count_tasks(c->m, &job.blocks, &job.row_tasks);
    job.tasks = job.blocks + job.row_tasks * (job.steps->sweeps[1] ? 2 : 1);
    for (int k = 1; k < c->threads; k++)
        if (pthread_create(&others[k], NULL, do_tasks, &job))
            abort();
    do_tasks(&job);
    for (int k = 1; k < c->threads; k++)
        pthread_join(others[k], NULL);
    *info = job.info;
    *rcond = job.info ? 0 : job.steps->rcond(&job.matrix);
    give_memory(factors);
}

/* Invert n matrices, no more than there are lanes; where info is not 0 the result is undefined. */
static void invert(const struct call *c, int n, char *const *a, char *const *out, int *info, double *rcond)
{
    if (c->lanes)
        invert_in_lanes(c, n, a, out, info, rcond);
    else
        for (int k = 0; k < n; k++)
            invert_in_blocks(c, a[k], out[k], info + k, rcond + k);
}

/* How matrices are known: the order is that of the names. */
enum structure { GENERAL, SYMMETRIC, HERMITIAN, POSITIVE_DEFINITE, UPPER_TRIANGULAR, LOWER_TRIANGULAR, STRUCTURES };

static void set_structure(struct call *c, enum structure structure)
{
    static const int methods[] = {STACKINV_LU,       STACKINV_SYMMETRIC_LU, STACKINV_SYMMETRIC_LU,
                                  STACKINV_CHOLESKY, STACKINV_TRIANGLE,     STACKINV_TRIANGLE};
    c->method = methods[structure];
    c->symmetry = structure == SYMMETRIC   ? STACKINV_SYMMETRIC
                  : structure == HERMITIAN ? STACKINV_HERMITIAN
                                           : STACKINV_NONE;
    c->transposed = structure == LOWER_TRIANGULAR;
}

#endif
