# SPDX-License-Identifier: BSD-3-Clause
"""A stack as its matrices lie in memory, and the ways between that memory and a workspace."""

ctypedef float complex floatcomplex
ctypedef double complex doublecomplex

ctypedef fused real:
    float
    double

ctypedef fused target_real:
    float
    double

ctypedef fused number:
    float
    double
    floatcomplex
    doublecomplex


# What is known of the matrices. Lower triangular ones are described as upper triangular ones, by their transposes.
cdef enum Structure:
    GENERAL
    SYMMETRIC
    HERMITIAN
    POSITIVE_DEFINITE
    UPPER_TRIANGULAR
    LOWER_TRIANGULAR
    DIAGONAL


# By SciPy's names.
STRUCTURES = {
    "gen": GENERAL,
    "sym": SYMMETRIC,
    "her": HERMITIAN,
    "pos": POSITIVE_DEFINITE,
    "upper triangular": UPPER_TRIANGULAR,
    "lower triangular": LOWER_TRIANGULAR,
    "diagonal": DIAGONAL,
}


cdef struct Stack:
    # The axes of the stack, and where each of its matrices, results and outcomes lies. Strides are in bytes.
    Structure structure
    bint transposed                 # it describes the transposes of the matrices
    int ndim
    Py_ssize_t shape[62]
    char *a
    char *out
    char *info
    char *rcond                     # NULL if nobody asked
    Py_ssize_t a_strides[62]
    Py_ssize_t out_strides[62]
    Py_ssize_t info_strides[62]
    Py_ssize_t rcond_strides[62]
    Py_ssize_t m                    # fits a C int
    int parts                       # reals in an element: 1, or 2 for complex
    bint a_single
    bint out_single
    Py_ssize_t a_row
    Py_ssize_t a_column
    Py_ssize_t out_row
    Py_ssize_t out_column


cdef struct Place:
    char *a
    char *out
    char *info
    char *rcond


cdef Place locate(const Stack *s, Py_ssize_t i) noexcept nogil:
    cdef Place place
    cdef Py_ssize_t k
    cdef int d
    place.a, place.out, place.info, place.rcond = s.a, s.out, s.info, s.rcond
    for d in range(s.ndim - 1, -1, -1):
        if d:
            k = i % s.shape[d]
            i = i // s.shape[d]
        else:
            k = i
        place.a += k * s.a_strides[d]
        place.out += k * s.out_strides[d]
        place.info += k * s.info_strides[d]
        place.rcond += k * s.rcond_strides[d]
    return place


cdef inline void copy_square(
    target_real *to, Py_ssize_t to_row, Py_ssize_t to_column,
    const real *source, Py_ssize_t row, Py_ssize_t column, Py_ssize_t height, Py_ssize_t width,
) noexcept nogil:
    # Strides are in bytes. Whole squares have loops of known length, which the compiler unrolls.
    cdef Py_ssize_t i, j
    if height == 8 and width == 8:
        if real is double and target_real is double:
            if column == 8 and to_row == 8:
                transpose_square(to, to_column, source, row)
                return
            if row == 8 and to_column == 8:
                transpose_square(to, to_row, source, column)
                return
        for j in range(8):
            for i in range(8):
                (<target_real *> (<char *> to + i * to_row + j * to_column))[0] = (
                    <target_real> (<const real *> (<const char *> source + i * row + j * column))[0]
                )
    else:
        for j in range(width):
            for i in range(height):
                (<target_real *> (<char *> to + i * to_row + j * to_column))[0] = (
                    <target_real> (<const real *> (<const char *> source + i * row + j * column))[0]
                )


cdef void copy_matrix(
    target_real *to, Py_ssize_t to_row, Py_ssize_t to_column,
    const real *source, Py_ssize_t row, Py_ssize_t column, Py_ssize_t height, Py_ssize_t width, int parts,
) noexcept nogil:
    """A matrix of any strides (in bytes) and precision into another; `parts` is 2 for complex elements, else 1.

    In squares of 8 by 8, so that each cache line is used whole on both sides whatever the strides are, eight rows after
    eight rows.
    """
    cdef Py_ssize_t top, left, p
    for top in range(0, height, 8):
        for left in range(0, width, 8):
            for p in range(parts):
                copy_square(
                    <target_real *> (<char *> (to + p) + top * to_row + left * to_column), to_row, to_column,
                    <const real *> (<const char *> (source + p) + top * row + left * column), row, column,
                    min(height - top, <Py_ssize_t> 8), min(width - left, <Py_ssize_t> 8),
                )


cdef void read_matrix(target_real *to, Py_ssize_t ld, const Stack *s, const char *at) noexcept nogil:
    """From where the user has it into Fortran order and the type of the calculation.

    What is far apart in the user's memory is the outer loop, there and in write_matrix.
    """
    cdef Py_ssize_t near = s.parts * sizeof(target_real), far = ld * near
    cdef Py_ssize_t outer = s.a_row, inner = s.a_column
    if llabs(inner) > llabs(outer):
        near, far, outer, inner = far, near, inner, outer
    if s.a_single:
        copy_matrix(to, near, far, <const float *> at, outer, inner, s.m, s.m, s.parts)
    else:
        copy_matrix(to, near, far, <const double *> at, outer, inner, s.m, s.m, s.parts)


cdef void write_matrix(const real *source, Py_ssize_t ld, const Stack *s, char *at) noexcept nogil:
    cdef Py_ssize_t near = s.parts * sizeof(real), far = ld * near
    cdef Py_ssize_t outer = s.out_row, inner = s.out_column
    if llabs(inner) > llabs(outer):
        near, far, outer, inner = far, near, inner, outer
    if s.out_single:
        copy_matrix(<float *> at, outer, inner, source, near, far, s.m, s.m, s.parts)
    else:
        copy_matrix(<double *> at, outer, inner, source, near, far, s.m, s.m, s.parts)


cdef Py_ssize_t dense_bytes(Py_ssize_t m, Py_ssize_t row, Py_ssize_t column, Py_ssize_t size) noexcept nogil:
    """Bytes of a matrix without gaps, 0 of any other."""
    if row == size * m and column == size or column == size * m and row == size:
        return m * m * size
    return 0


cdef void write_rows(const Stack *s, char *at, Py_ssize_t first, Py_ssize_t last, double value) noexcept nogil:
    """The same number for all elements of rows first to last - 1."""
    cdef double parts[2]
    at += first * s.out_row
    parts[0] = parts[1] = value
    if s.out_single:
        copy_matrix(<float *> at, s.out_row, s.out_column, parts, 0, 0, last - first, s.m, s.parts)
    else:
        copy_matrix(<double *> at, s.out_row, s.out_column, parts, 0, 0, last - first, s.m, s.parts)


cdef void write_all(const Stack *s, char *at, double value) noexcept nogil:
    """The same number for all elements."""
    cdef Py_ssize_t size = (4 if s.out_single else 8) * s.parts
    if value == 0 and dense_bytes(s.m, s.out_row, s.out_column, size):
        memset(at, 0, s.m * s.m * size)
    else:
        write_rows(s, at, 0, s.m, value)


cdef void average_triangles(
    const real *_, char *at, Py_ssize_t row, Py_ssize_t column, Py_ssize_t first, Py_ssize_t last, int parts,
    bint conjugate,
) noexcept nogil:
    """Make a result exactly symmetric or Hermitian that is so but for rounding.

    Rows first to last - 1 up to the diagonal, and the columns that mirror them.

    The mean of both triangles has residuals as small as theirs, which one of them in place of both has not.
    """
    cdef Py_ssize_t top, left, i, j, p
    cdef real *below
    cdef real *above
    cdef real half = 0.5, sign
    for top in range(first, last, 8):
        for left in range(0, top + 1, 8):
            for i in range(top, min(last, top + 8)):
                for j in range(left, min(i, left + 8)):
                    below = <real *> (at + i * row + j * column)
                    above = <real *> (at + j * row + i * column)
                    below[0] = above[0] = half * below[0] + half * above[0]
                    if parts == 2:
                        sign = -half if conjugate else half
                        below[1] = half * below[1] + sign * above[1]
                        above[1] = 0 - below[1] if conjugate else below[1]
    if conjugate and parts == 2:
        for i in range(first, last):
            (<real *> (at + i * (row + column)))[1] = 0


cdef void make_symmetric(const Stack *s, char *at, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    """What engines for general matrices leave to do for symmetric ones: rows first to last - 1, and their columns."""
    cdef bint conjugate = s.structure == HERMITIAN
    if conjugate or s.structure == SYMMETRIC:
        if s.out_single:
            average_triangles(<float *> NULL, at, s.out_row, s.out_column, first, last, s.parts, conjugate)
        else:
            average_triangles(<double *> NULL, at, s.out_row, s.out_column, first, last, s.parts, conjugate)


# Norms are calculated times this, so that sums do not overflow.
cdef double NORM_UNIT = 2.0 ** -20


cdef double modulus(number x) noexcept nogil:
    if number is floatcomplex or number is doublecomplex:
        return hypot(x.real * NORM_UNIT, x.imag * NORM_UNIT)
    else:
        return fabs(x * NORM_UNIT)


cdef bint joins_the_axis_before(Stack *s) noexcept:
    """Make one axis of the last two, the second of which is not counted yet, if all arrays step evenly through both."""
    cdef int d = s.ndim - 1
    cdef Py_ssize_t size
    if d < 0:
        return False
    size = s.shape[d + 1]
    if (
        s.a_strides[d] != size * s.a_strides[d + 1]
        or s.out_strides[d] != size * s.out_strides[d + 1]
        or s.info_strides[d] != size * s.info_strides[d + 1]
        or s.rcond_strides[d] != size * s.rcond_strides[d + 1]
    ):
        return False
    s.shape[d] *= size
    s.a_strides[d], s.out_strides[d] = s.a_strides[d + 1], s.out_strides[d + 1]
    s.info_strides[d], s.rcond_strides[d] = s.info_strides[d + 1], s.rcond_strides[d + 1]
    return True


cdef bint begins_as(cnp.ndarray array, cnp.ndarray a, int ndim) noexcept:
    """Whether it has so many axes, as long as the first ones of `a`; None has whatever is asked for."""
    cdef int d
    if array is None:
        return True
    if cnp.PyArray_NDIM(array) != ndim:
        return False
    for d in range(ndim):
        if cnp.PyArray_DIM(array, d) != cnp.PyArray_DIM(a, d):
            return False
    return True


cdef bint is_of(cnp.ndarray array, bint is_complex) noexcept:
    cdef int typenum = cnp.PyArray_TYPE(array)
    if is_complex:
        return typenum == cnp.NPY_CDOUBLE or typenum == cnp.NPY_CFLOAT
    return typenum == cnp.NPY_DOUBLE or typenum == cnp.NPY_FLOAT


cdef Py_ssize_t describe(
    Stack *s, cnp.ndarray a, cnp.ndarray out, cnp.ndarray info, cnp.ndarray rcond, bint is_complex, Structure structure
) except -1:
    """Fill in the stack; how many matrices it has. The last look at arrays that other threads may change."""
    cdef int d, row, column
    cdef Py_ssize_t n = 1
    cdef int ndim = cnp.PyArray_NDIM(a)
    if (
        ndim < 2 or cnp.PyArray_DIM(a, ndim - 1) != cnp.PyArray_DIM(a, ndim - 2) or cnp.PyArray_DIM(a, ndim - 1) == 0
        or not begins_as(out, a, ndim) or not begins_as(info, a, ndim - 2) or not begins_as(rcond, a, ndim - 2)
        or not is_of(a, is_complex) or not is_of(out, is_complex)
    ):
        raise RuntimeError("an array changed its shape or type while it was to be inverted")
    s.ndim = 0
    s.a, s.out = cnp.PyArray_BYTES(a), cnp.PyArray_BYTES(out)
    s.info = NULL if info is None else cnp.PyArray_BYTES(info)
    s.rcond = NULL if rcond is None else cnp.PyArray_BYTES(rcond)
    for d in range(ndim - 2):
        if cnp.PyArray_DIM(a, d) == 1:
            continue
        s.shape[s.ndim] = cnp.PyArray_DIM(a, d)
        s.a_strides[s.ndim] = cnp.PyArray_STRIDE(a, d)
        s.out_strides[s.ndim] = cnp.PyArray_STRIDE(out, d)
        s.info_strides[s.ndim] = 0 if info is None else cnp.PyArray_STRIDE(info, d)
        s.rcond_strides[s.ndim] = 0 if rcond is None else cnp.PyArray_STRIDE(rcond, d)
        n *= s.shape[s.ndim]
        if not joins_the_axis_before(s):
            s.ndim += 1
    if s.ndim == 0:
        s.a_strides[0] = s.out_strides[0] = 0
    s.m = cnp.PyArray_DIM(a, ndim - 1)
    if <int> s.m != s.m:
        raise ValueError(f"matrices of order {s.m} are too large for a C int")
    s.structure = structure
    row, column = ndim - 2, ndim - 1
    s.transposed = structure == LOWER_TRIANGULAR
    if s.transposed:
        s.structure = UPPER_TRIANGULAR
        row, column = column, row
    s.a_row, s.a_column = cnp.PyArray_STRIDE(a, row), cnp.PyArray_STRIDE(a, column)
    s.out_row, s.out_column = cnp.PyArray_STRIDE(out, row), cnp.PyArray_STRIDE(out, column)
    s.parts = 2 if is_complex else 1
    s.a_single = cnp.PyArray_ITEMSIZE(a) == 4 * s.parts
    s.out_single = cnp.PyArray_ITEMSIZE(out) == 4 * s.parts
    return n


cdef Py_ssize_t padded(Py_ssize_t size) noexcept nogil:
    # Whole cache lines and one more between neighbours, so that no two threads write to one line.
    return (size + 127) // 64 * 64
