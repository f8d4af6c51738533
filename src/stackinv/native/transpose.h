/* SPDX-License-Identifier: BSD-3-Clause */
/* The square that most copies consist of: 8 by 8 doubles, stored by rows on one side and by columns on the other. */
#ifndef STACKINV_TRANSPOSE_H
#define STACKINV_TRANSPOSE_H

#include <stddef.h>

/* to[j][i] = from[i][j]; the strides, in bytes, are those of the first index. */
static inline void transpose_square(double *to, ptrdiff_t to_stride, const double *from, ptrdiff_t from_stride)
{
#if defined(__GNUC__) || defined(__clang__)
    /* About half the time of the loop below, which GCC does not vectorize by itself. */
    typedef double pair __attribute__((vector_size(16), aligned(8), may_alias));
    for (int i = 0; i < 8; i += 2)
        for (int j = 0; j < 8; j += 2) {
            const char *at = (const char *)(from + j) + i * from_stride;
            pair upper = *(const pair *)at, lower = *(const pair *)(at + from_stride);
            char *goal = (char *)(to + i) + j * to_stride;
            *(pair *)goal = (pair){upper[0], lower[0]};
            *(pair *)(goal + to_stride) = (pair){upper[1], lower[1]};
        }
#else
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j++)
            *(double *)((char *)(to + i) + j * to_stride) =
                *(const double *)((const char *)(from + j) + i * from_stride);
#endif
}

#endif
