/* SPDX-License-Identifier: BSD-3-Clause */
/* The blocked engine: what it will read or write soon is fetched from memory early, a few lines with each product, since a core
   can wait for few at a time. */

/* Some rows or columns of a matrix, line by line. */
typedef struct {
    const char *at;
    ptrdiff_t skip;  /* from the end of a row's lines to the next row */
    int lines, line; /* of a row, and which one is next */
    int left;        /* lines in all */
    float rate, due; /* lines for each column of products, and how many are due */
} NAME(lines);

/* What a task fetches. */
typedef struct {
    NAME(lines) reads, writes;
} NAME(fetches);

/* So many rows in the time of so many columns of products. */
INLINE NAME(lines) NAME(plan_lines)(const char *at, ptrdiff_t stride, ptrdiff_t width, int rows, double products)
{
    const ptrdiff_t line = 64;
    NAME(lines) lines = {NULL};
    if (stride == width) {
        width *= rows;
        rows = 1;
    }
    lines.at = at;
    lines.lines = (int)((width + line - 1) / line) + (((ptrdiff_t)at | stride) % line != 0);
    lines.skip = stride - lines.lines * line;
    lines.left = lines.lines * rows;
    lines.rate = (float)(lines.left / products);
    return lines;
}

/* The share of task `part` of `parts` in what there is to fetch of the next matrix. */
INLINE NAME(lines) NAME(plan_reads)(const struct matrix *matrix, int part, int parts, double products)
{
    const ptrdiff_t size = (ptrdiff_t)(matrix->a_single ? sizeof(float) : sizeof(double)) * PARTS;
    const bool by_rows = matrix->a_column == size;
    const ptrdiff_t stride = by_rows ? matrix->a_row : matrix->a_column;
    const int columns = matrix->next_columns, rows = by_rows ? matrix->m : columns;
    const int from = (int)((int64_t)rows * part / parts), end = (int)((int64_t)rows * (part + 1) / parts);
    if (columns == 0 || (!by_rows && matrix->a_row != size))
        return (NAME(lines)){NULL};
    return NAME(plan_lines)(matrix->next + from * stride, stride, (by_rows ? columns : matrix->m) * size, end - from,
                            products);
}

/* Rows first to end - 1 of the result. */
INLINE NAME(lines) NAME(plan_writes)(const struct matrix *matrix, int first, int end, double products)
{
    const ptrdiff_t size = (ptrdiff_t)(matrix->out_single ? sizeof(float) : sizeof(double)) * PARTS;
    if (matrix->out_column != size)
        return (NAME(lines)){NULL};
    return NAME(plan_lines)(matrix->out + first * matrix->out_row, matrix->out_row, matrix->m * size, end - first,
                            products);
}

INLINE void NAME(fetch_lines)(NAME(lines) * lines, int products, const bool for_writing)
{
    if (lines->left == 0)
        return;
    lines->due += lines->rate * products;
    int count = (int)lines->due;
    lines->due -= count;
    count = count < lines->left ? count : lines->left;
    lines->left -= count;
    while (count > 0) {
        const int rest = lines->lines - lines->line, run = count < rest ? count : rest;
        for (int n = 0; n < run; n++, lines->at += 64) {
            if (for_writing)
                PREFETCH(lines->at, 1, 3);
            else
                PREFETCH(lines->at, 0, 2);
        }
        count -= run;
        lines->line += run;
        if (run == rest) {
            lines->line = 0;
            lines->at += lines->skip;
        }
    }
}

/* What is due before a block of sums of so many columns of products. */
INLINE void NAME(fetch_early)(NAME(fetches) * fetches, int products)
{
    NAME(fetch_lines)(&fetches->reads, products + TILE_COLUMNS, false);
    NAME(fetch_lines)(&fetches->writes, products + TILE_COLUMNS, true);
}
