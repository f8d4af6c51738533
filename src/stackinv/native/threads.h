/* SPDX-License-Identifier: BSD-3-Clause */
/* What the loop over the stack needs of the platform's threads. */
#ifndef STACKINV_THREADS_H
#define STACKINV_THREADS_H

#include "primitives.h"

#include <fenv.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Add to a counter that several threads share; its value before. */
static inline ptrdiff_t take(_Atomic(ptrdiff_t) *counter, ptrdiff_t amount)
{
    return atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
}

/* The same as long as the counter is below `end`; else `end`. */
static inline int take_below(_Atomic(int) *counter, int end)
{
    int before = atomic_load_explicit(counter, memory_order_relaxed);
    while (before < end && !atomic_compare_exchange_weak_explicit(counter, &before, before + 1, memory_order_relaxed,
                                                                  memory_order_relaxed))
        ;
    return before < end ? before : end;
}

/* What one thread tells the others, together with all that it wrote before. */
static inline void announce(_Atomic(int) *what, int value)
{
    atomic_store_explicit(what, value, memory_order_release);
}

static inline int look(const _Atomic(int) *what)
{
    return atomic_load_explicit(what, memory_order_acquire);
}

/* Add one to a counter, and tell the others all that was written before. */
static inline void count_one(_Atomic(int) *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_release);
}

/* What several threads do until their time is up. */
typedef struct {
    double until;    /* by read_clock */
    _Atomic(int) up; /* somebody saw that it is */
} time_limit;

bool time_is_up(void *limit);

/* Wait until it is at least `value`: mostly a matter of microseconds, so that sleeping would take longer. Whether it is, or
   else the time is up. */
bool wait_until(const _Atomic(int) *what, int value, time_limit *limit);

/* Threads that help a caller with work it can share out, and sleep in between. Those of an OpenMP runtime spin for some ten
   milliseconds after each call, in the way of whoever has work then, and do not survive a fork. */
typedef struct team {
    _Atomic(struct team *) next;
    void (*work)(void *argument, int member);
    void *argument;
    fenv_t environment;   /* the caller's: how to round, what to flush to zero */
    int wanted;           /* helpers that may still come */
    int size;             /* the caller and all helpers that it hopes for */
    _Atomic(int) started; /* helpers that came */
    _Atomic(int) active;  /* of those, at work */
    condition done;       /* none of them is */
    int moved;            /* those late to start */
    double opened;        /* by read_clock */
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
