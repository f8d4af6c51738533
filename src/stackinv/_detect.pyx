# SPDX-License-Identifier: BSD-3-Clause
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Which structure each matrix of a stack has, to the last bit."""

import numpy as np

ctypedef fused number:
    float
    double
    float complex
    double complex

NAMES = ("gen", "diagonal", "upper triangular", "lower triangular", "tridiagonal", "sym", "her")

cdef enum:
    GENERAL, DIAGONAL, UPPER_TRIANGULAR, LOWER_TRIANGULAR, TRIDIAGONAL, SYMMETRIC, HERMITIAN


cdef inline const number *at(
    const number *a, Py_ssize_t row, Py_ssize_t column, Py_ssize_t i, Py_ssize_t j
) noexcept nogil:
    return <const number *> (<const char *> a + i * row + j * column)


cdef bint any_from(
    Py_ssize_t diagonal, const number *a, Py_ssize_t m, Py_ssize_t row, Py_ssize_t column
) noexcept nogil:
    """Whether a number is not zero on this diagonal above the main one, or beyond it."""
    cdef Py_ssize_t i, j
    for i in range(m - diagonal):
        for j in range(i + diagonal, m):
            if at(a, row, column, i, j)[0] != 0:
                return True
    return False


cdef bint is_mirrored(
    bint conjugated, const number *a, Py_ssize_t m, Py_ssize_t row, Py_ssize_t column
) noexcept nogil:
    cdef Py_ssize_t i, j
    cdef number x, y
    for i in range(m):
        for j in range(i + 1):
            x = at(a, row, column, i, j)[0]
            y = at(a, row, column, j, i)[0]
            if number is floatcomplex or number is doublecomplex:
                if x.real != y.real or x.imag != (-y.imag if conjugated else y.imag):
                    return False
            elif x != y:
                return False
    return True


cdef signed char structure_of(
    const number *a, Py_ssize_t m, Py_ssize_t row, Py_ssize_t column, bint tridiagonal
) noexcept nogil:
    cdef bint above = any_from(1, a, m, row, column), below = any_from(1, a, m, column, row)
    if not above:
        return LOWER_TRIANGULAR if below else DIAGONAL
    if not below:
        return UPPER_TRIANGULAR
    if tridiagonal and m > 3 and not any_from(2, a, m, row, column) and not any_from(2, a, m, column, row):
        return TRIDIAGONAL
    if number is floatcomplex or number is doublecomplex:
        if is_mirrored(True, a, m, row, column):
            return HERMITIAN
    return SYMMETRIC if is_mirrored(False, a, m, row, column) else GENERAL


def structures(const number[:, :, :] a, bint tridiagonal):
    """Of each matrix its place among the names; whether those of an order above 3 may be tridiagonal."""
    result = np.empty(a.shape[0], np.int8)
    cdef signed char[:] kinds = result
    cdef Py_ssize_t k
    with nogil:
        for k in range(a.shape[0] if a.shape[1] else 0):
            kinds[k] = structure_of(&a[k, 0, 0], a.shape[1], a.strides[1], a.strides[2], tridiagonal)
    return result
