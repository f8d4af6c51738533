/* The blocked engine for symmetric and Hermitian matrices, of which the lower triangle is read.

   They are inverted as general ones are, but from U Y = I instead of Y U = I, so that both residuals are small: the mean
   of the inverse and its transpose, which is the result, has them both. */

static void NAME(symmetric_read_block)(const struct matrix *matrix, int block)
{
    NAME(read_columns)(matrix, block, true);
}

/* Columns of Y, once all columns are factored. */
static void NAME(symmetric_invert_columns)(const struct matrix *matrix, int task, void *work)
{
    const NAME(factors) f = NAME(carve)(matrix);
    NAME(invert_upper_columns)(&f, task, (E *)work);
    NAME(keep_columns)(&f, task, (const E *)work, false);
}

/* Rows of the inverse, once there is all of Y. */
static void NAME(symmetric_solve_rows)(const struct matrix *matrix, int task, void *work)
{
    const NAME(factors) f = NAME(carve)(matrix);
    const int from = task * TILE_STRIPS * WIDTH;
    const int rest = f.strips - task * TILE_STRIPS, strips = rest < TILE_STRIPS ? rest : TILE_STRIPS;
    NAME(fetches)
    fetches = NAME(plan_fetches)(&f, matrix, task, f.columns / TILE_COLUMNS, BLOCK_COLUMNS / TILE_COLUMNS);
    E *x = (E *)work;
    for (int s = 0; s < strips; s++) {
        for (int j = 0; j < from; j++)
            x[s * f.ld + j] = NAME(zero)();
        memcpy(x + s * f.ld + from, f.v + (from / WIDTH + s) * f.ld + from, (f.m - from) * sizeof(E));
    }
    NAME(solve_rows)(&f, matrix, task, x, &fetches);
}
