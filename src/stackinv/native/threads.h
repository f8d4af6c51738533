/* SPDX-License-Identifier: BSD-3-Clause */
/* What the loop over the stack needs of the platform's threads. */
#ifndef STACKINV_THREADS_H
#define STACKINV_THREADS_H

#include "primitives.h"

#include <fenv.h>
#include <stdbool.h>
#include <stddef.h>

/* A moment of waiting for another thread. */
static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Add to a counter that several threads share; its value before. */
static inline ptrdiff_t take(ptrdiff_t *counter, ptrdiff_t amount)
{
    return __atomic_fetch_add(counter, amount, __ATOMIC_RELAXED);
}

/* The same as long as the counter is below `end`; else `end`. */
static inline int take_below(int *counter, int end)
{
    int before = __atomic_load_n(counter, __ATOMIC_RELAXED);
    while (before < end &&
           !__atomic_compare_exchange_n(counter, &before, before + 1, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
    return before < end ? before : end;
}

/* What one thread tells the others, together with all that it wrote before. */
static inline void announce(int *what, int value)
{
    __atomic_store_n(what, value, __ATOMIC_RELEASE);
}

static inline int look(const int *what)
{
    return __atomic_load_n(what, __ATOMIC_ACQUIRE);
}

/* Add one to a counter, and tell the others all that was written before. */
static inline void count_one(int *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELEASE);
}

/* What several threads do until their time is up. */
typedef struct {
    double until; /* by read_clock */
    int up;       /* somebody saw that it is */
} time_limit;

bool time_is_up(void *limit);

/* Wait until it is at least `value`: mostly a matter of microseconds, so that sleeping would take longer. Whether it is, or
   else the time is up. */
bool wait_until(const int *what, int value, time_limit *limit);

/* Threads that help a caller with work it can share out, and sleep in between. Those of an OpenMP runtime spin for some ten
   milliseconds after each call, in the way of whoever has work then, and do not survive a fork. */
typedef struct team {
    struct team *next;
    void (*work)(void *argument, int member);
    void *argument;
    fenv_t environment; /* the caller's: how to round, what to flush to zero */
    int wanted;         /* helpers that may still come */
    int size;           /* the caller and all helpers that it hopes for */
    int started;        /* helpers that came */
    int active;         /* of those, at work */
    condition done;     /* none of them is */
    int moved;          /* those late to start */
    double opened;      /* by read_clock */
#ifdef __linux__
    cpu_set_t allowed; /* the caller's processors, none if there are more than fit */
#endif
} team;

/* Once in a process. */
void pool_prepare(void);

/* How many processors this process may use, 0 if that is not known here. */
int pool_allowed_cpus(void);

/* Call work(argument, member) in this thread, as member 0, and in up to size - 1 others at once, with other numbers below
   `size`. Who comes too late to find work left is not waited for. */
void team_run(team *, int size, void (*work)(void *argument, int member), void *argument);

/* Whoever is member 0 calls this now and then: it sends helpers that could not start to other processors. */
void team_make_room(team *);

#endif
