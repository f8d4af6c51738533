/* SPDX-License-Identifier: BSD-3-Clause */
/* A stack as its matrices lie in memory, and the ways between that memory and a workspace. */
#ifndef STACKINV_STACK_H
#define STACKINV_STACK_H

#include "loop.h"

_Static_assert(STACKINV_ARRAYS == 9, "_native.pxd and _native.pyx have arrays of this length");

/* Where what belongs to one matrix is. */
struct place {
    char *at[STACKINV_ARRAYS];
};
struct place locate(const struct stack *, ptrdiff_t i);

static inline int parts_of(enum type type)
{
    return type >= STACKINV_COMPLEX_SINGLE ? 2 : 1;
}

static inline bool is_single(enum type type)
{
    return type == STACKINV_SINGLE || type == STACKINV_COMPLEX_SINGLE;
}

/* Bytes of an element: of the calculation, and of the user's. */
static inline ptrdiff_t element_bytes(enum type type)
{
    return (is_single(type) ? sizeof(float) : sizeof(double)) * parts_of(type);
}
static inline ptrdiff_t a_bytes(const struct stack *s)
{
    return (s->a.single ? sizeof(float) : sizeof(double)) * parts_of(s->type);
}
static inline ptrdiff_t inverse_bytes(const struct stack *s)
{
    return (s->inverse.single ? sizeof(float) : sizeof(double)) * parts_of(s->type);
}

static inline bool wants_inverse(const struct stack *s)
{
    return s->at[STACKINV_INVERSE] != NULL;
}
static inline bool wants_determinant(const struct stack *s)
{
    return s->at[STACKINV_SIGN] || s->at[STACKINV_LOGARITHM] || s->at[STACKINV_DETERMINANT];
}
static inline bool wants_solution(const struct stack *s)
{
    return s->at[STACKINV_SOLUTION] != NULL;
}
/* Whether more of the matrices counts than their diagonals. */
static inline bool wants_all(const struct stack *s)
{
    return wants_inverse(s) || wants_solution(s);
}
/* Which of them, before they are calculated. */
static inline void want_determinants(const struct stack *s, struct determinants *d)
{
    d->logarithms = s->at[STACKINV_SIGN] || s->at[STACKINV_LOGARITHM];
    d->numbers = s->at[STACKINV_DETERMINANT];
}

/* Bytes of a matrix of such elements if it has no gaps, else 0. */
static inline ptrdiff_t dense_bytes(ptrdiff_t m, struct layout layout, ptrdiff_t element)
{
    const bool dense = (layout.row == element * m && layout.column == element) ||
                       (layout.column == element * m && layout.row == element);
    return dense ? m * m * element : 0;
}

/* Whether neighbours along the last axis of the stack, if there is one, share cache lines. */
bool lies_across(const struct stack *, enum array);

/* Whole cache lines and one more between neighbours, so that no two threads write to one line. */
static inline size_t padded(size_t size)
{
    return (size + 127) / 64 * 64;
}

/* Numbers into others, of any strides and precision, `height` by `width` elements of one or two parts. */
void copy_matrix(char *to, struct layout to_layout, const char *from, struct layout from_layout, ptrdiff_t height,
                 ptrdiff_t width, int parts);

/* Between the user's memory and columns of the calculation's type that are `ld` elements apart. */
void read_matrix(const struct stack *, const char *at, void *to, ptrdiff_t ld);
void write_matrix(const struct stack *, char *at, const void *from, ptrdiff_t ld);
/* The same for right-hand sides and solutions, by columns. */
void read_right(const struct stack *, const char *at, void *to, ptrdiff_t ld);
void write_solution(const struct stack *, char *at, const void *from, ptrdiff_t ld);

/* Make the determinant in a lane that of a singular matrix. */
void make_singular(struct determinants *, int lane);
/* Write those of matrices i to i + n - 1, in as many lanes, as far as anybody asked for them. */
void write_determinants(const struct stack *, ptrdiff_t i, int n, const struct determinants *);

/* The same number for all elements of rows first to last - 1, or of all, of a result. */
void write_rows(const struct stack *, char *at, ptrdiff_t first, ptrdiff_t last, double value);
void write_all(const struct stack *, char *at, double value);
/* NaN for what is asked of a matrix that is singular. */
void write_singular(const struct stack *, const struct place *);

/* What engines for general matrices leave to do for symmetric ones: rows first to last - 1, and their columns. */
void make_symmetric(const struct stack *, char *at, ptrdiff_t first, ptrdiff_t last);

#endif
