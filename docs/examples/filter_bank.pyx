# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""A step of many Kalman filters, each of four states and two measurements, in Cython without the GIL."""

from cython.parallel cimport prange

from stackinv.cython_api cimport POSITIVE_DEFINITE, dinv


cdef int update(double *x, double *p, const double *z, const double *r) noexcept nogil:
    """The first two states are measured: x and p become what they are after z, of covariance r."""
    cdef double s[4]
    cdef double weights[4]
    cdef double gain[4][2]
    cdef double before[2][4]
    cdef double innovation[2]
    cdef int i, j, info
    for i in range(2):
        innovation[i] = z[i] - x[i]
        for j in range(2):
            s[2 * i + j] = p[4 * i + j] + r[2 * i + j]
        for j in range(4):
            before[i][j] = p[4 * i + j]
    info = dinv(POSITIVE_DEFINITE, 2, s, 2, weights, 2, NULL)
    if info:
        return info
    for i in range(4):
        for j in range(2):
            gain[i][j] = p[4 * i] * weights[j] + p[4 * i + 1] * weights[2 + j]
        x[i] += gain[i][0] * innovation[0] + gain[i][1] * innovation[1]
    for i in range(4):
        for j in range(4):
            p[4 * i + j] -= gain[i][0] * before[0][j] + gain[i][1] * before[1][j]
    return 0


def update_all(double[:, ::1] x, double[:, :, ::1] p, double[:, ::1] z, double[:, ::1] r):
    """One measurement for each filter, in place; how many of their covariances are not positive definite."""
    cdef Py_ssize_t k
    cdef Py_ssize_t failed = 0
    for k in prange(x.shape[0], nogil=True):
        failed += update(&x[k, 0], &p[k, 0, 0], &z[k, 0], &r[0, 0]) != 0
    return failed
