/* The blocked engine: one matrix at a time, larger than the lanes engine's, in steps that threads may share.

   Included once for each type, after lanes.h, with TILE_STRIPS and TILE_COLUMNS, the size of a block of sums that fills
   the registers, and PANEL_COLUMNS, the columns that are factored one by one.

   The method is LAPACK's: getrf, then X from Y U = I and X L = Y, as in trtri and getri (N. J. Higham, Accuracy and
   Stability of Numerical Algorithms, 2nd ed., 2002, chapter 14); nearly all of it is products of matrices. Rows are
   kept in strips of WIDTH, a strip by columns, so that WIDTH rows of a column are one E (the panel-major format of
   BLASFEO: G. Frison et al., ACM Trans. Math. Softw. 44, 42 (2018)), and both factors of a product are read as they lie.

   Columns are factored in blocks of BLOCK_COLUMNS. Each block takes the exchanges of rows and the products of the blocks
   before it when its own turn comes, and no finished block changes any more: L is kept as LINPACK does, each block with
   its rows in the order of its own time. So a block can be worked on while others still read those before it. In the
   second half the rows of the inverse are independent of each other. */

#define BLOCK_COLUMNS 64

/* What the pieces work on, carved out of the caller's memory. */
typedef struct {
    int m, strips, columns; /* columns are padded to whole tiles */
    ptrdiff_t ld;           /* from strip to strip */
    E *lu;
    REAL *inverse_diagonal; /* of U */
    REAL *a_sums, *sums;    /* of moduli: by column of the matrix; by task and column of the inverse */
    int *pivots;
} NAME(factors);

static NAME(factors) NAME(describe)(int m)
{
    NAME(factors) f = {m, (m + WIDTH - 1) / WIDTH, (m + PANEL_COLUMNS - 1) / PANEL_COLUMNS * PANEL_COLUMNS};
    f.ld = f.columns | 1; /* an odd number keeps columns from falling into few sets of the cache */
    return f;
}

static void NAME(count_tasks)(int m, int *blocks, int *row_tasks)
{
    *blocks = (m + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS;
    *row_tasks = (m + TILE_STRIPS * WIDTH - 1) / (TILE_STRIPS * WIDTH);
}

static size_t NAME(factors_size)(int m)
{
    const NAME(factors) f = NAME(describe)(m);
    int blocks, row_tasks;
    NAME(count_tasks)(m, &blocks, &row_tasks);
    return f.strips * f.ld * sizeof(E) + (size_t)f.columns * (PARTS + 1 + row_tasks) * sizeof(REAL) + m * sizeof(int);
}

static size_t NAME(rows_size)(int m)
{
    return TILE_STRIPS * (size_t)NAME(describe)(m).ld * sizeof(E);
}

static NAME(factors) NAME(carve)(const struct matrix *matrix)
{
    NAME(factors) f = NAME(describe)(matrix->m);
    int blocks, row_tasks;
    NAME(count_tasks)(f.m, &blocks, &row_tasks);
    f.lu = (E *)matrix->factors;
    f.inverse_diagonal = (REAL *)(f.lu + f.strips * f.ld);
    f.a_sums = f.inverse_diagonal + f.columns * PARTS;
    f.sums = f.a_sums + f.columns;
    f.pivots = (int *)(f.sums + (ptrdiff_t)row_tasks * f.columns);
    return f;
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

/* sum = A[:, k..end) B[k..end, :], where a is column 0 of the first strip of A and b element (0, 0) of B. */
INLINE void NAME(multiply_tile)(E sum[TILE_STRIPS][TILE_COLUMNS], const E *a, const E *b, ptrdiff_t ld, int k,
                                const int end, const int strips)
{
    UNROLLED (s, 0, strips)
        UNROLLED (c, 0, TILE_COLUMNS)
            sum[s][c] = NAME(zero)();
    while (k < end) {
        const E *strip = b + k / WIDTH * ld;
        const int last = k / WIDTH * WIDTH + WIDTH < end ? k / WIDTH * WIDTH + WIDTH : end;
#if defined(__GNUC__)
        for (int line = 0; line < (int)(TILE_COLUMNS * sizeof(E)); line += 64)
            __builtin_prefetch((const char *)(strip + ld) + line);
#endif
        for (; k < last; k++) {
            const REAL *y = (const REAL *)strip + k % WIDTH;
            E x[TILE_STRIPS];
            UNROLLED (s, 0, strips)
                x[s] = a[s * ld + k];
            UNROLLED (c, 0, TILE_COLUMNS) {
                const E z = NAME(broadcast)(y + c * PARTS * WIDTH);
                UNROLLED (s, 0, strips)
                    sum[s][c] = NAME(add_product)(sum[s][c], x[s], z);
            }
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

/* Rows of U in a strip: C = inverse of L times (C - sum), for the unit lower triangle of L at k, the strip's own rows. */
INLINE void NAME(upper_tile)(E *lu, ptrdiff_t ld, int strip, int first, int j)
{
    E sum[TILE_STRIPS][TILE_COLUMNS];
    E *c = lu + strip * ld + j;
    const int k = strip * WIDTH;
    NAME(multiply_tile)(sum, lu + strip * ld, lu + j, ld, first, k, 1);
    UNROLLED (n, 0, TILE_COLUMNS)
        sum[0][n] = NAME(subtract)(c[n], sum[0][n]);
    UNROLLED (r, 0, WIDTH - 1) {
        const E l = NAME(select)(TYPED(greater)(TYPED(lanes)(), TYPED(all)(r)), lu[strip * ld + k + r], NAME(zero)());
        UNROLLED (n, 0, TILE_COLUMNS) {
#if PARTS == 1
            const E u = {TYPED(all)(TYPED(get)(sum[0][n].re, r))};
#else
            const E u = {TYPED(all)(TYPED(get)(sum[0][n].re, r)), TYPED(all)(TYPED(get)(sum[0][n].im, r))};
#endif
            sum[0][n] = NAME(subtract_product)(sum[0][n], l, u);
        }
    }
    UNROLLED (n, 0, TILE_COLUMNS)
        c[n] = sum[0][n];
}

INLINE void NAME(lower_tile)(E *lu, ptrdiff_t ld, int strip, int first, int end, int j, const int strips)
{
    E sum[TILE_STRIPS][TILE_COLUMNS];
    NAME(multiply_tile)(sum, lu + strip * ld, lu + j, ld, first, end, strips);
    UNROLLED (s, 0, strips)
        UNROLLED (n, 0, TILE_COLUMNS) {
            E *c = lu + (strip + s) * ld + j + n;
            *c = NAME(subtract)(*c, sum[s][n]);
        }
}

/* Apply the finished columns first to end - 1 to the columns j to last - 1. */
NOINLINE void NAME(apply)(const NAME(factors) * f, int first, int end, int j, int last)
{
    for (int n = j; n < last; n += TILE_COLUMNS)
        for (int strip = first / WIDTH; strip < end / WIDTH; strip++)
            NAME(upper_tile)(f->lu, f->ld, strip, first, n);
#define LOWER_TILE(strips) NAME(lower_tile)(f->lu, f->ld, strip, first, end, n, strips)
    for (int strip = end / WIDTH; strip < f->strips; strip += TILE_STRIPS)
        for (int n = j; n < last; n += TILE_COLUMNS)
            STRIPS(f->strips - strip, LOWER_TILE);
#undef LOWER_TILE
}

/* Exchange rows i and k in the columns j to last - 1. */
INLINE void NAME(exchange_two)(const NAME(factors) * f, int i, int k, int j, int last)
{
    if (i == k)
        return;
    REAL *x = NAME(element_at)(f->lu, f->ld, i, j), *y = NAME(element_at)(f->lu, f->ld, k, j);
    for (int n = 0; n < (last - j) * PARTS; n++) {
        const REAL z = x[n * WIDTH];
        x[n * WIDTH] = y[n * WIDTH];
        y[n * WIDTH] = z;
    }
}

/* How the pivot of a column is found, lane by lane: the size of the largest so far, and its row. */
typedef struct {
    V largest, row;
    VI seen;
} NAME(search);

/* A strip in its turn at column c of the panel at j: the column before is divided by its pivot, this one is completed. */
INLINE void NAME(panel_strip)(const NAME(factors) * f, int strip, int j, const int c, const E *u, E inverse, V scale,
                              NAME(search) * search, const bool edge)
{
    E *row = f->lu + strip * f->ld + j, l[PANEL_COLUMNS];
    const V rows = NAME(rows_of)(strip), top = TYPED(all)((REAL)(j + c));
    UNROLLED (q, 0, c)
        l[q] = row[q];
    if (c > 0) {
        const E x = NAME(multiply)(NAME(scale)(l[c - 1], scale), inverse);
        row[c - 1] = l[c - 1] = edge ? NAME(select)(TYPED(greater)(top, rows), l[c - 1], x) : x;
    }
    if (c == PANEL_COLUMNS)
        return;
    E sum = NAME(zero)();
    UNROLLED (q, 0, c)
        sum = NAME(add_product)(sum, l[q], u[q]);
    E x = NAME(subtract)(row[c], sum);
    if (edge)
        UNROLLED (q, 0, c)
            x = NAME(select)(TYPED(equal)(rows, TYPED(all)((REAL)(j + q))), u[q], x);
    row[c] = x;
    V size = NAME(size)(x);
    if (edge) {
        size = TYPED(select)(TYPED(greater)(top, rows), TYPED(all)(0), size);
        size = TYPED(select)(TYPED(greater)(TYPED(all)((REAL)f->m), rows), size, TYPED(all)(0));
    }
    const VM larger = TYPED(greater)(size, search->largest);
    search->largest = TYPED(select)(larger, size, search->largest);
    search->row = TYPED(select)(larger, rows, search->row);
    search->seen |= TYPED(bits)(size);
}

/* All strips in their turn at column c of the panel at j. */
INLINE NAME(search) NAME(panel_column)(const NAME(factors) * f, int j, const int c, const E *u, E inverse, V scale)
{
    NAME(search) search = {TYPED(all)(0), TYPED(all)(0), TYPED(integer)(0)};
    const int inner = (j + PANEL_COLUMNS) / WIDTH, last = f->m / WIDTH;
    for (int strip = j / WIDTH; strip < f->strips; strip++)
        NAME(panel_strip)(f, strip, j, c, u, inverse, scale, &search, strip < inner || strip >= last);
    return search;
}

/* Factor the columns from j on, one after the other; LAPACK's info. Rows are exchanged in the whole block. */
NOINLINE int NAME(factor_panel)(const NAME(factors) * f, int j, int block, int block_end)
{
    E u[PANEL_COLUMNS], inverse = NAME(zero)();
    V scale = TYPED(all)(1);
    UNROLLED (c, 0, PANEL_COLUMNS) {
        const int top = j + c;
        for (int q = 0; q < c; q++) {
            const REAL *l = NAME(element_at)(f->lu, f->ld, j + q, j);
            E sum = NAME(zero)();
            for (int p = 0; p < q; p++)
                sum = NAME(add_product)(sum, NAME(broadcast)(l + p * PARTS * WIDTH), u[p]);
            u[q] = NAME(subtract)(NAME(broadcast)(l + c * PARTS * WIDTH), sum);
        }
        const NAME(search) search = NAME(panel_column)(f, j, c, u, inverse, scale);
        if (!TYPED(any)(search.seen))
            return top + 1;

        /* The first of the largest; in a column with NaN any, as long as its pivot does not count as zero. */
        const V largest = TYPED(largest)(search.largest);
        const V before = TYPED(select)(TYPED(equal)(search.largest, largest), -search.row, TYPED(all)(-(REAL)f->m));
        const bool number = TYPED(get)(largest, 0) > 0;
        const int pivot = number ? (int)-TYPED(get)(TYPED(largest)(before), 0) : top;
        f->pivots[top] = pivot;
        NAME(exchange_two)(f, top, pivot, block, block_end);
        /* As LAPACK does, guard against a reciprocal that overflows. */
        scale = TYPED(select)(TYPED(greater)(TYPED(all)(SAFE_MINIMUM), largest), TYPED(all)(0x1p64f), TYPED(all)(1));
        inverse = NAME(reciprocal)(NAME(scale)(NAME(broadcast)(NAME(element_at)(f->lu, f->ld, top, top)), scale));
        NAME(store_lane)(f->inverse_diagonal + top * PARTS, 1, NAME(scale)(inverse, scale));
        if (top == f->m - 1)
            return 0;
    }
    NAME(panel_column)(f, j, PANEL_COLUMNS, u, inverse, scale);
    return 0;
}

/* WIDTH rows of the user's matrix from row i and column j on, to or from a strip; rows beyond the last are its copies. */
INLINE void NAME(move_strip)(E *strip, const struct matrix *matrix, int i, int j, int count, const bool out)
{
    const bool other = (out ? matrix->out_single : matrix->a_single) != (sizeof(REAL) == 4);
    const ptrdiff_t row = out ? matrix->out_row : matrix->a_row, column = out ? matrix->out_column : matrix->a_column;
    const ptrdiff_t part = other ? sizeof(OTHER) : sizeof(REAL), size = part * PARTS;
    char *at[WIDTH];
    for (int l = 0; l < WIDTH; l++)
        at[l] =
            (out ? matrix->out : (char *)matrix->a) + (i + l < matrix->m ? i + l : matrix->m - 1) * row + j * column;
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
            for (int p = 0; p < PARTS; p++)
                for (int l = 0; l < WIDTH; l++) {
                    REAL *x = (REAL *)(strip + n) + p * WIDTH + l;
                    if (out)
                        TYPED(store_1)(at[l] + n * column + p * part, *x, other);
                    else
                        *x = TYPED(load_1)(at[l] + n * column + p * part, other);
                }
}

/* The sum of the moduli of the rows of a strip that there are. */
INLINE REAL NAME(sum_moduli)(E x, int strip, int m)
{
    const V size =
        TYPED(select)(TYPED(greater)(TYPED(all)((REAL)m), NAME(rows_of)(strip)), NAME(modulus)(x), TYPED(all)(0));
    REAL sum = 0;
    for (int l = 0; l < WIDTH; l++)
        sum += TYPED(get)(size, l);
    return sum;
}

/* The columns of a block, as the user has them. */
static void NAME(read_block)(const struct matrix *matrix, int block)
{
    const NAME(factors) f = NAME(carve)(matrix);
    const int j = block * BLOCK_COLUMNS, rest = f.m - j, count = rest < BLOCK_COLUMNS ? rest : BLOCK_COLUMNS;
    const int padded = f.columns - j < BLOCK_COLUMNS ? f.columns - j : BLOCK_COLUMNS;
    for (int strip = 0; strip < f.strips; strip++) {
        E *to = f.lu + strip * f.ld + j;
        NAME(move_strip)(to, matrix, strip * WIDTH, j, count, false);
        for (int n = count; n < padded; n++)
            to[n] = NAME(zero)();
    }
    if (matrix->rcond)
        for (int n = j; n < j + count; n++) {
            f.a_sums[n] = 0;
            for (int strip = 0; strip < f.strips; strip++)
                f.a_sums[n] += NAME(sum_moduli)(f.lu[strip * f.ld + n], strip, f.m);
        }
}

/* Apply a finished block to a later one. */
static void NAME(update_block)(const struct matrix *matrix, int done, int block)
{
    const NAME(factors) f = NAME(carve)(matrix);
    const int first = done * BLOCK_COLUMNS, end = first + BLOCK_COLUMNS, j = block * BLOCK_COLUMNS;
    const int last = j + BLOCK_COLUMNS < f.columns ? j + BLOCK_COLUMNS : f.columns;
    for (int i = first; i < end; i++)
        NAME(exchange_two)(&f, i, f.pivots[i], j, last);
    NAME(apply)(&f, first, end, j, last);
}

/* Factor a block to which all before it have been applied; LAPACK's info, with which the matrix is at its end. */
static int NAME(factor_block)(const struct matrix *matrix, int block)
{
    const NAME(factors) f = NAME(carve)(matrix);
    const int first = block * BLOCK_COLUMNS;
    const int last = first + BLOCK_COLUMNS < f.columns ? first + BLOCK_COLUMNS : f.columns;
    int info = 0;
    for (int j = first; j < last && info == 0; j += PANEL_COLUMNS) {
        if (j > first)
            NAME(apply)(&f, first, j, j, j + PANEL_COLUMNS);
        info = NAME(factor_panel)(&f, j, first, last);
    }
    return info;
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

/* Columns j.. of the rows x that solve X L = Y, from those behind. */
INLINE void NAME(solve_lower_tile)(const NAME(factors) * f, E *x, int j, const int strips)
{
    E sum[TILE_STRIPS][TILE_COLUMNS];
    const int end = f->m - j < TILE_COLUMNS ? f->m - j : TILE_COLUMNS;
    NAME(multiply_tile)(sum, x, f->lu + j, f->ld, j + TILE_COLUMNS, f->m, strips);
    UNROLLED_DOWN (c, TILE_COLUMNS - 1, 0)
        if (c < end) {
            UNROLLED (q, c + 1, TILE_COLUMNS)
                if (q < end) {
                    const E l = NAME(broadcast)(NAME(element_at)(f->lu, f->ld, j + q, j + c));
                    UNROLLED (s, 0, strips)
                        sum[s][c] = NAME(add_product)(sum[s][c], x[s * f->ld + j + q], l);
                }
            UNROLLED (s, 0, strips) { /* no negative zeros, as in NumPy's result */
                E *at = x + s * f->ld + j + c;
                *at = NAME(add)(NAME(subtract)(*at, sum[s][c]), NAME(zero)());
            }
        }
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

/* Rows of the inverse, once all columns are factored. */
static void NAME(invert_rows)(const struct matrix *matrix, int task, void *work)
{
    const NAME(factors) f = NAME(carve)(matrix);
    const int from = task * TILE_STRIPS * WIDTH, start = from / TILE_COLUMNS * TILE_COLUMNS;
    const int rest = f.strips - task * TILE_STRIPS, strips = rest < TILE_STRIPS ? rest : TILE_STRIPS;
    E *x = (E *)work;
    for (int s = 0; s < strips; s++)
        for (int j = 0; j < start; j++)
            x[s * f.ld + j] = NAME(zero)();
    const int tiles = (2 * f.columns - start) / TILE_COLUMNS;
    const ptrdiff_t share = matrix->fetch_next / (f.strips + TILE_STRIPS - 1) * TILE_STRIPS;
    const char *next = matrix->next + task * share, *next_end = next + share;
    const char *result = matrix->out + from * matrix->out_row, *result_end = result;
    if (matrix->fetch_out && from + strips * WIDTH <= f.m)
        result_end += strips * WIDTH * matrix->out_row;
    const int next_lines = (int)(share / 64) / tiles + 1;
    const int out_lines = (int)((result_end - result) / 64) * TILE_COLUMNS / BLOCK_COLUMNS + 1;
#define INVERT_UPPER_TILE(strips)                                                                                      \
    NAME(fetch_lines)(&next, next_end, next_lines, false);                                                             \
    NAME(invert_upper_tile)(&f, x, from, j, strips)
    for (int j = start; j < f.m; j += TILE_COLUMNS)
        STRIPS(strips, INVERT_UPPER_TILE);
#define SOLVE_LOWER_TILE(strips)                                                                                       \
    NAME(fetch_lines)(&next, next_end, next_lines, false);                                                             \
    if (first == 0)                                                                                                    \
        NAME(fetch_lines)(&result, result_end, out_lines, true);                                                       \
    NAME(solve_lower_tile)(&f, x, j, strips)
    for (int end = f.columns, first; end > 0; end = first) {
        first = (end - 1) / BLOCK_COLUMNS * BLOCK_COLUMNS;
        for (int j = end - TILE_COLUMNS; j >= first; j -= TILE_COLUMNS)
            STRIPS(strips, SOLVE_LOWER_TILE);
        for (int j = (end < f.m ? end : f.m) - 1; j >= first; j--)
            for (int s = 0; s < strips; s++) {
                E *a = x + s * f.ld + j, *b = x + s * f.ld + f.pivots[j];
                const E y = *a;
                *a = *b;
                *b = y;
            }
    }
#undef INVERT_UPPER_TILE
#undef SOLVE_LOWER_TILE
    if (matrix->rcond)
        for (int j = 0; j < f.m; j++) {
            REAL *sum = f.sums + (ptrdiff_t)task * f.columns + j;
            *sum = 0;
            for (int s = 0; s < strips; s++)
                *sum += NAME(sum_moduli)(x[s * f.ld + j], from / WIDTH + s, f.m);
        }
    for (int s = 0; s < strips; s++)
        NAME(move_strip)(x + s * f.ld, matrix, from + s * WIDTH, 0, f.m, true);
}

/* 1 / (the 1-norm of the matrix times that of its inverse), after all tasks. */
static double NAME(blocked_rcond)(const struct matrix *matrix)
{
    const NAME(factors) f = NAME(carve)(matrix);
    double a_norm = 0, norm = 0;
    int blocks, row_tasks;
    NAME(count_tasks)(f.m, &blocks, &row_tasks);
    for (int j = 0; j < f.m; j++) {
        REAL sum = 0;
        for (int task = 0; task < row_tasks; task++)
            sum += f.sums[(ptrdiff_t)task * f.columns + j];
        norm = sum > norm || sum != sum ? sum : norm;
        a_norm = f.a_sums[j] > a_norm || f.a_sums[j] != f.a_sums[j] ? f.a_sums[j] : a_norm;
    }
    return 1 / a_norm / norm;
}
