/* SPDX-License-Identifier: BSD-3-Clause */
/* Every instruction set, structure, type, precision, layout and number of matrices in a tile, by both engines, with unread
   triangles full of NaN and all memory of the very size: for sanitizers, valgrind and emulators. Each inverse must be one.

       check FIRST_M LAST_M STEP THREADS [fences] */
#include "call.h"

#include <math.h>

enum layout { BY_ROWS, BY_COLUMNS, PADDED_ROWS, SPACED, ROWS_BACKWARDS, BACKWARDS, LAYOUTS };

/* A matrix in memory of its own: from its first byte to its last. */
struct held {
    struct memory memory;
    char *origin;
    ptrdiff_t row, column;
    bool single;
};

static struct held hold(int m, int parts, bool single, enum layout layout)
{
    struct held h;
    const ptrdiff_t element = (single ? 4 : 8) * parts;
    h.single = single;
    h.column = layout == SPACED ? 3 * element : layout == BY_COLUMNS ? element * m : element;
    h.row = layout == SPACED        ? h.column * m + element
            : layout == BY_COLUMNS  ? element
            : layout == PADDED_ROWS ? element * (m + 3)
                                    : element * m;
    h.memory = take_memory((m - 1) * (h.row + h.column) + element, single ? 4 : 8);
    h.origin = h.memory.at;
    if (layout == ROWS_BACKWARDS || layout == BACKWARDS) {
        h.origin += (m - 1) * h.row;
        h.row = -h.row;
    }
    if (layout == BACKWARDS) {
        h.origin += (m - 1) * h.column;
        h.column = -h.column;
    }
    return h;
}

static double get(const struct held *h, int i, int j, int part)
{
    const char *at = h->origin + i * h->row + j * h->column;
    return h->single ? ((const float *)at)[part] : ((const double *)at)[part];
}

static void set(struct held *h, int i, int j, int part, double value)
{
    char *at = h->origin + i * h->row + j * h->column;
    if (h->single)
        ((float *)at)[part] = (float)value;
    else
        ((double *)at)[part] = value;
}

/* Well-conditioned matrices with exact numbers; with its rows in another order, if it is general, so that pivots count. */
static double number(enum structure structure, int m, int i, int j, int part, int k)
{
    if (structure == GENERAL)
        i = m - 1 - i;
    const bool upper = structure == LOWER_TRIANGULAR ? j < i : j > i;
    if ((structure == UPPER_TRIANGULAR && j < i) || (structure == LOWER_TRIANGULAR && j > i))
        return 0;
    const int low = i < j ? i : j, high = i < j ? j : i;
    const double off = ((low * 7 + high * 5 + (low * high + k) % 11) % 13 - 6) / 16.0;
    if (i != j)
        return part == 0                                                  ? off
               : structure == HERMITIAN || structure == POSITIVE_DEFINITE ? (upper ? off : -off) / 2
                                                                          : off / 2;
    if (part)
        return structure == HERMITIAN || structure == POSITIVE_DEFINITE ? 0 : .25;
    return structure == POSITIVE_DEFINITE || i % 2 ? m + 1 : -m - 1;
}

static bool is_read(enum structure structure, int i, int j, int part)
{
    if ((structure == HERMITIAN || structure == POSITIVE_DEFINITE) && i == j)
        return part == 0;
    return structure == GENERAL || (structure == UPPER_TRIANGULAR ? j >= i : j <= i);
}

/* The largest element of A X - I in some of its rows, infinite if any is NaN. */
static double residual(const struct call *c, enum structure structure, const struct held *x, int k)
{
    const int m = c->m, complex = parts(c) - 1;
    double worst = 0;
    for (int i = 0; i < m; i += 1 + m / 4)
        for (int j = 0; j < m; j++) {
            double re = -(i == j), im = 0;
            for (int l = 0; l < m; l++) {
                const double ar = number(structure, m, i, l, 0, k), ai = complex ? number(structure, m, i, l, 1, k) : 0;
                const double xr = get(x, l, j, 0), xi = complex ? get(x, l, j, 1) : 0;
                re += ar * xr - ai * xi;
                im += ar * xi + ai * xr;
            }
            if (isnan(re) || isnan(im))
                return INFINITY;
            worst = fmax(worst, fabs(re) + fabs(im));
        }
    return worst;
}

static int failures;

static void check(struct call *c, enum structure structure, enum layout layout, int n)
{
    const double tolerance = c->a_single || c->out_single || c->type % 2 == 0 ? 1e-4 : 1e-12;
    struct held a[STACKINV_MOST_LANES], out[STACKINV_MOST_LANES];
    char *as[STACKINV_MOST_LANES], *outs[STACKINV_MOST_LANES];
    int info[STACKINV_MOST_LANES];
    double rcond[STACKINV_MOST_LANES];
    for (int k = 0; k < n; k++) {
        a[k] = hold(c->m, parts(c), c->a_single, layout);
        out[k] = hold(c->m, parts(c), c->out_single, layout);
        for (int i = 0; i < c->m; i++)
            for (int j = 0; j < c->m; j++)
                for (int part = 0; part < parts(c); part++)
                    set(&a[k], i, j, part,
                        is_read(structure, i, j, part) ? number(structure, c->m, i, j, part, k) : NAN);
        as[k] = a[k].origin;
        outs[k] = out[k].origin;
    }
    c->a_row = c->transposed ? a[0].column : a[0].row;
    c->a_column = c->transposed ? a[0].row : a[0].column;
    c->out_row = c->transposed ? out[0].column : out[0].row;
    c->out_column = c->transposed ? out[0].row : out[0].column;
    invert(c, n, as, outs, info, rcond);
    for (int k = 0; k < n; k++) {
        const double error = residual(c, structure, &out[k], k);
        if (info[k] || !(error < tolerance) || !(rcond[k] > 1e-4 && rcond[k] < 1.01)) {
            failures++;
            printf("%s, structure %d, type %d, M = %d, layout %d, single %d %d, matrix %d of %d: info %d, error %g, "
                   "rcond %g\n",
                   c->lanes ? "lanes" : "blocked", structure, c->type, c->m, layout, c->a_single, c->out_single, k, n,
                   info[k], error, rcond[k]);
        }
        give_memory(a[k].memory);
        give_memory(out[k].memory);
    }
}

static void check_all(int first, int last, int step, int threads)
{
    const int before = failures;
    long calls = 0;
    for (int structure = 0; structure < STRUCTURES; structure++)
        for (int type = 0; type < 4; type++)
            for (int m = first; m <= last; m += step)
                for (int layout = 0; layout < LAYOUTS; layout++) {
                    const int precisions = m + layout + structure, lanes = kernels[type]->lanes;
                    const int few = 1 + (m + layout) % lanes;
                    struct call c = {.type = type, .m = m, .threads = threads, .garbage = 0xff};
                    set_structure(&c, structure);
                    c.a_single = precisions % 2;
                    c.out_single = precisions / 2 % 2;
                    if (threads == 1) { /* in the lanes engine threads share no matrix */
                        c.lanes = true;
                        check(&c, structure, layout, lanes);
                        check(&c, structure, layout, few);
                        calls += 2;
                    }
                    c.lanes = false;
                    check(&c, structure, layout, 1);
                    calls++;
                }
    printf("%ld calls, %d failures\n", calls, failures - before);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: %s FIRST_M LAST_M STEP THREADS [fences]\n", argv[0]);
        return 2;
    }
    const int first = atoi(argv[1]), last = atoi(argv[2]), step = atoi(argv[3]), threads = atoi(argv[4]);
    fences = argc > 5;
    for (int k = 0; k < stackinv_build_count; k++) {
        printf("%s: ", stackinv_builds[k].name);
        if (stackinv_builds[k].runs_here()) {
            kernels = stackinv_builds[k].kernels;
            check_all(first, last, step, threads);
        } else
            printf("does not run here\n");
    }
    return failures != 0;
}
