/* SPDX-License-Identifier: BSD-3-Clause */
/* The blocked engine: one matrix at a time, larger than the lanes engine's, in steps that threads may share.

   Included once for each type, after lanes-inl.h, with TILE_STRIPS and TILE_COLUMNS, the size of a block of sums that fills
   the registers, and PANEL_COLUMNS, the columns that are factored one by one.

   Nearly all of it is products of matrices. Rows are kept in strips of WIDTH, a strip by columns, so that WIDTH rows of
   a column are one E (the panel-major format of BLASFEO: G. Frison et al., ACM Trans. Math. Softw. 44, 42 (2018)), and
   both factors of a product are read as they lie. Columns are factored in blocks of BLOCK_COLUMNS, each of which takes
   what the blocks before it contribute when its own turn comes, and no finished block changes any more: so a block can
   be worked on while others still read those before it. The rows of the inverse are then independent of each other.

   A block of columns is memory of its own, strip after strip: processors fetch what follows in memory, and would take it away
   from the thread that works on the block to the right.

   This is the layout, products, and what moves numbers in and out; blocked_rows-inl.h what is done with factors, a group of
   rows at a time; blocked_lu-inl.h, blocked_symmetric-inl.h, blocked_cholesky-inl.h and blocked_triangle-inl.h are the methods. */

#define BLOCK_COLUMNS 64
/* A tile is as high as there are registers for. */
#define TILE_ROWS (TILE_STRIPS * WIDTH)

/* Long sums of products are taken in stretches of so many, counted from column 0 of the matrix: what a tile of rows brings
   to one stays in the first cache beside what passes through it, and what a block of columns brings, up to 128 KiB, in the
   second. Processors with AVX-512 have larger first caches, most of them. */
#define STRETCH_ROWS_BYTES ((VECTOR_BYTES == 64 ? 24 : 18) << 10)
#define STRETCH_COLUMN_BYTES (2 << 10)
#define STRETCH                                                                                                        \
    (smaller(STRETCH_ROWS_BYTES / (TILE_STRIPS * sizeof(E)), STRETCH_COLUMN_BYTES / (PARTS * sizeof(REAL))) /          \
     BLOCK_COLUMNS * BLOCK_COLUMNS)

INLINE int smaller(int x, int y)
{
    return x < y ? x : y;
}
INLINE int larger(int x, int y)
{
    return x > y ? x : y;
}

/* Columns first to last - 1 of some rows, and k to end - 1 of the products that they take. */
typedef struct {
    int first, last, k, end;
    bool near; /* whether the products reach into the columns themselves, which are then done */
} NAME(piece);

/* The factors of a matrix, carved out of the caller's memory. */
typedef struct {
    int m, strips, columns; /* columns are padded to whole tiles */
    int blocks, stretches;
    ptrdiff_t ld;           /* from strip to strip of a block of columns */
    ptrdiff_t block;        /* from block to block, less its columns */
    ptrdiff_t rows_ld;      /* from strip to strip of rows of the inverse */
    E *lu;                  /* both factors, or the one there is */
    REAL *inverse_diagonal; /* of U, or of L */
    REAL *a_sums;           /* of moduli of the matrix, by block and column */
    int *pivots;
} NAME(factors);

/* What comes of them. */
typedef struct {
    int tiles, tiles_a_task;
    E *v;       /* the inverse of a factor, where it is kept whole */
    REAL *sums; /* of moduli of the inverse, by tile and column */
} NAME(inverse);

static NAME(factors) NAME(describe)(int m)
{
    NAME(factors) f = {.m = m};
    f.strips = (m + WIDTH - 1) / WIDTH;
    f.columns = (m + PANEL_COLUMNS - 1) / PANEL_COLUMNS * PANEL_COLUMNS;
    f.blocks = (m + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS;
    f.stretches = (m + STRETCH - 1) / STRETCH;
    /* Odd, so that strips do not fall into the same sets of the first cache, which repeat every 4 KiB. */
    f.ld = smaller(f.columns, BLOCK_COLUMNS) | 1;
    f.block = f.columns / WIDTH * f.ld - BLOCK_COLUMNS;
    f.rows_ld = f.columns | 1; /* invert_few_rows relies on it */
    return f;
}

/* How many of so many tiles of rows go through the factors together. More of them read the factors less often, which makes no
   difference if the second cache has room for all; but threads should all be busy until the end. */
static int NAME(tiles_together)(int m, int tiles, int threads)
{
    const int most = larger(stackinv_tuning.most_task_rows / (PARTS * TILE_ROWS), 1);
    int best = 1;
    double least = 1e300;
    if ((double)m * m * sizeof(REAL) * PARTS <= stackinv_tuning.second_cache)
        return 1;
    for (int together = 1; together <= most; together++) {
        const int tasks = (tiles + together - 1) / together, rounds = (tasks + threads - 1) / threads;
        const double time = rounds * (together + stackinv_tuning.task_cost);
        if (time < least) {
            least = time;
            best = together;
        }
    }
    return best;
}

/* So many rows of a result, of the inverse of a matrix of order m or of the transposed solutions. */
static NAME(inverse) NAME(describe_rows)(int m, int rows, int threads)
{
    const int tiles = (rows + TILE_ROWS - 1) / TILE_ROWS;
    return (NAME(inverse)){.tiles = tiles, .tiles_a_task = NAME(tiles_together)(m, tiles, threads)};
}

static NAME(inverse) NAME(describe_inverse)(int m, int threads)
{
    return NAME(describe_rows)(m, m, threads);
}

INLINE int NAME(tasks_of)(NAME(inverse) result)
{
    return (result.tiles + result.tiles_a_task - 1) / result.tiles_a_task;
}

static void NAME(count_tasks)(int m, int threads, int *blocks, int *row_tasks)
{
    const NAME(inverse) inverse = NAME(describe_inverse)(m, threads);
    *blocks = NAME(describe)(m).blocks;
    *row_tasks = NAME(tasks_of)(inverse);
}

static int NAME(count_solutions)(int m, int columns, int threads)
{
    return NAME(tasks_of)(NAME(describe_rows)(m, columns, threads));
}

/* Bytes of both, with or without the inverse of a factor; their pieces are at `memory`, if it is given. */
static size_t NAME(lay_out)(NAME(factors) * f, NAME(inverse) * inverse, bool kept, void *memory)
{
    const size_t line = f->columns * sizeof(REAL), lu = f->blocks * (f->block + BLOCK_COLUMNS) * sizeof(E);
    const size_t square = f->columns / WIDTH * f->rows_ld * sizeof(E);
    char *at = (char *)memory;
    f->inverse_diagonal = (REAL *)at;
    f->a_sums = (REAL *)(at += line * PARTS);
    inverse->sums = (REAL *)(at += line * f->blocks);
    f->pivots = (int *)(at += line * inverse->tiles);
    at += f->columns * sizeof(int);
    at += -(at - (char *)memory) & 63;
    f->lu = (E *)at;
    inverse->v = (E *)(at + lu);
    return at - (char *)memory + lu + (kept ? square : 0);
}

static size_t NAME(one_factor_size)(int m)
{
    NAME(factors) f = NAME(describe)(m);
    NAME(inverse) inverse = NAME(describe_inverse)(m, 1);
    return NAME(lay_out)(&f, &inverse, false, NULL);
}

static size_t NAME(two_factors_size)(int m)
{
    NAME(factors) f = NAME(describe)(m);
    NAME(inverse) inverse = NAME(describe_inverse)(m, 1);
    return NAME(lay_out)(&f, &inverse, true, NULL);
}

static NAME(factors) NAME(carve)(const struct matrix *matrix)
{
    NAME(factors) f = NAME(describe)(matrix->m);
    NAME(inverse) inverse = NAME(describe_inverse)(matrix->m, matrix->threads);
    NAME(lay_out)(&f, &inverse, 0, matrix->factors);
    return f;
}

static NAME(inverse) NAME(carve_inverse)(const struct matrix *matrix)
{
    NAME(factors) f = NAME(describe)(matrix->m);
    NAME(inverse) inverse = NAME(describe_inverse)(matrix->m, matrix->threads);
    NAME(lay_out)(&f, &inverse, 0, matrix->factors);
    return inverse;
}

INLINE size_t NAME(workspace_of)(NAME(inverse) result, int m)
{
    return result.tiles_a_task * TILE_STRIPS * (size_t)NAME(describe)(m).rows_ld * sizeof(E);
}

static size_t NAME(rows_size)(int m, int threads)
{
    return NAME(workspace_of)(NAME(describe_inverse)(m, threads), m);
}

static size_t NAME(solution_size)(int m, int columns, int threads)
{
    return NAME(workspace_of)(NAME(describe_rows)(m, columns, threads), m);
}

/* The block of column j, from where column 0 would be: so columns keep their numbers. */
INLINE E *NAME(block_of)(const NAME(factors) * f, int j)
{
    return f->lu + (unsigned)j / BLOCK_COLUMNS * f->block;
}

/* Element (i, j) of strips, with its imaginary part WIDTH further on. */
INLINE REAL *NAME(element_at)(E *strips, ptrdiff_t ld, int i, int j)
{
    return (REAL *)(strips + i / WIDTH * ld + j) + i % WIDTH;
}
INLINE REAL *NAME(factor_at)(const NAME(factors) * f, int i, int j)
{
    return NAME(element_at)(NAME(block_of)(f, j), f->ld, i, j);
}

/* Element (i, j) of a block whose first row and column begin a block of sums, as far as that reaches. */
INLINE const REAL *NAME(element_near)(const REAL *block, ptrdiff_t ld, int i, int j)
{
    return block + (i / WIDTH * ld + j) * PARTS * WIDTH + i % WIDTH;
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

/* Numbers of the rows of a strip. */
INLINE V NAME(rows_of)(int strip)
{
    return TYPED(all)((REAL)(strip * WIDTH)) + TYPED(lanes)();
}

/* sum += a y: a column of A, a row of B whose numbers are `step` further on each. */
INLINE void NAME(add_column)(E sum[TILE_STRIPS][TILE_COLUMNS], const E *a, const REAL *y, ptrdiff_t lda,
                             const int strips)
{
    E x[TILE_STRIPS];
    UNROLLED (s, 0, strips)
        x[s] = a[s * lda];
    UNROLLED (c, 0, TILE_COLUMNS) {
        const E z = NAME(broadcast)(y + c * PARTS * WIDTH);
        UNROLLED (s, 0, strips)
            sum[s][c] = NAME(add_product)(sum[s][c], x[s], z);
    }
}

/* sum = A[:, k..end) B[k..end, :], where a is column 0 of the first strip of A and b element (0, 0) of B. */
INLINE void NAME(multiply_tile)(E sum[TILE_STRIPS][TILE_COLUMNS], const E *a, ptrdiff_t lda, const E *b, ptrdiff_t ld,
                                int k, const int end, const int strips)
{
    UNROLLED (s, 0, strips)
        UNROLLED (c, 0, TILE_COLUMNS)
            sum[s][c] = NAME(zero)();
    const E *strip = b + (unsigned)k / WIDTH * ld, *at = a + k, *const last = a + end;
    const REAL *y = (const REAL *)strip + (unsigned)k % WIDTH;
    const E *stop = at + smaller(end - k, WIDTH - (unsigned)k % WIDTH); /* the end of the strip */
    while (at < last) {
        for (int line = 0; line < (int)(TILE_COLUMNS * sizeof(E)); line += 64)
            PREFETCH((const char *)(strip + ld) + line, 0, 3);
        do
            NAME(add_column)(sum, at, y++, lda, strips);
        while (++at != stop);
        strip += ld;
        y = (const REAL *)strip;
        stop = last - at < WIDTH ? last : at + WIDTH;
    }
}

/* sum = A[:, k..end) B[:, k..end)^T or ^H, where a is column 0 of the first strip of A and b that of B, whose blocks of
   columns are `block` further apart than their columns. */
INLINE void NAME(multiply_rows_tile)(E sum[TILE_STRIPS][TILE_COLUMNS], const E *a, ptrdiff_t lda, const REAL *b,
                                     ptrdiff_t ld, ptrdiff_t block, int k, const int end, const int strips,
                                     const bool conjugate)
{
    UNROLLED (s, 0, strips)
        UNROLLED (c, 0, TILE_COLUMNS)
            sum[s][c] = NAME(zero)();
    const E *at = a + k, *const last = a + end;
    const REAL *y = b + ((unsigned)k / BLOCK_COLUMNS * block + k) * PARTS * WIDTH;
    const E *stop = at + BLOCK_COLUMNS - (unsigned)k % BLOCK_COLUMNS; /* the end of the block of columns */
    while (at < last) {
        stop = stop < last ? stop : last;
        do {
            E x[TILE_STRIPS];
            UNROLLED (s, 0, strips)
                x[s] = at[s * lda];
            UNROLLED (c, 0, TILE_COLUMNS) {
                const E z = NAME(broadcast)(y + c / WIDTH * ld * PARTS * WIDTH + c % WIDTH);
                UNROLLED (s, 0, strips)
                    sum[s][c] = conjugate ? NAME(add_product_conjugate)(sum[s][c], x[s], z)
                                          : NAME(add_product)(sum[s][c], x[s], z);
            }
            y += PARTS * WIDTH;
        } while (++at != stop);
        y += block * PARTS * WIDTH;
        stop = at + BLOCK_COLUMNS;
    }
}

/* FUNCTION(..., strips) with a constant number of strips. */
#define STRIPS(strips, FUNCTION, ...)                                                                                  \
    do {                                                                                                               \
        if ((strips) >= TILE_STRIPS)                                                                                   \
            FUNCTION(__VA_ARGS__, TILE_STRIPS);                                                                        \
        else if ((strips) == 1)                                                                                        \
            FUNCTION(__VA_ARGS__, 1);                                                                                  \
        else                                                                                                           \
            FUNCTION(__VA_ARGS__, (TILE_STRIPS > 2 ? 2 : 1));                                                          \
    } while (0)

/* Some rows: column 0 of what is multiplied by a factor, and of what it is subtracted from, as block_of tells it. */
typedef struct {
    const E *a;
    E *c;
    ptrdiff_t ld;
} NAME(operands);

INLINE void NAME(subtract_sums)(E sum[TILE_STRIPS][TILE_COLUMNS], E *c, ptrdiff_t ld, const int strips)
{
    UNROLLED (s, 0, strips)
        UNROLLED (n, 0, TILE_COLUMNS)
            c[s * ld + n] = NAME(subtract)(c[s * ld + n], sum[s][n]);
}

INLINE void NAME(subtract_tile)(const NAME(factors) * f, const NAME(operands) * x, const E *b, const NAME(piece) * p,
                                int j, const int strips)
{
    E sum[TILE_STRIPS][TILE_COLUMNS];
    NAME(multiply_tile)(sum, x->a, x->ld, b + j, f->ld, p->k, p->end, strips);
    NAME(subtract_sums)(sum, x->c + j, x->ld, strips);
}

/* A tile of rows, or less: subtract the products of a piece, all in one block of columns. */
NOINLINE void NAME(subtract_piece)(const NAME(factors) * f, NAME(operands) x, NAME(piece) p, int strips,
                                   NAME(fetches) * fetches)
{
    const E *b = NAME(block_of)(f, p.first);
    for (int j = p.first; j < p.last && p.k < p.end; j += TILE_COLUMNS) {
        NAME(fetch_early)(fetches, p.end - p.k);
        STRIPS(strips, NAME(subtract_tile), f, &x, b, &p, j);
    }
}

INLINE void NAME(subtract_rows_tile)(const NAME(factors) * f, const NAME(operands) * x, const NAME(piece) * p, int j,
                                     const bool conjugate, const int strips)
{
    E sum[TILE_STRIPS][TILE_COLUMNS];
    NAME(multiply_rows_tile)(sum, x->a, x->ld, NAME(element_at)(f->lu, f->ld, j, 0), f->ld, f->block, p->k, p->end,
                             strips, conjugate);
    NAME(subtract_sums)(sum, x->c + j, x->ld, strips);
}

/* The same for products with rows of the factors. */
NOINLINE void NAME(subtract_rows_piece)(const NAME(factors) * f, NAME(operands) x, NAME(piece) p, bool conjugate,
                                        int strips)
{
    for (int j = p.first; j < p.last && p.k < p.end; j += TILE_COLUMNS)
        if (PARTS == 2 && conjugate)
            STRIPS(strips, NAME(subtract_rows_tile), f, &x, &p, j, true);
        else
            STRIPS(strips, NAME(subtract_rows_tile), f, &x, &p, j, false);
}

/* An array of the user's whose rows are strips. */
typedef struct {
    char *at;
    ptrdiff_t row, column;
    int rows;
    bool single;
} NAME(user_array);

/* WIDTH rows from row i and column j on, to or from a strip; rows beyond the last are its copies. */
INLINE void NAME(move_strip)(E *strip, const NAME(user_array) * a, int i, int j, int count, const bool out)
{
    const bool other = a->single != (sizeof(REAL) == 4);
    const ptrdiff_t row = a->row, column = a->column;
    const ptrdiff_t size = (other ? sizeof(OTHER) : sizeof(REAL)) * PARTS;
    char *at[WIDTH];
    for (int l = 0; l < WIDTH; l++)
        at[l] = a->at + (i + l < a->rows ? i + l : a->rows - 1) * row + j * column;
    if (count <= 0)
        return;
    if (column == size) {
        if (other)
            NAME(move_line)((V *)strip, PARTS, at, 0, (ptrdiff_t)count * PARTS, out, true);
        else
            NAME(move_line)((V *)strip, PARTS, at, 0, (ptrdiff_t)count * PARTS, out, false);
    } else if (row == size && PARTS == 1 && i + WIDTH <= a->rows) {
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
NOINLINE void NAME(read_strip_of)(E *strip, const NAME(user_array) * a, int i, int j, int count)
{
    NAME(move_strip)(strip, a, i, j, count, false);
}
NOINLINE void NAME(write_strip_of)(E *strip, const NAME(user_array) * a, int i, int j, int count)
{
    NAME(move_strip)(strip, a, i, j, count, true);
}

/* Rows of the user's matrix, and of the result, or of their transposes. */
INLINE void NAME(read_rows)(E *strip, const struct matrix *matrix, int i, int j, int count, bool transposed)
{
    const ptrdiff_t row = transposed ? matrix->a_column : matrix->a_row;
    const ptrdiff_t column = transposed ? matrix->a_row : matrix->a_column;
    NAME(user_array) a = {(char *)matrix->a, row, column, matrix->m, matrix->a_single};
    NAME(read_strip_of)(strip, &a, i, j, count);
}
INLINE void NAME(write_rows)(E *strip, const struct matrix *matrix, int i, int j, int count, bool transposed)
{
    const ptrdiff_t row = transposed ? matrix->out_column : matrix->out_row;
    const ptrdiff_t column = transposed ? matrix->out_row : matrix->out_column;
    NAME(user_array) a = {matrix->out, row, column, matrix->m, matrix->out_single};
    NAME(write_strip_of)(strip, &a, i, j, count);
}
/* The transposes of right-hand sides and of solutions. */
INLINE void NAME(read_right_rows)(E *strip, const struct matrix *matrix, int i)
{
    NAME(user_array)
    a = {(char *)matrix->right, matrix->right_column, matrix->right_row, matrix->columns, matrix->right_single};
    NAME(read_strip_of)(strip, &a, i, 0, matrix->m);
}
INLINE void NAME(write_solution_rows)(E *strip, const struct matrix *matrix, int i)
{
    NAME(user_array)
    a = {matrix->solution, matrix->solution_column, matrix->solution_row, matrix->columns, matrix->solution_single};
    NAME(write_strip_of)(strip, &a, i, 0, matrix->m);
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

/* 1 / (the 1-norm of the matrix times that of its inverse), from the sums of all tiles. */
static double NAME(blocked_rcond)(const struct matrix *matrix)
{
    const NAME(factors) factors = NAME(carve)(matrix), *f = &factors;
    const NAME(inverse) inverse = NAME(carve_inverse)(matrix);
    double a_norm = 0, norm = 0;
    for (int j = 0; j < f->m; j++) {
        REAL a_sum = 0, sum = 0;
        for (int block = 0; block < f->blocks; block++)
            a_sum += f->a_sums[(ptrdiff_t)block * f->columns + j];
        for (int tile = 0; tile < inverse.tiles; tile++)
            sum += inverse.sums[(ptrdiff_t)tile * f->columns + j];
        norm = sum > norm || sum != sum ? sum : norm;
        a_norm = a_sum > a_norm || a_sum != a_sum ? a_sum : a_norm;
    }
    return stackinv_rcond(a_norm, norm, NORM_UNIT);
}

/* The determinant in lane 0, from the diagonal of U or of the triangle itself, or from the reciprocals of that of L. */
INLINE void NAME(multiply_factors)(const struct matrix *matrix, struct determinants *d, bool odd,
                                   const enum NAME(diagonal_kind) kind)
{
    const NAME(factors) f = NAME(carve)(matrix);
    NAME(scaled) product = {NAME(zero)(), TYPED(all)(0)};
    for (int i = 0; i < f.m; i++)
        product = NAME(times)(product,
                              kind == NAME(of_inverse_roots) ? NAME(broadcast_from)(f.inverse_diagonal + i * PARTS, 1)
                                                             : NAME(broadcast)(NAME(factor_at)(&f, i, i)),
                              i);
    NAME(note_products)(d, product, TYPED(signs)(TYPED(integer)(odd ? -1 : 0)), TYPED(integer)(0), kind);
}
