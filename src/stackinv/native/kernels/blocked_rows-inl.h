/* SPDX-License-Identifier: BSD-3-Clause */
/* The blocked engine: what is done with factors, whichever method they are of, by rows of the result, which are
   independent of each other.

   A task is a group of tiles, which go through the factors together: for each block of columns of the result, for each
   stretch of the products that these take, tile after tile. So a part of a factor, a stretch by a block, comes from
   memory once for all tiles, and from the second cache but for the first; what a tile brings to it comes from the first
   cache but for the first of its columns. Each such part is a piece of the task, after which it may be left off.

   Stretches are counted from column 0 of the matrix, and no tile has to do with another one: the bits of the result are
   the same with groups of any size. */

/* A tile of rows. */
typedef struct {
    E *x;
    int tile, from, end; /* rows from to end - 1 of the result; the strips are filled up with copies of the last one */
    int strips;
} NAME(rows);

/* The tiles of a task. */
typedef struct {
    const struct matrix *matrix;
    NAME(factors) f;
    NAME(inverse) inverse;
    int first, end;
    int height; /* rows in all tasks: of the inverse, or right-hand sides, of which each is a row */
    E *x;       /* the rows, one tile after the other */
} NAME(group);

INLINE NAME(group)
    NAME(group_of_rows)(const struct matrix *matrix, NAME(inverse) inverse, int height, int task, void *work)
{
    NAME(group)
    g = {.matrix = matrix, .f = NAME(carve)(matrix), .inverse = inverse, .height = height, .x = (E *)work};
    g.first = task * inverse.tiles_a_task;
    g.end = smaller(g.first + inverse.tiles_a_task, inverse.tiles);
    return g;
}

INLINE NAME(group) NAME(group_of)(const struct matrix *matrix, int task, void *work)
{
    return NAME(group_of_rows)(matrix, NAME(carve_inverse)(matrix), matrix->m, task, work);
}

INLINE NAME(rows) NAME(rows_of_tile)(const NAME(group) * g, int tile)
{
    const int from = tile * TILE_ROWS, end = smaller(from + TILE_ROWS, g->height);
    E *x = g->x + (tile - g->first) * TILE_STRIPS * g->f.rows_ld;
    return (NAME(rows)){x, tile, from, end, (end - from + WIDTH - 1) / WIDTH};
}

#define EACH_TILE(g, r)                                                                                                \
    for (NAME(rows) r = NAME(rows_of_tile)(g, (g)->first); r.tile < (g)->end; r = NAME(rows_of_tile)(g, r.tile + 1))

INLINE NAME(operands) NAME(operands_of)(const NAME(factors) * f, const NAME(rows) * r)
{
    return (NAME(operands)){r->x, r->x, f->rows_ld};
}

/* Clear some columns; as late as that, they stay in the first cache. */
INLINE void NAME(clear_columns)(const NAME(factors) * f, const NAME(rows) * r, int first, int last)
{
    for (int s = 0; s < r->strips; s++)
        memset((void *)(r->x + s * f->rows_ld + first), 0, (last - first) * sizeof(E));
}
INLINE void NAME(clear_block)(const NAME(factors) * f, const NAME(rows) * r, int first)
{
    NAME(clear_columns)(f, r, first, smaller(first + BLOCK_COLUMNS, f->columns));
}

/* Pieces are numbered by blocks of columns and, of each, by stretches, the one that is near last: left to right, or right
   to left. */
static int NAME(count_pieces)(const NAME(factors) * f)
{
    return f->blocks * f->stretches;
}

/* The piece of this number or the next one that there is, whose number it then is; whether there is one. */
INLINE bool NAME(find_piece)(const NAME(factors) * f, const bool leftwards, int *number, NAME(piece) * p)
{
    for (; *number < NAME(count_pieces)(f); ++*number) {
        const int block = *number / f->stretches, stretch = *number % f->stretches;
        p->first = (leftwards ? f->blocks - 1 - block : block) * BLOCK_COLUMNS;
        p->last = smaller(p->first + BLOCK_COLUMNS, f->m);
        p->k = (leftwards ? f->stretches - 1 - stretch : stretch) * STRETCH;
        p->end = smaller(p->k + STRETCH, f->m);
        p->near = p->k <= p->first && p->first < p->end;
        if (p->near || (leftwards ? p->k > p->first : p->k < p->first))
            return true;
    }
    return false;
}

/* The same, from the first one on that has to do with the group if its rows start as those of I. */
INLINE bool NAME(next_piece)(const NAME(group) * g, const bool leftwards, const bool identity, int *number,
                             NAME(piece) * p)
{
    const int last = smaller(g->end * TILE_ROWS, g->f.m) - 1;
    const int passed = leftwards ? g->f.blocks - 1 - last / BLOCK_COLUMNS : g->first * TILE_ROWS / BLOCK_COLUMNS;
    if (identity)
        *number = larger(*number, passed * g->f.stretches);
    return NAME(find_piece)(&g->f, leftwards, number, p);
}

/* Whether a task leaves off before another piece. Each call does one at least. */
INLINE bool NAME(leaves_off)(const struct matrix *matrix, bool begun)
{
    return begun && matrix->pause && matrix->pause(matrix->clock);
}

/* Columns of products, of one tile of blocks of sums, in a sweep from the first row of a group on; and in a whole one. */
INLINE double NAME(products_of_upper)(const NAME(group) * g)
{
    const double n = g->f.m - g->first * TILE_ROWS;
    return (g->end - g->first) * (n * n / (2 * TILE_COLUMNS) + n);
}
INLINE double NAME(products_of_lower)(const NAME(group) * g)
{
    const double m = g->f.m;
    return (g->end - g->first) * (m * m / (2 * TILE_COLUMNS) + m);
}

/* What a task fetches: its share of the next matrix, and its rows of the result, in sweeps of so many columns of products. */
INLINE NAME(fetches) NAME(plan_fetches)(const NAME(group) * g, double reading, double writing)
{
    const struct matrix *matrix = g->matrix;
    const int together = g->inverse.tiles_a_task, tasks = (g->inverse.tiles + together - 1) / together;
    return (NAME(fetches)){
        NAME(plan_reads)(matrix, g->first / together, tasks, reading),
        NAME(plan_writes)(matrix, g->first * TILE_ROWS, smaller(g->end * TILE_ROWS, g->f.m), writing)};
}

/* The numbers of the rows of a strip; copies of the last one have its number. */
INLINE V NAME(rows_or_last)(const NAME(factors) * f, int strip)
{
    const V rows = NAME(rows_of)(strip), last = TYPED(all)((REAL)(f->m - 1));
    return TYPED(select)(TYPED(greater)(rows, last), last, rows);
}

/* What a sweep starts from: the rows of I, whose zeros are left out, or any rows. */
enum NAME(start) { NAME(from_identity), NAME(from_any) };

/* Columns j.. of the rows y that solve Y U = I, or Y U = Y, from which the products up to k have been subtracted. */
INLINE void NAME(invert_upper_tile)(const NAME(factors) * f, const NAME(rows) * r, int k, int j,
                                    const enum NAME(start) start, const int strips)
{
    const bool diagonal = start == NAME(from_identity) && j < r->from + strips * WIDTH;
    const int end = f->m - j < TILE_COLUMNS ? f->m - j : TILE_COLUMNS;
    E sum[TILE_STRIPS][TILE_COLUMNS], *y = r->x + j;
    V row[TILE_STRIPS];
    NAME(multiply_tile)(sum, r->x, f->rows_ld, NAME(block_of)(f, j) + j, f->ld, k, j, strips);
    UNROLLED (s, 0, strips) {
        row[s] = NAME(rows_or_last)(f, r->from / WIDTH + s);
        UNROLLED (c, 0, TILE_COLUMNS)
            sum[s][c] = NAME(subtract)(y[s * f->rows_ld + c], sum[s][c]);
    }
    const REAL *u = NAME(factor_at)(f, j, j);
    UNROLLED (c, 0, TILE_COLUMNS)
        if (c < end) {
            const E inverse = NAME(broadcast_from)(f->inverse_diagonal + (j + c) * PARTS, 1);
            const V column = TYPED(all)((REAL)(j + c));
            UNROLLED (s, 0, strips) {
                E x = start == NAME(from_any)
                          ? NAME(quotient)(sum[s][c], NAME(broadcast)(NAME(element_near)(u, f->ld, c, c)))
                          : NAME(multiply)(sum[s][c], inverse);
                if (diagonal) {
                    x = NAME(select)(TYPED(equal)(row[s], column), inverse, x);
                    x = NAME(select)(TYPED(greater)(row[s], column), NAME(zero)(), x);
                }
                y[s * f->rows_ld + c] = sum[s][c] = x;
            }
            UNROLLED (q, c + 1, TILE_COLUMNS) {
                const E factor = NAME(broadcast)(NAME(element_near)(u, f->ld, c, q));
                UNROLLED (s, 0, strips)
                    sum[s][q] = NAME(subtract_product)(sum[s][q], sum[s][c], factor);
            }
        }
}

/* Rows of Y from Y U = I, or of any instead of I; whether there are all. From I, what is left of the diagonal is zero. */
INLINE bool NAME(sweep_upper_rows)(const NAME(group) * g, int *number, NAME(fetches) * fetches,
                                   const enum NAME(start) start)
{
    const NAME(factors) *f = &g->f;
    const bool identity = start == NAME(from_identity);
    NAME(piece) p;
    if (*number == 0 && identity)
        EACH_TILE (g, r)
            NAME(clear_columns)(f, &r, 0, r.from / BLOCK_COLUMNS * BLOCK_COLUMNS);
    for (bool begun = false; NAME(next_piece)(g, false, identity, number, &p); ++*number, begun = true) {
        if (NAME(leaves_off)(g->matrix, begun))
            return false;
        EACH_TILE (g, r) {
            NAME(piece) own = p;
            const int from = identity ? r.from : 0;
            own.k = larger(p.k, from);
            if (identity && p.k <= from && from < p.end)
                NAME(clear_block)(f, &r, p.first);
            if (!p.near) {
                NAME(subtract_piece)(f, NAME(operands_of)(f, &r), own, r.strips, fetches);
                continue;
            }
            for (int j = larger(p.first, from / TILE_COLUMNS * TILE_COLUMNS); j < p.last; j += TILE_COLUMNS) {
                NAME(fetch_early)(fetches, j - own.k);
                STRIPS(r.strips, NAME(invert_upper_tile), f, &r, own.k, j, start);
            }
        }
    }
    return true;
}

NOINLINE bool NAME(invert_upper_rows)(const NAME(group) * g, int *number, NAME(fetches) * fetches)
{
    return NAME(sweep_upper_rows)(g, number, fetches, NAME(from_identity));
}

/* Columns j.. of the rows w that solve W L = I, or W L = W, for the L of Cholesky's method or for U^T, from which the products
   from `end` on have been subtracted. */
INLINE void NAME(invert_lower_tile)(const NAME(factors) * f, const NAME(rows) * r, int end, int j, const bool of_upper,
                                    const enum NAME(start) start, const int strips)
{
    const int columns = f->m - j < TILE_COLUMNS ? f->m - j : TILE_COLUMNS;
    E sum[TILE_STRIPS][TILE_COLUMNS], *w = r->x + j;
    V row[TILE_STRIPS];
    if (of_upper)
        NAME(multiply_rows_tile)(sum, r->x, f->rows_ld, NAME(element_at)(f->lu, f->ld, j, 0), f->ld, f->block,
                                 j + TILE_COLUMNS, end, strips, false);
    else
        NAME(multiply_tile)(sum, r->x, f->rows_ld, NAME(block_of)(f, j) + j, f->ld, j + TILE_COLUMNS, end, strips);
    UNROLLED (s, 0, strips)
        row[s] = NAME(rows_or_last)(f, r->from / WIDTH + s);
    const REAL *factors = NAME(factor_at)(f, j, j);
    UNROLLED_DOWN (c, TILE_COLUMNS - 1, 0)
        if (c < columns) {
            const E inverse = NAME(broadcast_from)(f->inverse_diagonal + (j + c) * PARTS, 1);
            const V column = TYPED(all)((REAL)(j + c));
            UNROLLED (s, 0, strips) {
                E x = NAME(subtract)(w[s * f->rows_ld + c], sum[s][c]);
                x = !of_upper ? NAME(scale)(x, inverse.re)
                    : start == NAME(from_any)
                        ? NAME(quotient)(x, NAME(broadcast)(NAME(element_near)(factors, f->ld, c, c)))
                        : NAME(multiply)(x, inverse);
                if (start == NAME(from_identity) && j + TILE_COLUMNS > r->from) {
                    x = NAME(select)(TYPED(equal)(row[s], column), inverse, x);
                    x = NAME(select)(TYPED(greater)(column, row[s]), NAME(zero)(), x);
                }
                w[s * f->rows_ld + c] = sum[s][c] = x;
            }
            UNROLLED (q, 0, c) {
                const E l = NAME(broadcast)(of_upper ? NAME(element_near)(factors, f->ld, q, c)
                                                     : NAME(element_near)(factors, f->ld, c, q));
                UNROLLED (s, 0, strips)
                    sum[s][q] = NAME(add_product)(sum[s][q], sum[s][c], l);
            }
        }
}

/* Rows of W; whether there are all. */
INLINE bool NAME(sweep_lower_rows)(const NAME(group) * g, int *number, const bool of_upper,
                                   const enum NAME(start) start)
{
    const bool identity = start == NAME(from_identity);
    const NAME(factors) *f = &g->f;
    NAME(fetches) none = {{NULL}, {NULL}};
    NAME(piece) p;
    for (bool begun = false; NAME(next_piece)(g, true, identity, number, &p); ++*number, begun = true) {
        if (NAME(leaves_off)(g->matrix, begun))
            return false;
        EACH_TILE (g, r) {
            NAME(piece) own = p;
            const int end = identity ? r.end : f->m;
            own.last = smaller(p.last, end);
            own.end = smaller(p.end, end);
            if (identity && p.k < end && end <= p.end)
                NAME(clear_block)(f, &r, p.first);
            if (!p.near && of_upper)
                NAME(subtract_rows_piece)(f, NAME(operands_of)(f, &r), own, false, r.strips);
            else if (!p.near)
                NAME(subtract_piece)(f, NAME(operands_of)(f, &r), own, r.strips, &none);
            else
                for (int j = (own.last - 1) / TILE_COLUMNS * TILE_COLUMNS; j >= p.first; j -= TILE_COLUMNS)
                    STRIPS(r.strips, NAME(invert_lower_tile), f, &r, own.end, j, of_upper, start);
        }
    }
    return true;
}

INLINE bool NAME(invert_lower_rows)(const NAME(group) * g, int *number, const bool of_upper)
{
    return NAME(sweep_lower_rows)(g, number, of_upper, NAME(from_identity));
}

/* Columns of Y from U Y = I, as the rows of W = Y^T; whether there are all. */
NOINLINE bool NAME(invert_upper_columns)(const NAME(group) * g, int *number)
{
    return NAME(invert_lower_rows)(g, number, true);
}

/* Rows of W become columns of V = W^H, or of V = W^T. */
INLINE void NAME(keep_columns)(const NAME(group) * g, const bool conjugate)
{
    const NAME(factors) *f = &g->f;
    EACH_TILE (g, r)
        for (int s = 0; s < r.strips; s++)
            for (int j = 0; j < r.from + r.strips * WIDTH; j += WIDTH) {
                V part[PARTS][WIDTH];
                UNROLLED (e, 0, WIDTH) { /* rows beyond the last are its copies */
                    const E x = r.x[s * f->rows_ld + smaller(j + e, f->m - 1)];
                    const E y = conjugate ? NAME(conjugate)(x) : x;
                    UNROLLED (p, 0, PARTS)
                        part[p][e] = ((const V *)&y)[p];
                }
                UNROLLED (p, 0, PARTS)
                    TYPED(transpose)(part[p], WIDTH);
                UNROLLED (e, 0, WIDTH)
                    UNROLLED (p, 0, PARTS)
                        ((V *)(g->inverse.v + j / WIDTH * f->rows_ld + r.from + s * WIDTH + e))[p] = part[p][e];
            }
}

/* Columns j.. of the rows x that solve X L = Y, from which the products from `end` on have been subtracted. */
INLINE void NAME(solve_lower_tile)(const NAME(factors) * f, E *x, int end, int j, const int strips)
{
    E sum[TILE_STRIPS][TILE_COLUMNS];
    const int columns = f->m - j < TILE_COLUMNS ? f->m - j : TILE_COLUMNS;
    NAME(multiply_tile)(sum, x, f->rows_ld, NAME(block_of)(f, j) + j, f->ld, j + TILE_COLUMNS, end, strips);
    const REAL *factors = NAME(factor_at)(f, j, j);
    UNROLLED_DOWN (c, TILE_COLUMNS - 1, 0)
        if (c < columns) {
            UNROLLED (s, 0, strips) {
                E *at = x + s * f->rows_ld + j + c;
                sum[s][c] = NAME(subtract)(*at, sum[s][c]);
                *at = NAME(add)(sum[s][c], NAME(zero)()); /* no negative zeros, as in NumPy's result */
            }
            UNROLLED (q, 0, c) {
                const E l = NAME(broadcast)(NAME(element_near)(factors, f->ld, c, q));
                UNROLLED (s, 0, strips)
                    sum[s][q] = NAME(add_product)(sum[s][q], sum[s][c], l);
            }
        }
}

INLINE void NAME(exchange_back)(const NAME(factors) * f, const NAME(rows) * r, int first, int last)
{
    for (int s = 0; s < r->strips; s++) {
        E *x = r->x + s * f->rows_ld;
        for (int j = last - 1; j >= first; j--) {
            E *other = x + f->pivots[j];
            const E y = x[j];
            x[j] = *other;
            *other = y;
        }
    }
}

/* Rows X from X L = Y, of which the group holds Y, and the exchanges of columns; whether there are all. */
NOINLINE bool NAME(solve_lower_rows)(const NAME(group) * g, int *number, NAME(fetches) * fetches)
{
    const NAME(factors) *f = &g->f;
    NAME(piece) p;
    for (bool begun = false; NAME(find_piece)(f, true, number, &p); ++*number, begun = true) {
        if (NAME(leaves_off)(g->matrix, begun))
            return false;
        EACH_TILE (g, r) {
            if (!p.near) {
                NAME(subtract_piece)(f, NAME(operands_of)(f, &r), p, r.strips, fetches);
                continue;
            }
            for (int j = (p.last - 1) / TILE_COLUMNS * TILE_COLUMNS; j >= p.first; j -= TILE_COLUMNS) {
                NAME(fetch_early)(fetches, p.end - j);
                STRIPS(r.strips, NAME(solve_lower_tile), f, r.x, p.end, j);
            }
            NAME(exchange_back)(f, &r, p.first, p.last);
        }
    }
    return true;
}
