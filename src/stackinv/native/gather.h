/* SPDX-License-Identifier: BSD-3-Clause */
/* Matrices side by side: of each number, those of all matrices follow each other, as in an array of shape (M, M, n). In memory
   they are as many streams of numbers. Some of the matrices at a time are copied from there, and their inverses back, by runs of
   each stream: a number at a time memory is slow. */
#ifndef STACKINV_GATHER_H
#define STACKINV_GATHER_H

#include "stack.h"

/* The matrices that are copied at a time. The inverses may be in the place of the matrices. */
struct gathered {
    const struct stack *stack;
    int length;               /* how many there may be */
    ptrdiff_t first, last;    /* those that there are */
    struct layout a, inverse; /* how they lie, side by side, */
    char *a_at, *inverse_at;  /* and where; NULL if they are read or written where the user has them */
};

/* How many to copy at a time, a multiple of `unit`; 0 if none are to be copied. */
int choose_gathered(const struct stack *, int unit);
/* Bytes for so many. */
size_t gathered_bytes(const struct stack *, int length);

/* None yet, those from `first` on come next. */
struct gathered prepare_gathered(const struct stack *, int length, char *memory, ptrdiff_t first);
/* The next ones, up to `last` - 1 at most, from the user's memory. */
void gather_next(struct gathered *, ptrdiff_t last);
/* Their inverses to the user's memory. */
void scatter_gathered(const struct gathered *);

#endif
