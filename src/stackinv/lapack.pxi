"""The LAPACK engine: one matrix after the other by getrf and getri, in a workspace of its thread."""

cdef double norm1(const number *a, Py_ssize_t m, Py_ssize_t ld) noexcept nogil:
    """Largest sum of absolute values in a column; NaN if there is one."""
    cdef double largest = 0, total
    cdef Py_ssize_t i, j
    for j in range(m):
        total = 0
        for i in range(m):
            total += abs(a[j * ld + i])
        if total > largest or isnan(total):
            largest = total
            if isnan(total):
                break
    return largest


cdef blas_int getri_workspace(const number *_, blas_int m) noexcept nogil:
    """getri's own choice of block size, as the length of its workspace."""
    cdef number length[1]
    cdef blas_int query = -1, info = 0
    if number is float:
        sgetri(&m, NULL, &m, NULL, length, &query, &info)
        return <blas_int> length[0]
    elif number is double:
        dgetri(&m, NULL, &m, NULL, length, &query, &info)
        return <blas_int> length[0]
    elif number is floatcomplex:
        cgetri(&m, NULL, &m, NULL, length, &query, &info)
        return <blas_int> length[0].real
    else:
        zgetri(&m, NULL, &m, NULL, length, &query, &info)
        return <blas_int> length[0].real


cdef blas_int getrf_getri(
    number *a, blas_int m, blas_int ld, blas_int *pivots, number *work, blas_int lwork
) noexcept nogil:
    cdef blas_int info = 0
    if number is float:
        sgetrf(&m, &m, a, &ld, pivots, &info)
        if info == 0:
            sgetri(&m, a, &ld, pivots, work, &lwork, &info)
    elif number is double:
        dgetrf(&m, &m, a, &ld, pivots, &info)
        if info == 0:
            dgetri(&m, a, &ld, pivots, work, &lwork, &info)
    elif number is floatcomplex:
        cgetrf(&m, &m, a, &ld, pivots, &info)
        if info == 0:
            cgetri(&m, a, &ld, pivots, work, &lwork, &info)
    else:
        zgetrf(&m, &m, a, &ld, pivots, &info)
        if info == 0:
            zgetri(&m, a, &ld, pivots, work, &lwork, &info)
    return info


cdef void clear_negative_zeros(number *a, Py_ssize_t m, Py_ssize_t ld) noexcept nogil:
    """getri leaves -0 in the triangle of zeros of a triangular matrix; NumPy solves for the identity and has 0."""
    cdef Py_ssize_t i, j
    for j in range(m):
        for i in range(m):
            a[j * ld + i] += 0


cdef bint invert_one(const Stack *s, const Workspace *w, const number *_, int thread, Py_ssize_t i) noexcept nogil:
    """Invert matrix i of the stack; whether it is singular."""
    cdef Place at = locate(s, i)
    cdef char *mine = own(w, thread)
    cdef number *a = <number *> mine
    cdef number *work = <number *> (mine + w.work_offset)
    cdef blas_int *pivots = <blas_int *> (mine + w.pivots_offset)
    cdef double a_norm = 0
    cdef blas_int info

    if number is float or number is floatcomplex:
        read_matrix(<float *> a, w.ld, s, at.a)
    else:
        read_matrix(<double *> a, w.ld, s, at.a)
    if s.rcond:
        a_norm = norm1(a, s.m, w.ld)

    info = getrf_getri(a, s.m, w.ld, pivots, work, w.lwork)
    if info:
        if s.info:
            (<int *> at.info)[0] = <int> info
        if s.rcond:
            (<double *> at.rcond)[0] = 0
        write_nan(s, at.out)
        return True

    clear_negative_zeros(a, s.m, w.ld)
    if s.rcond:
        (<double *> at.rcond)[0] = 1 / a_norm / norm1(a, s.m, w.ld)
    if number is float or number is floatcomplex:
        write_matrix(<const float *> a, w.ld, s, at.out)
    else:
        write_matrix(<const double *> a, w.ld, s, at.out)
    return False
