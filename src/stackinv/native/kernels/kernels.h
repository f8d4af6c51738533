/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kernels offer to the loop over the stack. */
#ifndef STACKINV_KERNELS_H
#define STACKINV_KERNELS_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#define STACKINV_MOST_LANES 16

enum method {
    STACKINV_LU,           /* any matrix */
    STACKINV_SYMMETRIC_LU, /* symmetric or Hermitian: reads the lower triangle; the result is so up to rounding */
    STACKINV_CHOLESKY,     /* Hermitian positive definite: reads the lower triangle */
    STACKINV_TRIANGLE,     /* upper triangular: reads the upper triangle */
    STACKINV_METHODS,
    /* Only in the lanes engine, of matrices X that are inverses; in the place of solutions: */
    STACKINV_DERIVATIVE = STACKINV_METHODS, /* -X B X, */
    STACKINV_GRADIENT,                      /* or -X^H B X^H */
    STACKINV_LANES_METHODS
};

/* Only used with STACKINV_SYMMETRIC_LU. */
enum symmetry { STACKINV_NOT_SYMMETRIC, STACKINV_SELF_TRANSPOSE, STACKINV_SELF_ADJOINT };

/* 1 / (the 1-norm of a matrix times that of its inverse), from both times `unit`, without which they might overflow.
   Only rounding would make it larger than 1; an inverse that overflows has no digits right. */
static inline double stackinv_rcond(double a_norm, double norm, double unit)
{
    const double rcond = isinf(norm) && !isnan(a_norm) ? 0 : unit / a_norm / norm * unit;
    return rcond > 1 ? 1 : rcond;
}

/* What suits a machine. No bit of a result depends on it; to be changed only while nothing is calculated. */
struct tuning {
    double second_cache; /* bytes of a core's; factors that it holds are read fast enough */
    double task_cost; /* of a task on rows of a large matrix, which reads the factors, in the time of a tile of rows */
    int most_task_rows;    /* half as many of complex numbers: beyond, little is left to gain */
    double least_streamed; /* bytes of small results: more of them are written past the caches */
};

extern struct tuning stackinv_tuning;

/* What comes next of a stack of matrices that lie side by side, so many bytes of each of their numbers. */
struct streams {
    const char *at; /* of the first number, or NULL */
    ptrdiff_t row, column;
    int bytes;
    int tile, tiles; /* it is fetched in the time of so many tiles, of which this is one */
};

/* The determinants of some matrices, one in each lane: sign * exp(logarithm), and as numbers; parts that real ones lack are
   left as they are. */
struct determinants {
    bool logarithms, numbers; /* which are wanted: signs with their logarithms, or numbers */
    double sign[2][STACKINV_MOST_LANES], logarithm[STACKINV_MOST_LANES], number[2][STACKINV_MOST_LANES];
};

/* Matrices that are inverted at once, one in each lane. Lanes that are left over repeat another one: they read and
   write the same. All matrices are read before a result is written. */

struct tile {
    int m;
    enum symmetry symmetry;
    bool inverse;    /* whether it is wanted, else only what comes of the factors */
    int columns;     /* of right-hand sides to solve for, or 0 */
    bool transposed; /* the norms are those of the transposes */
    bool a_single, out_single, right_single, solution_single; /* the precision of the user's numbers */
    ptrdiff_t a_row, a_column, out_row, out_column;           /* strides in bytes */
    ptrdiff_t right_row, right_column, solution_row, solution_column;
    ptrdiff_t ahead;                       /* bytes to the matrices of the next tile, */
    ptrdiff_t fetch_a, fetch_out;          /* and how many bytes of each of them and of each result to fetch early */
    struct streams a_streams, out_streams; /* what is fetched instead, if they are gathered */
    void *work;                            /* work_size(m) bytes, at a multiple of 64 */
    double *rcond;                         /* one for each lane, or NULL if nobody asked */
    struct determinants *determinants;     /* the same */
    const char *a[STACKINV_MOST_LANES];
    char *out[STACKINV_MOST_LANES];
    const char *right[STACKINV_MOST_LANES];
    char *solution[STACKINV_MOST_LANES];
    int info[STACKINV_MOST_LANES]; /* LAPACK's, written if any is singular, whose result is undefined */
};

/* A matrix that is inverted in steps: its columns in blocks, one after the other, then its rows. Threads may share them;
   all but what `factors` points to stays as it is. */
struct matrix {
    int m;
    int threads; /* that share it */
    enum symmetry symmetry;
    bool transposed;
    bool a_single, out_single, right_single, solution_single;
    ptrdiff_t a_row, a_column, out_row, out_column;
    ptrdiff_t right_row, right_column, solution_row, solution_column;
    int columns; /* of right-hand sides */
    const char *right;
    char *solution;
    bool rcond;    /* whether it will be asked for */
    void *factors; /* factors_size(m) bytes, at a multiple of 64 */
    const char *a;
    char *out;
    const char *next; /* the next matrix, and how many columns of it to fetch early */
    int next_columns;
    bool (*pause)(void *clock); /* asked before each piece of a task but its first: whether to leave off; NULL: never */
    void *clock;
};

struct steps {
    size_t (*factors_size)(int m);
    size_t (*rows_size)(int m, int threads); /* of the workspace for invert_rows, one for each thread */
    void (*count_tasks)(int m, int threads, int *blocks, int *row_tasks);
    void (*read_block)(const struct matrix *, int block);
    void (*update_block)(const struct matrix *, int done, int block); /* for each block before it, in order; */
    int (*factor_block)(const struct matrix *, int block);            /* then this; LAPACK's info */
    /* Over the rows, after all blocks; the second, if there is one, after all of the first. From a piece on, 0 at the start;
       whether the task is done, else which piece comes next, with the same workspace. */
    bool (*sweeps[2])(const struct matrix *, int row_task, int *piece, void *work);
    double (*rcond)(const struct matrix *);                            /* after all tasks */
    void (*determinant)(const struct matrix *, struct determinants *); /* after all blocks, if none is singular */
    /* Solutions, so many tasks, and the workspace of each thread; after all blocks, as a sweep. */
    int (*count_solutions)(int m, int columns, int threads);
    size_t (*solution_size)(int m, int columns, int threads);
    bool (*solve)(const struct matrix *, int task, int *piece, void *work);
};

/* Of one type, by method. */
struct kernels {
    int lanes;
    size_t (*work_size[STACKINV_LANES_METHODS])(int m);
    bool (*invert[STACKINV_LANES_METHODS])(struct tile *tile); /* whether any matrix is singular */
    struct steps steps[STACKINV_METHODS];
    /* The determinants of n matrices, no more than lanes, from m numbers of each, one matrix after the other; of the other
       sign if `odd`. */
    void (*multiply)(const void *numbers, int m, int n, bool odd, struct determinants *);
};

/* The builds for the instruction sets of this processor family, the best first; the last one runs everywhere. */
struct build {
    const char *name;
    const char *features; /* that it needs, in NumPy's names, separated by spaces */
    bool (*runs_here)(void);
    const struct kernels *kernels[4]; /* by type, in the order s, d, c, z, as all that follows */
    /* Up to these orders the lanes engine is the fastest; measured by bench/engines.py. */
    int most_m[STACKINV_METHODS][4];
    double gain;  /* how fast few matrices are there: see tuning.h */
    bool blocked; /* whether the blocked engine is what comes then; else LAPACK */
};

extern const struct build stackinv_builds[];
extern const int stackinv_build_count;

#endif
