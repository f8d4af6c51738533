/* SPDX-License-Identifier: BSD-3-Clause */
/* Between the user's memory and a tile. */

/* `height` numbers at `offset` bytes in every lane's matrix, to or from the tile, where number n is in vector
   n / PARTS * step + n % PARTS. */
INLINE void NAME(move_block)(V *t, ptrdiff_t step, char *const *at, ptrdiff_t offset, ptrdiff_t n, const int height,
                             const bool out, const bool other)
{
    V v[WIDTH];
    offset += n * (ptrdiff_t)(other ? sizeof(OTHER) : sizeof(REAL));
    if (!out)
        TYPED(gather)(v, at, offset, height, other);
    UNROLLED (e, 0, height) {
        V *x = t + (n + e) / PARTS * step + (n + e) % PARTS;
        if (out)
            v[e] = *x;
        else
            *x = v[e];
    }
    if (out)
        TYPED(scatter)(v, at, offset, height, other);
}

/* As many whole blocks as there are in `length` numbers. */
INLINE void NAME(move_blocks)(V *t, ptrdiff_t step, char *const *at, ptrdiff_t offset, ptrdiff_t length, const bool out,
                              const bool other, const int height)
{
    for (ptrdiff_t n = 0; n + height <= length; n += height)
        NAME(move_block)(t, step, at, offset, n, height, out, other);
}

/* The block at the end of `length` numbers. */
INLINE void NAME(move_last_block)(V *t, ptrdiff_t step, char *const *at, ptrdiff_t offset, ptrdiff_t length,
                                  const bool out, const bool other, const int height)
{
    NAME(move_block)(t, step, at, offset, length - height, height, out, other);
}

/* function(..., height) with the height as a constant. */
#define BY_HEIGHT(height, function, ...)                                                                               \
    do {                                                                                                               \
        if ((height) == 1)                                                                                             \
            function(__VA_ARGS__, 1);                                                                                  \
        else if (WIDTH == 2 || (height) == 2)                                                                          \
            function(__VA_ARGS__, WIDTH < 2 ? WIDTH : 2);                                                              \
        else if (WIDTH == 4 || (height) == 4)                                                                          \
            function(__VA_ARGS__, WIDTH < 4 ? WIDTH : 4);                                                              \
        else if (WIDTH == 8 || (height) == 8)                                                                          \
            function(__VA_ARGS__, WIDTH < 8 ? WIDTH : 8);                                                              \
        else                                                                                                           \
            function(__VA_ARGS__, WIDTH);                                                                              \
    } while (0)

/* `length` consecutive numbers of every lane's matrix, to or from the tile. Blocks may overlap, so that none is beyond
   the end. */
INLINE void NAME(move_line)(V *t, ptrdiff_t step, char *const *at, ptrdiff_t offset, ptrdiff_t length, const bool out,
                            const bool other)
{
    int height = WIDTH, rest_height = 1;
    while (height > length)
        height /= 2;
    const ptrdiff_t rest = length % height;
    while (rest_height < rest)
        rest_height *= 2;
    BY_HEIGHT(height, NAME(move_blocks), t, step, at, offset, length, out, other);
    if (rest)
        BY_HEIGHT(rest_height, NAME(move_last_block), t, step, at, offset, length, out, other);
}

INLINE void NAME(move_lines)(E *t, ptrdiff_t line, ptrdiff_t step, const int lines, char *const *at, ptrdiff_t offset,
                             ptrdiff_t stride, ptrdiff_t length, const bool out, const bool other)
{
    for (int n = 0; n < lines; n++)
        NAME(move_line)((V *)(t + n * line), PARTS * step, at, offset + n * stride, PARTS * length, out, other);
}

/* Matrices whose rows or columns are consecutive numbers, or all of them. As few places for move_line as there can be:
   the compiler copies it into each, and it is long. */
INLINE void NAME(move_matrix)(E *t, ptrdiff_t ld, const int m, char *const *at, ptrdiff_t row, ptrdiff_t column,
                              const bool out, const bool other)
{
    const ptrdiff_t size = (other ? sizeof(OTHER) : sizeof(REAL)) * PARTS;
    const bool whole = row == size * m && ld == m, by_columns = row == size;
    if (column == size)
        NAME(move_lines)(t, ld, 1, whole ? 1 : m, at, 0, row, whole ? (ptrdiff_t)m * m : m, out, other);
    else
        for (int i = 0; i < (by_columns ? 1 : m); i++)
            NAME(move_lines)(t + i * ld, 1, by_columns ? ld : 1, m, at, i * row, column, by_columns ? m : 1, out,
                             other);
}

/* Whether the matrices of the tile lie across each other, their numbers side by side in the order of the lanes: an element
   of the tile then is a vector in memory, and nothing needs to be transposed. */
INLINE bool NAME(lie_across)(char *const *at, ptrdiff_t size)
{
    if (PARTS == 2 || WIDTH == 1 || at[WIDTH - 1] - at[0] != (WIDTH - 1) * size)
        return false;
    for (int l = 1; l < WIDTH - 1; l++)
        if (at[l] - at[0] != l * size)
            return false;
    return true;
}

/* An element of such matrices. The one of the next tile is side by side with it. */
INLINE void NAME(move_across)(E *x, char *at, const bool out, const bool other)
{
    const char *next = at + WIDTH * (other ? sizeof(OTHER) : sizeof(REAL));
    if (out)
        PREFETCH(next, 1, 3);
    else
        PREFETCH(next, 0, 3);
    if (out)
        TYPED(store)(at, x->re, other);
    else
        x->re = TYPED(load)(at, other);
}

INLINE void NAME(move_matrix_across)(E *t, ptrdiff_t ld, const int m, char *at, ptrdiff_t row, ptrdiff_t column,
                                     const bool out, const bool other)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < m; j++)
            NAME(move_across)(t + i * ld + j, at + i * row + j * column, out, other);
}

INLINE void NAME(transpose)(E *t, const int m)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < i; j++) {
            const E x = t[i * m + j];
            t[i * m + j] = t[j * m + i];
            t[j * m + i] = x;
        }
}

NOINLINE void NAME(move_large)(E *t, ptrdiff_t ld, int m, char *const *at, ptrdiff_t row, ptrdiff_t column, bool out,
                               bool other)
{
    const ptrdiff_t size = (other ? sizeof(OTHER) : sizeof(REAL)) * PARTS;
    const bool turned = m <= SMALL && row == size && column == size * m; /* in the tile, rather than line by line */
    if (NAME(lie_across)(at, size)) {
        if (out && other)
            NAME(move_matrix_across)(t, ld, m, at[0], row, column, true, true);
        else if (out)
            NAME(move_matrix_across)(t, ld, m, at[0], row, column, true, false);
        else if (other)
            NAME(move_matrix_across)(t, ld, m, at[0], row, column, false, true);
        else
            NAME(move_matrix_across)(t, ld, m, at[0], row, column, false, false);
        return;
    }
    if (turned) {
        row = column;
        column = size;
        if (out)
            NAME(transpose)(t, m);
    }
    if (out)
        if (other)
            NAME(move_matrix)(t, ld, m, at, row, column, true, true);
        else
            NAME(move_matrix)(t, ld, m, at, row, column, true, false);
    else if (other)
        NAME(move_matrix)(t, ld, m, at, row, column, false, true);
    else
        NAME(move_matrix)(t, ld, m, at, row, column, false, false);
    if (turned && !out)
        NAME(transpose)(t, m);
}

/* The same for tiles that are to stay in registers: nothing may take their address. */
INLINE void NAME(move_small)(E *t, const int m, char *const *at, ptrdiff_t row, ptrdiff_t column, const bool out,
                             const bool other)
{
    const ptrdiff_t size = (other ? sizeof(OTHER) : sizeof(REAL)) * PARTS, length = (ptrdiff_t)m * m * PARTS;
    if (m == 1 || (column == size && row == size * m)) {
        NAME(move_line)((V *)t, PARTS, at, 0, length, out, other);
    } else if (column == size) {
        NAME(move_lines)(t, m, 1, m, at, 0, row, m, out, other);
    } else if (row == size && column == size * m && !out) {
        E turned[SMALL * SMALL];
        NAME(move_line)((V *)turned, PARTS, at, 0, length, out, other);
        for (int i = 0; i < m; i++)
            for (int j = 0; j < m; j++)
                t[i * m + j] = turned[j * m + i];
    } else if (NAME(lie_across)(at, size)) {
        for (int i = 0; i < m; i++)
            for (int j = 0; j < m; j++)
                NAME(move_across)(t + i * m + j, at[0] + i * row + j * column, out, other);
    } else {
        E copy[SMALL * SMALL];
        for (int n = 0; out && n < m * m; n++)
            copy[n] = t[n];
        NAME(move_large)(copy, m, m, at, row, column, out, other);
        for (int n = 0; !out && n < m * m; n++)
            t[n] = copy[n];
    }
}

/* Whole matrices to or from the tile. */
INLINE void NAME(move)(E *t, ptrdiff_t ld, const int m, char *const *at, ptrdiff_t row, ptrdiff_t column,
                       const bool out, const bool other)
{
    if (m > IN_REGISTERS)
        NAME(move_large)(t, ld, m, at, row, column, out, other);
    else if (other)
        NAME(move_small)(t, m, at, row, column, out, true);
    else
        NAME(move_small)(t, m, at, row, column, out, false);
}

/* A strip of columns, from `from` on, with the rows in the present order; the tile has those before `first` already. */
INLINE void NAME(read_strip)(E *t, ptrdiff_t ld, const int m, const VI *order, int first, int from,
                             const struct tile *tile, const bool other)
{
    const ptrdiff_t size = (other ? sizeof(OTHER) : sizeof(REAL)) * PARTS;
    for (int i = 0; i < m; i++) {
        V v[WIDTH];
        char *at[WIDTH];
        for (int l = 0; l < WIDTH; l++)
            at[l] = (char *)tile->a[l] + TYPED(get_integer)(order[i], l) * tile->a_row;
        TYPED(gather)(v, at, from * size, WIDTH, other);
        V *to = (V *)(t + i * ld + from);
        if (from == first)
            UNROLLED (e, 0, WIDTH)
                to[e] = v[e];
        else
            for (int e = (first - from) * PARTS; e < WIDTH; e++)
                to[e] = v[e];
    }
}

/* Columns from `first` on of the user's matrices, in the tile with their rows in the present order; where that ends.
   So the exchanges of rows are left out that come before a column's turn. */
INLINE int NAME(read)(E *t, ptrdiff_t ld, const int m, const VI *order, int first, const struct tile *tile,
                      const bool other)
{
    const ptrdiff_t size = (other ? sizeof(OTHER) : sizeof(REAL)) * PARTS;
    enum { STRIP = WIDTH > PARTS ? WIDTH / PARTS : 1 };
    if (m <= SMALL || m < STRIP || WIDTH < PARTS || tile->a_column != size || tile->symmetry) {
        NAME(move)(t, ld, m, (char *const *)tile->a, tile->a_row, tile->a_column, false, other);
        return m;
    }
    const int from = first + STRIP < m ? first : m - STRIP;
    if (other)
        NAME(read_strip)(t, ld, m, order, first, from, tile, true);
    else
        NAME(read_strip)(t, ld, m, order, first, from, tile, false);
    return from + STRIP;
}

#if defined(PERMUTE)

/* Where a strip of WIDTH numbers begins: the last one overlaps the one before. */
INLINE int NAME(strip_start)(int strip, const int strips, int length)
{
    return strip < strips - 1 ? strip * WIDTH : length - WIDTH;
}

/* From the tile to the user's rows, column k of Z to column order[k] of the result: strips of a row are transposed,
   then permuted for each lane, all in registers. */
INLINE void NAME(write_strips)(const E *t, ptrdiff_t ld, const int m, const VI *order, VI *sources,
                               const struct tile *tile, const int strips, const bool other)
{
    const int length = m * PARTS, size = other ? sizeof(OTHER) : sizeof(REAL);
    for (int l = 0; l < WIDTH; l++) {
        INTEGER source[4 * WIDTH];
        for (int n = 0; n < length; n++)
            source[((const INTEGER *)(order + n / PARTS))[l] * PARTS + n % PARTS] =
                n < (strips - 1) * WIDTH ? n : n - length + strips * WIDTH;
        for (int s = 0; s < strips; s++)
            memcpy(sources + l * strips + s, source + NAME(strip_start)(s, strips, length), sizeof(VI));
    }
    for (int i = 0; i < m; i++) {
        V v[4][WIDTH];
        UNROLLED (s, 0, strips) {
            const V *from = (const V *)(t + i * ld) + NAME(strip_start)(s, strips, length);
            UNROLLED (e, 0, WIDTH)
                v[s][e] = from[e];
            TYPED(transpose)(v[s], WIDTH);
        }
        UNROLLED (l, 0, WIDTH) {
            char *row = tile->out[l] + i * tile->out_row;
            UNROLLED (s, 0, strips) {
                const VI from = sources[l * strips + s];
                V x = PERMUTE(v[0][l], from, v[strips > 1 ? 1 : 0][l]);
                if (strips > 2) {
                    const VM upper = TYPED(same)(from & TYPED(integer)(2 * WIDTH), TYPED(integer)(2 * WIDTH));
                    x = TYPED(select)(upper, PERMUTE(v[2][l], from, v[strips > 3 ? 3 : 2][l]), x);
                }
                TYPED(store)(row + NAME(strip_start)(s, strips, length) * size, x, other);
            }
        }
    }
}

#endif

/* Of a lane, some rows from the first of z on, column k of Z to offset[k]: number by number. */
INLINE void NAME(move_rows_in_order)(const REAL *z, ptrdiff_t ld, int m, const ptrdiff_t *offset, char *at,
                                     ptrdiff_t row, const bool other, const int rows)
{
    const ptrdiff_t size = other ? sizeof(OTHER) : sizeof(REAL);
    for (int k = 0; k < m; k++, z += PARTS * WIDTH) {
        char *to = at + offset[k];
        UNROLLED (n, 0, rows)
            UNROLLED (p, 0, PARTS)
                TYPED(store_1)(to + n * row + p * size, z[(n * ld * PARTS + p) * WIDTH], other);
    }
}

/* All rows of a lane, four at a time, to use each offset for all of them. A function of its own has registers enough. */
NOINLINE void NAME(move_lane_in_order)(const REAL *z, ptrdiff_t ld, int m, const ptrdiff_t *offset, char *at,
                                       ptrdiff_t row, bool other)
{
    int i = 0;
    for (; i + 4 <= m; i += 4, z += 4 * ld * PARTS * WIDTH, at += 4 * row)
        if (other)
            NAME(move_rows_in_order)(z, ld, m, offset, at, row, true, 4);
        else
            NAME(move_rows_in_order)(z, ld, m, offset, at, row, false, 4);
    for (; i < m; i++, z += ld * PARTS * WIDTH, at += row)
        if (other)
            NAME(move_rows_in_order)(z, ld, m, offset, at, row, true, 1);
        else
            NAME(move_rows_in_order)(z, ld, m, offset, at, row, false, 1);
}

/* The same for matrices that lie across each other: the numbers of a column of all lanes are brought together, and written by
   vectors. */
INLINE void NAME(write_columns_across)(const E *t, ptrdiff_t ld, const int m, const VI *order, INTEGER *source,
                                       const struct tile *tile, const bool other)
{
    for (int k = 0; k < m; k++)
        for (int l = 0; l < WIDTH; l++)
            source[((const INTEGER *)(order + k))[l] * WIDTH + l] = k;
    for (int j = 0; j < m; j++) {
        char *at[WIDTH];
        for (int l = 0; l < WIDTH; l++)
            at[l] = (char *)(t + source[j * WIDTH + l]) + l * sizeof(REAL);
        for (int i = 0; i < m; i++) {
            V x;
            TYPED(gather)(&x, at, i * ld * (ptrdiff_t)sizeof(E), 1, false);
            TYPED(store)(tile->out[0] + i * tile->out_row + j * tile->out_column, x, other);
        }
    }
}

/* From the tile to the user's memory, column k of Z to column order[k] of the result. */
INLINE void NAME(move_in_order)(const E *t, ptrdiff_t ld, const int m, const VI *order, ptrdiff_t *offsets,
                                const struct tile *tile, const bool other)
{
#if defined(PERMUTE)
    const int strips = (m * PARTS + WIDTH - 1) / WIDTH;
    if (tile->out_column == (ptrdiff_t)(other ? sizeof(OTHER) : sizeof(REAL)) * PARTS && m * PARTS >= WIDTH &&
        strips <= 4) {
        if (strips <= 2)
            NAME(write_strips)(t, ld, m, order, (VI *)offsets, tile, 2, other);
        else if (strips == 3)
            NAME(write_strips)(t, ld, m, order, (VI *)offsets, tile, 3, other);
        else
            NAME(write_strips)(t, ld, m, order, (VI *)offsets, tile, 4, other);
        return;
    }
#endif
    if (NAME(lie_across)(tile->out, other ? sizeof(OTHER) : sizeof(REAL))) {
        NAME(write_columns_across)(t, ld, m, order, (INTEGER *)offsets, tile, other);
        return;
    }
    for (int l = 0; l < WIDTH; l++)
        for (int k = 0; k < m; k++)
            offsets[l * m + k] = ((const INTEGER *)(order + k))[l] * tile->out_column;
    for (int l = 0; l < WIDTH; l++)
        NAME(move_lane_in_order)((const REAL *)t + l, ld, m, offsets + l * m, tile->out[l], tile->out_row, other);
}
