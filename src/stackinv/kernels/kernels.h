/* What the kernels offer to the loop over the stack. */
#ifndef STACKINV_KERNELS_H
#define STACKINV_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

#define STACKINV_MOST_LANES 16

/* Matrices that are inverted at once, one in each lane. Lanes that are left over repeat another one: they read and
   write the same. All matrices are read before a result is written. */
struct tile {
    int m;
    bool a_single, out_single;                      /* the precision of the user's numbers */
    ptrdiff_t a_row, a_column, out_row, out_column; /* strides in bytes */
    ptrdiff_t ahead;                                /* bytes to the matrices of the next tile, */
    ptrdiff_t fetch_a, fetch_out; /* and how many bytes of each of them and of each result to fetch early */
    void *work;                   /* work_size(m) bytes, at a multiple of 64 */
    double *rcond;                /* one for each lane, or NULL if nobody asked */
    const char *a[STACKINV_MOST_LANES];
    char *out[STACKINV_MOST_LANES];
    int info[STACKINV_MOST_LANES]; /* LAPACK's, written if any is singular, whose result is undefined */
};

/* By type, in the order s, d, c, z. */
struct kernels {
    int lanes[4];
    size_t (*work_size[4])(int m);
    bool (*invert[4])(struct tile *tile); /* whether any matrix is singular */
};

/* The builds for the instruction sets of this processor family, the best first; the last one runs everywhere. */
struct build {
    const char *name;
    const char *features; /* that it needs, in NumPy's names, separated by spaces */
    bool (*runs_here)(void);
    const struct kernels *kernels;
    int most_m[4]; /* up to this order, by type, LAPACK is slower; measured by bench/engines.py */
};

extern const struct build stackinv_builds[];
extern const int stackinv_build_count;

#endif
