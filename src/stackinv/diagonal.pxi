# SPDX-License-Identifier: BSD-3-Clause
"""Diagonal matrices: the reciprocals of their diagonals between zeros, as fast as memory is written."""

# Results that follow each other are copied, so many bytes at a time, from a template whose zeros are written once.
cdef Py_ssize_t TEMPLATE_BYTES = 4 << 10
# A matrix that is larger is not worth a template: its zeros are written where they go.
cdef Py_ssize_t MOST_TEMPLATE_BYTES = 1 << 20


cdef Py_ssize_t result_bytes(const Stack *s) noexcept nogil:
    return s.m * s.m * (4 if s.out_single else 8) * s.parts


cdef Py_ssize_t template_matrices(const Stack *s) noexcept nogil:
    """How many results there are in a template, 0 if it is not used."""
    cdef Py_ssize_t size = result_bytes(s)
    if (
        size <= MOST_TEMPLATE_BYTES and dense_bytes(s.m, s.out_row, s.out_column, size // (s.m * s.m))
        and (s.ndim == 0 or s.ndim == 1 and s.out_strides[0] == size)
    ):
        return max(<Py_ssize_t> 1, TEMPLATE_BYTES // size)
    return 0


cdef void copy_line(
    target_real *to, Py_ssize_t to_step, const real *source, Py_ssize_t step, Py_ssize_t m, int parts
) noexcept nogil:
    cdef Py_ssize_t p
    for p in range(parts):
        copy_square(to + p, to_step, 0, source + p, step, 0, m, 1)


cdef void read_diagonal(target_real *to, const Stack *s, const char *at) noexcept nogil:
    cdef Py_ssize_t size = s.parts * sizeof(target_real), step = s.a_row + s.a_column
    if s.a_single:
        copy_line(to, size, <const float *> at, step, s.m, s.parts)
    else:
        copy_line(to, size, <const double *> at, step, s.m, s.parts)


cdef void write_diagonal(const real *source, const Stack *s, char *at) noexcept nogil:
    cdef Py_ssize_t size = s.parts * sizeof(real), step = s.out_row + s.out_column
    if s.out_single:
        copy_line(<float *> at, step, source, size, s.m, s.parts)
    else:
        copy_line(<double *> at, step, source, size, s.m, s.parts)


cdef double largest(const number *x, Py_ssize_t m) noexcept nogil:
    cdef double result = 0, size
    cdef Py_ssize_t i
    for i in range(m):
        size = modulus(x[i])
        if size > result or isnan(size):
            result = size
            if isnan(size):
                break
    return result


cdef bint take_reciprocals(number *x, Py_ssize_t count) noexcept nogil:
    """Whether one of the numbers is zero."""
    cdef bint zero = False
    cdef Py_ssize_t i
    for i in range(count):
        zero |= x[i] == 0
        x[i] = 1 / x[i]
    return zero


cdef int first_zero(const number *x, Py_ssize_t m) noexcept nogil:
    """LAPACK's info: its number from 1 on, or 0 if there is none."""
    cdef Py_ssize_t i
    for i in range(m):
        if x[i] == 0:
            return <int> i + 1
    return 0


cdef Py_ssize_t invert_diagonals(
    const Stack *s, const Workspace *w, const number *_, int thread, Py_ssize_t first, Py_ssize_t last
) noexcept nogil:
    """Invert matrices first to last - 1; how many of them are singular.

    As many of them as a template has, or one, have their diagonals read, then inverted, then written.
    """
    cdef char *template = own(w, thread)
    cdef number *x = <number *> (template + w.work_offset)
    cdef number *y = x + w.unit * s.m
    cdef Py_ssize_t size = result_bytes(s), singular = 0, n, k
    cdef char *out
    cdef bint any_zero
    cdef int info
    cdef Place at
    memset(template, 0, w.staged)
    while first < last:
        n = min(<Py_ssize_t> w.unit, last - first)
        for k in range(n):
            at = locate(s, first + k)
            if number is float or number is floatcomplex:
                read_diagonal(<float *> x + k * s.m * s.parts, s, at.a)
            else:
                read_diagonal(<double *> x + k * s.m * s.parts, s, at.a)
            if s.rcond:
                (<double *> at.rcond)[0] = largest(x + k * s.m, s.m)
        any_zero = take_reciprocals(x, n * s.m)
        for k in range(n):
            info = 0
            out = template + k * size
            if s.rcond or any_zero or not w.staged:
                at = locate(s, first + k)
                if s.rcond:
                    (<double *> at.rcond)[0] = stackinv_rcond(
                        (<double *> at.rcond)[0], largest(x + k * s.m, s.m), NORM_UNIT
                    )
                if any_zero:
                    if number is float or number is floatcomplex:
                        read_diagonal(<float *> y, s, at.a)
                    else:
                        read_diagonal(<double *> y, s, at.a)
                    info = first_zero(y, s.m)
                    if s.info:
                        (<int *> at.info)[0] = info
                if info and s.rcond:
                    (<double *> at.rcond)[0] = 0
                if not w.staged:
                    out = at.out
                if info or not w.staged:
                    write_all(s, out, NAN if info else 0)
                if info:
                    singular += 1
                    continue
            if number is float or number is floatcomplex:
                write_diagonal(<const float *> x + k * s.m * s.parts, s, out)
            else:
                write_diagonal(<const double *> x + k * s.m * s.parts, s, out)
        if w.staged:
            out = locate(s, first).out
            if w.streamed:
                stream(out, template, n * size)
            else:
                memcpy(out, template, n * size)
            if any_zero:
                memset(template, 0, w.staged)
        first += n
    if w.streamed:
        stream_end()
    return singular
