/* SPDX-License-Identifier: BSD-3-Clause */
/* Inverses, solutions and determinants from C and C++, without Python's lock.

       #include <Python.h>
       #include <stackinv/stackinv.h>

       const stackinv_functions *stackinv = stackinv_import();   once, with the lock; NULL: Python's error is set
       ...
       int info = stackinv->dinv(STACKINV_GENERAL, 4, a, 4, x, 4, NULL);

   The header is in the directory stackinv.get_include(); there is nothing to link with. All functions may be called by any
   number of threads at once, and need no initialization but that. They do not look at signals: a call is to its end before
   Ctrl-C counts.

   Matrices are in rows: the number in row i and column j is a[i * lda + j]. One in columns, as in Fortran, is the transpose
   of one in rows: its inverse in columns is right, with upper and lower exchanged. Results may be in the place of what they
   are calculated from, number by number, and must not overlap it otherwise. */
#ifndef STACKINV_STACKINV_H
#define STACKINV_STACKINV_H

#include <stddef.h>

/* Of this header; libraries of a later version have all of an earlier one, in the same place. */
#define STACKINV_API_VERSION 1

/* The numbers, as NumPy calls them. Results are rounded to single precision once, at the end, as NumPy's are. */
enum stackinv_type { STACKINV_FLOAT32, STACKINV_FLOAT64, STACKINV_COMPLEX64, STACKINV_COMPLEX128 };

/* What is known of the matrices, and not checked. Of symmetric, Hermitian and positive definite ones the lower triangle is
   read, of the others no more than what can be other than zero. */
enum stackinv_structure {
    STACKINV_GENERAL,
    STACKINV_SYMMETRIC,
    STACKINV_HERMITIAN,
    STACKINV_POSITIVE_DEFINITE, /* Hermitian, too */
    STACKINV_UPPER_TRIANGULAR,
    STACKINV_LOWER_TRIANGULAR,
    STACKINV_DIAGONAL
};

/* What functions return if they have done nothing; else it is not negative. */
enum stackinv_error {
    STACKINV_NO_MEMORY = -1,
    STACKINV_WRONG_TYPE = -2,
    STACKINV_WRONG_STRUCTURE = -3,
    STACKINV_WRONG_SIZE = -4,      /* an order, a length or a number of columns or axes */
    STACKINV_WRONG_ARRAYS = -5,    /* which of them there are */
    STACKINV_WRONG_STRIDES = -6,   /* rows that overlap */
    STACKINV_WRONG_WORKSPACE = -7, /* not NULL, and too small */
};

/* An array of a stack. */
typedef struct {
    void *data;               /* its first number, or NULL if there is none */
    const ptrdiff_t *strides; /* in bytes, one for each axis, as NumPy's; NULL: consecutive numbers, rows first */
} stackinv_array;

/* A stack of shape (..., M, M) and what is asked of it. All that is zero has its usual meaning. Complex numbers are a real and
   an imaginary part each. */
typedef struct {
    int type;                /* of a, b, inverse and solution: enum stackinv_type */
    int structure;           /* enum stackinv_structure */
    int threads;             /* so many at most, 0 is 1, or STACKINV_ALL_THREADS */
    int ndim;                /* the axes of the stack, at most 62, */
    const ptrdiff_t *shape;  /* and their lengths */
    ptrdiff_t order;         /* M */
    ptrdiff_t columns;       /* K, of b and solution */
    stackinv_array a;        /* (..., M, M) */
    stackinv_array inverse;  /* the same, or none */
    stackinv_array b;        /* (..., M, K) */
    stackinv_array solution; /* the same; not with the inverse */
    stackinv_array
        info; /* (...) of int: 0, or as LAPACK's i > 0, from 1 on, for a singular matrix, whose results are NaN */
    stackinv_array rcond; /* (...) of double: reciprocal condition numbers in the 1-norm; only with the inverse */
    stackinv_array sign; /* (...) of double, of complex matrices two of them: the determinant over its modulus, or 0, */
    stackinv_array logabsdet; /* and (...) of double: the natural logarithm of that, or -infinity; */
    stackinv_array det;       /* or the determinant, as the sign */
    void *workspace;          /* of workspace_bytes, or NULL: memory that the library takes */
    size_t workspace_bytes;
} stackinv_stack;

/* As many as stackinv.get_workers() was when it, or a function that shares its work, was last called; or at the import, or the fork. */
#define STACKINV_ALL_THREADS (-1)

/* One matrix, by type: s and d of float and double, c and z of two of them a number. They return 0, i > 0 for a singular
   matrix, as info above, or a stackinv_error. */
typedef struct {
    int version; /* of the library's header */

    /* The inverse x of a; rcond may be NULL. */
    int (*sinv)(int structure, int m, const float *a, ptrdiff_t lda, float *x, ptrdiff_t ldx, double *rcond);
    int (*dinv)(int structure, int m, const double *a, ptrdiff_t lda, double *x, ptrdiff_t ldx, double *rcond);
    int (*cinv)(int structure, int m, const void *a, ptrdiff_t lda, void *x, ptrdiff_t ldx, double *rcond);
    int (*zinv)(int structure, int m, const void *a, ptrdiff_t lda, void *x, ptrdiff_t ldx, double *rcond);

    /* The solution x of a x = b, both of k columns: ldb and ldx are 1 for a vector. */
    int (*ssolve)(int structure, int m, int k, const float *a, ptrdiff_t lda, const float *b, ptrdiff_t ldb, float *x,
                  ptrdiff_t ldx);
    int (*dsolve)(int structure, int m, int k, const double *a, ptrdiff_t lda, const double *b, ptrdiff_t ldb,
                  double *x, ptrdiff_t ldx);
    int (*csolve)(int structure, int m, int k, const void *a, ptrdiff_t lda, const void *b, ptrdiff_t ldb, void *x,
                  ptrdiff_t ldx);
    int (*zsolve)(int structure, int m, int k, const void *a, ptrdiff_t lda, const void *b, ptrdiff_t ldb, void *x,
                  ptrdiff_t ldx);

    /* The determinant of a, sign * exp(*logabsdet); sign has two numbers for complex matrices. */
    int (*sslogdet)(int structure, int m, const float *a, ptrdiff_t lda, double *sign, double *logabsdet);
    int (*dslogdet)(int structure, int m, const double *a, ptrdiff_t lda, double *sign, double *logabsdet);
    int (*cslogdet)(int structure, int m, const void *a, ptrdiff_t lda, double *sign, double *logabsdet);
    int (*zslogdet)(int structure, int m, const void *a, ptrdiff_t lda, double *sign, double *logabsdet);

    /* A stack: how many of its matrices are singular, or a stackinv_error. */
    ptrdiff_t (*calculate)(const stackinv_stack *);
    /* Bytes of a workspace that is enough for it, or a stackinv_error. */
    ptrdiff_t (*workspace_bytes)(const stackinv_stack *);
    /* What an error means, in a sentence. */
    const char *(*describe_error)(ptrdiff_t error);
    /* For new memory of results: ask the system for large pages, if it is large, as NumPy does. It is written to twice as fast for the
       first time. */
    void (*use_large_pages)(void *memory, size_t bytes);
} stackinv_functions;

#define STACKINV_CAPSULE "stackinv._native._C_API"

#ifdef Py_PYTHON_H
static inline const stackinv_functions *stackinv_import(void)
{
    const stackinv_functions *functions = (const stackinv_functions *)PyCapsule_Import(STACKINV_CAPSULE, 0);
    if (functions && functions->version < STACKINV_API_VERSION) {
        PyErr_Format(PyExc_ImportError,
                     "stackinv has version %d of its C interface, and version %d is expected: upgrade it",
                     functions->version, STACKINV_API_VERSION);
        return NULL;
    }
    return functions;
}
#endif

#endif
