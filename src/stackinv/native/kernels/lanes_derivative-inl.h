/* SPDX-License-Identifier: BSD-3-Clause */
/* The lanes engine for derivatives of the inverse, from the inverse X: -X B X, by which X changes if A changes by B; and the
   gradient with respect to A of what has the gradient B with respect to X, -Xᴴ B Xᴴ. Both products are calculated in the tile, so that
   X and B are read once (M. B. Giles, Collected Matrix Derivative Results, 2008). */

/* A block of C = A B, or of -A B. */
INLINE void NAME(product_block)(E *c, const E *a, const E *b, ptrdiff_t ld, int m, const bool negative, const int rows,
                                const int columns)
{
    E sum[SMALL][SMALL];
    CLEAR(sum, rows, columns);
    NAME(add_products)(sum, rows, columns, a, ld, 1, b, ld, m);
    UNROLLED (r, 0, rows)
        UNROLLED (c_, 0, columns)
            c[r * ld + c_] = negative ? NAME(subtract)(NAME(zero)(), sum[r][c_]) : sum[r][c_];
}

/* All blocks, of BLOCK or BLOCK - 1 rows and columns; some may overlap, since C is neither A nor B. */
NOINLINE void NAME(large_product)(E *c, const E *a, const E *b, ptrdiff_t ld, int m, bool negative)
{
    const int blocks = (m + BLOCK - 1) / BLOCK;
    for (int p = 0; p < blocks; p++)
        for (int q = 0; q < blocks; q++) {
            const int i = START(p, m, blocks), j = START(q, m, blocks);
            BY_SIZE(SMALL + 1, HEIGHT(p, m, blocks), HEIGHT(q, m, blocks), NAME(product_block), c + i * ld + j,
                    a + i * ld, b + j, ld, m, negative);
        }
}

INLINE void NAME(tile_product)(E *c, const E *a, const E *b, ptrdiff_t ld, const int m, const bool negative)
{
    if (m <= IN_REGISTERS)
        NAME(product_block)(c, a, b, ld, m, negative, m, m);
    else
        NAME(large_product)(c, a, b, ld, m, negative);
}

/* In three tiles of the caller's. */
INLINE void NAME(derivative_tile)(struct tile *tile, const int m, const ptrdiff_t ld, E *x, E *b, E *t,
                                  const bool adjoint)
{
    const bool single = sizeof(REAL) == 4;
    const ptrdiff_t row = adjoint ? tile->a_column : tile->a_row, column = adjoint ? tile->a_row : tile->a_column;
    NAME(move)(x, ld, m, (char *const *)tile->a, row, column, false, tile->a_single != single);
    for (int i = 0; adjoint && PARTS == 2 && i < m; i++)
        for (int j = 0; j < m; j++)
            x[i * ld + j] = NAME(conjugate)(x[i * ld + j]);
    NAME(move)(b, ld, m, (char *const *)tile->right, tile->right_row, tile->right_column, false,
               tile->right_single != single);
    NAME(tile_product)(t, x, b, ld, m, false);
    NAME(tile_product)(b, t, x, ld, m, true);
    NAME(move)(b, ld, m, tile->solution, tile->solution_row, tile->solution_column, true,
               tile->solution_single != single);
}

/* Small tiles are moved as if they had no gaps. */
static ptrdiff_t NAME(derivative_leading)(int m)
{
    return m <= SMALL ? m : NAME(leading)(m);
}

static size_t NAME(derivative_work_size)(int m)
{
    return m <= IN_REGISTERS ? 0 : 3 * (size_t)m * NAME(derivative_leading)(m) * sizeof(E);
}

/* No matrix is singular. */
#define DEFINE_DERIVATIVE_FUNCTION(name, M, adjoint)                                                                   \
    static bool NAME(name##_##M)(struct tile * tile)                                                                   \
    {                                                                                                                  \
        E x[M * M], b[M * M], t[M * M];                                                                                \
        NAME(derivative_tile)(tile, M, M, x, b, t, adjoint);                                                           \
        return false;                                                                                                  \
    }
#define DEFINE_DERIVATIVE(M) DEFINE_DERIVATIVE_FUNCTION(derivative, M, false)
#define DEFINE_GRADIENT(M) DEFINE_DERIVATIVE_FUNCTION(gradient, M, true)
ORDERS_IN_REGISTERS(DEFINE_DERIVATIVE)
ORDERS_IN_REGISTERS(DEFINE_GRADIENT)

#define DEFINE_DERIVATIVE_OF_ORDER(name, adjoint)                                                                      \
    static bool NAME(name##_of_order)(struct tile * tile)                                                              \
    {                                                                                                                  \
        const int m = tile->m;                                                                                         \
        const ptrdiff_t ld = NAME(derivative_leading)(m);                                                              \
        E *x = (E *)tile->work;                                                                                        \
        switch (m) {                                                                                                   \
            CASES_IN_REGISTERS(name, tile)                                                                             \
        }                                                                                                              \
        NAME(derivative_tile)(tile, m, ld, x, x + m * ld, x + 2 * m * ld, adjoint);                                    \
        return false;                                                                                                  \
    }
DEFINE_DERIVATIVE_OF_ORDER(derivative, false)
DEFINE_DERIVATIVE_OF_ORDER(gradient, true)
DEFINE_INVERT(derivative)
DEFINE_INVERT(gradient)
