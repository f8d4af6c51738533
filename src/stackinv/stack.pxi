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
    Py_ssize_t m                    # fits LAPACK's integers
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
