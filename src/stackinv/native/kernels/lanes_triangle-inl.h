/* SPDX-License-Identifier: BSD-3-Clause */
/* The lanes engine for upper triangular matrices, and for the factor U of the others (trtri). */

/* A block of Y, the inverse of U, from U Y = I and the blocks below it; the one on the diagonal (i == k) has none. */
INLINE void NAME(right_inverse)(E *t, ptrdiff_t ld, const E *inverse_diagonal, int i, int k, const bool diagonal,
                                const int rows, const int columns)
{
    E sum[SMALL][SMALL], y[SMALL][SMALL];
    CLEAR(sum, rows, columns);
    if (!diagonal) {
        UNROLLED_DOWN (q, columns - 1, 0)
            UNROLLED (r, 0, rows)
                UNROLLED (c, q, columns)
                    sum[r][c] = NAME(add_product)(sum[r][c], t[(i + r) * ld + k + q], t[(k + q) * ld + k + c]);
        NAME(add_products)(sum, rows, columns, t + i * ld + k - 1, ld, -1, t + (k - 1) * ld + k, -ld, k - (i + rows));
    }
    UNROLLED_DOWN (r, rows - 1, 0)
        UNROLLED (c, diagonal ? r : 0, columns) {
            UNROLLED_DOWN (q, diagonal ? c : rows - 1, r + 1)
                sum[r][c] = NAME(add_product)(sum[r][c], t[(i + r) * ld + i + q], y[q][c]);
            y[r][c] = diagonal && c == r
                          ? inverse_diagonal[i + r]
                          : NAME(multiply)(NAME(subtract)(NAME(zero)(), sum[r][c]), inverse_diagonal[i + r]);
        }
    UNROLLED (r, 0, rows)
        UNROLLED (c, diagonal ? r : 0, columns)
            t[(i + r) * ld + k + c] = y[r][c];
}

INLINE void NAME(right_diagonal)(E *t, ptrdiff_t ld, const E *inverse_diagonal, int k, const int columns)
{
    NAME(right_inverse)(t, ld, inverse_diagonal, k, k, true, columns, columns);
}

/* The same from Y U = I and the blocks to its left, as in trtri. */
INLINE void NAME(left_inverse)(E *t, ptrdiff_t ld, const E *inverse_diagonal, int i, int k, const bool diagonal,
                               const int rows, const int columns)
{
    E sum[SMALL][SMALL], y[SMALL][SMALL];
    CLEAR(sum, rows, columns);
    if (!diagonal) {
        const int next = i + rows, count = k - next;
        UNROLLED (q, 0, rows)
            UNROLLED (r, 0, q + 1)
                UNROLLED (c, 0, columns)
                    sum[r][c] = NAME(add_product)(sum[r][c], t[(i + r) * ld + i + q], t[(i + q) * ld + k + c]);
        NAME(add_products)(sum, rows, columns, t + i * ld + next, ld, 1, t + next * ld + k, ld, count);
    }
    UNROLLED (c, 0, columns)
        UNROLLED (r, 0, diagonal ? c + 1 : rows) {
            UNROLLED (q, diagonal ? r : 0, c)
                sum[r][c] = NAME(add_product)(sum[r][c], y[r][q], t[(k + q) * ld + k + c]);
            y[r][c] = diagonal && c == r
                          ? inverse_diagonal[k + c]
                          : NAME(multiply)(NAME(subtract)(NAME(zero)(), sum[r][c]), inverse_diagonal[k + c]);
        }
    UNROLLED (c, 0, columns)
        UNROLLED (r, 0, diagonal ? c + 1 : rows)
            t[(i + r) * ld + k + c] = y[r][c];
}

INLINE void NAME(left_diagonal)(E *t, ptrdiff_t ld, const E *inverse_diagonal, int k, const int columns)
{
    NAME(left_inverse)(t, ld, inverse_diagonal, k, k, true, columns, columns);
}

/* In place of U its inverse Y, from Y U = I or from U Y = I. */
INLINE void NAME(invert_factor)(const struct tile *tile, const int m, const ptrdiff_t ld, E *t,
                                const E *inverse_diagonal, const bool left, const int lines, ptrdiff_t *fetched)
{
    const int blocks = BLOCKS(m);
    if (!left)
        for (int b = blocks - 1; b >= 0; b--) {
            const int k = START(b, m, blocks), columns = HEIGHT(b, m, blocks);
            BY_COLUMNS(m, columns, NAME(right_diagonal), t, ld, inverse_diagonal, k);
            for (int i = b - 1; i >= 0; i--) {
                NAME(fetch)(tile, m, lines, fetched);
                BY_SIZE(m, HEIGHT(i, m, blocks), columns, NAME(right_inverse), t, ld, inverse_diagonal,
                        START(i, m, blocks), k, false);
            }
        }
    else
        for (int b = 0; b < blocks; b++) {
            const int k = START(b, m, blocks), columns = HEIGHT(b, m, blocks);
            for (int i = 0; i < b; i++) {
                NAME(fetch)(tile, m, lines, fetched);
                BY_SIZE(m, HEIGHT(i, m, blocks), columns, NAME(left_inverse), t, ld, inverse_diagonal,
                        START(i, m, blocks), k, false);
            }
            BY_COLUMNS(m, columns, NAME(left_diagonal), t, ld, inverse_diagonal, k);
        }
}

/* For all of the large orders and for both methods that need it, since it is long. */
NOINLINE void NAME(invert_large_factor)(const struct tile *tile, int m, ptrdiff_t ld, E *t, const E *inverse_diagonal,
                                        bool left, int lines, ptrdiff_t *fetched)
{
    if (m > SMALL)
        NAME(invert_factor)(tile, m, ld, t, inverse_diagonal, left, lines, fetched);
}

/* log(second half / first half of the diagonal of U), what one pair of its elements contributes. The sum over all pairs is
   negative if the geometric mean falls by more than a factor of 16.

   Y U = I, as in trtri, bounds the left residual and leaves the right one to chance from M = 4 on. If the diagonal falls,
   as in factors of ill-conditioned matrices from qr or cholesky, both are small from U Y = I, else it is the left one
   that may be large from this. */
INLINE VI NAME(rise)(E first, E last)
{
    return TYPED(logarithm)(NAME(size)(NAME(scale)(last, TYPED(all)(16)))) - TYPED(logarithm)(NAME(size)(first));
}

/* Exchange two elements in some lanes. */
INLINE void NAME(exchange_two_in)(VM lanes, E *x, E *y)
{
    const E before = *x, after = *y;
    *x = NAME(select)(lanes, after, before);
    *y = NAME(select)(lanes, before, after);
}

/* Exchange what lies symmetrically to the antidiagonal, in some lanes: an upper triangle U remains one, and from Y U = I
   becomes U Y = I. */
INLINE void NAME(reflect)(E *t, ptrdiff_t ld, E *inverse_diagonal, const int m, VM lanes)
{
    for (int i = 0; i < m; i++)
        for (int j = i; i + j < m - 1; j++)
            NAME(exchange_two_in)(lanes, &t[i * ld + j], &t[(m - 1 - j) * ld + m - 1 - i]);
    for (int i = 0; i < m / 2; i++)
        NAME(exchange_two_in)(lanes, &inverse_diagonal[i], &inverse_diagonal[m - 1 - i]);
}

NOINLINE void NAME(reflect_large)(E *t, ptrdiff_t ld, E *inverse_diagonal, int m, VM lanes)
{
    NAME(reflect)(t, ld, inverse_diagonal, m, lanes);
}

/* Invert the upper triangles of a tile, or solve their systems; whether one of them is singular. */
INLINE bool NAME(triangle_tile)(struct tile *tile, const int m, const ptrdiff_t ld, E *t, E *inverse_diagonal,
                                const bool solving)
{
    const bool a_other = tile->a_single != (sizeof(REAL) == 4), out_other = tile->out_single != (sizeof(REAL) == 4);
    const int blocks = BLOCKS(m);
    const int lines = (int)((ptrdiff_t)m * m * PARTS * sizeof(REAL) / 64) * 2 / (blocks * blocks) + 1;
    ptrdiff_t fetched = 0;
    V a_norm = TYPED(all)(0);
    VI info = TYPED(integer)(0);

    NAME(move)(t, ld, m, (char *const *)tile->a, tile->a_row, tile->a_column, false, a_other);
    for (int i = 0; i < m; i++) {
        if (m <= SMALL)
            NAME(fetch)(tile, m, (m * PARTS * (int)sizeof(REAL) + 63) / 64, &fetched);
        for (int j = 0; j < i; j++)
            t[i * ld + j] = NAME(zero)();
        const E x = t[i * ld + i];
        const VM zero = TYPED(equal)(NAME(size)(x), TYPED(all)(0)) & TYPED(same)(info, TYPED(integer)(0));
        info = TYPED(select_integer)(zero, TYPED(integer)(i + 1), info);
        inverse_diagonal[i] = NAME(reciprocal)(x);
    }
    if (tile->rcond)
        a_norm = NORM1(t, tile->transposed ? 1 : ld, tile->transposed ? ld : 1, m, 0, m);
    if (tile->determinants)
        NAME(diagonal_determinants)(tile, t, ld, m, TYPED(integer)(0), info, NAME(of_pivots));
    if (solving && tile->columns) {
        E copy[SMALL * SMALL], few[SOLVED_NUMBERS(SMALL)];
        for (int n = 0; m <= SMALL && n < m * m; n++)
            copy[n] = t[n];
        const E *u = m <= SMALL ? copy : t;
        const ptrdiff_t row = tile->transposed ? 1 : ld, column = tile->transposed ? ld : 1;
        const NAME(triangle) triangle = {u, row, column, !tile->transposed, false, NAME(divisors), u, ld + 1};
        NAME(solve_systems)(tile, m, &triangle, 1, NULL, m <= SMALL ? few : inverse_diagonal + m);
    }
    if (!tile->inverse || (solving && m <= IN_REGISTERS))
        return NAME(note_info)(tile, info);
    VI rise = TYPED(integer)(0);
    for (int i = 0; i < m / 2; i++)
        rise += NAME(rise)(t[i * ld + i], t[(m - 1 - i) * (ld + 1)]);
    const VI falls = TYPED(signs)(rise);
    const VM falling = TYPED(same)(falls, TYPED(signs)(TYPED(integer)(-1)));
    const bool reflected = m > 3 && TYPED(any)(falls);
    if (reflected && m <= IN_REGISTERS)
        NAME(reflect)(t, ld, inverse_diagonal, m, falling);
    else if (reflected)
        NAME(reflect_large)(t, ld, inverse_diagonal, m, falling);
    if (m <= SMALL)
        NAME(invert_factor)(tile, m, ld, t, inverse_diagonal, true, lines, &fetched);
    else
        NAME(invert_large_factor)(tile, m, ld, t, inverse_diagonal, true, lines, &fetched);
    if (reflected && m <= IN_REGISTERS)
        NAME(reflect)(t, ld, inverse_diagonal, m, falling);
    else if (reflected)
        NAME(reflect_large)(t, ld, inverse_diagonal, m, falling);
    for (int i = 0; i < m; i++)
        for (int j = i; j < m; j++)
            t[i * ld + j] = NAME(add)(t[i * ld + j], NAME(zero)()); /* no negative zeros, as for general matrices */
    const bool singular = NAME(finish)(tile, t, ld, m, a_norm, info);
    NAME(move)(t, ld, m, tile->out, tile->out_row, tile->out_column, true, out_other);
    return singular;
}

#define DEFINE_TRIANGLE_FUNCTION(name, M, solving)                                                                     \
    static bool NAME(name##_##M)(struct tile * tile)                                                                   \
    {                                                                                                                  \
        E t[M * M], inverse_diagonal[M];                                                                               \
        return NAME(triangle_tile)(tile, M, M, t, inverse_diagonal, solving);                                          \
    }
#define DEFINE_TRIANGLE(M) DEFINE_TRIANGLE_FUNCTION(triangle, M, M > IN_REGISTERS)
#define DEFINE_TRIANGLE_SYSTEMS(M) DEFINE_TRIANGLE_FUNCTION(triangle_systems, M, true)
SMALL_ORDERS(DEFINE_TRIANGLE)
ORDERS_IN_REGISTERS(DEFINE_TRIANGLE_SYSTEMS)

static size_t NAME(triangle_work_size)(int m)
{
    return m <= SMALL ? 0 : ((size_t)m * NAME(leading)(m) + (size_t)m + SOLVED_NUMBERS((size_t)m)) * sizeof(E);
}

static bool NAME(triangle_of_order)(struct tile *tile)
{
    const int m = tile->m;
    switch (tile->columns ? m : 0) {
        CASES_IN_REGISTERS(triangle_systems, tile)
    }
    switch (m) {
        SMALL_CASES(triangle, tile)
    }
    const ptrdiff_t ld = NAME(leading)(m);
    E *t = (E *)tile->work;
    return NAME(triangle_tile)(tile, m, ld, t, t + m * ld, true);
}

DEFINE_INVERT(triangle)
