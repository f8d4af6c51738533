/* SPDX-License-Identifier: BSD-3-Clause */
/* The lanes engine for general matrices.

   The method is LAPACK's: getrf, then the inverse from the factors as in getri (N. J. Higham, Accuracy and Stability of
   Numerical Algorithms, 2nd ed., 2002, chapter 14). Each element of a factor is calculated as a sum over all that was
   calculated before it, which is subtracted once (left-looking, or Crout's order). */

/* Up to this order factors are rounded as by OpenBLAS's kernels for the same processors, so that NumPy finds the same
   matrices singular: its getf2. APART, of the instruction set, says how its products are rounded. */
#define AS_OPENBLAS 5

/* What all steps work on. */
typedef struct {
    E *t;                         /* the tile: A, then L and U, then what is made of them */
    ptrdiff_t ld;                 /* from row to row of it */
    E *sums;                      /* what is pending for the columns of a panel, then as many columns of L */
    int ls;                       /* from row to row of those */
    E *column, *inverse_diagonal; /* the column at hand, and that of 1 / U[i, i] */
    VI *order;                    /* that of the rows of A, in each lane */
    E *solutions;                 /* some columns of them */
} NAME(lu_work);

/* Rows i.. of the panel at column k become rows of U: those above the panel's own. */
INLINE void NAME(above)(E *t, ptrdiff_t ld, int i, int k, const int rows, const int columns)
{
    E sum[SMALL][SMALL];
    CLEAR(sum, rows, columns);
    NAME(add_products)(sum, rows, columns, t + i * ld, ld, 1, t + k, ld, i);
    UNROLLED (r, 0, rows)
        UNROLLED (c, 0, columns) {
            E *u = t + (i + r) * ld + k + c;
            UNROLLED (q, 0, r)
                sum[r][c] = NAME(add_product)(sum[r][c], t[(i + r) * ld + i + q], t[(i + q) * ld + k + c]);
            *u = NAME(subtract)(*u, sum[r][c]);
        }
}

/* The other rows of the panel: what the columns to the left contribute, not yet subtracted. */
INLINE void NAME(below)(E *sums, const int ls, const E *t, ptrdiff_t ld, int i, int k, const int rows,
                        const int columns)
{
    E sum[SMALL][SMALL];
    CLEAR(sum, rows, columns);
    NAME(add_products)(sum, rows, columns, t + i * ld, ld, 1, t + k, ld, k);
    UNROLLED (r, 0, rows)
        UNROLLED (c, 0, columns)
            sums[(i + r) * ls + c] = sum[r][c];
}

/* Exchange x with each y[n * step] in the lanes of mask[n]. */
#define DEFINE_EXCHANGE(name, TYPE, SELECT)                                                                            \
    INLINE void name(TYPE *x, TYPE *y, ptrdiff_t step, const VM *mask, const int rows)                                 \
    {                                                                                                                  \
        const TYPE before = *x;                                                                                        \
        TYPE after = before;                                                                                           \
        UNROLLED (n, 0, rows) {                                                                                        \
            const TYPE other = y[n * step];                                                                            \
            y[n * step] = SELECT(mask[n], before, other);                                                              \
            after = SELECT(mask[n], other, after);                                                                     \
        }                                                                                                              \
        *x = after;                                                                                                    \
    }
DEFINE_EXCHANGE(NAME(exchange_elements), E, NAME(select))
DEFINE_EXCHANGE(NAME(exchange_integers), VI, TYPED(select_integer))

/* Rows `from` to from + rows - 1, none before `first`, exchanged with row k in the lanes that chose them for pivot. */
INLINE void NAME(exchange_rows)(const NAME(lu_work) * w, int width, int k, int from, const int rows, int first,
                                const int begin, const int end, VI pivot)
{
    const ptrdiff_t ld = w->ld;
    const int ls = w->ls;
    VM mask[SMALL];
    UNROLLED (n, 0, rows)
        mask[n] = TYPED(same)(pivot, TYPED(integer)(from + n < first ? -1 : from + n));
    NAME(exchange_integers)(w->order + k, w->order + from, 1, mask, rows);
    NAME(exchange_elements)(w->column + k, w->column + from, 1, mask, rows);
    UNROLLED (c, begin, end)
        NAME(exchange_elements)(w->sums + k * ls + c, w->sums + from * ls + c, ls, mask, rows);
    for (int j = 0; j < width; j++)
        NAME(exchange_elements)(w->t + k * ld + j, w->t + from * ld + j, ld, mask, rows);
}

INLINE void NAME(exchange_columns)(V *top, char *const *at, int count)
{
    for (int j = 0; j < count; j++) {
        V other;
        TYPED(gather)(&other, at, j * (ptrdiff_t)sizeof(V), 1, false);
        for (int l = 0; l < WIDTH; l++)
            *(REAL *)(at[l] + j * (ptrdiff_t)sizeof(V)) = ((REAL *)(top + j))[l];
        top[j] = other;
    }
}

/* Row k exchanged with the row that each lane chose for pivot, lane by lane. */
NOINLINE void NAME(exchange_lanes)(const NAME(lu_work) w, int width, int k, const int begin, const int end, VI pivot)
{
    INTEGER chosen[WIDTH], moved = 0;
    memcpy(chosen, &pivot, sizeof chosen);
    for (int l = 0; l < WIDTH; l++)
        moved |= chosen[l] ^ k;
    if (!moved)
        return;
    char *at[WIDTH];
    for (int l = 0; l < WIDTH; l++) {
        const ptrdiff_t row = chosen[l];
        INTEGER *first = (INTEGER *)(w.order + k) + l, *other = (INTEGER *)(w.order + row) + l, before = *first;
        *first = *other;
        *other = before;
        at[l] = (char *)(w.t + row * w.ld) + l * sizeof(REAL);
    }
    NAME(exchange_columns)((V *)(w.t + k * w.ld), at, width * PARTS);
    for (int l = 0; l < WIDTH; l++)
        at[l] = (char *)(w.column + chosen[l]) + l * sizeof(REAL);
    NAME(exchange_columns)((V *)(w.column + k), at, PARTS);
    for (int l = 0; l < WIDTH; l++)
        at[l] = (char *)(w.sums + chosen[l] * w.ls + begin) + l * sizeof(REAL);
    NAME(exchange_columns)((V *)(w.sums + k * w.ls + begin), at, (end - begin) * PARTS);
}

/* Exchange row k with the row that each lane chose for pivot: in the tile's first `width` columns, in the column at
   hand, in the pending sums of columns from `begin` to end - 1, and in the order. */
INLINE void NAME(exchange)(const NAME(lu_work) * w, const int m, int width, int k, const int begin, const int end,
                           VI pivot)
{
    if (m <= SMALL)
        NAME(exchange_rows)(w, width, k, k + 1, m - 1 - k, 0, begin, end, pivot);
    else if (m - 1 - k > FEW_ROWS)
        NAME(exchange_lanes)(*w, width, k, begin, end, pivot);
    else
        for (int first = k + 1; first < m; first += 4)
            NAME(exchange_rows)(w, width, k, first < m - 4 ? first : m - 4, 4, first, begin, end, pivot);
}

/* What the columns to the left of the panel contribute; there are none where one block is the whole matrix. */
INLINE E NAME(pending)(const E *sums, const int ls, const int m, int i, const int c)
{
    return m <= SMALL ? NAME(zero)() : sums[i * ls + c];
}

/* x less the products of a row of L and a column of U, rounded as OpenBLAS's getf2 does: their sum is subtracted, or
   one after the other. */
INLINE E NAME(less_products)(E x, const E *l, const E *u, const int count, const bool one_by_one, const bool apart)
{
    E sum = NAME(zero)();
    UNROLLED (q, 0, count) {
        if (one_by_one)
            x = NAME(subtract)(x, NAME(product)(u[q], l[q], apart));
        else if (q == 0)
            sum = NAME(product)(l[q], u[q], apart || PARTS == 1);
        else
            sum = NAME(add)(sum, NAME(product)(l[q], u[q], apart));
    }
    return one_by_one || count == 0 ? x : NAME(subtract)(x, sum);
}

/* The columns of a panel, one after the other: what they contribute to each other, pivots, exchanges, scaling. `width`
   columns are in the tile already. */
INLINE void NAME(panel)(const NAME(lu_work) * w, const struct tile *tile, const int m, int width, int k, VI *info,
                        ptrdiff_t *fetched, const int columns)
{
    E *t = w->t, *column = w->column;
    const ptrdiff_t ld = w->ld;
    const bool as_openblas = m <= SMALL && m <= AS_OPENBLAS;
    UNROLLED (c, 0, columns) {
        E u[SMALL];
        UNROLLED (q, 0, c) {
            E x = t[(k + q) * ld + k + c];
            if (as_openblas)
                x = NAME(less_products)(x, t + q * ld, u, q, PARTS == 2, APART);
            else {
                E sum = NAME(pending)(w->sums, w->ls, m, k + q, c);
                UNROLLED (p, 0, q)
                    sum = NAME(add_product)(sum, t[(k + q) * ld + k + p], u[p]);
                x = NAME(subtract)(x, sum);
            }
            u[q] = t[(k + q) * ld + k + c] = x;
        }
        if (m <= SMALL)
            NAME(fetch)(tile, m, (m * PARTS * (int)sizeof(REAL) + 63) / 64, fetched);
        const int top = k + c;
        /* The first of the largest; in a column with NaN any, as long as its pivot does not count as zero. */
        V largest = TYPED(all)(0);
        VI seen = TYPED(integer)(0), row = TYPED(integer)(top), number = row;
        E pivot = NAME(zero)();
        for (int i = top; i < m; i++) {
            E x = t[i * ld + top];
            if (as_openblas) /* its kernel for four rows rounds all products */
                x = NAME(less_products)(x, t + i * ld, u, c, false, APART || m - c == 4);
            else {
                E sum = NAME(pending)(w->sums, w->ls, m, i, c);
                UNROLLED (q, 0, c)
                    sum = NAME(add_product)(sum, t[i * ld + k + q], u[q]);
                x = NAME(subtract)(x, sum);
            }
            column[i] = x;
            if (i == top)
                pivot = x;
            const V size = NAME(size)(x);
            const VM larger = TYPED(greater)(size, largest);
            row = TYPED(select_integer)(larger, m <= SMALL ? TYPED(integer)(i) : number, row);
            pivot = NAME(select)(larger, x, pivot);
            seen |= TYPED(bits)(size);
            largest = TYPED(larger)(size, largest);
            number += TYPED(integer)(1);
        }
        NAME(exchange)(w, m, width, top, m <= SMALL ? columns : c + 1, columns, row);

        VM singular = TYPED(same)(seen, TYPED(integer)(0)) & TYPED(same)(*info, TYPED(integer)(0));
        *info = TYPED(select_integer)(singular, TYPED(integer)(top + 1), *info);
        t[top * ld + top] = pivot;
        /* As LAPACK does, guard against a reciprocal that overflows. Where every operation waits for the one before, it is left
           out if no lane needs it. */
        const VM tiny = TYPED(greater)(TYPED(all)(SAFE_MINIMUM), largest);
        const bool guarded = !as_openblas || TYPED(holds)(tiny);
        const V scale = guarded ? TYPED(select)(tiny, TYPED(all)(0x1p64f), TYPED(all)(1)) : TYPED(all)(1);
        const E inverse = NAME(reciprocal)(guarded ? NAME(scale)(pivot, scale) : pivot);
        w->inverse_diagonal[top] = guarded ? NAME(scale)(inverse, scale) : inverse;
        for (int i = top + 1; i < m; i++) {
            const E x = guarded ? NAME(scale)(column[i], scale) : column[i];
            t[i * ld + top] = as_openblas ? NAME(product)(x, inverse, true) : NAME(multiply)(x, inverse);
        }
    }
}

/* The columns of L at k, out of the tile. */
INLINE void NAME(take_lower)(const NAME(lu_work) * w, const int m, int k, const int columns)
{
    E *t = w->t, *l = w->sums;
    const ptrdiff_t ld = w->ld;
    const int ls = w->ls;
    UNROLLED (r, 1, columns)
        UNROLLED (c, 0, r) {
            l[(k + r) * ls + c] = t[(k + r) * ld + k + c];
            t[(k + r) * ld + k + c] = NAME(zero)();
        }
    for (int i = k + columns; i < m; i++)
        UNROLLED (c, 0, columns) {
            l[i * ls + c] = t[i * ld + k + c];
            t[i * ld + k + c] = NAME(zero)();
        }
}

/* From a block of the inverse of U what eight columns of Z to its right, up to `end`, contribute. */
INLINE void NAME(subtract_products)(E *t, ptrdiff_t ld, const E *l, const int ls, int end, int i, int k, const int rows,
                                    const int columns)
{
    E sum[SMALL][SMALL];
    CLEAR(sum, rows, columns);
    NAME(add_products)(sum, rows, columns, t + i * ld + end - 1, ld, -1, l + (end - 1) * ls, -ls, 8);
    UNROLLED (r, 0, rows)
        UNROLLED (c, 0, columns)
            t[(i + r) * ld + k + c] = NAME(subtract)(t[(i + r) * ld + k + c], sum[r][c]);
}

/* As subtract_products, eight columns at a time, until at most eight remain to the right of the block; the first column
   that is left. Short sums keep the right residual of Z L = Y small, which symmetric results need: theirs are both. */
NOINLINE int NAME(subtract_far_products)(E *t, ptrdiff_t ld, const E *l, const int ls, int m, int i, int k, int rows,
                                         int columns)
{
    int end = m;
    for (; m > SMALL && end - (k + columns) > 8; end -= 8)
        BY_SIZE(m, rows, columns, NAME(subtract_products), t, ld, l, ls, end, i, k);
    return end;
}

/* A block of the Z that solves Z L = inverse of U, from those to its right. */
INLINE void NAME(solve_lower)(const NAME(lu_work) * w, const int m, const bool symmetric, int i, int k, const int rows,
                              const int columns)
{
    E *t = w->t;
    const E *l = w->sums;
    const ptrdiff_t ld = w->ld;
    const int ls = w->ls;
    const int end = m > SMALL && symmetric ? NAME(subtract_far_products)(t, ld, l, ls, m, i, k, rows, columns) : m;
    E sum[SMALL][SMALL], z[SMALL][SMALL];
    CLEAR(sum, rows, columns);
    NAME(add_products)(sum, rows, columns, t + i * ld + end - 1, ld, -1, l + (end - 1) * ls, -ls, end - (k + columns));
    UNROLLED_DOWN (c, columns - 1, 0)
        UNROLLED (r, 0, rows) {
            UNROLLED_DOWN (q, columns - 1, c + 1)
                sum[r][c] = NAME(add_product)(sum[r][c], z[r][q], l[(k + q) * ls + c]);
            z[r][c] = NAME(subtract)(t[(i + r) * ld + k + c], sum[r][c]);
        }
    UNROLLED (r, 0, rows)
        UNROLLED (c, 0, columns)
            t[(i + r) * ld + k + c] = NAME(add)(z[r][c], NAME(zero)()); /* no negative zeros, as in NumPy's result */
}

/* Whether columns are put in order in the tile: where it is in registers, or masks make that cheap and a row is too short for
   move_in_order to permute it. */
#define ORDERED_IN_TILE(m) ((m) <= IN_REGISTERS || (VECTOR_BYTES == 64 && WIDTH == 8 && (m) * PARTS < WIDTH))

/* Column k of Z belongs at order[k]. */
INLINE void NAME(put_in_order)(E *t, const VI *order, const int m)
{
    E z[SMALL * SMALL];
    for (int n = 0; n < m * m; n++)
        z[n] = t[n];
    for (int c = 0; c < m; c++)
        for (int i = 0; i < m; i++) {
            E x = z[i * m];
            for (int k = 1; k < m; k++)
                x = NAME(select)(TYPED(same)(order[k], TYPED(integer)(c)), z[i * m + k], x);
            t[i * m + c] = x;
        }
}

/* The matrices of a tile become P A = L U, without the diagonal of L, which is 1; LAPACK's info. The 1-norm of A is found if
   anybody asked for the condition. `m` is a constant where it is small; so many cache lines are fetched for each block. */
INLINE VI NAME(lu_factor)(const NAME(lu_work) * w, const struct tile *tile, const int m, const int lines,
                          ptrdiff_t *fetched, V *a_norm)
{
    const bool a_other = tile->a_single != (sizeof(REAL) == 4);
    const int blocks = BLOCKS(m);
    VI info = TYPED(integer)(0);
    int width = 0; /* columns that are in the tile already */

    *a_norm = TYPED(all)(0);
    for (int i = 0; i < m; i++)
        w->order[i] = TYPED(integer)(i);
    for (int b = 0; b < blocks; b++) {
        const int k = START(b, m, blocks), columns = HEIGHT(b, m, blocks);
        while (width < k + columns) {
            const int first = width;
            width = NAME(read)(w->t, w->ld, m, w->order, first, tile, a_other);
            if (tile->symmetry)
                NAME(mirror)(w->t, w->ld, m, tile->symmetry == STACKINV_SELF_ADJOINT);
            if (tile->rcond)
                *a_norm = TYPED(maximum)(NORM1(w->t, w->ld, 1, m, first, width), *a_norm);
        }
        for (int i = 0; i < b; i++) {
            NAME(fetch)(tile, m, lines, fetched);
            BY_SIZE(m, HEIGHT(i, m, blocks), columns, NAME(above), w->t, w->ld, START(i, m, blocks), k);
        }
        for (int i = b; i < blocks && m > SMALL; i++) {
            NAME(fetch)(tile, m, lines, fetched);
            BY_SIZE(m, HEIGHT(i, m, blocks), columns, NAME(below), w->sums, w->ls, w->t, w->ld, START(i, m, blocks), k);
        }
        BY_COLUMNS(m, columns, NAME(panel), w, tile, m, width, k, &info, fetched);
    }
    return info;
}

INLINE void NAME(lu_determinants)(const NAME(lu_work) * w, const struct tile *tile, const int m, VI info)
{
    const enum NAME(diagonal_kind) kind =
        tile->symmetry == STACKINV_SELF_ADJOINT ? NAME(of_real_product) : NAME(of_pivots);
    const VI odd = NAME(odd_orders)(w->order, m);
    NAME(diagonal_determinants)(tile, w->t, w->ld, m, odd, info, kind);
}

/* Solve the systems by the factors; y has room for SOLVED_NUMBERS(m). */
INLINE void NAME(lu_solve)(const NAME(lu_work) * w, const struct tile *tile, const int m, E *y)
{
    if (m <= IN_REGISTERS && NAME(solves_vector)(tile)) {
        NAME(solve_vector)(tile, m, w->t, w->order);
        return;
    }
    E copy[SMALL * SMALL]; /* a tile in registers is to stay there: nothing may take its address */
    for (int n = 0; m <= SMALL && n < m * m; n++)
        copy[n] = w->t[n];
    const E *t = m <= SMALL ? copy : w->t;
    const NAME(triangle) triangles[] = {
        {.t = t, .row = w->ld, .column = 1, .kind = NAME(unit)},
        {.t = t, .row = w->ld, .column = 1, .upper = true, .kind = NAME(divisors), .diagonal = t, .step = w->ld + 1}};
    NAME(solve_systems)(tile, m, triangles, 2, w->order, y);
}

/* The factors become the inverse, but for the order of its columns. */
INLINE void NAME(lu_invert)(const NAME(lu_work) * w, const struct tile *tile, const int m, const int lines,
                            ptrdiff_t *fetched)
{
    const int blocks = BLOCKS(m);
    /* From U Y = I both residuals of the whole are small for ill-conditioned matrices too, but they grow faster with its
       order than from Y U = I, as in getri. Symmetric matrices, for the mean of whose inverse and its transpose both
       count, are always inverted the first way. */
    if (m <= SMALL)
        NAME(invert_factor)(tile, m, w->ld, w->t, w->inverse_diagonal, false, lines, fetched);
    else
        NAME(invert_large_factor)(tile, m, w->ld, w->t, w->inverse_diagonal, m > MEDIUM && !tile->symmetry, lines,
                                  fetched);
    for (int b = blocks - 1; b >= 0; b--) {
        const int k = START(b, m, blocks), columns = HEIGHT(b, m, blocks);
        BY_COLUMNS(m, columns, NAME(take_lower), w, m, k);
        for (int i = 0; i < blocks; i++) {
            if (m > SMALL)
                NAME(fetch)(tile, m, lines, fetched);
            BY_SIZE(m, HEIGHT(i, m, blocks), columns, NAME(solve_lower), w, m, tile->symmetry, START(i, m, blocks), k);
        }
    }
}

/* The inverse with its columns in order, to the user's memory. */
INLINE void NAME(lu_write)(const NAME(lu_work) * w, const struct tile *tile, const int m)
{
    const bool other = tile->out_single != (sizeof(REAL) == 4);
    if (m <= SMALL && ORDERED_IN_TILE(m)) {
        NAME(put_in_order)(w->t, w->order, m);
        NAME(move)(w->t, w->ld, m, tile->out, tile->out_row, tile->out_column, true, other);
    } else if (other)
        NAME(move_in_order)(w->t, w->ld, m, w->order, (ptrdiff_t *)w->sums, tile, true);
    else
        NAME(move_in_order)(w->t, w->ld, m, w->order, (ptrdiff_t *)w->sums, tile, false);
}

/* Invert the matrices of a tile, or solve their systems; whether one of them is singular. */
INLINE bool NAME(lu_tile)(struct tile *tile, const int m, const NAME(lu_work) * w, const bool solving)
{
    /* The lines of a matrix by the number of blocks that are calculated. */
    const int blocks = BLOCKS(m);
    const int steps = (tile->inverse ? 5 : 2) * blocks * blocks;
    const int lines = (int)((ptrdiff_t)m * m * PARTS * sizeof(REAL) / 64) * 2 / steps + 1;
    ptrdiff_t fetched = 0;
    V a_norm;
    const VI info = NAME(lu_factor)(w, tile, m, lines, &fetched, &a_norm);
    if (tile->determinants)
        NAME(lu_determinants)(w, tile, m, info);
    if (solving && tile->columns) {
        E few[SOLVED_NUMBERS(SMALL)];
        NAME(lu_solve)(w, tile, m, m <= SMALL ? few : w->solutions);
    }
    if (!tile->inverse || (solving && m <= IN_REGISTERS))
        return NAME(note_info)(tile, info);
    NAME(lu_invert)(w, tile, m, lines, &fetched);
    const bool singular = NAME(finish)(tile, w->t, w->ld, m, a_norm, info);
    NAME(lu_write)(w, tile, m);
    return singular;
}

#define DEFINE_LU_FUNCTION(name, M, solving)                                                                           \
    static bool NAME(name##_##M)(struct tile * tile)                                                                   \
    {                                                                                                                  \
        E t[M * M], sums[M * M], column[M], inverse_diagonal[M];                                                       \
        VI order[M];                                                                                                   \
        const NAME(lu_work) work = {t, M, sums, M, column, inverse_diagonal, order, NULL};                             \
        return NAME(lu_tile)(tile, M, &work, solving);                                                                 \
    }
#define DEFINE_LU(M) DEFINE_LU_FUNCTION(lu, M, M > IN_REGISTERS)
#define DEFINE_LU_SYSTEMS(M) DEFINE_LU_FUNCTION(lu_systems, M, true)
SMALL_ORDERS(DEFINE_LU)
ORDERS_IN_REGISTERS(DEFINE_LU_SYSTEMS)

static size_t NAME(lu_work_size)(int m)
{
    return m <= SMALL ? 0
                      : ((size_t)m * NAME(leading)(m) + (size_t)m * BLOCK + 2 * (size_t)m + SOLVED_NUMBERS((size_t)m)) *
                                sizeof(E) +
                            m * sizeof(VI);
}

static bool NAME(lu_of_order)(struct tile *tile)
{
    const int m = tile->m;
    switch (tile->columns ? m : 0) {
        CASES_IN_REGISTERS(lu_systems, tile)
    }
    switch (m) {
        SMALL_CASES(lu, tile)
    }
    NAME(lu_work) work = {.t = (E *)tile->work, .ld = NAME(leading)(m), .ls = BLOCK};
    work.sums = work.t + m * work.ld;
    work.column = work.sums + m * BLOCK;
    work.inverse_diagonal = work.column + m;
    work.solutions = work.inverse_diagonal + m;
    work.order = (VI *)(work.solutions + SOLVED_NUMBERS(m));
    return NAME(lu_tile)(tile, m, &work, true);
}

DEFINE_INVERT(lu)
