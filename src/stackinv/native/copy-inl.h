/* SPDX-License-Identifier: BSD-3-Clause */
/* Copies from numbers of the type FROM to those of the type TO. Included for each pair, with COPY(name), which makes a name
   of its own for it. Strides are in bytes. */

/* Whole squares have loops of known length, which the compiler unrolls. */
static inline void COPY(square)(TO *to, ptrdiff_t to_row, ptrdiff_t to_column, const FROM *from, ptrdiff_t row,
                                ptrdiff_t column, ptrdiff_t height, ptrdiff_t width)
{
    if (height == 8 && width == 8) {
        if (sizeof(FROM) == sizeof(double) && sizeof(TO) == sizeof(double)) {
            if (column == 8 && to_row == 8) {
                transpose_square((double *)to, to_column, (const double *)from, row);
                return;
            }
            if (row == 8 && to_column == 8) {
                transpose_square((double *)to, to_row, (const double *)from, column);
                return;
            }
        }
        for (int j = 0; j < 8; j++)
            for (int i = 0; i < 8; i++)
                *(TO *)((char *)to + i * to_row + j * to_column) =
                    (TO) * (const FROM *)((const char *)from + i * row + j * column);
    } else {
        for (ptrdiff_t j = 0; j < width; j++)
            for (ptrdiff_t i = 0; i < height; i++)
                *(TO *)((char *)to + i * to_row + j * to_column) =
                    (TO) * (const FROM *)((const char *)from + i * row + j * column);
    }
}

/* In squares of 8 by 8, so that each cache line is used whole on both sides whatever the strides are, eight rows after
   eight rows. */
static void COPY(matrix)(TO *to, ptrdiff_t to_row, ptrdiff_t to_column, const FROM *from, ptrdiff_t row,
                         ptrdiff_t column, ptrdiff_t height, ptrdiff_t width, int parts)
{
    for (ptrdiff_t top = 0; top < height; top += 8)
        for (ptrdiff_t left = 0; left < width; left += 8)
            for (int part = 0; part < parts; part++)
                COPY(square)((TO *)((char *)(to + part) + top * to_row + left * to_column), to_row, to_column,
                             (const FROM *)((const char *)(from + part) + top * row + left * column), row, column,
                             height - top < 8 ? height - top : 8, width - left < 8 ? width - left : 8);
}
