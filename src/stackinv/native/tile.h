/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kernels of the lanes engine are told of matrices that lie alike. */
#ifndef STACKINV_TILE_H
#define STACKINV_TILE_H

#include "loop.h"

struct tile_layouts {
    struct layout a, inverse, right, solution;
};

/* Nothing is fetched early, and neither rcond nor determinants are asked for. */
static inline void describe_tile(struct tile *t, int m, enum symmetry symmetry, bool transposed, bool inverse,
                                 int columns, const struct tile_layouts *layouts, void *work)
{
    t->m = m;
    t->symmetry = symmetry;
    t->inverse = inverse;
    t->columns = columns;
    t->transposed = transposed;
    t->a_single = layouts->a.single;
    t->a_row = layouts->a.row;
    t->a_column = layouts->a.column;
    t->out_single = layouts->inverse.single;
    t->out_row = layouts->inverse.row;
    t->out_column = layouts->inverse.column;
    t->right_single = layouts->right.single;
    t->right_row = layouts->right.row;
    t->right_column = layouts->right.column;
    t->solution_single = layouts->solution.single;
    t->solution_row = layouts->solution.row;
    t->solution_column = layouts->solution.column;
    t->ahead = t->fetch_a = t->fetch_out = 0;
    t->a_streams.at = t->out_streams.at = NULL;
    t->work = work;
    t->rcond = NULL;
    t->determinants = NULL;
}

#endif
