/* SPDX-License-Identifier: BSD-3-Clause */
/* The blocked engine for symmetric and Hermitian matrices, of which the lower triangle is read.

   They are inverted as general ones are, but from U Y = I instead of Y U = I, so that both residuals are small: the mean
   of the inverse and its transpose, which is the result, has them both. */

static void NAME(symmetric_read_block)(const struct matrix *matrix, int block)
{
    NAME(read_columns)(matrix, block, true);
}

/* Columns of Y, once all columns are factored. */
static bool NAME(symmetric_invert_columns)(const struct matrix *matrix, int task, int *piece, void *work)
{
    const NAME(group) g = NAME(group_of)(matrix, task, work);
    return NAME(keep_upper_columns)(&g, piece);
}

/* Rows of the inverse, once there is all of Y. */
static bool NAME(symmetric_solve_rows)(const struct matrix *matrix, int task, int *piece, void *work)
{
    const NAME(group) g = NAME(group_of)(matrix, task, work);
    NAME(fetches) fetches = NAME(plan_fetches)(&g, NAME(products_of_lower)(&g), NAME(products_of_lower)(&g));
    if (*piece == 0)
        NAME(take_rows)(&g);
    return NAME(solve_rows)(&g, piece, &fetches);
}
