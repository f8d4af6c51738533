/* SPDX-License-Identifier: BSD-3-Clause */
/* Stacks in memory of the very size, inverted by loop.h, for the programs beside this file. */
#ifndef STACKINV_TESTS_CALL_H
#define STACKINV_TESTS_CALL_H

#include "engines.h"
#include "pages.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WATCHED 1
#endif
#endif
#if WATCHED
void __asan_poison_memory_region(void const volatile *at, size_t size);
void __asan_unpoison_memory_region(void const volatile *at, size_t size);
#endif

/* Whether each piece of memory ends at a page that must not be touched. Else it is malloc's, which sanitizers and valgrind
   watch. */
static bool fences;

/* `count` pieces of so many bytes and no more, each `step` bytes behind the one before. */
struct memory {
    char *at;
    ptrdiff_t step;
    char *whole;
    size_t length;
};

static struct memory take_pieces(size_t count, size_t size, size_t alignment)
{
    struct memory memory;
    if (fences) {
        const size_t page = page_bytes(), inner = (size + page - 1) / page * page;
        memory.step = inner + page;
        memory.length = count * memory.step;
        memory.whole = take_pages(memory.length);
        for (size_t k = 0; k < count; k++)
            open_pages(memory.whole + k * memory.step, inner);
        memory.at = memory.whole + inner - (size + alignment - 1) / alignment * alignment;
    } else {
        const size_t gap = count > 1 ? 64 : 0; /* sanitizers watch it */
        memory.step = (size + gap + 63) / 64 * 64;
        memory.length = (count - 1) * memory.step + (size + alignment - 1) / alignment * alignment;
        memory.at = memory.whole = take_aligned(alignment, memory.length);
        if (!memory.whole)
            abort();
#if WATCHED
        for (size_t k = 0; k + 1 < count; k++)
            __asan_poison_memory_region(memory.at + k * memory.step + size, memory.step - size);
#endif
    }
    return memory;
}

static void give_pieces(struct memory memory)
{
    if (fences)
        give_pages(memory.whole, memory.length);
    else {
#if WATCHED
        __asan_unpoison_memory_region(memory.whole, memory.length);
#endif
        give_aligned(memory.whole);
    }
}

/* A stack of one axis and how it is inverted. */
struct given {
    int engine; /* STACKINV_LANES or STACKINV_BLOCKED */
    enum type type;
    enum structure structure;
    int m;
    ptrdiff_t n;
    struct layout a, inverse;
    ptrdiff_t a_step, inverse_step;
    int threads;
    int garbage;              /* what is in the workspace before */
    double *sign, *logarithm; /* of determinants, if they are asked for; signs two numbers each */
    /* Systems instead of inverses, if there are columns. */
    int columns;
    struct layout right_layout, solution_layout;
    char *right, *solution;
    ptrdiff_t right_step, solution_step;
};

/* The workspace of each thread is full of garbage. */
static void scribble(struct call *call, int garbage)
{
    for (int k = 0; k < call->threads; k++)
        memset(call->slots + k * call->per_slot, garbage, call->plan.own);
}

/* As the loop does for Python, with or without inverses; how many are singular. Turns are as short as can be. */
static ptrdiff_t invert(const struct given *g, char *a, char *inverse, int *info, double *rcond)
{
    char *const at[STACKINV_ARRAYS] = {
        a, inverse, (char *)info, (char *)rcond, (char *)g->sign, (char *)g->logarithm, NULL, g->right, g->solution};
    const ptrdiff_t strides[STACKINV_ARRAYS] = {
        g->a_step,           g->inverse_step,      sizeof *info,         sizeof *rcond,
        2 * sizeof *g->sign, sizeof *g->logarithm, sizeof *g->logarithm, g->right_step,
        g->solution_step};
    struct stack s;
    stackinv_use_engine(g->engine);
    stackinv_override_turn(0);
    stackinv_override_sharing(0);
    stackinv_describe(&s, g->type, g->structure, g->m, g->a, g->inverse, at);
    if (g->columns)
        stackinv_add_systems(&s, g->columns, g->right_layout, g->solution_layout);
    stackinv_add_axis(&s, g->n, strides);
    if (info)
        memset(info, 0, g->n * sizeof *info);
    struct call *call = stackinv_begin(&s, stackinv_choose(&s, false), g->threads);
    if (!call)
        abort();
    if (!call->engine->begin) /* which has begun to work in it */
        scribble(call, g->garbage);
    while (stackinv_turn(call))
        ;
    if (stackinv_finished(call) != g->n)
        abort();
    return stackinv_end(call);
}

#endif
