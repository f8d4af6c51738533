"""The LAPACK engine: one matrix after the other by the routines for its structure, in a workspace of its thread."""

cdef char *LOWER = b"L"
cdef char *UPPER = b"U"
cdef char *NOT_UNIT = b"N"


# Norms are calculated times this, so that sums do not overflow.
cdef double NORM_UNIT = 2.0 ** -20


cdef double modulus(number x) noexcept nogil:
    if number is floatcomplex or number is doublecomplex:
        return hypot(x.real * NORM_UNIT, x.imag * NORM_UNIT)
    else:
        return fabs(x * NORM_UNIT)


cdef double norm1(const number *a, Py_ssize_t m, Py_ssize_t row, Py_ssize_t column) noexcept nogil:
    """Largest sum of moduli in a column; NaN if there is one."""
    cdef double largest = 0, total
    cdef Py_ssize_t i, j
    for j in range(m):
        total = 0
        for i in range(m):
            total += modulus(a[i * row + j * column])
        if total > largest or isnan(total):
            largest = total
            if isnan(total):
                break
    return largest


cdef blas_int workspace_length(const number *tag, blas_int m, Structure structure) noexcept nogil:
    """Of getri, sytrf or hetrf: their own choice of block size; sytri and hetri need m."""
    cdef number best[1]
    cdef number none[1]
    cdef blas_int query = -1, info = 0
    best[0] = 0
    if structure == GENERAL:
        if number is float:
            sgetri(&m, none, &m, NULL, best, &query, &info)
        elif number is double:
            dgetri(&m, none, &m, NULL, best, &query, &info)
        elif number is floatcomplex:
            cgetri(&m, none, &m, NULL, best, &query, &info)
        else:
            zgetri(&m, none, &m, NULL, best, &query, &info)
    elif structure == SYMMETRIC or structure == HERMITIAN:
        if number is float:
            ssytrf(LOWER, &m, none, &m, NULL, best, &query, &info)
        elif number is double:
            dsytrf(LOWER, &m, none, &m, NULL, best, &query, &info)
        elif number is floatcomplex:
            if structure == SYMMETRIC:
                csytrf(LOWER, &m, none, &m, NULL, best, &query, &info)
            else:
                chetrf(LOWER, &m, none, &m, NULL, best, &query, &info)
        else:
            if structure == SYMMETRIC:
                zsytrf(LOWER, &m, none, &m, NULL, best, &query, &info)
            else:
                zhetrf(LOWER, &m, none, &m, NULL, best, &query, &info)
    if number is floatcomplex or number is doublecomplex:
        return max(m, <blas_int> best[0].real)
    else:
        return max(m, <blas_int> best[0])


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


cdef blas_int potrf_potri(number *a, blas_int m, blas_int ld) noexcept nogil:
    cdef blas_int info = 0
    if number is float:
        spotrf(LOWER, &m, a, &ld, &info)
        if info == 0:
            spotri(LOWER, &m, a, &ld, &info)
    elif number is double:
        dpotrf(LOWER, &m, a, &ld, &info)
        if info == 0:
            dpotri(LOWER, &m, a, &ld, &info)
    elif number is floatcomplex:
        cpotrf(LOWER, &m, a, &ld, &info)
        if info == 0:
            cpotri(LOWER, &m, a, &ld, &info)
    else:
        zpotrf(LOWER, &m, a, &ld, &info)
        if info == 0:
            zpotri(LOWER, &m, a, &ld, &info)
    return info


cdef blas_int sytrf_sytri(
    number *a, blas_int m, blas_int ld, blas_int *pivots, number *work, blas_int lwork
) noexcept nogil:
    cdef blas_int info = 0
    if number is float:
        ssytrf(LOWER, &m, a, &ld, pivots, work, &lwork, &info)
        if info == 0:
            ssytri(LOWER, &m, a, &ld, pivots, work, &info)
    elif number is double:
        dsytrf(LOWER, &m, a, &ld, pivots, work, &lwork, &info)
        if info == 0:
            dsytri(LOWER, &m, a, &ld, pivots, work, &info)
    elif number is floatcomplex:
        csytrf(LOWER, &m, a, &ld, pivots, work, &lwork, &info)
        if info == 0:
            csytri(LOWER, &m, a, &ld, pivots, work, &info)
    else:
        zsytrf(LOWER, &m, a, &ld, pivots, work, &lwork, &info)
        if info == 0:
            zsytri(LOWER, &m, a, &ld, pivots, work, &info)
    return info


cdef blas_int hetrf_hetri(
    number *a, blas_int m, blas_int ld, blas_int *pivots, number *work, blas_int lwork
) noexcept nogil:
    cdef blas_int info = 0
    if number is floatcomplex:
        chetrf(LOWER, &m, a, &ld, pivots, work, &lwork, &info)
        if info == 0:
            chetri(LOWER, &m, a, &ld, pivots, work, &info)
        return info
    elif number is doublecomplex:
        zhetrf(LOWER, &m, a, &ld, pivots, work, &lwork, &info)
        if info == 0:
            zhetri(LOWER, &m, a, &ld, pivots, work, &info)
        return info
    else:
        return sytrf_sytri(a, m, ld, pivots, work, lwork)


cdef blas_int trtri(number *a, blas_int m, blas_int ld) noexcept nogil:
    cdef blas_int info = 0
    if number is float:
        strtri(UPPER, NOT_UNIT, &m, a, &ld, &info)
    elif number is double:
        dtrtri(UPPER, NOT_UNIT, &m, a, &ld, &info)
    elif number is floatcomplex:
        ctrtri(UPPER, NOT_UNIT, &m, a, &ld, &info)
    else:
        ztrtri(UPPER, NOT_UNIT, &m, a, &ld, &info)
    return info


cdef void complete(number *a, Py_ssize_t m, Py_ssize_t ld, Structure structure) noexcept nogil:
    """The upper triangle from the lower one; zeros below an upper triangular matrix."""
    cdef Py_ssize_t i, j
    cdef bint conjugate = structure == HERMITIAN or structure == POSITIVE_DEFINITE
    if structure == GENERAL:
        return
    for j in range(m):
        for i in range(j + 1, m):
            if structure == UPPER_TRIANGULAR:
                a[j * ld + i] = 0
            else:
                a[i * ld + j] = a[j * ld + i]
                if number is floatcomplex or number is doublecomplex:
                    if conjugate:
                        a[i * ld + j].imag = 0 - a[i * ld + j].imag
        if number is floatcomplex or number is doublecomplex:
            if conjugate:
                a[j * ld + j].imag = 0


cdef bint has_nan(const number *a, Py_ssize_t m, Py_ssize_t ld) noexcept nogil:
    cdef Py_ssize_t i, j
    for j in range(m):
        for i in range(m):
            if isnan(<double> abs(a[j * ld + i])):
                return True
    return False


cdef void clear_negative_zeros(number *a, Py_ssize_t m, Py_ssize_t ld) noexcept nogil:
    """getri and trtri leave -0 where a triangular matrix has zeros; NumPy solves for the identity and has 0."""
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
    cdef Py_ssize_t row = w.ld if s.transposed else 1, column = 1 if s.transposed else w.ld
    cdef double a_norm = 0
    cdef blas_int info

    if number is float or number is floatcomplex:
        read_matrix(<float *> a, w.ld, s, at.a)
    else:
        read_matrix(<double *> a, w.ld, s, at.a)
    complete(a, s.m, w.ld, s.structure)
    if s.rcond:
        a_norm = norm1(a, s.m, row, column)

    if s.structure == POSITIVE_DEFINITE:
        info = potrf_potri(a, s.m, w.ld)
    elif s.structure == SYMMETRIC:
        info = sytrf_sytri(a, s.m, w.ld, pivots, work, w.lwork)
    elif s.structure == HERMITIAN:
        info = hetrf_hetri(a, s.m, w.ld, pivots, work, w.lwork)
    elif s.structure == UPPER_TRIANGULAR:
        info = trtri(a, s.m, w.ld)
    else:
        info = getrf_getri(a, s.m, w.ld, pivots, work, w.lwork)
    if info and has_nan(a, s.m, w.ld):      # for which some of them end with an info: what is no number is not singular
        if s.rcond:
            (<double *> at.rcond)[0] = NAN
        write_all(s, at.out, NAN)
        return False
    if info:
        if s.info:
            (<int *> at.info)[0] = <int> info
        if s.rcond:
            (<double *> at.rcond)[0] = 0
        write_all(s, at.out, NAN)
        return True

    complete(a, s.m, w.ld, s.structure)
    clear_negative_zeros(a, s.m, w.ld)
    if s.rcond:
        (<double *> at.rcond)[0] = stackinv_rcond(a_norm, norm1(a, s.m, row, column), NORM_UNIT)
    if number is float or number is floatcomplex:
        write_matrix(<const float *> a, w.ld, s, at.out)
    else:
        write_matrix(<const double *> a, w.ld, s, at.out)
    return False
