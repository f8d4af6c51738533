/* SPDX-License-Identifier: BSD-3-Clause */
/* The lanes engine: W matrices inverted in step, one in each lane of a vector.

   Included once for each type, after vocabulary-inl.h. A tile is W matrices, its elements stored by rows, element (i, j) of
   all of them in one E.

   This is what the methods have in common; lanes_lu-inl.h, lanes_cholesky-inl.h and lanes_triangle-inl.h are the methods.
   What the loop over the stack calls is NAME(invert_lu), NAME(invert_cholesky) and NAME(invert_triangle); the functions for
   the small orders, NAME(lu_1) to NAME(lu_14), come from DEFINE_LU, and so on. */

/* Rows of a tile; an odd number of elements keeps columns from falling into few sets of the cache. Without vectors an
   even one, so that what follows the tile is aligned for the integers that move_in_order puts there. */
static ptrdiff_t NAME(leading)(int m)
{
    if (WIDTH == 1)
        return m + m % 2;
    return m < WIDTH ? m : m | 1;
}

/* A block of sums in registers: = 0. As a function it leaves GCC 12 with stores that nobody reads. */
#define CLEAR(sum, rows, columns)                                                                                      \
    UNROLLED (r, 0, rows)                                                                                              \
        UNROLLED (c, 0, columns)                                                                                       \
    sum[r][c] = NAME(zero)()

/* += A B, by columns of A and rows of B. */
INLINE void NAME(add_products)(E sum[SMALL][SMALL], const int rows, const int columns, const E *a, ptrdiff_t lda,
                               ptrdiff_t a_step, const E *b, ptrdiff_t b_step, ptrdiff_t count)
{
    for (ptrdiff_t q = 0; q < count; q++, a += a_step, b += b_step)
        UNROLLED (r, 0, rows)
            UNROLLED (c, 0, columns)
                sum[r][c] = NAME(add_product)(sum[r][c], a[r * lda], b[c]);
}

/* Fetch bytes first to last - 1 of each lane's matrix. */
INLINE void NAME(fetch_lanes)(const char *const *at, ptrdiff_t ahead, ptrdiff_t first, ptrdiff_t last,
                              const bool for_writing)
{
    for (ptrdiff_t byte = ahead + first; byte < ahead + last; byte += 64)
        UNROLLED (l, 0, WIDTH)
            if (for_writing)
                PREFETCH(at[l] + byte, 1, 3);
            else
                PREFETCH(at[l] + byte, 0, 3);
}

/* The share of a tile in what comes next of streams, of numbers first to last - 1. */
INLINE void NAME(fetch_streams)(const struct streams *s, int m, int first, int last, const bool for_writing)
{
    const int line = 64;
    int n = first + (int)((unsigned)(s->tile - first % s->tiles + s->tiles) % s->tiles), i = n / m, j = n % m;
    for (; n < last; n += s->tiles) {
        const char *at = s->at + i * s->row + j * s->column;
        for (int byte = 0; byte < s->bytes; byte += line)
            if (for_writing)
                PREFETCH(at + byte, 1, 3);
            else
                PREFETCH(at + byte, 0, 2);
        for (j += s->tiles; j >= m; j -= m)
            i++;
    }
}

/* Fetch the next `lines` cache lines of each result, for writing, and of each of the next tile's matrices. Spread over
   the work, since a core can wait for few lines at a time. */
INLINE void NAME(fetch_here)(const struct tile *tile, const int lines, ptrdiff_t *fetched, const bool across)
{
    const ptrdiff_t first = *fetched, last = first + lines * 64, size = sizeof(REAL) * PARTS;
    const ptrdiff_t out = tile->fetch_out < last ? tile->fetch_out : last,
                    a = tile->fetch_a < last ? tile->fetch_a : last;
    if (across && tile->out_streams.at)
        NAME(fetch_streams)(&tile->out_streams, tile->m, (int)(first / size), (int)(out / size), true);
    else
        NAME(fetch_lanes)((const char *const *)tile->out, 0, first, out, true);
    if (across && tile->a_streams.at)
        NAME(fetch_streams)(&tile->a_streams, tile->m, (int)(first / size), (int)(a / size), false);
    else
        NAME(fetch_lanes)(tile->a, tile->ahead, first, a, false);
    *fetched = last;
}

NOINLINE void NAME(fetch_out_of_line)(const struct tile *tile, int lines, ptrdiff_t *fetched)
{
    NAME(fetch_here)(tile, lines, fetched, true);
}

/* In line for the smallest orders, where a call is a tenth of the work, and only there: it is long. */
INLINE void NAME(fetch)(const struct tile *tile, const int m, const int lines, ptrdiff_t *fetched)
{
    if (IS_CONSTANT(m) && m <= IN_REGISTERS && !tile->a_streams.at && !tile->out_streams.at)
        NAME(fetch_here)(tile, lines, fetched, false);
    else if (*fetched < tile->fetch_out || *fetched < tile->fetch_a)
        NAME(fetch_out_of_line)(tile, lines, fetched);
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

/* Note the outcome of the matrices in the tile; whether any is singular. */
INLINE bool NAME(note_info)(struct tile *tile, VI info)
{
    const bool singular = TYPED(any)(info);
    if (singular)
        for (int l = 0; l < WIDTH; l++)
            tile->info[l] = (int)TYPED(get_integer)(info, l);
    return singular;
}

/* The same of the inverses in the tile, and the conditions if anybody asked. */
INLINE bool NAME(finish)(struct tile *tile, const E *t, ptrdiff_t ld, const int m, V a_norm, VI info)
{
    if (tile->rcond) {
        const V norm = NORM1(t, tile->transposed ? 1 : ld, tile->transposed ? ld : 1, m, 0, m);
        for (int l = 0; l < WIDTH; l++)
            tile->rcond[l] =
                TYPED(get_integer)(info, l) ? 0 : stackinv_rcond(TYPED(get)(a_norm, l), TYPED(get)(norm, l), NORM_UNIT);
    }
    return NAME(note_info)(tile, info);
}

/* Those of a tile, from its diagonal. */
INLINE void NAME(diagonal_determinants)(const struct tile *tile, const E *t, ptrdiff_t ld, const int m, VI odd, VI info,
                                        enum NAME(diagonal_kind) kind)
{
    E diagonal[SMALL]; /* a tile in registers is to stay there: nothing may take its address */
    for (int i = 0; i < m && m <= SMALL; i++)
        diagonal[i] = t[i * ld + i];
    if (m <= SMALL)
        NAME(note_determinants)(tile->determinants, diagonal, 1, m, &odd, &info, kind);
    else
        NAME(note_determinants)(tile->determinants, t, ld + 1, m, &odd, &info, kind);
}

/* function(..., rows, columns) with both as constants: of a block, or of the whole matrix if its order is one. */
#define BY_SIZE(m, rows, columns, function, ...)                                                                       \
    do {                                                                                                               \
        if ((m) <= SMALL)                                                                                              \
            function(__VA_ARGS__, m, m);                                                                               \
        else if ((rows) == BLOCK && (columns) == BLOCK)                                                                \
            function(__VA_ARGS__, BLOCK, BLOCK);                                                                       \
        else if ((rows) == BLOCK)                                                                                      \
            function(__VA_ARGS__, BLOCK, BLOCK - 1);                                                                   \
        else if ((columns) == BLOCK)                                                                                   \
            function(__VA_ARGS__, BLOCK - 1, BLOCK);                                                                   \
        else                                                                                                           \
            function(__VA_ARGS__, BLOCK - 1, BLOCK - 1);                                                               \
    } while (0)

/* The same for a block on the diagonal, or for what has only columns. */
#define BY_COLUMNS(m, columns, function, ...)                                                                          \
    do {                                                                                                               \
        if ((m) <= SMALL)                                                                                              \
            function(__VA_ARGS__, m);                                                                                  \
        else if ((columns) == BLOCK)                                                                                   \
            function(__VA_ARGS__, BLOCK);                                                                              \
        else                                                                                                           \
            function(__VA_ARGS__, BLOCK - 1);                                                                          \
    } while (0)

/* What the loop over the stack calls. GCC 12 does not always leave vectors behind by itself at the end, and code for the baseline
   then takes a hundred cycles for its first instruction. */
#define DEFINE_INVERT(method)                                                                                          \
    static bool NAME(invert_##method)(struct tile * tile)                                                              \
    {                                                                                                                  \
        const bool singular = NAME(method##_of_order)(tile);                                                           \
        LEAVE();                                                                                                       \
        return singular;                                                                                               \
    }

/* One block if the order is a constant, else blocks of BLOCK or BLOCK - 1 rows and columns. */
#define BLOCKS(m) ((m) <= SMALL ? 1 : ((m) + BLOCK - 1) / BLOCK)
#define START(b, m, blocks) ((b) * (m) / (blocks))
#define HEIGHT(b, m, blocks) (START((b) + 1, m, blocks) - START(b, m, blocks))

/* Orders known to the compiler: loops unrolled, and the smallest tiles kept in registers. */
#define SMALL_ORDERS(DEFINE)                                                                                           \
    DEFINE(1)                                                                                                          \
    DEFINE(2)                                                                                                          \
    DEFINE(3)                                                                                                          \
    DEFINE(4) DEFINE(5) DEFINE(6) DEFINE(7) DEFINE(8) DEFINE(9) DEFINE(10) DEFINE(11) DEFINE(12) DEFINE(13) DEFINE(14)
#define SMALL_CASES(name, tile)                                                                                        \
    CASE(name, tile, 1)                                                                                                \
    CASE(name, tile, 2)                                                                                                \
    CASE(name, tile, 3)                                                                                                \
    CASE(name, tile, 4)                                                                                                \
    CASE(name, tile, 5)                                                                                                \
    CASE(name, tile, 6)                                                                                                \
    CASE(name, tile, 7)                                                                                                \
    CASE(name, tile, 8)                                                                                                \
    CASE(name, tile, 9)                                                                                                \
    CASE(name, tile, 10)                                                                                               \
    CASE(name, tile, 11)                                                                                               \
    CASE(name, tile, 12) CASE(name, tile, 13) CASE(name, tile, 14)
/* The orders whose tiles stay in registers have functions of their own for systems: what those need, others would spill. */
#define ORDERS_IN_REGISTERS(DEFINE) DEFINE(1) DEFINE(2) DEFINE(3) DEFINE(4)
#define CASES_IN_REGISTERS(name, tile) CASE(name, tile, 1) CASE(name, tile, 2) CASE(name, tile, 3) CASE(name, tile, 4)
_Static_assert(IN_REGISTERS <= 4, "ORDERS_IN_REGISTERS and CASES_IN_REGISTERS end before IN_REGISTERS");
#define CASE(name, tile, M)                                                                                            \
    case M:                                                                                                            \
        if (M <= SMALL)                                                                                                \
            return NAME(name##_##M)(tile);                                                                             \
        break;
_Static_assert(SMALL <= 14, "SMALL_ORDERS and SMALL_CASES end before SMALL");
