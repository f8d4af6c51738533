/* SPDX-License-Identifier: BSD-3-Clause */
/* What an engine is to the loop over the stack, and a call to the engines. */
#ifndef STACKINV_ENGINES_H
#define STACKINV_ENGINES_H

#include "stack.h"
#include "threads.h"

/* What one thread works at. An engine's own slot begins with this one. Another thread may go on with it in the next turn. */
struct slot {
    ptrdiff_t first, last; /* what is left of its chunk: matrices first to last - 1, or tasks of one */
};

struct engine {
    bool by_units; /* whether go_on does one of them, a matrix or a task, else all that the slot has */
    /* Roughly the seconds of one matrix on one thread. */
    double (*estimate)(const struct stack *, const struct kernels *);
    /* What the engine needs for a call: fill in its plan. */
    void (*plan)(struct call *);
    /* Before the first turn and after the last one, if they are not NULL. The first says how many units there are. */
    ptrdiff_t (*begin)(struct call *);
    void (*end)(struct call *);
    /* Go on with the work of a slot; whether it is done, else the time was up in the midst of it. */
    bool (*go_on)(struct call *, struct slot *);
};

extern const struct engine lanes_engine, blocked_engine, together_engine, diagonal_engine;

/* No more matrices than lanes, of low order, in no other memory than the thread's stack; how many are singular, or -1 if there are
   more, or larger ones. */
ptrdiff_t lanes_few(const struct stack *, const struct kernels *);

enum { MOST_PIECES = 3 };

/* What an engine needs for a call, filled in by engine.plan. */
struct plan {
    size_t shared;              /* bytes that all threads share, */
    size_t own;                 /* and that each slot has for itself, */
    size_t offset[MOST_PIECES]; /* piece after piece; */
    size_t slot;                /* of the engine's slot */
    int unit;                   /* matrices that are inverted at once */
    ptrdiff_t staged; /* bytes of results that are copied together to where they go, 0 if each is written there */
    bool streamed;    /* whether that copy goes past the caches */
    int gathered;     /* matrices that are gathered at a time, 0 if each is read from where it is */
};

/* A piece of the memory of each slot: the engine's own number for it, and its bytes. */
static inline void lay_out(struct plan *plan, int piece, size_t bytes)
{
    plan->offset[piece] = plan->own;
    plan->own += padded(bytes);
}

struct call {
    size_t size; /* of the memory that begins here */
    const struct stack *stack;
    const struct kernels *kernels;
    enum method method;
    enum symmetry symmetry;
    int threads;
    ptrdiff_t alone; /* matrices that are inverted by one thread each; each of the rest by all threads together */

    /* The part that is being done: those by one thread each, or one of the others. */
    const struct engine *engine; /* NULL before the first part */
    struct plan plan;
    ptrdiff_t matrix; /* which one, of the others */
    char *shared, *slots;
    size_t per_slot;
    ptrdiff_t units, chunk; /* matrices, or tasks of one: all of them, and how many are taken at a time */
    int *queue;             /* the slots, those that were left off first, */
    int left_off;           /* and how many these are */
    time_limit limit;       /* of this turn */

    char apart[64];                    /* from what all threads change */
    _Atomic(ptrdiff_t) next, finished; /* units that are taken, and that are done */
    _Atomic(ptrdiff_t) singular;
    _Atomic(int) claimed; /* slots that belong to a thread in this turn */
    team members;
};

/* Slot number k, and a piece of the memory of a slot. */
static inline struct slot *slot_of(const struct call *call, int k)
{
    return (struct slot *)(call->slots + k * call->per_slot + call->plan.own);
}
static inline char *piece_of(const struct call *call, const struct slot *slot, int piece)
{
    return (char *)slot - call->plan.own + call->plan.offset[piece];
}

/* Note what came of a matrix; whether it is singular, in which case its inverse is to be filled with NaN. */
static inline bool note(const struct stack *s, const struct place *place, int info, double rcond)
{
    if (info && s->at[STACKINV_INFO])
        *(int *)place->at[STACKINV_INFO] = info;
    if (s->at[STACKINV_RCOND])
        *(double *)place->at[STACKINV_RCOND] = info ? 0 : rcond;
    return info != 0;
}

/* What a matrix costs, as a multiple of the inverse of a general real one of its order. */
static inline double cost_of(const struct stack *s)
{
    return stackinv_structures[s->structure].cost * (parts_of(s->type) == 2 ? 3 : 1) *
           (wants_inverse(s) ? 1 : .4 + (double)s->columns / s->m);
}

#endif
