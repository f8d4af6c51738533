# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""A loop over single matrices, by stackinv's pointer and by LAPACK's, for bench/compiled.py."""

from scipy.linalg.cython_lapack cimport dgetrf, dgetri

from stackinv.cython_api cimport GENERAL, dinv


def by_stackinv(double[:, :, ::1] a, double[:, :, ::1] x):
    cdef Py_ssize_t i
    cdef int m = a.shape[1], info = 0
    with nogil:
        for i in range(a.shape[0]):
            info |= dinv(GENERAL, m, &a[i, 0, 0], m, &x[i, 0, 0], m, NULL)
    return info


def by_lapack(double[:, :, ::1] a, double[:, :, ::1] x):
    cdef Py_ssize_t i, j
    cdef int m = a.shape[1], info = 0, length = 4096
    cdef int pivots[64]
    cdef double work[4096]
    cdef double *at
    with nogil:
        for i in range(a.shape[0]):
            at = &x[i, 0, 0]
            for j in range(m * m):
                at[j] = (&a[i, 0, 0])[j]
            dgetrf(&m, &m, at, &m, pivots, &info)
            dgetri(&m, at, &m, pivots, work, &length, &info)
    return info
