/* SPDX-License-Identifier: BSD-3-Clause */
/* The blocked engine for upper triangular matrices: rows of the inverse from Y U = I, as in trtri, or columns from
   U Y = I if the diagonal falls. */

static void NAME(triangle_read_block)(const struct matrix *matrix, int block)
{
    const NAME(factors) f = NAME(carve)(matrix);
    const int j = block * BLOCK_COLUMNS, end = j + BLOCK_COLUMNS < f.m ? j + BLOCK_COLUMNS : f.m;
    const int padded = f.columns - j < BLOCK_COLUMNS ? f.columns : j + BLOCK_COLUMNS;
    for (int strip = 0; strip * WIDTH < end; strip++) {
        E *row = NAME(block_of)(&f, j) + strip * f.ld;
        NAME(read_rows)(row + j, matrix, strip * WIDTH, j, end - j, false);
        for (int n = end; n < padded; n++)
            row[n] = NAME(zero)();
    }
    if (matrix->rcond) {
        REAL *sums = f.a_sums + (ptrdiff_t)block * f.columns;
        for (int n = 0; n < f.columns; n++)
            sums[n] = n >= j && n < end && !matrix->transposed
                          ? NAME(sum_column)(NAME(block_of)(&f, j), f.ld, 0, n, 0, n + 1)
                          : 0;
        if (matrix->transposed)
            for (int n = j; n < end; n++)
                for (int i = 0; i <= n; i++)
                    sums[i] += TYPED(get)(NAME(modulus)(NAME(broadcast)(NAME(factor_at)(&f, i, n))), 0);
    }
}

/* Nothing to do: columns are factors as they are. */
static void NAME(triangle_update_block)(const struct matrix *matrix, int done, int block)
{
    (void)matrix, (void)done, (void)block;
}

static int NAME(triangle_factor_block)(const struct matrix *matrix, int block)
{
    const NAME(factors) f = NAME(carve)(matrix);
    for (int j = block * BLOCK_COLUMNS; j < f.m && j < (block + 1) * BLOCK_COLUMNS; j++) {
        const E x = NAME(broadcast)(NAME(factor_at)(&f, j, j));
        if (TYPED(get)(NAME(size)(x), 0) == 0)
            return j + 1;
        NAME(store_lane)(f.inverse_diagonal + j * PARTS, 1, NAME(reciprocal)(x));
    }
    if (block == f.blocks - 1) {
        VI rise = TYPED(integer)(0);
        for (int i = 0; i < f.m / 2; i++) /* of the reciprocals backwards */
            rise += NAME(rise)(NAME(broadcast_from)(f.inverse_diagonal + (f.m - 1 - i) * PARTS, 1),
                               NAME(broadcast_from)(f.inverse_diagonal + i * PARTS, 1));
        f.pivots[0] = f.m > 3 && TYPED(any)(TYPED(signs)(rise)); /* for want of pivots, whether the diagonal falls */
    }
    return 0;
}

static void NAME(triangle_determinant)(const struct matrix *matrix, struct determinants *d)
{
    NAME(multiply_factors)(matrix, d, false, NAME(of_pivots));
}

INLINE bool NAME(triangle_invert_rows)(const NAME(group) * g, int *piece)
{
    const struct matrix *matrix = g->matrix;
    const int m = g->f.m;
    const ptrdiff_t ld = g->f.rows_ld;
    NAME(fetches) fetches = NAME(plan_fetches)(g, NAME(products_of_upper)(g), NAME(products_of_upper)(g));
    if (!NAME(invert_upper_rows)(g, piece, &fetches))
        return false;
    EACH_TILE (g, r) {
        REAL *sums = g->inverse.sums + (ptrdiff_t)r.tile * g->f.columns;
        for (int s = 0; s < r.strips; s++)
            for (int j = r.from; j < m; j++) /* no negative zeros, as for general matrices */
                r.x[s * ld + j] = NAME(add)(r.x[s * ld + j], NAME(zero)());
        for (int j = 0; j < m && matrix->rcond; j++)
            sums[j] = matrix->transposed ? 0 : NAME(sum_column)(r.x, ld, r.from / WIDTH, j, r.from, r.end);
        if (matrix->rcond && matrix->transposed)
            for (int s = 0, i = r.from; s < r.strips; s++, i += WIDTH)
                NAME(sum_rows)(sums + i, r.x + s * ld, m - i, r.from, m);
        for (int s = 0; s < r.strips; s++)
            NAME(write_rows)(r.x + s * ld, matrix, r.from + s * WIDTH, 0, m, false);
    }
    return true;
}

INLINE bool NAME(triangle_invert_columns)(const NAME(group) * g, int *piece)
{
    const struct matrix *matrix = g->matrix;
    const int m = g->f.m;
    const ptrdiff_t ld = g->f.rows_ld;
    if (!NAME(invert_upper_columns)(g, piece))
        return false;
    EACH_TILE (g, r) {
        REAL *sums = g->inverse.sums + (ptrdiff_t)r.tile * g->f.columns;
        for (int s = 0; s < r.strips; s++) {
            E *column = r.x + s * ld;
            for (int i = 0; i < r.end; i++)
                column[i] = NAME(add)(column[i], NAME(zero)()); /* no negative zeros, as for general matrices */
            for (int i = r.end; i < m; i++)
                column[i] = NAME(zero)();
        }
        for (int i = 0; i < m && matrix->rcond; i++)
            sums[i] = matrix->transposed && i < r.end ? NAME(sum_column)(r.x, ld, r.from / WIDTH, i, r.from, r.end) : 0;
        if (matrix->rcond && !matrix->transposed)
            for (int s = 0, j = r.from; s < r.strips; s++, j += WIDTH)
                NAME(sum_rows)(sums + j, r.x + s * ld, m - j, 0, r.end);
        for (int s = 0; s < r.strips; s++)
            NAME(write_rows)(r.x + s * ld, matrix, r.from + s * WIDTH, 0, m, true);
    }
    return true;
}

static bool NAME(triangle_invert)(const struct matrix *matrix, int task, int *piece, void *work)
{
    const NAME(group) g = NAME(group_of)(matrix, task, work);
    return g.f.pivots[0] ? NAME(triangle_invert_columns)(&g, piece) : NAME(triangle_invert_rows)(&g, piece);
}
