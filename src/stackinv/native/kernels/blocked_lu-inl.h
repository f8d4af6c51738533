/* SPDX-License-Identifier: BSD-3-Clause */
/* The blocked engine for general matrices.

   The method is LAPACK's: getrf, then X from Y U = I and X L = Y, as in trtri and getri (N. J. Higham, Accuracy and
   Stability of Numerical Algorithms, 2nd ed., 2002, chapter 14). L is kept as LINPACK does, each block with its rows in
   the order of its own time, since a later exchange of rows would change what other threads read. */

/* Rows of U in a strip: C = inverse of L times (C - sum), for the unit lower triangle of L at k, the strip's own rows. */
INLINE void NAME(upper_tile)(const E *l, E *u, ptrdiff_t ld, int strip, int first, int j)
{
    E sum[TILE_STRIPS][TILE_COLUMNS];
    E *c = u + strip * ld + j;
    const int k = strip * WIDTH;
    NAME(multiply_tile)(sum, l + strip * ld, ld, u + j, ld, first, k, 1);
    UNROLLED (n, 0, TILE_COLUMNS)
        sum[0][n] = NAME(subtract)(c[n], sum[0][n]);
    UNROLLED (r, 0, WIDTH - 1) {
        const E x = NAME(select)(TYPED(greater)(TYPED(lanes)(), TYPED(all)(r)), l[strip * ld + k + r], NAME(zero)());
        UNROLLED (n, 0, TILE_COLUMNS) {
#if PARTS == 1
            const E y = {TYPED(all)(TYPED(get)(sum[0][n].re, r))};
#else
            const E y = {TYPED(all)(TYPED(get)(sum[0][n].re, r)), TYPED(all)(TYPED(get)(sum[0][n].im, r))};
#endif
            sum[0][n] = NAME(subtract_product)(sum[0][n], x, y);
        }
    }
    UNROLLED (n, 0, TILE_COLUMNS)
        c[n] = sum[0][n];
}

/* Apply the finished columns first to end - 1 to the columns j to last - 1. */
NOINLINE void NAME(apply)(const NAME(factors) * f, int first, int end, int j, int last)
{
    const NAME(piece) p = {.first = j, .last = last, .k = first, .end = end};
    const E *l = NAME(block_of)(f, first);
    E *u = NAME(block_of)(f, j);
    NAME(fetches) none = {{NULL}, {NULL}};
    for (int n = j; n < last; n += TILE_COLUMNS)
        for (int strip = first / WIDTH; strip < end / WIDTH; strip++)
            NAME(upper_tile)(l, u, f->ld, strip, first, n);
    for (int strip = end / WIDTH; strip < f->strips; strip += TILE_STRIPS)
        NAME(subtract_piece)(f, (NAME(operands)){l + strip * f->ld, u + strip * f->ld, f->ld}, p, f->strips - strip,
                             &none);
}

/* Exchange rows i and k in the columns j to last - 1. */
INLINE void NAME(exchange_two)(const NAME(factors) * f, int i, int k, int j, int last)
{
    if (i == k)
        return;
    REAL *x = NAME(factor_at)(f, i, j), *y = NAME(factor_at)(f, k, j);
    for (int n = j; n < last;
         n += PANEL_COLUMNS, x += PANEL_COLUMNS * PARTS * WIDTH, y += PANEL_COLUMNS * PARTS * WIDTH)
        UNROLLED (c, 0, PANEL_COLUMNS * PARTS) {
            const REAL z = x[c * WIDTH];
            x[c * WIDTH] = y[c * WIDTH];
            y[c * WIDTH] = z;
        }
}

/* How the pivot of a column is found, lane by lane: the size of the largest so far, and its row. */
typedef struct {
    V largest, row;
    VI seen;
} NAME(search);

/* A strip in its turn at column c of the panel at j: the column before is divided by its pivot, this one is completed. */
INLINE void NAME(panel_strip)(const NAME(factors) * f, E *row, int strip, int j, const int c, const E *u, E inverse,
                              V scale, NAME(search) * search, const bool edge)
{
    E l[PANEL_COLUMNS];
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
    E *row = NAME(block_of)(f, j) + j / WIDTH * f->ld + j;
    for (int strip = j / WIDTH; strip < f->strips; strip++, row += f->ld)
        NAME(panel_strip)(f, row, strip, j, c, u, inverse, scale, &search, strip < inner || strip >= last);
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
            const REAL *l = NAME(factor_at)(f, j + q, j);
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
        inverse = NAME(reciprocal)(NAME(scale)(NAME(broadcast)(NAME(factor_at)(f, top, top)), scale));
        NAME(store_lane)(f->inverse_diagonal + top * PARTS, 1, NAME(scale)(inverse, scale));
        if (top == f->m - 1)
            return 0;
    }
    NAME(panel_column)(f, j, PANEL_COLUMNS, u, inverse, scale);
    return 0;
}

/* The columns of a strip from j on of a symmetric or Hermitian matrix, of which only the lower triangle is read. */
INLINE void NAME(read_mirrored)(E *to, const struct matrix *matrix, int strip, int j, int count)
{
    const bool conjugate = matrix->symmetry == STACKINV_SELF_ADJOINT;
    const int i = strip * WIDTH, end = i + WIDTH - j < 0 ? 0 : i + WIDTH - j < count ? i + WIDTH - j : count;
    const int first = i - j < 0 ? 0 : i - j < end ? i - j : end;
    E above[WIDTH];
    NAME(read_rows)(to, matrix, i, j, end, false);
    NAME(read_rows)(above, matrix, i, j + first, end - first, true);
    NAME(read_rows)(to + end, matrix, i, j + end, count - end, true);
    if (conjugate)
        for (int n = end; n < count; n++)
            to[n] = NAME(conjugate)(to[n]);
    for (int n = first; n < end; n++) {
        const V rows = NAME(rows_of)(strip), column = TYPED(all)((REAL)(j + n));
        const E x = conjugate ? NAME(conjugate)(above[n - first]) : above[n - first];
        to[n] = NAME(select)(TYPED(greater)(column, rows), x, to[n]);
        if (conjugate)
            to[n] = NAME(select)(TYPED(equal)(column, rows), NAME(real)(to[n].re), to[n]);
    }
}

/* The columns of a block. */
INLINE void NAME(read_columns)(const struct matrix *matrix, int block, const bool mirrored)
{
    const NAME(factors) f = NAME(carve)(matrix);
    const int j = block * BLOCK_COLUMNS, rest = f.m - j, count = smaller(rest, BLOCK_COLUMNS);
    const int padded = smaller(f.columns - j, BLOCK_COLUMNS);
    for (int strip = 0; strip < f.strips; strip++) {
        E *to = NAME(block_of)(&f, j) + strip * f.ld + j;
        if (mirrored)
            NAME(read_mirrored)(to, matrix, strip, j, count);
        else
            NAME(read_rows)(to, matrix, strip * WIDTH, j, count, false);
        for (int n = count; n < padded; n++)
            to[n] = NAME(zero)();
    }
    if (matrix->rcond) {
        REAL *sums = f.a_sums + (ptrdiff_t)block * f.columns;
        for (int n = 0; n < f.columns; n++)
            sums[n] = n >= j && n < j + count ? NAME(sum_column)(NAME(block_of)(&f, j), f.ld, 0, n, 0, f.m) : 0;
    }
}

static void NAME(lu_read_block)(const struct matrix *matrix, int block)
{
    NAME(read_columns)(matrix, block, false);
}

/* Apply a finished block to a later one. */
static void NAME(lu_update_block)(const struct matrix *matrix, int done, int block)
{
    const NAME(factors) f = NAME(carve)(matrix);
    const int first = done * BLOCK_COLUMNS, end = first + BLOCK_COLUMNS, j = block * BLOCK_COLUMNS;
    const int last = smaller(j + BLOCK_COLUMNS, f.columns);
    for (int i = first; i < end; i++)
        NAME(exchange_two)(&f, i, f.pivots[i], j, last);
    NAME(apply)(&f, first, end, j, last);
}

/* Factor a block to which all before it have been applied; LAPACK's info, with which the matrix is at its end. */
static int NAME(lu_factor_block)(const struct matrix *matrix, int block)
{
    const NAME(factors) f = NAME(carve)(matrix);
    const int first = block * BLOCK_COLUMNS;
    const int last = smaller(first + BLOCK_COLUMNS, f.columns);
    int info = 0;
    for (int j = first; j < last && info == 0; j += PANEL_COLUMNS) {
        if (j > first)
            NAME(apply)(&f, first, j, j, j + PANEL_COLUMNS);
        info = NAME(factor_panel)(&f, j, first, last);
    }
    return info;
}

/* The sign is that of the exchanges of rows. */
static void NAME(lu_determinant)(const struct matrix *matrix, struct determinants *d)
{
    const NAME(factors) f = NAME(carve)(matrix);
    bool odd = false;
    for (int i = 0; i < f.m; i++)
        odd ^= f.pivots[i] != i;
    NAME(multiply_factors)(matrix, d, odd,
                           matrix->symmetry == STACKINV_SELF_ADJOINT ? NAME(of_real_product) : NAME(of_pivots));
}

/* Rows of the inverse X, of which the group holds those of Y. */
INLINE bool NAME(solve_rows)(const NAME(group) * g, int *number, NAME(fetches) * fetches)
{
    if (!NAME(solve_lower_rows)(g, number, fetches))
        return false;
    if (g->matrix->rcond)
        EACH_TILE (g, r)
            for (int j = 0; j < g->f.m; j++)
                g->inverse.sums[(ptrdiff_t)r.tile * g->f.columns + j] =
                    NAME(sum_column)(r.x, g->f.rows_ld, r.from / WIDTH, j, r.from, r.end);
    EACH_TILE (g, r)
        for (int s = 0; s < r.strips; s++)
            NAME(write_rows)(r.x + s * g->f.rows_ld, g->matrix, r.from + s * WIDTH, 0, g->f.m, false);
    return true;
}

/* Columns of Y from U Y = I, kept as they are read; whether there are all. */
NOINLINE bool NAME(keep_upper_columns)(const NAME(group) * g, int *number)
{
    if (!NAME(invert_upper_columns)(g, number))
        return false;
    NAME(keep_columns)(g, false);
    return true;
}

/* Rows of Y, of which all columns are kept. */
INLINE void NAME(take_rows)(const NAME(group) * g)
{
    const ptrdiff_t ld = g->f.rows_ld;
    EACH_TILE (g, r)
        for (int s = 0; s < r.strips; s++) {
            memset((void *)(r.x + s * ld), 0, r.from * sizeof(E));
            memcpy(r.x + s * ld + r.from, g->inverse.v + (r.from / WIDTH + s) * ld + r.from,
                   (g->f.m - r.from) * sizeof(E));
        }
}

/* Rows of the inverse from U Y = I. Each task, of one tile and one piece, finds the columns it needs by itself. */
NOINLINE bool NAME(invert_few_rows)(NAME(group) g, int *piece)
{
    E y[((MEDIUM + PANEL_COLUMNS) / WIDTH) * ((MEDIUM + PANEL_COLUMNS) | 1)];
    NAME(fetches) fetches = NAME(plan_fetches)(&g, NAME(products_of_lower)(&g), NAME(products_of_lower)(&g));
    NAME(group) other = g;
    g.inverse.v = other.inverse.v = y;
    for (; other.first < g.inverse.tiles; other.first++) {
        other.end = other.first + 1;
        NAME(keep_upper_columns)(&other, &(int){0});
    }
    NAME(take_rows)(&g);
    return NAME(solve_rows)(&g, piece, &fetches);
}

/* Rows of the inverse from Y U = I. The first pieces are those of Y. */
NOINLINE bool NAME(invert_many_rows)(const NAME(group) * g, int *piece)
{
    const int pieces = NAME(count_pieces)(&g->f);
    const double upper = NAME(products_of_upper)(g), lower = NAME(products_of_lower)(g);
    NAME(fetches) fetches = NAME(plan_fetches)(g, upper + lower, lower), reads = {fetches.reads, {NULL}};
    if (*piece < pieces && !NAME(invert_upper_rows)(g, piece, &reads))
        return false;
    fetches.reads = reads.reads;
    int number = *piece - pieces;
    const bool done = NAME(solve_rows)(g, &number, &fetches);
    *piece = pieces + number;
    return done;
}

/* Rows of the inverse, once all columns are factored; of small matrices as in the lanes engine. */
static bool NAME(lu_invert_rows)(const struct matrix *matrix, int task, int *piece, void *work)
{
    const NAME(group) g = NAME(group_of)(matrix, task, work);
    return g.f.m <= MEDIUM ? NAME(invert_few_rows)(g, piece) : NAME(invert_many_rows)(&g, piece);
}
