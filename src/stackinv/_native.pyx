# SPDX-License-Identifier: BSD-3-Clause
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Arrays for the C in native/: what they are, the GIL released, signals looked at, the callback called."""

from cpython.exc cimport PyErr_CheckSignals
from cpython.pycapsule cimport PyCapsule_New

cimport numpy as cnp

from stackinv import _workers

cdef extern from *:
    const char *STACKINV_VERSION

cnp.import_array()
stackinv_prepare()

version: str = STACKINV_VERSION.decode()

# For other compiled code: the table of functions, and what XLA calls, by the name that it expects.
_C_API = PyCapsule_New(<void *> &stackinv_api, STACKINV_CAPSULE, NULL)
XLA_HANDLER = PyCapsule_New(<void *> stackinv_xla, "xla._CUSTOM_CALL_TARGET", NULL)

cdef dict STRUCTURES = {stackinv_structures[k].name.decode(): k for k in range(STACKINV_KNOWN)}
cdef str TYPES = "fdFD"             # as `enum type` is ordered


cdef stack_structure structure_named(object name) except *:
    return <stack_structure> <int> STRUCTURES[name]


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


cdef bint is_beside(cnp.ndarray array, cnp.ndarray a, int ndim) noexcept:
    """Whether it has right-hand sides, or solutions, for the matrices of `a`."""
    cdef int d
    if cnp.PyArray_NDIM(array) != ndim:
        return False
    for d in range(ndim - 1):
        if cnp.PyArray_DIM(array, d) != cnp.PyArray_DIM(a, d):
            return False
    return True


cdef bint is_of(cnp.ndarray array, bint is_complex) noexcept:
    cdef int typenum = cnp.PyArray_TYPE(array)
    if is_complex:
        return typenum == cnp.NPY_CDOUBLE or typenum == cnp.NPY_CFLOAT
    return typenum == cnp.NPY_DOUBLE or typenum == cnp.NPY_FLOAT


cdef int own_number(int typenum) noexcept:
    """Of a type of double or single precision, the double one that is calculated in, as NumPy does it; else -1."""
    if typenum == cnp.NPY_DOUBLE or typenum == cnp.NPY_FLOAT:
        return 1
    if typenum == cnp.NPY_CDOUBLE or typenum == cnp.NPY_CFLOAT:
        return 3
    return -1


cdef layout layout_of(cnp.ndarray array, int ndim) noexcept:
    cdef layout its
    cdef int typenum = cnp.PyArray_TYPE(array)
    its.single = typenum == cnp.NPY_FLOAT or typenum == cnp.NPY_CFLOAT
    its.row = cnp.PyArray_STRIDE(array, ndim - 2)
    its.column = cnp.PyArray_STRIDE(array, ndim - 1)
    return its


cdef int type_of_output(int array, int number) noexcept:
    """Of what is calculated for each matrix."""
    if array == STACKINV_INFO:
        return cnp.NPY_INT
    if (array == STACKINV_SIGN or array == STACKINV_DETERMINANT) and number >= 2:
        return cnp.NPY_CDOUBLE
    return cnp.NPY_DOUBLE


cdef int describe(
    stack *s, cnp.ndarray a, cnp.ndarray inverse, tuple others, int number, stack_structure known
) except -1:
    """Fill in the stack. The last look at arrays that other threads may change.

    `inverse` may be None, and so may each of the others, in the order of `enum array`, or all of them.
    """
    cdef int ndim = cnp.PyArray_NDIM(a), d, k, arrays = STACKINV_INFO if others is None else STACKINV_ARRAYS
    cdef char *at[9]                # STACKINV_ARRAYS
    cdef Py_ssize_t strides[9]
    cdef Py_ssize_t m, columns
    cdef cnp.ndarray array, right = None, solution = None
    cdef bint same = (
        ndim >= 2 and cnp.PyArray_DIM(a, ndim - 1) == cnp.PyArray_DIM(a, ndim - 2) and cnp.PyArray_DIM(a, ndim - 1) > 0
        and begins_as(inverse, a, ndim) and is_of(a, number >= 2) and (inverse is None or is_of(inverse, number >= 2))
    )
    at[STACKINV_A] = cnp.PyArray_BYTES(a)
    at[STACKINV_INVERSE] = NULL if inverse is None else cnp.PyArray_BYTES(inverse)
    for k in range(STACKINV_INFO, STACKINV_ARRAYS):
        at[k] = NULL
        strides[k] = 0
    for k in range(STACKINV_INFO, arrays):
        array = others[k - STACKINV_INFO]
        if array is not None:
            if k >= STACKINV_RIGHT:
                same &= is_beside(array, a, ndim) and is_of(array, number >= 2)
            else:
                same &= begins_as(array, a, ndim - 2) and cnp.PyArray_TYPE(array) == type_of_output(k, number)
            at[k] = cnp.PyArray_BYTES(array)
    if same and at[STACKINV_SOLUTION] != NULL:
        right, solution = others[STACKINV_RIGHT - STACKINV_INFO], others[STACKINV_SOLUTION - STACKINV_INFO]
        same = right is not None and cnp.PyArray_DIM(right, ndim - 1) == cnp.PyArray_DIM(solution, ndim - 1) > 0
    if not same:
        raise RuntimeError("an array changed its shape or type while its matrices were calculated with")
    m = cnp.PyArray_DIM(a, ndim - 1)
    if <int> m != m:
        raise ValueError(f"matrices of order {m} are too large for a C int")
    stackinv_describe(
        s, <stack_type> number, known, <int> m,
        layout_of(a, ndim), layout_of(a if inverse is None else inverse, ndim), at,
    )
    if solution is not None:
        columns = cnp.PyArray_DIM(right, ndim - 1)
        if <int> columns != columns:
            raise ValueError(f"{columns} right-hand sides are too many for a C int")
        stackinv_add_systems(s, <int> columns, layout_of(right, ndim), layout_of(solution, ndim))
    for d in range(ndim - 2):
        strides[STACKINV_A] = cnp.PyArray_STRIDE(a, d)
        strides[STACKINV_INVERSE] = 0 if inverse is None else cnp.PyArray_STRIDE(inverse, d)
        for k in range(STACKINV_INFO, arrays):
            array = others[k - STACKINV_INFO]
            strides[k] = 0 if array is None else cnp.PyArray_STRIDE(array, d)
        stackinv_add_axis(s, cnp.PyArray_DIM(a, d), strides)
    return 0


cdef void multiply(int type, const void *numbers, int m, bint odd, determinants *d) noexcept nogil:
    """The determinant that is the product of m numbers, for the LAPACK engine."""
    stackinv_settings().build.kernels[type].multiply(numbers, m, 1, odd, d)


def calculate(cnp.ndarray a not None, outputs, calculation, structure, workers, callback):
    """Calculate what is asked of the stack `a`; how many of its matrices are singular, or -1: that is for LAPACK.

    `a` has shape (..., M, M), M > 0, at least one matrix, and any strides; it is real or complex as the calculation is,
    of either precision, aligned and of native byte order. What `structure` says of the matrices is not checked; of
    symmetric ones the lower triangle is read. The outputs, each of which may be None, are those of
    `_engines.Outputs`: the inverses, as `a` and maybe in the same memory; and of the shape of the stack: info (C int,
    zeros), rcond (double, only with the inverses), and the signs of determinants, their logarithms, and determinants
    (double; signs and determinants of complex matrices complex). The right-hand sides of systems and, instead of the
    inverses, their solutions are of shape (..., M, K), K > 0, and else as `a`; they may be in the same memory.

    Two more words in the place of a structure: with "derivative", or "gradient", the matrices are inverses X, and what
    stands in the place of solutions is -X B X, or -Xᴴ B Xᴴ, for right-hand sides B of shape (..., M, M).
    """
    cdef stack s
    cdef call *c
    cdef choice how
    cdef int threads = 1
    cdef Py_ssize_t told = 0, singular
    cdef bint more = True
    describe(&s, a, outputs[0], outputs[1:], TYPES.index(calculation), structure_named(structure))
    how = stackinv_choose(&s, True)
    if how.engine == STACKINV_LAPACK:
        return -1
    if how.shared:
        threads = min(_workers.resolve(None) if workers is None else workers, _workers.available_cpus())
    c = stackinv_begin(&s, how, threads)
    if c == NULL:
        threads = min(<Py_ssize_t> threads, s.n)
        raise MemoryError(f"Unable to allocate {threads} workspaces, one a worker, for matrices of order {s.m}")
    try:
        while more:
            with nogil:
                more = stackinv_turn(c)
            PyErr_CheckSignals()
            if callback is not None and stackinv_finished(c) > told:
                told = stackinv_finished(c)
                callback(told, s.n)
    finally:
        singular = stackinv_end(c)
    return singular


# Stacks of at most this many numbers are not worth more than the arithmetic takes.
cdef Py_ssize_t MOST_SMALL = 4096


cdef bint is_small(cnp.ndarray array) noexcept:
    """Whether it is a stack of few square matrices that can be read as they lie, and LAPACK is not asked for."""
    cdef int ndim = cnp.PyArray_NDIM(array)
    return (
        ndim >= 2 and 0 < cnp.PyArray_SIZE(array) <= MOST_SMALL and stackinv_settings().engine != STACKINV_LAPACK
        and cnp.PyArray_DIM(array, ndim - 1) == cnp.PyArray_DIM(array, ndim - 2) and cnp.PyArray_ISBEHAVED_RO(array)
    )


def invert_small(a, structure):
    """The inverses of few matrices of low order that no type or layout keeps from it, or None; also if one is singular.

    `invert` without what takes longer than the arithmetic.
    """
    cdef stack s
    cdef cnp.ndarray array, result
    cdef int typenum, ndim, number
    cdef stack_structure known = structure_named(structure)
    if not cnp.PyArray_CheckExact(a):
        return None
    array = a
    ndim = cnp.PyArray_NDIM(array)
    if known == STACKINV_IS_DIAGONAL or not is_small(array):
        return None
    typenum = cnp.PyArray_TYPE(array)
    if cnp.PyTypeNum_ISINTEGER(typenum) or cnp.PyTypeNum_ISBOOL(typenum):
        array = cnp.PyArray_Cast(array, cnp.NPY_DOUBLE)
        typenum = cnp.NPY_DOUBLE
    number = own_number(typenum)
    if number < 0:
        return None
    result = cnp.PyArray_EMPTY(ndim, cnp.PyArray_DIMS(array), typenum, 0)
    describe(&s, array, result, None, number, known)
    return None if stackinv_invert_few(&s) else result


def determinants_small(a, structure, logarithm):
    """Signs and logarithms, or determinants, of few matrices of low order and double precision, or None.

    As `invert_small`. A list of one or two arrays, or of scalars if `a` is one matrix.
    """
    cdef stack s
    cdef cnp.ndarray array, sign, second = None
    cdef int typenum, ndim
    cdef bint is_complex
    cdef stack_structure known = structure_named(structure)
    if not cnp.PyArray_CheckExact(a):
        return None
    array = a
    ndim = cnp.PyArray_NDIM(array)
    typenum = cnp.PyArray_TYPE(array)
    is_complex = typenum == cnp.NPY_CDOUBLE
    if not (typenum == cnp.NPY_DOUBLE or is_complex) or not is_small(array):
        return None
    sign = cnp.PyArray_EMPTY(ndim - 2, cnp.PyArray_DIMS(array), typenum, 0)
    if logarithm:
        second = cnp.PyArray_EMPTY(ndim - 2, cnp.PyArray_DIMS(array), cnp.NPY_DOUBLE, 0)
    describe(
        &s, array, None,
        (None, None, sign, second, None, None, None) if logarithm else (None, None, None, None, sign, None, None),
        3 if is_complex else 1, known,
    )
    singular = stackinv_invert_few(&s)
    if singular < 0 or (singular and known == STACKINV_IS_POSITIVE_DEFINITE):     # whose error is to name it
        return None
    return [sign[()], second[()]] if logarithm else [sign[()]]


def solve_small(a, b, structure):
    """The solutions of few systems of low order that no type or layout keeps from it, or None; also if one is singular.

    As `invert_small`, where both have the same type and the same axes, or are one matrix and one vector.
    """
    cdef stack s
    cdef cnp.ndarray array, right, result, solution
    cdef int typenum, ndim, number
    cdef stack_structure known = structure_named(structure)
    if not cnp.PyArray_CheckExact(a) or not cnp.PyArray_CheckExact(b):
        return None
    array, right = a, b
    typenum = cnp.PyArray_TYPE(array)
    number = own_number(typenum)
    if number < 0 or cnp.PyArray_TYPE(right) != typenum or not is_small(array):
        return None
    if not 0 < cnp.PyArray_SIZE(right) <= MOST_SMALL or not cnp.PyArray_ISBEHAVED_RO(right):
        return None
    ndim = cnp.PyArray_NDIM(array)
    result = solution = cnp.PyArray_EMPTY(cnp.PyArray_NDIM(right), cnp.PyArray_DIMS(right), typenum, 0)
    if cnp.PyArray_NDIM(right) == 1:
        right, solution = right[:, None], result[:, None]
    if not is_beside(right, array, ndim):
        return None
    describe(&s, array, None, (None, None, None, None, None, right, solution), number, known)
    return None if stackinv_invert_few(&s) else result


def structures():
    """The numbers of the structures, in stackinv/stackinv.h too, by name."""
    return dict(STRUCTURES)


def set_default_threads(int threads):
    """How many threads a call from other compiled code has that asks for all."""
    stackinv_set_default_threads(threads)


def allowed_cpus():
    """How many cores this process may use, as Windows says; 0 if only Python knows."""
    return pool_allowed_cpus()


def builds():
    """What the kernels were compiled for, best first: names, the features needed, and whether this machine has them."""
    return [
        (stackinv_builds[i].name.decode(), stackinv_builds[i].features.decode().split(), stackinv_builds[i].runs_here())
        for i in range(stackinv_build_count)
    ]


def use_build(name):
    """Calculate with the kernels of this name from now on."""
    cdef int i
    for i in range(stackinv_build_count):
        if stackinv_builds[i].name.decode() == name and stackinv_builds[i].runs_here():
            stackinv_use_build(&stackinv_builds[i])
            return
    raise ValueError(f"no kernels {name!r} run here; there are {', '.join(build[0] for build in builds() if build[2])}")


def build_used():
    """The name of the kernels in use."""
    return stackinv_settings().build.name.decode()


def vector_bits():
    """The length of the vectors of the kernels in use: one number of 64 bits if built without vector extensions."""
    return 64 * stackinv_settings().build.kernels[1].lanes


def needs_lapack():
    """Whether the build in use has no engine of its own for large matrices."""
    return not stackinv_settings().build.blocked


def most_lanes_m(calculation, structure="gen"):
    """The order up to which the lanes engine is chosen for long stacks of this type and structure."""
    cdef int number = TYPES.index(calculation)
    return stackinv_most_lanes_m(stackinv_settings().build, <stack_type> number, structure_named(structure))


def use_engine(name):
    """Use this engine from now on, "lanes", "blocked" or "lapack", or None for the best one for each stack."""
    stackinv_use_engine(
        {None: -1, "lanes": STACKINV_LANES, "blocked": STACKINV_BLOCKED, "lapack": STACKINV_LAPACK}[name]
    )


def override_sharing(least_seconds):
    """Set the least work that threads share, for tests and for bench/sharing.py, which measures it; what it was."""
    return stackinv_override_sharing(least_seconds)


def override_turn(seconds):
    """Set how long a turn is, for tests, which leave off at every piece; what it was."""
    return stackinv_override_turn(seconds)


_workers.remember()                 # before other compiled code calls
