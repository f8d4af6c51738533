/* SPDX-License-Identifier: BSD-3-Clause */
/* The blocked engine: one matrix at a time, larger than the lanes engine's, in steps that threads may share.

   Included once for each type, after lanes-inl.h, with TILE_STRIPS and TILE_COLUMNS, the size of a block of sums that fills
   the registers, and PANEL_COLUMNS, the columns that are factored one by one.

   Nearly all of it is products of matrices. Rows are kept in strips of WIDTH, a strip by columns, so that WIDTH rows of
   a column are one E (the panel-major format of BLASFEO: G. Frison et al., ACM Trans. Math. Softw. 44, 42 (2018)), and
   both factors of a product are read as they lie. Columns are factored in blocks of BLOCK_COLUMNS, each of which takes
   what the blocks before it contribute when its own turn comes, and no finished block changes any more: so a block can
   be worked on while others still read those before it. The rows of the inverse are then independent of each other.

   This is what the methods have in common; blocked_lu-inl.h, blocked_cholesky-inl.h and blocked_triangle-inl.h are the methods. */

#define BLOCK_COLUMNS 64

/* What the pieces work on, carved out of the caller's memory. */
typedef struct {
    int m, strips, columns; /* columns are padded to whole tiles */
    int blocks, row_tasks;
    ptrdiff_t ld;           /* from strip to strip */
    E *lu;                  /* the factors, or the one there is */
    E *v;                   /* the inverse of the upper factor, where it is kept whole */
    REAL *inverse_diagonal; /* of U, or of L */
    REAL *a_sums, *sums;    /* of moduli by column: of the matrix, by block; of the inverse, by task */
    int *pivots;
} NAME(factors);

static NAME(factors) NAME(describe)(int m)
{
    NAME(factors) f = {.m = m};
    f.strips = (m + WIDTH - 1) / WIDTH;
    f.columns = (m + PANEL_COLUMNS - 1) / PANEL_COLUMNS * PANEL_COLUMNS;
    f.blocks = (m + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS;
    f.row_tasks = (m + TILE_STRIPS * WIDTH - 1) / (TILE_STRIPS * WIDTH);
    f.ld = f.columns | 1; /* an odd number keeps columns from falling into few sets of the cache */
    return f;
}

static void NAME(count_tasks)(int m, int *blocks, int *row_tasks)
{
    const NAME(factors) f = NAME(describe)(m);
    *blocks = f.blocks;
    *row_tasks = f.row_tasks;
}

/* Bytes of the factors if `squares` of them are as large as the matrix; their pieces are at `memory`, if it is given. */
static size_t NAME(lay_out)(NAME(factors) * f, int squares, void *memory)
{
    const size_t line = f->columns * sizeof(REAL), square = f->columns / WIDTH * f->ld * sizeof(E);
    char *at = (char *)memory;
    f->inverse_diagonal = (REAL *)at;
    f->a_sums = (REAL *)(at += line * PARTS);
    f->sums = (REAL *)(at += line * f->blocks);
    f->pivots = (int *)(at += line * f->row_tasks);
    at += f->columns * sizeof(int);
    at += -(at - (char *)memory) & 63;
    f->lu = (E *)at;
    f->v = (E *)(at + square);
    return at - (char *)memory + squares * square;
}

static size_t NAME(one_factor_size)(int m)
{
    NAME(factors) f = NAME(describe)(m);
    return NAME(lay_out)(&f, 1, NULL);
}

static size_t NAME(two_factors_size)(int m)
{
    NAME(factors) f = NAME(describe)(m);
    return NAME(lay_out)(&f, 2, NULL);
}

static NAME(factors) NAME(carve)(const struct matrix *matrix)
{
    NAME(factors) f = NAME(describe)(matrix->m);
    NAME(lay_out)(&f, 0, matrix->factors);
    return f;
}

static size_t NAME(rows_size)(int m)
{
    return TILE_STRIPS * (size_t)NAME(describe)(m).ld * sizeof(E);
}

/* Whether a task leaves off before this piece of it. Each call does one piece at least. */
INLINE bool NAME(leaves_off)(const struct matrix *matrix, int piece, int first)
{
    return piece > first && matrix->pause && matrix->pause(matrix->clock);
}

/* Element (i, j), with its imaginary part WIDTH further on. */
INLINE REAL *NAME(element_at)(E *lu, ptrdiff_t ld, int i, int j)
{
    return (REAL *)(lu + i / WIDTH * ld + j) + i % WIDTH;
}

/* In every lane the number at x, with its imaginary part `part` further on. */
INLINE E NAME(broadcast_from)(const REAL *x, ptrdiff_t part)
{
#if PARTS == 1
    return (E){TYPED(all)(x[0])};
#else
    return (E){TYPED(all)(x[0]), TYPED(all)(x[part])};
#endif
}
INLINE E NAME(broadcast)(const REAL *x)
{
    return NAME(broadcast_from)(x, WIDTH);
}

INLINE void NAME(store_lane)(REAL *to, ptrdiff_t part, E x)
{
    to[0] = TYPED(get)(x.re, 0);
#if PARTS == 2
    to[part] = TYPED(get)(x.im, 0);
#endif
}

INLINE E NAME(subtract_product)(E x, E y, E z)
{
    return NAME(add_product)(x, NAME(subtract)(NAME(zero)(), y), z);
}

/* Numbers of the rows of a strip. */
INLINE V NAME(rows_of)(int strip)
{
    return TYPED(all)((REAL)(strip * WIDTH)) + TYPED(lanes)();
}

/* sum += a y: a column of A, a row of B whose numbers are `step` further on each. */
INLINE void NAME(add_column)(E sum[TILE_STRIPS][TILE_COLUMNS], const E *a, const REAL *y, ptrdiff_t ld,
                             const int strips)
{
    E x[TILE_STRIPS];
    UNROLLED (s, 0, strips)
        x[s] = a[s * ld];
    UNROLLED (c, 0, TILE_COLUMNS) {
        const E z = NAME(broadcast)(y + c * PARTS * WIDTH);
        UNROLLED (s, 0, strips)
            sum[s][c] = NAME(add_product)(sum[s][c], x[s], z);
    }
}

/* sum = A[:, k..end) B[k..end, :], where a is column 0 of the first strip of A and b element (0, 0) of B. */
INLINE void NAME(multiply_tile)(E sum[TILE_STRIPS][TILE_COLUMNS], const E *a, const E *b, ptrdiff_t ld, int k,
                                const int end, const int strips)
{
    UNROLLED (s, 0, strips)
        UNROLLED (c, 0, TILE_COLUMNS)
            sum[s][c] = NAME(zero)();
    const E *strip = b + (unsigned)k / WIDTH * ld, *at = a + k;
    for (int lane = (unsigned)k % WIDTH; k < end; strip += ld, lane = 0) {
        const int left = end - k, count = left < WIDTH - lane ? left : WIDTH - lane;
        const REAL *y = (const REAL *)strip + lane;
#if defined(__GNUC__)
        for (int line = 0; line < (int)(TILE_COLUMNS * sizeof(E)); line += 64)
            __builtin_prefetch((const char *)(strip + ld) + line);
#endif
        k += count;
        for (const E *last = at + count; at < last; at++, y++)
            NAME(add_column)(sum, at, y, ld, strips);
    }
}

/* sum = A[:, k..end) B[:, k..end)^T or ^H, where a is column 0 of the first strip of A and b element (0, 0) of B. */
INLINE void NAME(multiply_rows_tile)(E sum[TILE_STRIPS][TILE_COLUMNS], const E *a, const REAL *b, ptrdiff_t ld, int k,
                                     const int end, const int strips, const bool conjugate)
{
    UNROLLED (s, 0, strips)
        UNROLLED (c, 0, TILE_COLUMNS)
            sum[s][c] = NAME(zero)();
    for (; k < end; k++) {
        E x[TILE_STRIPS];
        UNROLLED (s, 0, strips)
            x[s] = a[s * ld + k];
        UNROLLED (c, 0, TILE_COLUMNS) {
            const E z = NAME(broadcast)(b + ((c / WIDTH * ld + k) * PARTS) * WIDTH + c % WIDTH);
            UNROLLED (s, 0, strips)
                sum[s][c] =
                    conjugate ? NAME(add_product_conjugate)(sum[s][c], x[s], z) : NAME(add_product)(sum[s][c], x[s], z);
        }
    }
}

#define STRIPS(strips, CALL)                                                                                           \
    do {                                                                                                               \
        if ((strips) >= TILE_STRIPS) {                                                                                 \
            CALL(TILE_STRIPS);                                                                                         \
        } else if ((strips) == 1) {                                                                                    \
            CALL(1);                                                                                                   \
        } else {                                                                                                       \
            CALL((TILE_STRIPS > 2 ? 2 : 1));                                                                           \
        }                                                                                                              \
    } while (0)

/* WIDTH rows of the user's matrix, or of its transpose, from row i and column j on, to or from a strip; rows beyond the
   last are its copies. */
INLINE void NAME(move_strip)(E *strip, const struct matrix *matrix, int i, int j, int count, const bool out,
                             const bool transposed)
{
    const bool other = (out ? matrix->out_single : matrix->a_single) != (sizeof(REAL) == 4);
    const ptrdiff_t own_row = out ? matrix->out_row : matrix->a_row;
    const ptrdiff_t own_column = out ? matrix->out_column : matrix->a_column;
    const ptrdiff_t row = transposed ? own_column : own_row, column = transposed ? own_row : own_column;
    const ptrdiff_t size = (other ? sizeof(OTHER) : sizeof(REAL)) * PARTS;
    char *at[WIDTH];
    for (int l = 0; l < WIDTH; l++)
        at[l] =
            (out ? matrix->out : (char *)matrix->a) + (i + l < matrix->m ? i + l : matrix->m - 1) * row + j * column;
    if (count <= 0)
        return;
    if (column == size) {
        if (other)
            NAME(move_line)((V *)strip, PARTS, at, 0, (ptrdiff_t)count * PARTS, out, true);
        else
            NAME(move_line)((V *)strip, PARTS, at, 0, (ptrdiff_t)count * PARTS, out, false);
    } else if (row == size && PARTS == 1 && i + WIDTH <= matrix->m) {
        for (int n = 0; n < count; n++)
            if (out)
                TYPED(store)(at[0] + n * column, ((V *)strip)[n], other);
            else
                ((V *)strip)[n] = TYPED(load)(at[0] + n * column, other);
    } else
        for (int n = 0; n < count; n++)
            if (other)
                NAME(move_line)((V *)(strip + n), PARTS, at, n * column, PARTS, out, true);
            else
                NAME(move_line)((V *)(strip + n), PARTS, at, n * column, PARTS, out, false);
}

/* Functions of their own, since there is much of it. */
NOINLINE void NAME(read_rows)(E *strip, const struct matrix *matrix, int i, int j, int count, bool transposed)
{
    NAME(move_strip)(strip, matrix, i, j, count, false, transposed);
}
NOINLINE void NAME(write_rows)(E *strip, const struct matrix *matrix, int i, int j, int count, bool transposed)
{
    NAME(move_strip)(strip, matrix, i, j, count, true, transposed);
}

/* The moduli of the rows of a strip from `first` to `end` - 1, else zero. */
INLINE V NAME(moduli)(E x, int strip, int first, int end)
{
    const V rows = NAME(rows_of)(strip), none = TYPED(all)(0);
    const V size = TYPED(select)(TYPED(greater)(TYPED(all)((REAL)end), rows), NAME(modulus)(x), none);
    return TYPED(select)(TYPED(greater)(TYPED(all)((REAL)first), rows), none, size);
}

INLINE REAL NAME(sum_lanes)(V x)
{
    REAL sum = 0;
    for (int l = 0; l < WIDTH; l++)
        sum += TYPED(get)(x, l);
    return sum;
}

/* The sum of the moduli of column j in rows `first` to end - 1 of the strips, the first of which is strip `from`. */
INLINE REAL NAME(sum_column)(const E *strips, ptrdiff_t ld, int from, int j, int first, int end)
{
    V sum = TYPED(all)(0);
    for (int strip = first / WIDTH; strip * WIDTH < end; strip++)
        sum += NAME(moduli)(strips[(strip - from) * ld + j], strip, first, end);
    return NAME(sum_lanes)(sum);
}

/* To the sum of each row of a strip add the moduli in its columns first to end - 1. */
INLINE void NAME(sum_rows)(REAL *sums, const E *strip, int rows, int first, int end)
{
    V sum = TYPED(all)(0);
    for (int j = first; j < end; j++)
        sum += NAME(modulus)(strip[j]);
    for (int l = 0; l < WIDTH && l < rows; l++)
        sums[l] += TYPED(get)(sum, l);
}

/* Fetch so many more cache lines, up to `end`. Spread over the work, since a core can wait for few at a time. */
INLINE void NAME(fetch_lines)(const char **at, const char *end, int lines, const bool for_writing)
{
#if defined(__GNUC__)
    for (; lines > 0 && *at < end; lines--, *at += 64)
        if (for_writing)
            __builtin_prefetch(*at, 1);
        else
            __builtin_prefetch(*at, 0, 2);
#else
    (void)at, (void)end, (void)lines, (void)for_writing;
#endif
}

/* What a task on rows fetches early: its part of the next matrix, and its rows of the result. */
typedef struct {
    const char *next, *next_end, *result, *result_end;
    int next_lines, result_lines; /* for each tile */
} NAME(fetches);

INLINE NAME(fetches)
    NAME(plan_fetches)(const NAME(factors) * f, const struct matrix *matrix, int task, int tiles, int result_tiles)
{
    const ptrdiff_t share = matrix->fetch_next / f->row_tasks, rows = TILE_STRIPS * WIDTH;
    NAME(fetches) fetches;
    fetches.next = matrix->next + task * share;
    fetches.next_end = fetches.next + share;
    fetches.result = fetches.result_end = matrix->out + task * rows * matrix->out_row;
    if (matrix->fetch_out && (task + 1) * rows <= f->m)
        fetches.result_end += rows * matrix->out_row;
    fetches.next_lines = (int)(share / 64) / tiles + 1;
    fetches.result_lines = (int)((fetches.result_end - fetches.result) / 64) / result_tiles + 1;
    return fetches;
}

/* Columns j.. of the rows y that solve Y U = I, from those before. `from` is the first row; rows beyond the last are its
   copies. */
INLINE void NAME(invert_upper_tile)(const NAME(factors) * f, E *y, int from, int j, const int strips)
{
    const bool diagonal = j < from + strips * WIDTH;
    const int end = f->m - j < TILE_COLUMNS ? f->m - j : TILE_COLUMNS;
    E sum[TILE_STRIPS][TILE_COLUMNS];
    V row[TILE_STRIPS];
    NAME(multiply_tile)(sum, y, f->lu + j, f->ld, from, j, strips);
    UNROLLED (s, 0, strips) {
        const V rows = NAME(rows_of)(from / WIDTH + s), last = TYPED(all)((REAL)(f->m - 1));
        row[s] = TYPED(select)(TYPED(greater)(rows, last), last, rows);
        UNROLLED (c, 0, TILE_COLUMNS)
            sum[s][c] = NAME(subtract)(NAME(zero)(), sum[s][c]);
    }
    UNROLLED (c, 0, TILE_COLUMNS)
        if (c < end) {
            const E inverse = NAME(broadcast_from)(f->inverse_diagonal + (j + c) * PARTS, 1);
            const V column = TYPED(all)((REAL)(j + c));
            UNROLLED (q, 0, c) {
                const E u = NAME(broadcast)(NAME(element_at)(f->lu, f->ld, j + q, j + c));
                UNROLLED (s, 0, strips)
                    sum[s][c] = NAME(subtract_product)(sum[s][c], sum[s][q], u);
            }
            UNROLLED (s, 0, strips) {
                sum[s][c] = NAME(multiply)(sum[s][c], inverse);
                if (diagonal) {
                    sum[s][c] = NAME(select)(TYPED(equal)(row[s], column), inverse, sum[s][c]);
                    sum[s][c] = NAME(select)(TYPED(greater)(row[s], column), NAME(zero)(), sum[s][c]);
                }
                y[s * f->ld + j + c] = sum[s][c];
            }
        }
}

/* Rows of Y, a block of columns after the other; whether there are all. */
INLINE bool NAME(invert_upper_rows)(const NAME(factors) * f, const struct matrix *matrix, int task, int *piece, E *y,
                                    NAME(fetches) * fetches, const bool fetch_result)
{
    const int from = task * TILE_STRIPS * WIDTH, start = from / TILE_COLUMNS * TILE_COLUMNS;
    const int rest = f->strips - task * TILE_STRIPS, strips = rest < TILE_STRIPS ? rest : TILE_STRIPS;
#define INVERT_UPPER_TILE(strips)                                                                                      \
    NAME(fetch_lines)(&fetches->next, fetches->next_end, fetches->next_lines, false);                                  \
    if (fetch_result)                                                                                                  \
        NAME(fetch_lines)(&fetches->result, fetches->result_end, fetches->result_lines, true);                         \
    NAME(invert_upper_tile)(f, y, from, j, strips)
    for (const int before = *piece; *piece < f->blocks - start / BLOCK_COLUMNS; ++*piece) {
        const int first = (start / BLOCK_COLUMNS + *piece) * BLOCK_COLUMNS, last = first + BLOCK_COLUMNS;
        if (NAME(leaves_off)(matrix, *piece, before))
            return false;
        for (int j = first < start ? start : first; j < f->m && j < last; j += TILE_COLUMNS)
            STRIPS(strips, INVERT_UPPER_TILE);
    }
#undef INVERT_UPPER_TILE
    return true;
}

/* Columns j.. of the rows w that solve W L = I, from those behind, for the L of Cholesky's method or for U^T. `from` is
   the first row; rows beyond the last are its copies. */
INLINE void NAME(invert_lower_tile)(const NAME(factors) * f, E *w, int from, int j, const int strips,
                                    const bool of_upper)
{
    const int end = from + strips * WIDTH < f->m ? from + strips * WIDTH : f->m;
    const int columns = f->m - j < TILE_COLUMNS ? f->m - j : TILE_COLUMNS;
    E sum[TILE_STRIPS][TILE_COLUMNS];
    V row[TILE_STRIPS];
    if (of_upper)
        NAME(multiply_rows_tile)(sum, w, NAME(element_at)(f->lu, f->ld, j, 0), f->ld, j + TILE_COLUMNS, end, strips,
                                 false);
    else
        NAME(multiply_tile)(sum, w, f->lu + j, f->ld, j + TILE_COLUMNS, end, strips);
    UNROLLED (s, 0, strips) {
        const V rows = NAME(rows_of)(from / WIDTH + s), last = TYPED(all)((REAL)(f->m - 1));
        row[s] = TYPED(select)(TYPED(greater)(rows, last), last, rows);
    }
    UNROLLED_DOWN (c, TILE_COLUMNS - 1, 0)
        if (c < columns) {
            const E inverse = NAME(broadcast_from)(f->inverse_diagonal + (j + c) * PARTS, 1);
            const V column = TYPED(all)((REAL)(j + c));
            UNROLLED (q, c + 1, TILE_COLUMNS)
                if (q < columns) {
                    const REAL *at = of_upper ? NAME(element_at)(f->lu, f->ld, j + c, j + q)
                                              : NAME(element_at)(f->lu, f->ld, j + q, j + c);
                    const E l = NAME(broadcast)(at);
                    UNROLLED (s, 0, strips)
                        sum[s][c] = NAME(add_product)(sum[s][c], w[s * f->ld + j + q], l);
                }
            UNROLLED (s, 0, strips) {
                E x = NAME(subtract)(NAME(zero)(), sum[s][c]);
                x = of_upper ? NAME(multiply)(x, inverse) : NAME(scale)(x, inverse.re);
                if (j + TILE_COLUMNS > from) {
                    x = NAME(select)(TYPED(equal)(row[s], column), inverse, x);
                    x = NAME(select)(TYPED(greater)(column, row[s]), NAME(zero)(), x);
                }
                w[s * f->ld + j + c] = x;
            }
        }
}

/* Rows of W, a block of columns after the other, the last one first; whether there are all. */
INLINE bool NAME(invert_lower_rows)(const NAME(factors) * f, const struct matrix *matrix, int task, int *piece, E *w,
                                    const bool of_upper)
{
    const int from = task * TILE_STRIPS * WIDTH;
    const int rest = f->strips - task * TILE_STRIPS, strips = rest < TILE_STRIPS ? rest : TILE_STRIPS;
    const int end = from + strips * WIDTH < f->m ? from + strips * WIDTH : f->m;
    const int blocks = (end + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS;
#define INVERT_LOWER_TILE(strips) NAME(invert_lower_tile)(f, w, from, j, strips, of_upper)
    for (const int before = *piece; *piece < blocks; ++*piece) {
        const int first = (blocks - 1 - *piece) * BLOCK_COLUMNS;
        const int last = (first + BLOCK_COLUMNS < end ? first + BLOCK_COLUMNS : end) - 1;
        if (NAME(leaves_off)(matrix, *piece, before))
            return false;
        for (int j = last / TILE_COLUMNS * TILE_COLUMNS; j >= first; j -= TILE_COLUMNS)
            STRIPS(strips, INVERT_LOWER_TILE);
    }
#undef INVERT_LOWER_TILE
    return true;
}

/* Columns of Y from U Y = I, as the rows of W = Y^T; whether there are all. */
NOINLINE bool NAME(invert_upper_columns)(const NAME(factors) * f, const struct matrix *matrix, int task, int *piece,
                                         E *w)
{
    return NAME(invert_lower_rows)(f, matrix, task, piece, w, true);
}

/* Rows of W become columns of V = W^H, or of V = W^T. */
INLINE void NAME(keep_columns)(const NAME(factors) * f, int task, const E *w, const bool conjugate)
{
    const int from = task * TILE_STRIPS * WIDTH;
    const int rest = f->strips - task * TILE_STRIPS, strips = rest < TILE_STRIPS ? rest : TILE_STRIPS;
    const int end = from + strips * WIDTH;
    for (int s = 0; s < strips; s++)
        for (int j = 0; j < end; j += WIDTH) {
            V part[PARTS][WIDTH];
            UNROLLED (e, 0, WIDTH) {
                const E x = w[s * f->ld + (j + e < f->m ? j + e : f->m - 1)]; /* rows beyond the last are its copies */
                const E y = conjugate ? NAME(conjugate)(x) : x;
                UNROLLED (p, 0, PARTS)
                    part[p][e] = ((const V *)&y)[p];
            }
            UNROLLED (p, 0, PARTS)
                TYPED(transpose)(part[p], WIDTH);
            UNROLLED (e, 0, WIDTH)
                UNROLLED (p, 0, PARTS)
                    ((V *)(f->v + j / WIDTH * f->ld + from + s * WIDTH + e))[p] = part[p][e];
        }
}

/* 1 / (the 1-norm of the matrix times that of its inverse), from the sums of all tasks. */
static double NAME(blocked_rcond)(const struct matrix *matrix)
{
    const NAME(factors) factors = NAME(carve)(matrix), *f = &factors;
    double a_norm = 0, norm = 0;
    for (int j = 0; j < f->m; j++) {
        REAL a_sum = 0, sum = 0;
        for (int block = 0; block < f->blocks; block++)
            a_sum += f->a_sums[(ptrdiff_t)block * f->columns + j];
        for (int task = 0; task < f->row_tasks; task++)
            sum += f->sums[(ptrdiff_t)task * f->columns + j];
        norm = sum > norm || sum != sum ? sum : norm;
        a_norm = a_sum > a_norm || a_sum != a_sum ? a_sum : a_norm;
    }
    return stackinv_rcond(a_norm, norm, NORM_UNIT);
}
