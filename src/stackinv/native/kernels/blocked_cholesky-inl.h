/* SPDX-License-Identifier: BSD-3-Clause */
/* The blocked engine for Hermitian positive definite matrices, of which the lower triangle is read.

   The method is LAPACK's (potrf, potri): A = L L^H, W from W L = I, V the conjugate transpose of W, and the inverse of A
   is V V^H. L and V have a square each, of which one triangle is used. The inverse is written as it is calculated, each
   row of its lower triangle also as a column. */

/* A block of the lower triangle, together with the square above its diagonal. */
static void NAME(cholesky_read_block)(const struct matrix *matrix, int block)
{
    const NAME(factors) f = NAME(carve)(matrix);
    const int j = block * BLOCK_COLUMNS, end = j + BLOCK_COLUMNS < f.m ? j + BLOCK_COLUMNS : f.m;
    REAL *sums = f.a_sums + (ptrdiff_t)block * f.columns;
    for (int strip = j / WIDTH; strip < f.strips; strip++)
        NAME(read_rows)(f.lu + strip * f.ld + j, matrix, strip * WIDTH, j, end - j, false);
    if (!matrix->rcond)
        return;
    for (int n = 0; n < f.columns; n++) /* the columns below the diagonal, */
        sums[n] = n >= j && n < end ? NAME(sum_column)(f.lu, f.ld, 0, n, n + 1, f.m) : 0;
    for (int strip = j / WIDTH; strip < f.strips; strip++) { /* and, for what is above it, the rows to the left of it */
        V sum = TYPED(all)(0);
        for (int n = j; n < end; n++) {
            const E x = f.lu[strip * f.ld + n];
            sum += NAME(moduli)(x, strip, n + 1, f.m) + NAME(moduli)(NAME(real)(x.re), strip, n, n + 1);
        }
        for (int l = 0; l < WIDTH && strip * WIDTH + l < f.m; l++)
            sums[strip * WIDTH + l] += TYPED(get)(sum, l);
    }
}

INLINE void NAME(subtract_rows_tile)(const NAME(factors) * f, int strip, int first, int end, int j, const int strips)
{
    E sum[TILE_STRIPS][TILE_COLUMNS];
    NAME(multiply_rows_tile)(sum, f->lu + strip * f->ld, NAME(element_at)(f->lu, f->ld, j, 0), f->ld, first, end,
                             strips, true);
    UNROLLED (s, 0, strips)
        UNROLLED (c, 0, TILE_COLUMNS) {
            E *at = f->lu + (strip + s) * f->ld + j + c;
            *at = NAME(subtract)(*at, sum[s][c]);
        }
}

/* Subtract what the finished columns first to end - 1 contribute to the columns j to last - 1. */
NOINLINE void NAME(subtract_rows)(const NAME(factors) * f, int first, int end, int j, int last)
{
#define SUBTRACT_ROWS_TILE(strips) NAME(subtract_rows_tile)(f, strip, first, end, n, strips)
    for (int strip = j / WIDTH; strip < f->strips; strip += TILE_STRIPS)
        for (int n = j; n < last && n < (strip + TILE_STRIPS) * WIDTH; n += TILE_COLUMNS)
            STRIPS(f->strips - strip, SUBTRACT_ROWS_TILE);
#undef SUBTRACT_ROWS_TILE
}

static void NAME(cholesky_update_block)(const struct matrix *matrix, int done, int block)
{
    const NAME(factors) f = NAME(carve)(matrix);
    const int first = done * BLOCK_COLUMNS, j = block * BLOCK_COLUMNS;
    const int last = j + BLOCK_COLUMNS < f.columns ? j + BLOCK_COLUMNS : f.columns;
    NAME(subtract_rows)(&f, first, first + BLOCK_COLUMNS, j, last);
}

/* A strip below the square of the panel at j: column after column of it is completed. */
INLINE void NAME(factor_strip)(const NAME(factors) * f, int strip, int j)
{
    E *row = f->lu + strip * f->ld + j, l[PANEL_COLUMNS];
    UNROLLED (c, 0, PANEL_COLUMNS) {
        E x = row[c];
        UNROLLED (q, 0, c)
            x = NAME(subtract_product)(x, l[q],
                                       NAME(conjugate)(NAME(broadcast)(NAME(element_at)(f->lu, f->ld, j + c, j + q))));
        l[c] = row[c] = NAME(scale)(x, TYPED(all)(f->inverse_diagonal[(j + c) * PARTS]));
    }
}

/* Factor the columns from j on; LAPACK's info. */
NOINLINE int NAME(factor_rows_panel)(const NAME(factors) * f, int j)
{
    for (int top = j; top < f->m && top < j + PANEL_COLUMNS; top++) {
        const REAL *own = NAME(element_at)(f->lu, f->ld, top, top);
        for (int strip = j / WIDTH; strip < (j + PANEL_COLUMNS) / WIDTH && strip < f->strips; strip++) {
            E *row = f->lu + strip * f->ld, sum = NAME(zero)();
            for (int q = j; q < top; q++)
                sum = NAME(add_product_conjugate)(sum, row[q], NAME(broadcast)(own + (q - top) * PARTS * WIDTH));
            row[top] = NAME(subtract)(row[top], sum);
        }
        const REAL square = *own;
        if (square <= 0) /* what is no number is not singular either */
            return top + 1;
        const V inverse = 1 / TYPED(square_root)(TYPED(all)(square));
        NAME(store_lane)(f->inverse_diagonal + top * PARTS, 1, NAME(real)(inverse));
        for (int strip = j / WIDTH; strip < (j + PANEL_COLUMNS) / WIDTH && strip < f->strips; strip++) {
            E *x = f->lu + strip * f->ld + top;
            *x = NAME(scale)(*x, inverse);
        }
    }
    for (int strip = (j + PANEL_COLUMNS) / WIDTH; strip < f->strips; strip++)
        NAME(factor_strip)(f, strip, j);
    return 0;
}

static int NAME(cholesky_factor_block)(const struct matrix *matrix, int block)
{
    const NAME(factors) f = NAME(carve)(matrix);
    const int first = block * BLOCK_COLUMNS;
    const int last = first + BLOCK_COLUMNS < f.columns ? first + BLOCK_COLUMNS : f.columns;
    int info = 0;
    for (int j = first; j < last && info == 0; j += PANEL_COLUMNS) {
        if (j > first)
            NAME(subtract_rows)(&f, first, j, j, j + PANEL_COLUMNS);
        info = NAME(factor_rows_panel)(&f, j);
    }
    return info;
}

/* Rows of W, once all columns are factored. */
static bool NAME(cholesky_invert_rows)(const struct matrix *matrix, int task, int *piece, void *work)
{
    const NAME(factors) f = NAME(carve)(matrix);
    if (!NAME(invert_lower_rows)(&f, matrix, task, piece, (E *)work, false))
        return false;
    NAME(keep_columns)(&f, task, (const E *)work, true);
    return true;
}

INLINE void NAME(multiply_v_tile)(const NAME(factors) * f, E *x, int from, int j, const int strips)
{
    E sum[TILE_STRIPS][TILE_COLUMNS];
    NAME(multiply_rows_tile)(sum, f->v + from / WIDTH * f->ld, NAME(element_at)(f->v, f->ld, j, 0), f->ld, from, f->m,
                             strips, true);
    UNROLLED (s, 0, strips)
        UNROLLED (c, 0, TILE_COLUMNS)
            x[s * f->ld + j + c] = sum[s][c];
}

/* Rows of the lower triangle of the inverse, once there is all of V, and columns of the upper one. */
static bool NAME(cholesky_multiply_rows)(const struct matrix *matrix, int task, int *piece, void *work)
{
    const NAME(factors) f = NAME(carve)(matrix);
    const int from = task * TILE_STRIPS * WIDTH;
    const int rest = f.strips - task * TILE_STRIPS, strips = rest < TILE_STRIPS ? rest : TILE_STRIPS;
    const int end = from + strips * WIDTH < f.m ? from + strips * WIDTH : f.m, tiles = end / TILE_COLUMNS + 1;
    NAME(fetches) fetches = NAME(plan_fetches)(&f, matrix, task, tiles, tiles);
    E *x = (E *)work;
#define MULTIPLY_V_TILE(strips)                                                                                        \
    NAME(fetch_lines)(&fetches.next, fetches.next_end, fetches.next_lines, false);                                     \
    NAME(fetch_lines)(&fetches.result, fetches.result_end, fetches.result_lines, true);                                \
    NAME(multiply_v_tile)(&f, x, from, j, strips)
    for (const int before = *piece; *piece * BLOCK_COLUMNS < end; ++*piece) {
        const int first = *piece * BLOCK_COLUMNS, last = first + BLOCK_COLUMNS;
        if (NAME(leaves_off)(matrix, *piece, before))
            return false;
        for (int j = first; j < end && j < last; j += TILE_COLUMNS)
            STRIPS(strips, MULTIPLY_V_TILE);
    }
#undef MULTIPLY_V_TILE
#if PARTS == 2 /* real numbers come out the same above and below the diagonal */
    for (int i = from; i < end; i++)
        for (int j = from; j <= i; j++) {
            REAL *below = NAME(element_at)(x, f.ld, i - from, j), *above = NAME(element_at)(x, f.ld, j - from, i);
            above[0] = below[0];
            above[WIDTH] = i == j ? 0 : 0 - below[WIDTH];
        }
#endif
    if (matrix->rcond) {
        REAL *sums = f.sums + (ptrdiff_t)task * f.columns;
        for (int j = 0; j < f.m; j++)
            sums[j] = j < end ? NAME(sum_column)(x, f.ld, from / WIDTH, j, from, end) : 0;
        for (int s = 0, i = from; s < strips; s++, i += WIDTH)
            NAME(sum_rows)(sums + i, x + s * f.ld, f.m - i, 0, from);
    }
    for (int s = 0; s < strips; s++)
        NAME(write_rows)(x + s * f.ld, matrix, from + s * WIDTH, 0, end, false);
#if PARTS == 2
    for (int s = 0; s < strips; s++)
        for (int j = 0; j < from; j++)
            x[s * f.ld + j] = NAME(conjugate)(x[s * f.ld + j]);
#endif
    for (int s = 0; s < strips; s++)
        NAME(write_rows)(x + s * f.ld, matrix, from + s * WIDTH, 0, from, true);
    return true;
}
