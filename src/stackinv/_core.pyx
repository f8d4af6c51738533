# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The loop over the stack: who does what, workspace, signals, and the LAPACK engine.

Every matrix is read once from where the user has it (any strides), inverted in a workspace that belongs to one thread,
and written once to where it ends. The GIL is released for the whole loop.
"""

from cpython.exc cimport PyErr_CheckSignals
from cython.parallel cimport parallel, threadid
from libc.math cimport NAN, isnan
from libc.stdlib cimport free, llabs, malloc

cimport numpy as cnp
from scipy.linalg.cython_lapack cimport (
    cgetrf, cgetri, dgetrf, dgetri, sgetrf, sgetri, zgetrf, zgetri,
)

include "blas_int.pxi"

from time import perf_counter

from stackinv import _blas, _workers

cdef extern from *:
    const char *STACKINV_VERSION

cdef extern from "threads.h":
    const int STACKINV_OPENMP
    int omp_get_max_threads() nogil
    int omp_get_num_threads() nogil
    Py_ssize_t take(Py_ssize_t *counter, Py_ssize_t amount) nogil
    ctypedef struct team:
        pass
    void team_open(team *t) nogil
    void team_start(team *t) nogil
    void team_make_room(team *t, int size) nogil
    void team_wait_for_start(team *t, int size) nogil
    size_t thread_stack_size() nogil

cdef extern from "transpose.h":
    void transpose_square(double *to, Py_ssize_t to_stride, const double *source, Py_ssize_t stride) nogil

cnp.import_array()

version: str = STACKINV_VERSION.decode()
openmp: int = STACKINV_OPENMP           # the date of the OpenMP standard that was compiled in, 0 without
blas_int_bits: int = 8 * sizeof(blas_int)


def openmp_max_threads():
    """Threads that OpenMP would start: OMP_NUM_THREADS, or what a threadpoolctl limit has made of it."""
    return omp_get_max_threads()


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


cdef struct Stack:
    # The axes of the stack, and where each of its matrices, results and outcomes lies. Strides are in bytes.
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
    blas_int m
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


cdef struct Workspace:
    # One allocation: for each thread a matrix in Fortran order, getri's workspace and the pivots.
    void *block
    char *start
    Py_ssize_t per_thread
    Py_ssize_t work_offset
    Py_ssize_t pivots_offset
    blas_int ld                     # of the matrix
    blas_int lwork


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
    const real *source, Py_ssize_t row, Py_ssize_t column, Py_ssize_t m, int parts,
) noexcept nogil:
    """A matrix of any strides (in bytes) and precision into another; `parts` is 2 for complex elements, else 1.

    In squares of 8 by 8, so that each cache line is used whole on both sides whatever the strides are, eight rows after
    eight rows.
    """
    cdef Py_ssize_t top, left, p
    for top in range(0, m, 8):
        for left in range(0, m, 8):
            for p in range(parts):
                copy_square(
                    <target_real *> (<char *> (to + p) + top * to_row + left * to_column), to_row, to_column,
                    <const real *> (<const char *> (source + p) + top * row + left * column), row, column,
                    min(m - top, <Py_ssize_t> 8), min(m - left, <Py_ssize_t> 8),
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
        copy_matrix(to, near, far, <const float *> at, outer, inner, s.m, s.parts)
    else:
        copy_matrix(to, near, far, <const double *> at, outer, inner, s.m, s.parts)


cdef void write_matrix(const real *source, Py_ssize_t ld, const Stack *s, char *at) noexcept nogil:
    cdef Py_ssize_t near = s.parts * sizeof(real), far = ld * near
    cdef Py_ssize_t outer = s.out_row, inner = s.out_column
    if llabs(inner) > llabs(outer):
        near, far, outer, inner = far, near, inner, outer
    if s.out_single:
        copy_matrix(<float *> at, outer, inner, source, near, far, s.m, s.parts)
    else:
        copy_matrix(<double *> at, outer, inner, source, near, far, s.m, s.parts)


cdef void write_nan(const Stack *s, char *at) noexcept nogil:
    cdef double nan[2]
    nan[0] = nan[1] = NAN
    if s.out_single:
        copy_matrix(<float *> at, s.out_row, s.out_column, nan, 0, 0, s.m, s.parts)
    else:
        copy_matrix(<double *> at, s.out_row, s.out_column, nan, 0, 0, s.m, s.parts)


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
    cdef char *mine = w.start + thread * w.per_thread
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


cdef void invert_share(
    const Stack *s, const Workspace *w, const number *tag, Py_ssize_t *next, Py_ssize_t last, Py_ssize_t chunk,
    Py_ssize_t *singular, team *members, int thread, int size,
) noexcept nogil:
    """The part of one thread of `size`: invert chunk after chunk until none is left before `last`."""
    cdef Py_ssize_t found = 0, i
    cdef Py_ssize_t first = take(next, chunk)
    team_start(members)
    while first < last:
        for i in range(first, min(first + chunk, last)):
            found += invert_one(s, w, tag, thread, i)
        if thread == 0:
            team_make_room(members, size)
        first = take(next, chunk)
    take(singular, found)
    if thread == 0:
        team_wait_for_start(members, size)


cdef Py_ssize_t invert_range(
    const Stack *s, const Workspace *w, const number *tag, Py_ssize_t first, Py_ssize_t last, int threads
) noexcept nogil:
    """Invert matrices first to last - 1; how many of them are singular.

    Not a prange: GCC puts a barrier in front of the loop that Cython makes of it, and a thread may be long in coming.
    """
    cdef Py_ssize_t singular = 0
    cdef Py_ssize_t chunk = max(<Py_ssize_t> 1, min(<Py_ssize_t> 64, (last - first) // (64 * threads)))
    cdef team members
    team_open(&members)
    if threads == 1:        # spares one small matrix the start of a team; threadid() would be that of a caller's team
        invert_share(s, w, tag, &first, last, chunk, &singular, &members, 0, 1)
    else:
        with parallel(num_threads=threads):
            invert_share(s, w, tag, &first, last, chunk, &singular, &members, threadid(), omp_get_num_threads())
    return singular


cdef Py_ssize_t padded(Py_ssize_t size) noexcept nogil:
    # Whole cache lines and one more between neighbours, so that no two threads write to one line.
    return (size + 127) // 64 * 64


cdef int allocate(Workspace *w, const number *tag, blas_int m, int threads) except -1:
    w.block = NULL
    w.per_thread = 0
    if <double> threads * m * m * sizeof(number) < 2.0 ** 60:
        w.lwork = getri_workspace(tag, m)
        w.ld = m if m < 32 else m + 8  # columns a power of two apart would fall into the same few sets of the cache
        w.work_offset = padded(<Py_ssize_t> m * w.ld * sizeof(number))
        w.pivots_offset = w.work_offset + padded(w.lwork * sizeof(number))
        w.per_thread = w.pivots_offset + padded(m * sizeof(blas_int))
        w.block = malloc(threads * w.per_thread + 64)
    if w.block == NULL:
        raise MemoryError(f"Unable to allocate {threads} workspaces, one a worker, for matrices of order {m}")
    w.start = <char *> ((<size_t> w.block + 63) // 64 * 64)
    return 0


# A chunk is what runs between two looks at signals and two calls of the callback.
cdef double CHUNK_SECONDS = 0.05
# Measured by bench/sharing.py: below this order OpenBLAS's lock makes two threads slower than one, ...
cdef blas_int LEAST_SHARED_M = 16
# ... below this much work a team of threads costs more than it brings, ...
cdef double LEAST_SHARED_SECONDS = 300e-6
# ... and up to this order OpenBLAS's getrf and getri use one thread anyway, so that one thread need not pin them.
cdef blas_int LEAST_THREADED_M = 65
# OpenBLAS's threaded getrf keeps large arrays on the stack of the thread that calls it.
cdef size_t LEAST_STACK_FOR_BLAS_THREADS = 4 << 20


def override_sharing(least_m, least_seconds):
    """Set the two for bench/sharing.py, which measures them; what they were."""
    global LEAST_SHARED_M, LEAST_SHARED_SECONDS
    before = LEAST_SHARED_M, LEAST_SHARED_SECONDS
    LEAST_SHARED_M, LEAST_SHARED_SECONDS = least_m, least_seconds
    return before


cdef double estimate_seconds(const number *_, double m) noexcept nogil:
    """Rough time of one matrix on one thread, to size the first chunk and to keep small work serial."""
    cdef double seconds = 1e-7 + 5e-8 * m + 8e-9 * m * m + 4.5e-11 * m * m * m
    if number is floatcomplex or number is doublecomplex:
        seconds *= 3
    return seconds


cdef double blas_speedup(double m, int threads) noexcept nogil:
    """How much faster one matrix is with so many threads of BLAS than with one: Amdahl's law fitted to OpenBLAS."""
    cdef double serial = 0.16 + 60 / m if m >= 160 else 1
    return 1 / (serial + (1 - serial) / threads)


cdef bint blas_threads_pay(Py_ssize_t n, blas_int m, int workers):
    """Whether one matrix after the other, each with all threads in BLAS, ends sooner than rounds of one a thread.

    It is one or the other for a whole call. To finish an incomplete last round with BLAS threads is up to 20 times
    slower: OpenBLAS's threads and OpenMP's wait for their next work spinning, each in the way of the others.
    """
    cdef Py_ssize_t rounds = (n + workers - 1) // workers
    return n / blas_speedup(m, workers) < rounds and not 0 < thread_stack_size() < LEAST_STACK_FOR_BLAS_THREADS


cdef void unpin(object token) except *:
    """Leave the BLAS limit for certain: a signal may interrupt Python code, but not this loop."""
    interruption = None
    for _ in range(10):
        try:
            _blas.leave(token)
            break
        except BaseException as error:
            interruption = error
    if interruption is not None:
        raise interruption


cdef Py_ssize_t share(
    const Stack *s, const number *tag, Py_ssize_t n, object workers, object callback
) except -1:
    """Invert all n matrices of the stack; how many of them are singular."""
    cdef double seconds = estimate_seconds(tag, s.m), start
    cdef Py_ssize_t first = 0, last, singular = 0
    cdef int threads = 1, in_blas = 1
    cdef bint pinned
    cdef Workspace w

    if s.m >= LEAST_SHARED_M and n * seconds > LEAST_SHARED_SECONDS:
        threads = min(_workers.resolve(None) if workers is None else workers, _workers.available_cpus())
    pinned = threads > 1 or s.m >= LEAST_THREADED_M
    token = object()
    try:
        if threads > 1 and blas_threads_pay(n, s.m, threads):
            in_blas = _blas.enter(token, threads)
        elif pinned:
            _blas.enter(token, 1)
        threads = min(<Py_ssize_t> threads, n) if in_blas == 1 else 1
        allocate(&w, tag, s.m, threads)
        try:
            while first < n:
                last = min(n, first + threads * max(<Py_ssize_t> 1, <Py_ssize_t> (CHUNK_SECONDS / seconds)))
                start = perf_counter()
                with nogil:
                    singular += invert_range(s, &w, tag, first, last, threads)
                seconds = max(1e-9, (perf_counter() - start) * threads / (last - first))
                first = last
                PyErr_CheckSignals()
                if callback is not None:
                    callback(first, n)
        finally:
            free(w.block)
    finally:
        if pinned:
            unpin(token)
    return singular


def invert(
    cnp.ndarray a not None, cnp.ndarray out not None, cnp.ndarray info not None, cnp.ndarray rcond,
    calculation, workers, callback,
):
    """Invert the stack `a` into `out`; how many of its matrices are singular.

    `a` and `out` have shape (..., M, M), M > 0, at least one matrix, and any strides; they are real or complex as the
    calculation is, of either precision, aligned and of native byte order. They may be the same memory.
    `info` (C int, zeros) and `rcond` (double, or None) have the shape of the stack.
    """
    cdef Stack s
    cdef int d
    cdef Py_ssize_t n = 1
    cdef int ndim = cnp.PyArray_NDIM(a)
    s.ndim = 0
    s.a, s.out, s.info = cnp.PyArray_BYTES(a), cnp.PyArray_BYTES(out), cnp.PyArray_BYTES(info)
    s.rcond = NULL if rcond is None else cnp.PyArray_BYTES(rcond)
    for d in range(ndim - 2):
        if cnp.PyArray_DIM(a, d) == 1:
            continue
        s.shape[s.ndim] = cnp.PyArray_DIM(a, d)
        s.a_strides[s.ndim] = cnp.PyArray_STRIDE(a, d)
        s.out_strides[s.ndim] = cnp.PyArray_STRIDE(out, d)
        s.info_strides[s.ndim] = cnp.PyArray_STRIDE(info, d)
        s.rcond_strides[s.ndim] = 0 if rcond is None else cnp.PyArray_STRIDE(rcond, d)
        n *= s.shape[s.ndim]
        s.ndim += 1
    s.m = <blas_int> cnp.PyArray_DIM(a, ndim - 1)
    if s.m != cnp.PyArray_DIM(a, ndim - 1):
        raise ValueError(f"matrices of order {cnp.PyArray_DIM(a, ndim - 1)} are too large for LAPACK's integers")
    s.a_row, s.a_column = cnp.PyArray_STRIDE(a, ndim - 2), cnp.PyArray_STRIDE(a, ndim - 1)
    s.out_row, s.out_column = cnp.PyArray_STRIDE(out, ndim - 2), cnp.PyArray_STRIDE(out, ndim - 1)
    s.parts = 2 if cnp.PyArray_ISCOMPLEX(a) else 1
    s.a_single = cnp.PyArray_ITEMSIZE(a) == 4 * s.parts
    s.out_single = cnp.PyArray_ITEMSIZE(out) == 4 * s.parts

    if calculation == "f":
        return share(&s, <const float *> NULL, n, workers, callback)
    if calculation == "d":
        return share(&s, <const double *> NULL, n, workers, callback)
    if calculation == "F":
        return share(&s, <const floatcomplex *> NULL, n, workers, callback)
    return share(&s, <const doublecomplex *> NULL, n, workers, callback)
