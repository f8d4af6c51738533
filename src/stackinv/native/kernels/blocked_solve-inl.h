/* SPDX-License-Identifier: BSD-3-Clause */
/* The blocked engine: X from A X = B by the factors of A.

   Right-hand sides are rows here, the columns of B, as rows of the inverse are elsewhere: they are independent of each other, and
   what is multiplied by a factor lies in strips beside it. Numbers are divided by the diagonal of U, as by LAPACK's getrs. */

INLINE NAME(group) NAME(group_of_right)(const struct matrix *matrix, int task, void *work)
{
    const NAME(inverse) rows = NAME(describe_rows)(matrix->m, matrix->columns, matrix->threads);
    return NAME(group_of_rows)(matrix, rows, matrix->columns, task, work);
}

INLINE void NAME(read_group)(const NAME(group) * g)
{
    EACH_TILE (g, r)
        for (int s = 0; s < r.strips; s++)
            NAME(read_right_rows)(r.x + s * g->f.rows_ld, g->matrix, r.from + s * WIDTH);
}

INLINE void NAME(write_group)(const NAME(group) * g)
{
    EACH_TILE (g, r)
        for (int s = 0; s < r.strips; s++)
            NAME(write_solution_rows)(r.x + s * g->f.rows_ld, g->matrix, r.from + s * WIDTH);
}

/* Columns j.. of the rows y that solve Y L^T = Y, for the L of getrf, whose diagonal is 1, or of Cholesky's method; products before
   column k have been subtracted. */
INLINE void NAME(substitute_tile)(const NAME(factors) * f, E *y, int k, int j, const bool unit, const int strips)
{
    E sum[TILE_STRIPS][TILE_COLUMNS];
    const int columns = smaller(f->m - j, TILE_COLUMNS);
    NAME(multiply_rows_tile)(sum, y, f->rows_ld, NAME(element_at)(f->lu, f->ld, j, 0), f->ld, f->block, k, j, strips,
                             false);
    const REAL *l = NAME(factor_at)(f, j, j);
    UNROLLED (c, 0, TILE_COLUMNS)
        if (c < columns) {
            UNROLLED (s, 0, strips) {
                E *at = y + s * f->rows_ld + j + c, x = NAME(subtract)(*at, sum[s][c]);
                if (!unit)
                    x = NAME(scale)(x, TYPED(all)(f->inverse_diagonal[(j + c) * PARTS]));
                *at = sum[s][c] = x;
            }
            UNROLLED (q, c + 1, TILE_COLUMNS) {
                const E factor = NAME(broadcast)(NAME(element_near)(l, f->ld, q, c));
                UNROLLED (s, 0, strips)
                    sum[s][q] = NAME(add_product)(sum[s][q], sum[s][c], factor);
            }
        }
}

/* The exchanges of rows of B, columns here, in the order of the elimination. */
INLINE void NAME(exchange_right)(const NAME(factors) * f, const NAME(rows) * r, int first, int last)
{
    for (int s = 0; s < r->strips; s++) {
        E *x = r->x + s * f->rows_ld;
        for (int j = first; j < last; j++) {
            E *other = x + f->pivots[j];
            const E y = x[j];
            x[j] = *other;
            *other = y;
        }
    }
}

/* Rows of Y, block by block: each is completed, then subtracted from all that follow, since its rows of L are in the order of its
   own time. Whether there are all. */
INLINE bool NAME(substitute_rows_of)(const NAME(group) * g, int *block, const bool unit)
{
    const NAME(factors) *f = &g->f;
    for (bool begun = false; *block < f->blocks; ++*block, begun = true) {
        const int first = *block * BLOCK_COLUMNS, last = smaller(first + BLOCK_COLUMNS, f->m);
        const NAME(piece) rest = {.first = last, .last = f->m, .k = first, .end = last};
        if (NAME(leaves_off)(g->matrix, begun))
            return false;
        EACH_TILE (g, r) {
            if (unit)
                NAME(exchange_right)(f, &r, first, last);
            for (int j = first; j < last; j += TILE_COLUMNS)
                STRIPS(r.strips, NAME(substitute_tile), f, r.x, first, j, unit);
            NAME(subtract_rows_piece)(f, NAME(operands_of)(f, &r), rest, false, r.strips);
        }
    }
    return true;
}

/* The second sweep of a task, whose pieces follow those of the first one. */
INLINE bool NAME(sweep_back)(const NAME(group) * g, int *piece, const bool of_upper)
{
    int number = *piece - g->f.blocks;
    const bool done = NAME(sweep_lower_rows)(g, &number, of_upper, NAME(from_any));
    *piece = g->f.blocks + number;
    return done;
}

static bool NAME(lu_solve_columns)(const struct matrix *matrix, int task, int *piece, void *work)
{
    const NAME(group) g = NAME(group_of_right)(matrix, task, work);
    if (*piece == 0)
        NAME(read_group)(&g);
    if (*piece < g.f.blocks && !NAME(substitute_rows_of)(&g, piece, true))
        return false;
    if (!NAME(sweep_back)(&g, piece, true))
        return false;
    NAME(write_group)(&g);
    return true;
}

/* Rows of the conjugates. */
INLINE void NAME(conjugate_group)(const NAME(group) * g)
{
    if (PARTS == 2)
        EACH_TILE (g, r)
            for (int s = 0; s < r.strips; s++)
                for (int j = 0; j < g->f.m; j++)
                    r.x[s * g->f.rows_ld + j] = NAME(conjugate)(r.x[s * g->f.rows_ld + j]);
}

static bool NAME(cholesky_solve_columns)(const struct matrix *matrix, int task, int *piece, void *work)
{
    const NAME(group) g = NAME(group_of_right)(matrix, task, work);
    if (*piece == 0)
        NAME(read_group)(&g);
    if (*piece < g.f.blocks) {
        if (!NAME(substitute_rows_of)(&g, piece, false))
            return false;
        NAME(conjugate_group)(&g);
    }
    if (!NAME(sweep_back)(&g, piece, false))
        return false;
    NAME(conjugate_group)(&g);
    NAME(write_group)(&g);
    return true;
}

static bool NAME(triangle_solve_columns)(const struct matrix *matrix, int task, int *piece, void *work)
{
    const NAME(group) g = NAME(group_of_right)(matrix, task, work);
    NAME(fetches) none = {{NULL}, {NULL}};
    if (*piece == 0)
        NAME(read_group)(&g);
    if (!(matrix->transposed ? NAME(sweep_upper_rows)(&g, piece, &none, NAME(from_any))
                             : NAME(sweep_lower_rows)(&g, piece, true, NAME(from_any))))
        return false;
    NAME(write_group)(&g);
    return true;
}
