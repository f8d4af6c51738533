/* SPDX-License-Identifier: BSD-3-Clause */
/* The blocked engine for upper triangular matrices: rows of the inverse from Y U = I, as in trtri, or columns from
   U Y = I if the diagonal falls. */

static void NAME(triangle_read_block)(const struct matrix *matrix, int block)
{
    const NAME(factors) f = NAME(carve)(matrix);
    const int j = block * BLOCK_COLUMNS, end = j + BLOCK_COLUMNS < f.m ? j + BLOCK_COLUMNS : f.m;
    const int padded = f.columns - j < BLOCK_COLUMNS ? f.columns : j + BLOCK_COLUMNS;
    for (int strip = 0; strip * WIDTH < end; strip++) {
        E *row = f.lu + strip * f.ld;
        NAME(read_rows)(row + j, matrix, strip * WIDTH, j, end - j, false);
        for (int n = end; n < padded; n++)
            row[n] = NAME(zero)();
    }
    if (matrix->rcond) {
        REAL *sums = f.a_sums + (ptrdiff_t)block * f.columns;
        for (int n = 0; n < f.columns; n++)
            sums[n] = n >= j && n < end && !matrix->transposed ? NAME(sum_column)(f.lu, f.ld, 0, n, 0, n + 1) : 0;
        if (matrix->transposed)
            for (int n = j; n < end; n++)
                for (int i = 0; i <= n; i++)
                    sums[i] += TYPED(get)(NAME(modulus)(NAME(broadcast)(NAME(element_at)(f.lu, f.ld, i, n))), 0);
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
        const E x = NAME(broadcast)(NAME(element_at)(f.lu, f.ld, j, j));
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

INLINE bool NAME(triangle_invert_rows)(const NAME(factors) f, const struct matrix *matrix, int task, int *piece, E *x)
{
    const int from = task * TILE_STRIPS * WIDTH, start = from / TILE_COLUMNS * TILE_COLUMNS;
    const int rest = f.strips - task * TILE_STRIPS, strips = rest < TILE_STRIPS ? rest : TILE_STRIPS;
    const int end = from + strips * WIDTH < f.m ? from + strips * WIDTH : f.m;
    const int tiles = (f.columns - start) / TILE_COLUMNS;
    NAME(fetches) fetches = NAME(plan_fetches)(&f, matrix, task, tiles, tiles);
    if (!NAME(invert_upper_rows)(&f, matrix, task, piece, x, &fetches, true))
        return false;
    for (int s = 0; s < strips; s++) {
        E *row = x + s * f.ld;
        for (int j = 0; j < from; j++)
            row[j] = NAME(zero)();
        for (int j = from; j < f.m; j++)
            row[j] = NAME(add)(row[j], NAME(zero)()); /* no negative zeros, as for general matrices */
    }
    if (matrix->rcond) {
        REAL *sums = f.sums + (ptrdiff_t)task * f.columns;
        for (int j = 0; j < f.m; j++)
            sums[j] = matrix->transposed ? 0 : NAME(sum_column)(x, f.ld, from / WIDTH, j, from, end);
        if (matrix->transposed)
            for (int s = 0, i = from; s < strips; s++, i += WIDTH)
                NAME(sum_rows)(sums + i, x + s * f.ld, f.m - i, from, f.m);
    }
    for (int s = 0; s < strips; s++)
        NAME(write_rows)(x + s * f.ld, matrix, from + s * WIDTH, 0, f.m, false);
    return true;
}

INLINE bool NAME(triangle_invert_columns)(const NAME(factors) f, const struct matrix *matrix, int task, int *piece,
                                         E *w)
{
    const int from = task * TILE_STRIPS * WIDTH;
    const int rest = f.strips - task * TILE_STRIPS, strips = rest < TILE_STRIPS ? rest : TILE_STRIPS;
    const int end = from + strips * WIDTH < f.m ? from + strips * WIDTH : f.m;
    if (!NAME(invert_upper_columns)(&f, matrix, task, piece, w))
        return false;
    for (int s = 0; s < strips; s++) {
        E *column = w + s * f.ld;
        for (int i = 0; i < end; i++)
            column[i] = NAME(add)(column[i], NAME(zero)()); /* no negative zeros, as for general matrices */
        for (int i = end; i < f.m; i++)
            column[i] = NAME(zero)();
    }
    if (matrix->rcond) {
        REAL *sums = f.sums + (ptrdiff_t)task * f.columns;
        for (int i = 0; i < f.m; i++)
            sums[i] = matrix->transposed && i < end ? NAME(sum_column)(w, f.ld, from / WIDTH, i, from, end) : 0;
        if (!matrix->transposed)
            for (int s = 0, j = from; s < strips; s++, j += WIDTH)
                NAME(sum_rows)(sums + j, w + s * f.ld, f.m - j, 0, end);
    }
    for (int s = 0; s < strips; s++)
        NAME(write_rows)(w + s * f.ld, matrix, from + s * WIDTH, 0, f.m, true);
    return true;
}

static bool NAME(triangle_invert)(const struct matrix *matrix, int task, int *piece, void *work)
{
    const NAME(factors) f = NAME(carve)(matrix);
    if (f.pivots[0])
        return NAME(triangle_invert_columns)(f, matrix, task, piece, (E *)work);
    return NAME(triangle_invert_rows)(f, matrix, task, piece, (E *)work);
}
