/* SPDX-License-Identifier: BSD-3-Clause */
/* The lanes engine: W matrices inverted in step, one in each lane of a vector.

   Included once for each type, with those of vector-inl.h, PARTS (2 for complex numbers, else 1), BLOCK (the order of the
   blocks held in registers) and NAME(name), which makes a name of its own for this type. A tile is W matrices, its
   elements stored by rows, element (i, j) of all of them in one E.

   This is what the methods have in common; lanes_lu-inl.h, lanes_cholesky-inl.h and lanes_triangle-inl.h are the methods. */

/* Rows of a tile; an odd number of elements keeps columns from falling into few sets of the cache. Without vectors an
   even one, so that what follows the tile is aligned for the integers that move_in_order puts there. */
static ptrdiff_t NAME(leading)(int m)
{
    if (WIDTH == 1)
        return m + m % 2;
    return m < WIDTH ? m : m | 1;
}

/* A block of sums in registers: += A B, by columns of A and rows of B. */
INLINE void NAME(add_products)(E sum[SMALL][SMALL], const int rows, const int columns, const E *a, ptrdiff_t lda,
                               ptrdiff_t a_step, const E *b, ptrdiff_t b_step, ptrdiff_t count)
{
    for (ptrdiff_t q = 0; q < count; q++, a += a_step, b += b_step)
        UNROLLED (r, 0, rows)
            UNROLLED (c, 0, columns)
                sum[r][c] = NAME(add_product)(sum[r][c], a[r * lda], b[c]);
}

#define CLEAR(sum)                                                                                                     \
    UNROLLED (r, 0, rows)                                                                                              \
        UNROLLED (c, 0, columns)                                                                                       \
    sum[r][c] = NAME(zero)()

/* Fetch the next `lines` cache lines of each result, for writing, and of each of the next tile's matrices. Spread over
   the work, since a core can wait for few lines at a time. */
NOINLINE void NAME(fetch)(const struct tile *tile, const int lines, ptrdiff_t *fetched)
{
#if defined(__GNUC__)
    const ptrdiff_t last = *fetched + lines * 64;
    for (ptrdiff_t byte = *fetched; byte < last; byte += 64) {
        if (byte < tile->fetch_out)
            UNROLLED (l, 0, WIDTH)
                __builtin_prefetch(tile->out[l] + byte, 1);
        if (byte < tile->fetch_a)
            UNROLLED (l, 0, WIDTH)
                __builtin_prefetch(tile->a[l] + tile->ahead + byte, 0, 3);
    }
    *fetched = last;
#else
    (void)tile, (void)lines, (void)fetched;
#endif
}

/* The largest sum of moduli, times NORM_UNIT, in one of the columns from first to last - 1; NaN if there is one. */
INLINE V NAME(norm1)(const E *t, ptrdiff_t row, ptrdiff_t column, const int m, int first, int last)
{
    V largest = TYPED(all)(0);
    for (int j = first; j < last; j++) {
        V sum = TYPED(all)(0);
        for (int i = 0; i < m; i++)
            sum += NAME(modulus)(t[i * row + j * column]);
        largest = TYPED(maximum)(sum, largest);
    }
    return largest;
}

NOINLINE V NAME(norm1_out_of_line)(const E *t, ptrdiff_t row, ptrdiff_t column, int m, int first, int last)
{
    return NAME(norm1)(t, row, column, m, first, last);
}

/* The same, for tiles that stay in registers in line. */
#define NORM1(t, row, column, m, first, last)                                                                          \
    (m > IN_REGISTERS ? NAME(norm1_out_of_line)(t, row, column, m, first, last)                                        \
                      : NAME(norm1)(t, row, column, m, first, last))

/* The upper triangle from the lower one, of which it is the transpose or the conjugate transpose. */
INLINE void NAME(mirror)(E *t, ptrdiff_t ld, const int m, const bool conjugate)
{
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < i; j++)
            t[j * ld + i] = conjugate ? NAME(conjugate)(t[i * ld + j]) : t[i * ld + j];
        if (conjugate)
            t[i * ld + i] = NAME(real)(t[i * ld + i].re);
    }
}

/* Note the outcome, and the conditions if anybody asked, of the inverses in the tile; whether any is singular. */
INLINE bool NAME(finish)(struct tile *tile, const E *t, ptrdiff_t ld, const int m, V a_norm, VI info)
{
    if (tile->rcond) {
        const V norm = NORM1(t, tile->transposed ? 1 : ld, tile->transposed ? ld : 1, m, 0, m);
        for (int l = 0; l < WIDTH; l++)
            tile->rcond[l] = TYPED(get_integer)(info, l)
                                 ? 0
                                 : stackinv_rcond(TYPED(get)(a_norm, l), TYPED(get)(norm, l), NORM_UNIT);
    }
    const bool singular = TYPED(any)(info);
    if (singular)
        for (int l = 0; l < WIDTH; l++)
            tile->info[l] = (int)TYPED(get_integer)(info, l);
    return singular;
}

#define SIZES(rows, columns, CALL)                                                                                     \
    do {                                                                                                               \
        if (m <= SMALL) {                                                                                              \
            CALL(m, m);                                                                                                \
        } else if ((rows) == BLOCK && (columns) == BLOCK) {                                                            \
            CALL(BLOCK, BLOCK);                                                                                        \
        } else if ((rows) == BLOCK) {                                                                                  \
            CALL(BLOCK, BLOCK - 1);                                                                                    \
        } else if ((columns) == BLOCK) {                                                                               \
            CALL(BLOCK - 1, BLOCK);                                                                                    \
        } else {                                                                                                       \
            CALL(BLOCK - 1, BLOCK - 1);                                                                                \
        }                                                                                                              \
    } while (0)

/* One block if the order is a constant, else blocks of BLOCK or BLOCK - 1 rows and columns. */
#define BLOCKS(m) ((m) <= SMALL ? 1 : ((m) + BLOCK - 1) / BLOCK)
#define START(b) ((b) * m / blocks)
#define HEIGHT(b) (START(b + 1) - START(b))

/* Orders known to the compiler: loops unrolled, and the smallest tiles kept in registers. */
#define SMALL_ORDERS(DEFINE) DEFINE(1) DEFINE(2) DEFINE(3) DEFINE(4) DEFINE(5) DEFINE(6) DEFINE(7) DEFINE(8) DEFINE(9)
#define SMALL_CASES(name)                                                                                              \
    CASE(name, 1)                                                                                                      \
    CASE(name, 2) CASE(name, 3) CASE(name, 4) CASE(name, 5) CASE(name, 6) CASE(name, 7) CASE(name, 8) CASE(name, 9)
#define CASE(name, M)                                                                                                  \
    case M:                                                                                                            \
        if (M <= SMALL)                                                                                                \
            return NAME(name##_##M)(tile);                                                                             \
        break;
