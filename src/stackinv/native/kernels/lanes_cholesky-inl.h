/* SPDX-License-Identifier: BSD-3-Clause */
/* The lanes engine for Hermitian positive definite matrices, of which the lower triangle is read.

   The method is LAPACK's (potrf, potri): A = L L^H, V from L^H V = I (from V L^H = I the residuals would grow with the
   condition), and the inverse of A is V V^H. L and V are the two triangles of the tile and share its diagonal, which
   holds that of V, 1 / L[i, i]; the inverse takes the place of L. */

/* A block of sums in registers: += A B^H, by rows of both. */
INLINE void NAME(add_row_products)(E sum[SMALL][SMALL], const int rows, const int columns, const E *a, const E *b,
                                   ptrdiff_t ld, ptrdiff_t count)
{
    for (ptrdiff_t q = 0; q < count; q++)
        UNROLLED (r, 0, rows)
            UNROLLED (c, 0, columns)
                sum[r][c] = NAME(add_product_conjugate)(sum[r][c], a[r * ld + q], b[c * ld + q]);
}

/* The block of L on the diagonal at k, from those to its left. */
INLINE void NAME(factor_diagonal)(E *t, ptrdiff_t ld, int k, VI *info, const int columns)
{
    E sum[SMALL][SMALL];
    CLEAR(sum, columns, columns);
    NAME(add_row_products)(sum, columns, columns, t + k * ld, t + k * ld, ld, k);
    UNROLLED (c, 0, columns) {
        E *row = t + (k + c) * ld + k;
        UNROLLED (q, 0, c)
            sum[c][c] = NAME(add_product_conjugate)(sum[c][c], row[q], row[q]);
        const V square = row[c].re - sum[c][c].re, none = TYPED(all)(0);
        /* What is no number is not singular either. */
        const VM negative = TYPED(greater)(none, square) | TYPED(equal)(none, square);
        const VM first = negative & TYPED(same)(*info, TYPED(integer)(0));
        *info = TYPED(select_integer)(first, TYPED(integer)(k + c + 1), *info);
        const V inverse = 1 / TYPED(square_root)(square);
        row[c] = NAME(real)(inverse);
        UNROLLED (r, c + 1, columns) {
            E *below = t + (k + r) * ld + k;
            UNROLLED (q, 0, c)
                sum[r][c] = NAME(add_product_conjugate)(sum[r][c], below[q], row[q]);
            below[c] = NAME(scale)(NAME(subtract)(below[c], sum[r][c]), inverse);
        }
    }
}

/* The block of L at row i, below the one on the diagonal at k. */
INLINE void NAME(factor_below)(E *t, ptrdiff_t ld, int i, int k, const int rows, const int columns)
{
    E sum[SMALL][SMALL];
    CLEAR(sum, rows, columns);
    NAME(add_row_products)(sum, rows, columns, t + i * ld, t + k * ld, ld, k);
    UNROLLED (c, 0, columns) {
        const E *above = t + (k + c) * ld + k;
        UNROLLED (r, 0, rows) {
            E *l = t + (i + r) * ld + k;
            UNROLLED (q, 0, c)
                sum[r][c] = NAME(add_product_conjugate)(sum[r][c], l[q], above[q]);
            l[c] = NAME(scale)(NAME(subtract)(l[c], sum[r][c]), above[c].re);
        }
    }
}

/* A block of V, rows i.. and columns k.., from L^H V = I and those below it; the one on the diagonal (i == k) has
   none. */
INLINE void NAME(invert_lower)(E *t, ptrdiff_t ld, int i, int k, const bool diagonal, const int rows, const int columns)
{
    E sum[SMALL][SMALL];
    CLEAR(sum, rows, columns);
    if (!diagonal) {
        for (int q = i + rows; q < k; q++)
            UNROLLED (r, 0, rows)
                UNROLLED (c, 0, columns)
                    sum[r][c] = NAME(add_product_conjugate)(sum[r][c], t[q * ld + k + c], t[q * ld + i + r]);
        UNROLLED (q, 0, columns)
            UNROLLED (r, 0, rows)
                UNROLLED (c, q, columns)
                    sum[r][c] =
                        NAME(add_product_conjugate)(sum[r][c], t[(k + q) * ld + k + c], t[(k + q) * ld + i + r]);
    }
    UNROLLED_DOWN (r, rows - 1, 0)
        UNROLLED (c, diagonal ? r + 1 : 0, columns) {
            E *v = t + i * ld + k + c;
            UNROLLED (q, r + 1, rows)
                if (!diagonal || q <= c)
                    sum[r][c] = NAME(add_product_conjugate)(sum[r][c], v[q * ld], t[(i + q) * ld + i + r]);
            v[r * ld] = NAME(scale)(NAME(subtract)(NAME(zero)(), sum[r][c]), t[(i + r) * ld + i + r].re);
        }
}

INLINE void NAME(invert_lower_diagonal)(E *t, ptrdiff_t ld, int k, const int columns)
{
    NAME(invert_lower)(t, ld, k, k, true, columns, columns);
}

/* A block of V V^H, on the diagonal (i == k) or below it. */
INLINE void NAME(multiply_rows)(E *t, ptrdiff_t ld, const int m, int i, int k, const bool diagonal, const int rows,
                                const int columns)
{
    E sum[SMALL][SMALL];
    CLEAR(sum, rows, columns);
    NAME(add_row_products)(sum, rows, columns, t + i * ld + i + rows, t + k * ld + i + rows, ld, m - (i + rows));
    UNROLLED_DOWN (q, rows - 1, 0)
        UNROLLED (r, 0, q + 1)
            UNROLLED (c, 0, columns)
                if (!diagonal || c <= r)
                    sum[r][c] =
                        NAME(add_product_conjugate)(sum[r][c], t[(i + r) * ld + i + q], t[(k + c) * ld + i + q]);
    UNROLLED (r, 0, rows)
        UNROLLED (c, 0, columns)
            if (!diagonal || c <= r)
                t[(i + r) * ld + k + c] = sum[r][c];
}

INLINE void NAME(multiply_rows_diagonal)(E *t, ptrdiff_t ld, const int m, int i, const int rows)
{
    NAME(multiply_rows)(t, ld, m, i, i, true, rows, rows);
}

/* Invert the matrices of a tile, or solve their systems; whether one of them is not positive definite. */
INLINE bool NAME(cholesky_tile)(struct tile *tile, const int m, const ptrdiff_t ld, E *t, const bool solving)
{
    const bool a_other = tile->a_single != (sizeof(REAL) == 4), out_other = tile->out_single != (sizeof(REAL) == 4);
    const int blocks = BLOCKS(m);
    const int steps = (tile->inverse ? 3 : 1) * blocks * blocks;
    const int lines = (int)((ptrdiff_t)m * m * PARTS * sizeof(REAL) / 64) * 2 / steps + 1;
    ptrdiff_t fetched = 0;
    V a_norm = TYPED(all)(0);
    VI info = TYPED(integer)(0);

    NAME(move)(t, ld, m, (char *const *)tile->a, tile->a_row, tile->a_column, false, a_other);
    if (tile->rcond) {
        NAME(mirror)(t, ld, m, true);
        a_norm = NORM1(t, ld, 1, m, 0, m);
    }
    for (int b = 0; b < blocks; b++) {
        const int k = START(b, m, blocks), columns = HEIGHT(b, m, blocks);
        NAME(fetch)(tile, m, lines, &fetched);
        BY_COLUMNS(m, columns, NAME(factor_diagonal), t, ld, k, &info);
        for (int i = b + 1; i < blocks; i++) {
            NAME(fetch)(tile, m, lines, &fetched);
            BY_SIZE(m, HEIGHT(i, m, blocks), columns, NAME(factor_below), t, ld, START(i, m, blocks), k);
        }
    }
    if (tile->determinants)
        NAME(diagonal_determinants)(tile, t, ld, m, TYPED(integer)(0), info, NAME(of_inverse_roots));
    if (solving && tile->columns) {
        E copy[SMALL * SMALL], few[SOLVED_NUMBERS(SMALL)];
        for (int n = 0; m <= SMALL && n < m * m; n++)
            copy[n] = t[n];
        const E *l = m <= SMALL ? copy : t;
        const NAME(triangle) lower = {l, ld, 1, false, false, NAME(factors_of_rows), l, ld + 1};
        const NAME(triangle) triangles[] = {lower, {l, 1, ld, true, true, NAME(factors_of_rows), l, ld + 1}};
        NAME(solve_systems)(tile, m, triangles, 2, NULL, m <= SMALL ? few : t + m * ld);
    }
    if (!tile->inverse || (solving && m <= IN_REGISTERS))
        return NAME(note_info)(tile, info);
    for (int b = 0; b < blocks; b++) {
        const int k = START(b, m, blocks), columns = HEIGHT(b, m, blocks);
        NAME(fetch)(tile, m, lines, &fetched);
        BY_COLUMNS(m, columns, NAME(invert_lower_diagonal), t, ld, k);
        for (int i = b - 1; i >= 0; i--) {
            NAME(fetch)(tile, m, lines, &fetched);
            BY_SIZE(m, HEIGHT(i, m, blocks), columns, NAME(invert_lower), t, ld, START(i, m, blocks), k, false);
        }
    }
    for (int b = 0; b < blocks; b++) {
        const int i = START(b, m, blocks), rows = HEIGHT(b, m, blocks);
        for (int n = 0; n < b; n++) {
            NAME(fetch)(tile, m, lines, &fetched);
            BY_SIZE(m, rows, HEIGHT(n, m, blocks), NAME(multiply_rows), t, ld, m, i, START(n, m, blocks), false);
        }
        NAME(fetch)(tile, m, lines, &fetched);
        BY_COLUMNS(m, rows, NAME(multiply_rows_diagonal), t, ld, m, i);
    }
    NAME(mirror)(t, ld, m, true);
    const bool singular = NAME(finish)(tile, t, ld, m, a_norm, info);
    NAME(move)(t, ld, m, tile->out, tile->out_row, tile->out_column, true, out_other);
    return singular;
}

#define DEFINE_CHOLESKY_FUNCTION(name, M, solving)                                                                     \
    static bool NAME(name##_##M)(struct tile * tile)                                                                   \
    {                                                                                                                  \
        E t[M * M];                                                                                                    \
        return NAME(cholesky_tile)(tile, M, M, t, solving);                                                            \
    }
#define DEFINE_CHOLESKY(M) DEFINE_CHOLESKY_FUNCTION(cholesky, M, M > IN_REGISTERS)
#define DEFINE_CHOLESKY_SYSTEMS(M) DEFINE_CHOLESKY_FUNCTION(cholesky_systems, M, true)
SMALL_ORDERS(DEFINE_CHOLESKY)
ORDERS_IN_REGISTERS(DEFINE_CHOLESKY_SYSTEMS)

static size_t NAME(cholesky_work_size)(int m)
{
    return m <= SMALL ? 0 : ((size_t)m * NAME(leading)(m) + SOLVED_NUMBERS((size_t)m)) * sizeof(E);
}

static bool NAME(cholesky_of_order)(struct tile *tile)
{
    const int m = tile->m;
    switch (tile->columns ? m : 0) {
        CASES_IN_REGISTERS(cholesky_systems, tile)
    }
    switch (m) {
        SMALL_CASES(cholesky, tile)
    }
    return NAME(cholesky_tile)(tile, m, NAME(leading)(m), (E *)tile->work, true);
}

DEFINE_INVERT(cholesky)
