/* SPDX-License-Identifier: BSD-3-Clause */
/* The lanes engine: X from A X = B by the factors of A in a tile, some columns of B at a time.

   Included once for each type, after lanes-inl.h and before the methods. Each row is completed by all rows that it needs.
   Substitution is backward stable whatever their order (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd
   ed., 2002, chapter 8). Numbers are divided by the diagonal of U, as by LAPACK's getrs, rather than multiplied by its
   reciprocal: small integers come out exactly. */

/* Columns that are solved at a time, 4 numbers of a row; and rows, as many as there are registers for. */
#define SOLVED_COLUMNS (4 / PARTS)
#define SOLVED_ROWS (VECTOR_BYTES == 64 ? 4 : 2)

/* A triangle: element (i, j) at t[i * row + j * column], or its conjugate, and how its diagonal is used. */
typedef struct {
    const E *t;
    ptrdiff_t row, column;
    bool upper, conjugate;
    enum { NAME(unit), NAME(divisors), NAME(factors_of_rows) } kind;
    const E *diagonal; /* element i at diagonal[i * step] */
    ptrdiff_t step;
} NAME(triangle);

/* x / d. */
INLINE E NAME(quotient)(E x, E d)
{
#if PARTS == 1
    return (E){x.re / d.re};
#else /* as LAPACK does, guard against a reciprocal that overflows */
    const VM tiny = TYPED(greater)(TYPED(all)(SAFE_MINIMUM), NAME(size)(d));
    const V scale = TYPED(select)(tiny, TYPED(all)(0x1p64f), TYPED(all)(1));
    return NAME(multiply)(NAME(scale)(x, scale), NAME(reciprocal)(NAME(scale)(d, scale)));
#endif
}

/* One product at a time, each with one rounding where there is FMA. */
INLINE E NAME(subtract_term)(E x, E factor, E y, const bool conjugate)
{
    return conjugate ? NAME(subtract_product_conjugate)(x, y, factor) : NAME(subtract_product)(x, factor, y);
}

/* Rows i to i + rows - 1 of Y, once there are all rows before them, or after them of an upper triangle. */
INLINE void NAME(substitute_rows)(const NAME(triangle) * a, E *y, int m, int i, const bool upper, const bool conjugate,
                                  const int rows, const int columns)
{
    E x[SOLVED_ROWS][SOLVED_COLUMNS];
    UNROLLED (r, 0, rows)
        UNROLLED (c, 0, columns)
            x[r][c] = y[(i + r) * columns + c];
    const int last = upper ? m : i;
    for (int j = upper ? i + rows : 0; j < last; j++)
        UNROLLED (r, 0, rows) {
            const E factor = a->t[(i + r) * a->row + j * a->column];
            UNROLLED (c, 0, columns)
                x[r][c] = NAME(subtract_term)(x[r][c], factor, y[j * columns + c], conjugate);
        }
    UNROLLED (n, 0, rows) {
        const int r = upper ? rows - 1 - n : n;
        E *own = y + (i + r) * columns;
        UNROLLED (q, upper ? r + 1 : 0, upper ? rows : r) {
            const E factor = a->t[(i + r) * a->row + (i + q) * a->column];
            UNROLLED (c, 0, columns)
                x[r][c] = NAME(subtract_term)(x[r][c], factor, y[(i + q) * columns + c], conjugate);
        }
        UNROLLED (c, 0, columns) {
            own[c] = a->kind == NAME(unit)       ? x[r][c]
                     : a->kind == NAME(divisors) ? NAME(quotient)(x[r][c], a->diagonal[(i + r) * a->step])
                                                 : NAME(scale)(x[r][c], a->diagonal[(i + r) * a->step].re);
        }
    }
}

/* Y becomes the solution of T Y = Y. */
INLINE void NAME(substitute_in)(const NAME(triangle) * a, E *y, int m, const bool upper, const bool conjugate,
                                const int columns)
{
    const int whole = m / SOLVED_ROWS;
    for (int n = 0; n < whole; n++)
        NAME(substitute_rows)(a, y, m, upper ? m - (n + 1) * SOLVED_ROWS : n * SOLVED_ROWS, upper, conjugate,
                              SOLVED_ROWS, columns);
    for (int n = whole * SOLVED_ROWS; n < m; n++)
        NAME(substitute_rows)(a, y, m, upper ? m - 1 - n : n, upper, conjugate, 1, columns);
}

INLINE void NAME(substitute)(const NAME(triangle) * a, E *y, int m, const int columns)
{
    if (!a->upper)
        NAME(substitute_in)(a, y, m, false, false, columns);
    else if (PARTS == 2 && a->conjugate)
        NAME(substitute_in)(a, y, m, true, true, columns);
    else
        NAME(substitute_in)(a, y, m, true, false, columns);
}

/* Row i of the right-hand sides, in each lane row order[i] of the user's, or row i if there is no order: some of its numbers, from
   column `first` on. */
INLINE void NAME(move_right_row)(E *y, const struct tile *tile, int i, const VI *order, int first, const int columns,
                                 const bool other)
{
    const ptrdiff_t size = (other ? sizeof(OTHER) : sizeof(REAL)) * PARTS;
    char *at[WIDTH];
    for (int l = 0; l < WIDTH; l++)
        at[l] = (char *)tile->right[l] + (order ? TYPED(get_integer)(order[i], l) : i) * tile->right_row +
                first * tile->right_column;
    if (columns > 1 && tile->right_column == size)
        NAME(move_line)((V *)y, PARTS, at, 0, columns * PARTS, false, other);
    else
        for (int c = 0; c < columns; c++)
            NAME(move_line)((V *)(y + c), PARTS, at, c * tile->right_column, PARTS, false, other);
}

/* All numbers of some columns of the solutions. */
INLINE void NAME(move_solutions)(E *x, int m, const struct tile *tile, int first, const int columns, const bool other)
{
    const ptrdiff_t size = (other ? sizeof(OTHER) : sizeof(REAL)) * PARTS;
    const ptrdiff_t row = tile->solution_row, column = tile->solution_column;
    char *at[WIDTH];
    for (int l = 0; l < WIDTH; l++)
        at[l] = tile->solution[l] + first * column;
    if (NAME(lie_across)(at, size))
        for (int i = 0; i < m; i++)
            for (int c = 0; c < columns; c++)
                NAME(move_across)(x + i * columns + c, at[0] + i * row + c * column, true, other);
    else if (row == size)
        NAME(move_lines)(x, 1, columns, columns, at, 0, column, m, true, other);
    else
        for (int i = 0; i < m; i++)
            NAME(move_lines)(x + i * columns, 1, 1, columns > 1 && column == size ? 1 : columns, at, i * row, column,
                             columns > 1 && column == size ? columns : 1, true, other);
}

NOINLINE void NAME(read_right_sides)(E *y, int m, const struct tile *tile, const VI *order, int first, int columns)
{
    const bool other = tile->right_single != (sizeof(REAL) == 4);
    for (int i = 0; i < m; i++, y += columns)
        if (columns == SOLVED_COLUMNS && other)
            NAME(move_right_row)(y, tile, i, order, first, SOLVED_COLUMNS, true);
        else if (columns == SOLVED_COLUMNS)
            NAME(move_right_row)(y, tile, i, order, first, SOLVED_COLUMNS, false);
        else if (other)
            NAME(move_right_row)(y, tile, i, order, first, 1, true);
        else
            NAME(move_right_row)(y, tile, i, order, first, 1, false);
}

NOINLINE void NAME(write_solutions)(E *x, int m, const struct tile *tile, int first, int columns)
{
    if (tile->solution_single != (sizeof(REAL) == 4))
        NAME(move_solutions)(x, m, tile, first, columns, true);
    else
        NAME(move_solutions)(x, m, tile, first, columns, false);
}

/* Whether there is one right-hand side, of consecutive numbers that need no conversion, and so is its solution. */
INLINE bool NAME(solves_vector)(const struct tile *tile)
{
    const bool single = sizeof(REAL) == 4;
    const ptrdiff_t size = sizeof(REAL) * PARTS;
    return tile->columns == 1 && tile->right_single == single && tile->solution_single == single &&
           tile->right_row == size && tile->solution_row == size;
}

/* That one, in registers, by a tile of L and U that is there too. */
INLINE void NAME(solve_vector)(const struct tile *tile, const int m, const E *t, const VI *order)
{
    const NAME(triangle) lower = {.t = t, .row = m, .column = 1, .kind = NAME(unit)};
    const NAME(triangle)
        upper = {.t = t, .row = m, .column = 1, .upper = true, .kind = NAME(divisors), .diagonal = t, .step = m + 1};
    E b[IN_REGISTERS], y[IN_REGISTERS];
    NAME(move_line)((V *)b, PARTS, (char *const *)tile->right, 0, (ptrdiff_t)m * PARTS, false, false);
    for (int i = 0; i < m; i++) {
        y[i] = b[0];
        for (int k = 1; k < m; k++)
            y[i] = NAME(select)(TYPED(same)(order[i], TYPED(integer)(k)), b[k], y[i]);
    }
    NAME(substitute_in)(&lower, y, m, false, false, 1);
    NAME(substitute_in)(&upper, y, m, true, false, 1);
    NAME(move_line)((V *)y, PARTS, tile->solution, 0, (ptrdiff_t)m * PARTS, true, false);
}

/* Numbers of all rows, for the columns that are solved at a time. */
#define SOLVED_NUMBERS(m) ((m) * SOLVED_COLUMNS)

/* Solve the systems of a tile whose matrices are the product of two triangles, or one, with their rows in the order given; y has
   room for SOLVED_NUMBERS(m). */
NOINLINE void NAME(solve_systems)(const struct tile *tile, int m, const NAME(triangle) * triangles, int count,
                                  const VI *order, E *y)
{
    for (int first = 0, columns; first < tile->columns; first += columns) {
        columns = tile->columns - first < SOLVED_COLUMNS ? 1 : SOLVED_COLUMNS;
        NAME(read_right_sides)(y, m, tile, order, first, columns);
        for (int n = 0; n < count; n++)
            if (columns == SOLVED_COLUMNS)
                NAME(substitute)(triangles + n, y, m, SOLVED_COLUMNS);
            else
                NAME(substitute)(triangles + n, y, m, 1);
        NAME(write_solutions)(y, m, tile, first, columns);
    }
}
