# SPDX-License-Identifier: BSD-3-Clause
# cython: language_level=3
"""The functions of stackinv/stackinv.h for Cython, and by their addresses in `__pyx_capi__` for all others.

It calls them as any other user of that header does.
"""

cdef extern from "stackinv/stackinv.h":
    ctypedef struct stackinv_stack:
        pass
    ctypedef struct stackinv_functions:
        int (*sinv)(
            int structure, int m, const float *a, Py_ssize_t lda, float *x, Py_ssize_t ldx, double *rcond
        ) noexcept nogil
        int (*dinv)(
            int structure, int m, const double *a, Py_ssize_t lda, double *x, Py_ssize_t ldx, double *rcond
        ) noexcept nogil
        int (*cinv)(
            int structure, int m, const void *a, Py_ssize_t lda, void *x, Py_ssize_t ldx, double *rcond
        ) noexcept nogil
        int (*zinv)(
            int structure, int m, const void *a, Py_ssize_t lda, void *x, Py_ssize_t ldx, double *rcond
        ) noexcept nogil
        int (*ssolve)(
            int structure, int m, int k, const float *a, Py_ssize_t lda, const float *b, Py_ssize_t ldb,
            float *x, Py_ssize_t ldx
        ) noexcept nogil
        int (*dsolve)(
            int structure, int m, int k, const double *a, Py_ssize_t lda, const double *b, Py_ssize_t ldb,
            double *x, Py_ssize_t ldx
        ) noexcept nogil
        int (*csolve)(
            int structure, int m, int k, const void *a, Py_ssize_t lda, const void *b, Py_ssize_t ldb,
            void *x, Py_ssize_t ldx
        ) noexcept nogil
        int (*zsolve)(
            int structure, int m, int k, const void *a, Py_ssize_t lda, const void *b, Py_ssize_t ldb,
            void *x, Py_ssize_t ldx
        ) noexcept nogil
        int (*sslogdet)(
            int structure, int m, const float *a, Py_ssize_t lda, double *sign, double *logabsdet
        ) noexcept nogil
        int (*dslogdet)(
            int structure, int m, const double *a, Py_ssize_t lda, double *sign, double *logabsdet
        ) noexcept nogil
        int (*cslogdet)(
            int structure, int m, const void *a, Py_ssize_t lda, double *sign, double *logabsdet
        ) noexcept nogil
        int (*zslogdet)(
            int structure, int m, const void *a, Py_ssize_t lda, double *sign, double *logabsdet
        ) noexcept nogil
        Py_ssize_t (*calculate)(const stackinv_stack *) noexcept nogil
        Py_ssize_t (*workspace_bytes)(const stackinv_stack *) noexcept nogil
        const char *(*describe_error)(Py_ssize_t error) noexcept nogil
        void (*use_large_pages)(void *memory, size_t bytes) noexcept nogil
    const stackinv_functions *stackinv_import() except NULL

cdef const stackinv_functions *functions = stackinv_import()


cdef int sinv(
    int structure, int m, const float *a, Py_ssize_t lda, float *x, Py_ssize_t ldx, double *rcond
) noexcept nogil:
    return functions.sinv(structure, m, a, lda, x, ldx, rcond)


cdef int dinv(
    int structure, int m, const double *a, Py_ssize_t lda, double *x, Py_ssize_t ldx, double *rcond
) noexcept nogil:
    return functions.dinv(structure, m, a, lda, x, ldx, rcond)


cdef int cinv(
    int structure, int m, const float complex *a, Py_ssize_t lda, float complex *x, Py_ssize_t ldx, double *rcond
) noexcept nogil:
    return functions.cinv(structure, m, a, lda, x, ldx, rcond)


cdef int zinv(
    int structure, int m, const double complex *a, Py_ssize_t lda, double complex *x, Py_ssize_t ldx, double *rcond
) noexcept nogil:
    return functions.zinv(structure, m, a, lda, x, ldx, rcond)


cdef int ssolve(
    int structure, int m, int k, const float *a, Py_ssize_t lda, const float *b, Py_ssize_t ldb,
    float *x, Py_ssize_t ldx
) noexcept nogil:
    return functions.ssolve(structure, m, k, a, lda, b, ldb, x, ldx)


cdef int dsolve(
    int structure, int m, int k, const double *a, Py_ssize_t lda, const double *b, Py_ssize_t ldb,
    double *x, Py_ssize_t ldx
) noexcept nogil:
    return functions.dsolve(structure, m, k, a, lda, b, ldb, x, ldx)


cdef int csolve(
    int structure, int m, int k, const float complex *a, Py_ssize_t lda, const float complex *b, Py_ssize_t ldb,
    float complex *x, Py_ssize_t ldx
) noexcept nogil:
    return functions.csolve(structure, m, k, a, lda, b, ldb, x, ldx)


cdef int zsolve(
    int structure, int m, int k, const double complex *a, Py_ssize_t lda, const double complex *b, Py_ssize_t ldb,
    double complex *x, Py_ssize_t ldx
) noexcept nogil:
    return functions.zsolve(structure, m, k, a, lda, b, ldb, x, ldx)


cdef int sslogdet(
    int structure, int m, const float *a, Py_ssize_t lda, double *sign, double *logabsdet
) noexcept nogil:
    return functions.sslogdet(structure, m, a, lda, sign, logabsdet)


cdef int dslogdet(
    int structure, int m, const double *a, Py_ssize_t lda, double *sign, double *logabsdet
) noexcept nogil:
    return functions.dslogdet(structure, m, a, lda, sign, logabsdet)


cdef int cslogdet(
    int structure, int m, const float complex *a, Py_ssize_t lda, double complex *sign, double *logabsdet
) noexcept nogil:
    return functions.cslogdet(structure, m, a, lda, <double *> sign, logabsdet)


cdef int zslogdet(
    int structure, int m, const double complex *a, Py_ssize_t lda, double complex *sign, double *logabsdet
) noexcept nogil:
    return functions.zslogdet(structure, m, a, lda, <double *> sign, logabsdet)


cdef Py_ssize_t calculate(const stack *s) noexcept nogil:
    return functions.calculate(<const stackinv_stack *> s)


cdef Py_ssize_t workspace_bytes(const stack *s) noexcept nogil:
    return functions.workspace_bytes(<const stackinv_stack *> s)


cdef const char *describe_error(Py_ssize_t error) noexcept nogil:
    return functions.describe_error(error)


cdef void use_large_pages(void *memory, size_t bytes) noexcept nogil:
    functions.use_large_pages(memory, bytes)
