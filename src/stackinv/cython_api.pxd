# SPDX-License-Identifier: BSD-3-Clause
"""Inverses, solutions and determinants from Cython, without the GIL: ``cimport stackinv.cython_api``.

As the functions and structures of stackinv/stackinv.h, where they are explained; nothing is to be included or linked.
"""

cdef enum:      # what is known of the matrices
    GENERAL
    SYMMETRIC
    HERMITIAN
    POSITIVE_DEFINITE
    UPPER_TRIANGULAR
    LOWER_TRIANGULAR
    DIAGONAL

cdef enum:      # the numbers of a stack
    FLOAT32
    FLOAT64
    COMPLEX64
    COMPLEX128

cdef enum:
    ALL_THREADS = -1

ctypedef struct stack_array:
    void *data
    const Py_ssize_t *strides

ctypedef struct stack:
    int type
    int structure
    int threads
    int ndim
    const Py_ssize_t *shape
    Py_ssize_t order
    Py_ssize_t columns
    stack_array a
    stack_array inverse
    stack_array b
    stack_array solution
    stack_array info
    stack_array rcond
    stack_array sign
    stack_array logabsdet
    stack_array det
    void *workspace
    size_t workspace_bytes

cdef int sinv(
    int structure, int m, const float *a, Py_ssize_t lda, float *x, Py_ssize_t ldx, double *rcond
) noexcept nogil
cdef int dinv(
    int structure, int m, const double *a, Py_ssize_t lda, double *x, Py_ssize_t ldx, double *rcond
) noexcept nogil
cdef int cinv(
    int structure, int m, const float complex *a, Py_ssize_t lda, float complex *x, Py_ssize_t ldx, double *rcond
) noexcept nogil
cdef int zinv(
    int structure, int m, const double complex *a, Py_ssize_t lda, double complex *x, Py_ssize_t ldx, double *rcond
) noexcept nogil

cdef int ssolve(
    int structure, int m, int k, const float *a, Py_ssize_t lda, const float *b, Py_ssize_t ldb,
    float *x, Py_ssize_t ldx
) noexcept nogil
cdef int dsolve(
    int structure, int m, int k, const double *a, Py_ssize_t lda, const double *b, Py_ssize_t ldb,
    double *x, Py_ssize_t ldx
) noexcept nogil
cdef int csolve(
    int structure, int m, int k, const float complex *a, Py_ssize_t lda, const float complex *b, Py_ssize_t ldb,
    float complex *x, Py_ssize_t ldx
) noexcept nogil
cdef int zsolve(
    int structure, int m, int k, const double complex *a, Py_ssize_t lda, const double complex *b, Py_ssize_t ldb,
    double complex *x, Py_ssize_t ldx
) noexcept nogil

cdef int sslogdet(
    int structure, int m, const float *a, Py_ssize_t lda, double *sign, double *logabsdet
) noexcept nogil
cdef int dslogdet(
    int structure, int m, const double *a, Py_ssize_t lda, double *sign, double *logabsdet
) noexcept nogil
cdef int cslogdet(
    int structure, int m, const float complex *a, Py_ssize_t lda, double complex *sign, double *logabsdet
) noexcept nogil
cdef int zslogdet(
    int structure, int m, const double complex *a, Py_ssize_t lda, double complex *sign, double *logabsdet
) noexcept nogil

cdef Py_ssize_t calculate(const stack *s) noexcept nogil
cdef Py_ssize_t workspace_bytes(const stack *s) noexcept nogil
cdef const char *describe_error(Py_ssize_t error) noexcept nogil
cdef void use_large_pages(void *memory, size_t bytes) noexcept nogil
