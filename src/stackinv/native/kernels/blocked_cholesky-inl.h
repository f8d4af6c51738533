/* SPDX-License-Identifier: BSD-3-Clause */
/* The blocked engine for Hermitian positive definite matrices, of which the lower triangle is read.

   The method is LAPACK's (potrf, potri): A = L L^H, W from W L = I, V the conjugate transpose of W, and the inverse of A
   is V V^H. L and V have a square each, of which one triangle is used. The inverse is written as it is calculated, each
   row of its lower triangle also as a column. */

/* A block of the lower triangle, together with the square above its diagonal. */
static void NAME(cholesky_read_block)(const struct matrix *matrix, int block)
{
    const NAME(factors) f = NAME(carve)(matrix);
    const int j = block * BLOCK_COLUMNS, end = smaller(j + BLOCK_COLUMNS, f.m);
    REAL *sums = f.a_sums + (ptrdiff_t)block * f.columns;
    for (int strip = j / WIDTH; strip < f.strips; strip++)
        NAME(read_rows)(NAME(block_of)(&f, j) + strip * f.ld + j, matrix, strip * WIDTH, j, end - j, false);
    if (!matrix->rcond)
        return;
    for (int n = 0; n < f.columns; n++) /* the columns below the diagonal, */
        sums[n] = n >= j && n < end ? NAME(sum_column)(NAME(block_of)(&f, j), f.ld, 0, n, n + 1, f.m) : 0;
    for (int strip = j / WIDTH; strip < f.strips; strip++) { /* and, for what is above it, the rows to the left of it */
        V sum = TYPED(all)(0);
        for (int n = j; n < end; n++) {
            const E x = NAME(block_of)(&f, j)[strip * f.ld + n];
            sum += NAME(moduli)(x, strip, n + 1, f.m) + NAME(moduli)(NAME(real)(x.re), strip, n, n + 1);
        }
        for (int l = 0; l < WIDTH && strip * WIDTH + l < f.m; l++)
            sums[strip * WIDTH + l] += TYPED(get)(sum, l);
    }
}

/* Subtract what the finished columns first to end - 1 contribute to the columns j to last - 1. */
NOINLINE void NAME(subtract_rows)(const NAME(factors) * f, int first, int end, int j, int last)
{
    const E *l = NAME(block_of)(f, first);
    E *own = NAME(block_of)(f, j);
    for (int strip = j / WIDTH; strip < f->strips; strip += TILE_STRIPS) {
        const NAME(piece)
            p = {.first = j, .last = smaller(last, (strip + TILE_STRIPS) * WIDTH), .k = first, .end = end};
        NAME(subtract_rows_piece)(f, (NAME(operands)){l + strip * f->ld, own + strip * f->ld, f->ld}, p, true,
                                  f->strips - strip);
    }
}

static void NAME(cholesky_update_block)(const struct matrix *matrix, int done, int block)
{
    const NAME(factors) f = NAME(carve)(matrix);
    const int first = done * BLOCK_COLUMNS, j = block * BLOCK_COLUMNS;
    const int last = smaller(j + BLOCK_COLUMNS, f.columns);
    NAME(subtract_rows)(&f, first, first + BLOCK_COLUMNS, j, last);
}

/* A strip below the square of the panel at j: column after column of it is completed. */
INLINE void NAME(factor_strip)(const NAME(factors) * f, E *strips, int strip, int j)
{
    E *row = strips + strip * f->ld + j, l[PANEL_COLUMNS];
    UNROLLED (c, 0, PANEL_COLUMNS) {
        E x = row[c];
        UNROLLED (q, 0, c)
            x = NAME(subtract_product)(x, l[q],
                                       NAME(conjugate)(NAME(broadcast)(NAME(element_at)(strips, f->ld, j + c, j + q))));
        l[c] = row[c] = NAME(scale)(x, TYPED(all)(f->inverse_diagonal[(j + c) * PARTS]));
    }
}

/* Factor the columns from j on; LAPACK's info. */
NOINLINE int NAME(factor_rows_panel)(const NAME(factors) * f, int j)
{
    E *strips = NAME(block_of)(f, j);
    for (int top = j; top < f->m && top < j + PANEL_COLUMNS; top++) {
        const REAL *own = NAME(element_at)(strips, f->ld, top, top);
        for (int strip = j / WIDTH; strip < (j + PANEL_COLUMNS) / WIDTH && strip < f->strips; strip++) {
            E *row = strips + strip * f->ld, sum = NAME(zero)();
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
            E *x = strips + strip * f->ld + top;
            *x = NAME(scale)(*x, inverse);
        }
    }
    for (int strip = (j + PANEL_COLUMNS) / WIDTH; strip < f->strips; strip++)
        NAME(factor_strip)(f, strips, strip, j);
    return 0;
}

static int NAME(cholesky_factor_block)(const struct matrix *matrix, int block)
{
    const NAME(factors) f = NAME(carve)(matrix);
    const int first = block * BLOCK_COLUMNS;
    const int last = smaller(first + BLOCK_COLUMNS, f.columns);
    int info = 0;
    for (int j = first; j < last && info == 0; j += PANEL_COLUMNS) {
        if (j > first)
            NAME(subtract_rows)(&f, first, j, j, j + PANEL_COLUMNS);
        info = NAME(factor_rows_panel)(&f, j);
    }
    return info;
}

static void NAME(cholesky_determinant)(const struct matrix *matrix, struct determinants *d)
{
    NAME(multiply_factors)(matrix, d, false, NAME(of_inverse_roots));
}

/* Rows of W, once all columns are factored. */
static bool NAME(cholesky_invert_rows)(const struct matrix *matrix, int task, int *piece, void *work)
{
    const NAME(group) g = NAME(group_of)(matrix, task, work);
    if (!NAME(invert_lower_rows)(&g, piece, false))
        return false;
    NAME(keep_columns)(&g, true);
    return true;
}

INLINE void NAME(multiply_v_tile)(const NAME(group) * g, const NAME(rows) * r, const NAME(piece) * p, int j,
                                  const int strips)
{
    const ptrdiff_t ld = g->f.rows_ld;
    const E *v = g->inverse.v;
    E sum[TILE_STRIPS][TILE_COLUMNS];
    NAME(multiply_rows_tile)(sum, v + r->from / WIDTH * ld, ld, (const REAL *)(v + j / WIDTH * ld) + j % WIDTH, ld, 0,
                             p->k, p->end, strips, true);
    UNROLLED (s, 0, strips)
        UNROLLED (c, 0, TILE_COLUMNS) {
            E *at = r->x + s * ld + j + c;
            *at = NAME(add)(*at, sum[s][c]);
        }
}

/* Rows of the lower triangle of V V^H; whether there are all. */
INLINE bool NAME(multiply_v)(const NAME(group) * g, int *number)
{
    const NAME(factors) *f = &g->f;
    const double end = g->end * TILE_ROWS, sum = g->f.m - g->first * TILE_ROWS;
    const double products = (g->end - g->first) * (end / TILE_COLUMNS + 1) * (sum + TILE_COLUMNS);
    NAME(fetches) fetches = NAME(plan_fetches)(g, products, products);
    for (bool begun = false; *number < NAME(count_pieces)(f); ++*number, begun = true) {
        const int first = *number / f->stretches * BLOCK_COLUMNS, k = *number % f->stretches * STRETCH;
        if (first >= g->end * TILE_ROWS)
            break;
        if (NAME(leaves_off)(g->matrix, begun))
            return false;
        EACH_TILE (g, r) {
            const NAME(piece) p = {.first = first,
                                   .last = smaller(first + BLOCK_COLUMNS, r.end),
                                   .k = larger(k, r.from),
                                   .end = smaller(k + STRETCH, f->m)};
            if (k <= r.from && r.from < k + STRETCH)
                NAME(clear_block)(f, &r, first);
            for (int j = p.first; j < p.last && p.k < p.end; j += TILE_COLUMNS) {
                NAME(fetch_early)(&fetches, p.end - p.k);
                STRIPS(r.strips, NAME(multiply_v_tile), g, &r, &p, j);
            }
        }
    }
    return true;
}

/* Rows of the lower triangle of the inverse, once there is all of V, and columns of the upper one. */
static bool NAME(cholesky_multiply_rows)(const struct matrix *matrix, int task, int *piece, void *work)
{
    const NAME(group) g = NAME(group_of)(matrix, task, work);
    const int m = g.f.m;
    const ptrdiff_t ld = g.f.rows_ld;
    if (!NAME(multiply_v)(&g, piece))
        return false;
    EACH_TILE (&g, r) {
#if PARTS == 2 /* real numbers come out the same above and below the diagonal */
        for (int i = r.from; i < r.end; i++)
            for (int j = r.from; j <= i; j++) {
                REAL *below = NAME(element_at)(r.x, ld, i - r.from, j),
                     *above = NAME(element_at)(r.x, ld, j - r.from, i);
                above[0] = below[0];
                above[WIDTH] = i == j ? 0 : 0 - below[WIDTH];
            }
#endif
        if (matrix->rcond) {
            REAL *sums = g.inverse.sums + (ptrdiff_t)r.tile * g.f.columns;
            for (int j = 0; j < m; j++)
                sums[j] = j < r.end ? NAME(sum_column)(r.x, ld, r.from / WIDTH, j, r.from, r.end) : 0;
            for (int s = 0, i = r.from; s < r.strips; s++, i += WIDTH)
                NAME(sum_rows)(sums + i, r.x + s * ld, m - i, 0, r.from);
        }
        for (int s = 0; s < r.strips; s++)
            NAME(write_rows)(r.x + s * ld, matrix, r.from + s * WIDTH, 0, r.end, false);
#if PARTS == 2
        for (int s = 0; s < r.strips; s++)
            for (int j = 0; j < r.from; j++)
                r.x[s * ld + j] = NAME(conjugate)(r.x[s * ld + j]);
#endif
        for (int s = 0; s < r.strips; s++)
            NAME(write_rows)(r.x + s * ld, matrix, r.from + s * WIDTH, 0, r.from, true);
    }
    return true;
}
