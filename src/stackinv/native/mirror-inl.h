/* SPDX-License-Identifier: BSD-3-Clause */
/* A result that is symmetric or Hermitian but for rounding is made so exactly. Included for each REAL, with MIRROR(name), which makes
   a name of its own for it. */

/* Rows first to last - 1 up to the diagonal, and the columns that mirror them. The mean of both triangles has residuals as
   small as theirs, which one of them in place of both has not. */
static void MIRROR(average)(char *at, ptrdiff_t row, ptrdiff_t column, ptrdiff_t first, ptrdiff_t last, int parts,
                            bool conjugate)
{
    const REAL half = 0.5, sign = conjugate ? -half : half;
    for (ptrdiff_t top = first; top < last; top += 8)
        for (ptrdiff_t left = 0; left <= top; left += 8)
            for (ptrdiff_t i = top; i < last && i < top + 8; i++)
                for (ptrdiff_t j = left; j < i && j < left + 8; j++) {
                    REAL *below = (REAL *)(at + i * row + j * column), *above = (REAL *)(at + j * row + i * column);
                    below[0] = above[0] = half * below[0] + half * above[0];
                    if (parts == 2) {
                        below[1] = half * below[1] + sign * above[1];
                        above[1] = conjugate ? 0 - below[1] : below[1];
                    }
                }
    if (conjugate && parts == 2)
        for (ptrdiff_t i = first; i < last; i++)
            ((REAL *)(at + i * (row + column)))[1] = 0;
}
