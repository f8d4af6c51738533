# SPDX-License-Identifier: BSD-3-Clause
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The LAPACK engine: each matrix of the stack by LAPACK's routines for its structure, from SciPy, in a parallel loop.

A matrix is read into Fortran order, factored and inverted there, and written to where it goes, without the GIL. The
threads are OpenMP's, if the compiler has it, and BLAS has one thread meanwhile.
"""

from cpython.exc cimport PyErr_CheckSignals
from cython.parallel cimport prange, threadid
from libc.math cimport NAN, fabs, hypot, isnan
from libc.stdlib cimport free, malloc

cimport numpy as cnp
from scipy.linalg.cython_lapack cimport (
    cgetrf, cgetri, cgetrs, chetrf, chetri, chetrs, cpotrf, cpotri, cpotrs, csytrf, csytri, csytrs, ctrtri, ctrtrs,
    dgetrf, dgetri, dgetrs, dpotrf, dpotri, dpotrs, dsytrf, dsytri, dsytrs, dtrtri, dtrtrs,
    sgetrf, sgetri, sgetrs, spotrf, spotri, spotrs, ssytrf, ssytri, ssytrs, strtri, strtrs,
    zgetrf, zgetri, zgetrs, zhetrf, zhetri, zhetrs, zpotrf, zpotri, zpotrs, zsytrf, zsytri, zsytrs, ztrtri, ztrtrs,
)

include "blas_int.pxi"

import time

from stackinv import _blas, _workers

from stackinv._native cimport (
    STACKINV_A, STACKINV_INFO, STACKINV_INVERSE, STACKINV_IS_GENERAL, STACKINV_IS_HERMITIAN,
    STACKINV_IS_POSITIVE_DEFINITE, STACKINV_IS_SYMMETRIC, STACKINV_IS_UPPER_TRIANGULAR, STACKINV_RCOND, STACKINV_RIGHT,
    STACKINV_SOLUTION, describe, determinants, locate, multiply, padded, place, read_matrix, read_right, stack,
    stack_structure, structure_named, wants_determinant, wants_inverse, wants_solution, write_matrix, write_singular,
    write_solution,
)

cdef extern from "kernels.h":
    double stackinv_rcond(double a_norm, double norm, double unit) nogil

cdef extern from "stack.h":
    void want_determinants(const stack *s, determinants *d) nogil
    void make_singular(determinants *d, int lane) nogil
    void write_determinants(const stack *s, Py_ssize_t i, int n, const determinants *d) nogil

cdef extern from "tuning.h":
    const double TURN_SECONDS
    const double LEAST_SHARED_SECONDS
    const Py_ssize_t LEAST_LAPACK_SHARED_M
    const Py_ssize_t LEAST_BLAS_THREADS_M
    const size_t LEAST_STACK_FOR_BLAS_THREADS

cdef extern from "thread_stack.h":
    size_t thread_stack_size() nogil

cdef extern from *:
    """
    #ifdef _OPENMP
    #define HAS_OPENMP 1
    #else
    #define HAS_OPENMP 0
    #endif
    """
    const bint HAS_OPENMP

cnp.import_array()
openmp: bool = HAS_OPENMP
blas_int_bits: int = 8 * sizeof(blas_int)

ctypedef float complex floatcomplex
ctypedef double complex doublecomplex

ctypedef fused number:
    float
    double
    floatcomplex
    doublecomplex


# The routines for one type of number. All numbers are behind `void *`, so that what calls them is written once.
# Those for positive definite matrices have the same arguments, and those for symmetric and for Hermitian ones have.
ctypedef void (*getrf_t)(
    blas_int *m, blas_int *n, void *a, blas_int *lda, blas_int *pivots, blas_int *info
) noexcept nogil
ctypedef void (*getri_t)(
    blas_int *n, void *a, blas_int *lda, blas_int *pivots, void *work, blas_int *lwork, blas_int *info
) noexcept nogil
ctypedef void (*potrf_t)(char *uplo, blas_int *n, void *a, blas_int *lda, blas_int *info) noexcept nogil
ctypedef void (*sytrf_t)(
    char *uplo, blas_int *n, void *a, blas_int *lda, blas_int *pivots, void *work, blas_int *lwork, blas_int *info
) noexcept nogil
ctypedef void (*sytri_t)(
    char *uplo, blas_int *n, void *a, blas_int *lda, blas_int *pivots, void *work, blas_int *info
) noexcept nogil
ctypedef void (*trtri_t)(char *uplo, char *diag, blas_int *n, void *a, blas_int *lda, blas_int *info) noexcept nogil
# Solutions from the factors: getrs has `trans` for the first argument, sytrs and hetrs have `uplo`.
ctypedef void (*getrs_t)(
    char *option, blas_int *n, blas_int *nrhs, void *a, blas_int *lda, blas_int *pivots, void *b, blas_int *ldb,
    blas_int *info
) noexcept nogil
ctypedef void (*potrs_t)(
    char *uplo, blas_int *n, blas_int *nrhs, void *a, blas_int *lda, void *b, blas_int *ldb, blas_int *info
) noexcept nogil
ctypedef void (*trtrs_t)(
    char *uplo, char *trans, char *diag, blas_int *n, blas_int *nrhs, void *a, blas_int *lda, void *b, blas_int *ldb,
    blas_int *info
) noexcept nogil

cdef struct Routines:
    getrf_t getrf
    getri_t getri
    potrf_t potrf
    potrf_t potri
    sytrf_t sytrf
    sytri_t sytri
    sytrf_t hetrf
    sytri_t hetri
    trtri_t trtri
    getrs_t getrs
    potrs_t potrs
    getrs_t sytrs
    getrs_t hetrs
    trtrs_t trtrs

cdef Routines ROUTINES[4]                       # by "fdFD"
ROUTINES[0] = Routines(
    <getrf_t> sgetrf, <getri_t> sgetri, <potrf_t> spotrf, <potrf_t> spotri, <sytrf_t> ssytrf, <sytri_t> ssytri,
    <sytrf_t> ssytrf, <sytri_t> ssytri, <trtri_t> strtri,
    <getrs_t> sgetrs, <potrs_t> spotrs, <getrs_t> ssytrs, <getrs_t> ssytrs, <trtrs_t> strtrs,
)
ROUTINES[1] = Routines(
    <getrf_t> dgetrf, <getri_t> dgetri, <potrf_t> dpotrf, <potrf_t> dpotri, <sytrf_t> dsytrf, <sytri_t> dsytri,
    <sytrf_t> dsytrf, <sytri_t> dsytri, <trtri_t> dtrtri,
    <getrs_t> dgetrs, <potrs_t> dpotrs, <getrs_t> dsytrs, <getrs_t> dsytrs, <trtrs_t> dtrtrs,
)
ROUTINES[2] = Routines(
    <getrf_t> cgetrf, <getri_t> cgetri, <potrf_t> cpotrf, <potrf_t> cpotri, <sytrf_t> csytrf, <sytri_t> csytri,
    <sytrf_t> chetrf, <sytri_t> chetri, <trtri_t> ctrtri,
    <getrs_t> cgetrs, <potrs_t> cpotrs, <getrs_t> csytrs, <getrs_t> chetrs, <trtrs_t> ctrtrs,
)
ROUTINES[3] = Routines(
    <getrf_t> zgetrf, <getri_t> zgetri, <potrf_t> zpotrf, <potrf_t> zpotri, <sytrf_t> zsytrf, <sytri_t> zsytri,
    <sytrf_t> zhetrf, <sytri_t> zhetri, <trtri_t> ztrtri,
    <getrs_t> zgetrs, <potrs_t> zpotrs, <getrs_t> zsytrs, <getrs_t> zhetrs, <trtrs_t> ztrtrs,
)

cdef char *LOWER = b"L"
cdef char *UPPER = b"U"
cdef char *NOT_UNIT = b"N"
cdef char *AS_IT_IS = b"N"
cdef char *TRANSPOSED = b"T"


cdef struct Workspace:
    # What one thread needs: a matrix in Fortran order, right-hand sides, what the routines ask for, the pivots.
    void *a
    void *right
    void *work
    blas_int *pivots
    blas_int ld
    blas_int lwork


cdef blas_int factor(const Routines *r, stack_structure known, blas_int m, Workspace *w) noexcept nogil:
    """Factor the matrix in the workspace, unless it is triangular; LAPACK's info."""
    cdef blas_int info = 0
    if known == STACKINV_IS_GENERAL:
        r.getrf(&m, &m, w.a, &w.ld, w.pivots, &info)
    elif known == STACKINV_IS_POSITIVE_DEFINITE:
        r.potrf(LOWER, &m, w.a, &w.ld, &info)
    elif known == STACKINV_IS_SYMMETRIC:
        r.sytrf(LOWER, &m, w.a, &w.ld, w.pivots, w.work, &w.lwork, &info)
    elif known == STACKINV_IS_HERMITIAN:
        r.hetrf(LOWER, &m, w.a, &w.ld, w.pivots, w.work, &w.lwork, &info)
    return info


cdef blas_int invert_factors(const Routines *r, stack_structure known, blas_int m, Workspace *w) noexcept nogil:
    """Invert the matrix that was factored; LAPACK's info."""
    cdef blas_int info = 0
    if known == STACKINV_IS_GENERAL:
        r.getri(&m, w.a, &w.ld, w.pivots, w.work, &w.lwork, &info)
    elif known == STACKINV_IS_POSITIVE_DEFINITE:
        r.potri(LOWER, &m, w.a, &w.ld, &info)
    elif known == STACKINV_IS_SYMMETRIC:
        r.sytri(LOWER, &m, w.a, &w.ld, w.pivots, w.work, &info)
    elif known == STACKINV_IS_HERMITIAN:
        r.hetri(LOWER, &m, w.a, &w.ld, w.pivots, w.work, &info)
    elif known == STACKINV_IS_UPPER_TRIANGULAR:
        r.trtri(UPPER, NOT_UNIT, &m, w.a, &w.ld, &info)
    return info


cdef blas_int solve(
    const Routines *r, stack_structure known, bint transposed, blas_int m, blas_int columns, Workspace *w
) noexcept nogil:
    """The right-hand sides become solutions, by the matrix that was factored; LAPACK's info."""
    cdef blas_int info = 0
    if known == STACKINV_IS_GENERAL:
        r.getrs(AS_IT_IS, &m, &columns, w.a, &w.ld, w.pivots, w.right, &w.ld, &info)
    elif known == STACKINV_IS_POSITIVE_DEFINITE:
        r.potrs(LOWER, &m, &columns, w.a, &w.ld, w.right, &w.ld, &info)
    elif known == STACKINV_IS_SYMMETRIC:
        r.sytrs(LOWER, &m, &columns, w.a, &w.ld, w.pivots, w.right, &w.ld, &info)
    elif known == STACKINV_IS_HERMITIAN:
        r.hetrs(LOWER, &m, &columns, w.a, &w.ld, w.pivots, w.right, &w.ld, &info)
    elif known == STACKINV_IS_UPPER_TRIANGULAR:
        r.trtrs(
            UPPER, TRANSPOSED if transposed else AS_IT_IS, NOT_UNIT, &m, &columns, w.a, &w.ld, w.right, &w.ld, &info
        )
    return info


cdef blas_int workspace_length(const Routines *r, stack_structure known, blas_int m, bint single) noexcept nogil:
    """Numbers of `work`: what getri, sytrf or hetrf say is best; sytri and hetri need m, and determinants 2 m."""
    cdef double best[2]
    cdef blas_int query = -1, info = 0
    best[0] = best[1] = 0
    if known == STACKINV_IS_GENERAL:
        r.getri(&m, NULL, &m, NULL, best, &query, &info)
    elif known == STACKINV_IS_SYMMETRIC:
        r.sytrf(LOWER, &m, NULL, &m, NULL, best, &query, &info)
    elif known == STACKINV_IS_HERMITIAN:
        r.hetrf(LOWER, &m, NULL, &m, NULL, best, &query, &info)
    return max(2 * m, <blas_int> ((<float *> best)[0] if single else best[0]))


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


cdef void complete(number *a, Py_ssize_t m, Py_ssize_t ld, stack_structure known) noexcept nogil:
    """The upper triangle from the lower one; zeros below an upper triangular matrix."""
    cdef Py_ssize_t i, j
    cdef bint conjugate = known == STACKINV_IS_HERMITIAN or known == STACKINV_IS_POSITIVE_DEFINITE
    if known == STACKINV_IS_GENERAL:
        return
    for j in range(m):
        for i in range(j + 1, m):
            if known == STACKINV_IS_UPPER_TRIANGULAR:
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


cdef number conjugate(number x, bint conjugated) noexcept nogil:
    if number is floatcomplex or number is doublecomplex:
        if conjugated:
            x.imag = -x.imag
    return x


cdef determinants determinant_of(
    const number *a, const stack *s, int type, number *work, const blas_int *pivots, Py_ssize_t ld
) noexcept nogil:
    """The determinant from the factors, as a product of numbers that are put into `work`."""
    cdef Py_ssize_t m = s.m, i = 0, n = 0
    cdef bint odd = False, hermitian = s.structure == STACKINV_IS_HERMITIAN
    cdef number below
    cdef determinants d
    want_determinants(s, &d)
    while i < m:
        work[n] = a[i * ld + i]
        n += 1
        if s.structure == STACKINV_IS_GENERAL:
            odd ^= pivots[i] != i + 1
        elif s.structure == STACKINV_IS_POSITIVE_DEFINITE:      # L times its transpose
            work[n] = work[n - 1]
            n += 1
        elif (s.structure == STACKINV_IS_SYMMETRIC or hermitian) and pivots[i] < 0:     # a block of two by two
            below = a[i * ld + i + 1]
            work[n] = work[n - 1] / below * a[(i + 1) * ld + i + 1] - conjugate(below, hermitian)
            work[n - 1] = below
            n += 1
            i += 1
        i += 1
    multiply(type, work, <int> n, odd, &d)
    if hermitian:                           # real but for rounding
        d.sign[1][0] = d.number[1][0] = 0
        d.sign[0][0] = -1 if d.sign[0][0] < 0 else 1
    return d


cdef bint calculate_one(
    const number *_, const stack *s, const Routines *r, int type, Workspace *w, Py_ssize_t i
) noexcept nogil:
    """Calculate what is asked of matrix i of the stack; whether it is singular."""
    cdef place at = locate(s, i)
    cdef double *rcond = <double *> at.at[STACKINV_RCOND]
    cdef number *a = <number *> w.a
    cdef Py_ssize_t row = w.ld if s.transposed else 1, column = 1 if s.transposed else w.ld
    cdef double a_norm = 0
    cdef bint singular
    cdef blas_int info
    cdef determinants d

    read_matrix(s, at.at[STACKINV_A], a, w.ld)
    complete(a, s.m, w.ld, s.structure)
    if rcond:
        a_norm = norm1(a, s.m, row, column)

    info = factor(r, s.structure, s.m, w)
    make_singular(&d, 0)
    if info == 0 and wants_determinant(s):
        d = determinant_of(a, s, type, <number *> w.work, w.pivots, w.ld)
    if info == 0 and wants_inverse(s):
        info = invert_factors(r, s.structure, s.m, w)
    elif info == 0 and wants_solution(s):
        read_right(s, at.at[STACKINV_RIGHT], w.right, w.ld)
        info = solve(r, s.structure, s.transposed, s.m, s.columns, w)

    if info:                                # for some routines also with NaN, which does not count as singular
        singular = not has_nan(a, s.m, w.ld)
        make_singular(&d, 0)
        if not singular:
            d.sign[0][0] = d.sign[1][0] = d.logarithm[0] = d.number[0][0] = d.number[1][0] = NAN
        elif at.at[STACKINV_INFO]:
            (<int *> at.at[STACKINV_INFO])[0] = <int> info
        if rcond:
            rcond[0] = 0 if singular else NAN
        write_determinants(s, i, 1, &d)
        write_singular(s, &at)
        return singular

    write_determinants(s, i, 1, &d)
    if wants_solution(s):
        write_solution(s, at.at[STACKINV_SOLUTION], w.right, w.ld)
    if not wants_inverse(s):
        return False

    complete(a, s.m, w.ld, s.structure)
    clear_negative_zeros(a, s.m, w.ld)
    if rcond:
        rcond[0] = stackinv_rcond(a_norm, norm1(a, s.m, row, column), NORM_UNIT)
    write_matrix(s, at.at[STACKINV_INVERSE], a, w.ld)
    return False


cdef Py_ssize_t calculate_range(
    const number *tag, const stack *s, const Routines *r, int type, Workspace *w, Py_ssize_t first, Py_ssize_t last,
    int threads
) noexcept nogil:
    """Calculate with matrices first to last - 1, each thread in its workspace; how many of them are singular."""
    cdef Py_ssize_t i, singular = 0
    for i in prange(first, last, schedule="dynamic", num_threads=threads):
        singular += calculate_one(tag, s, r, type, &w[threadid()], i)
    return singular


cdef void *allocate(
    Workspace *w, int threads, const stack *s, const Routines *r, int type, Py_ssize_t size
) except NULL:
    """Workspaces for so many threads; the memory to free."""
    cdef blas_int m = s.m
    # Columns a power of two apart would fall into the same few sets of the cache.
    cdef blas_int ld = m if m < 32 else m + 8
    cdef blas_int lwork = workspace_length(r, s.structure, m, type % 2 == 0)
    cdef Py_ssize_t matrix = padded(<Py_ssize_t> m * ld * size), work = padded(lwork * size)
    cdef Py_ssize_t pivots = padded(m * sizeof(blas_int)), right = padded(<Py_ssize_t> s.columns * ld * size)
    cdef char *block = NULL
    cdef char *mine
    cdef int k
    if <double> threads * m * max(m, s.columns) * size < 2.0 ** 60:
        block = <char *> malloc(64 + threads * (matrix + right + work + pivots))
    if block == NULL:
        raise MemoryError(f"Unable to allocate {threads} workspaces, one a worker, for matrices of order {m}")
    for k in range(threads):
        mine = <char *> ((<size_t> block + 63) // 64 * 64) + k * (matrix + right + work + pivots)
        w[k].a, w[k].right, w[k].work = mine, mine + matrix, mine + matrix + right
        w[k].pivots = <blas_int *> (mine + matrix + right + work)
        w[k].ld, w[k].lwork = ld, lwork
    return block


cdef Py_ssize_t run(
    const number *tag, const stack *s, int type, Py_ssize_t n, int threads, object callback
) except -1:
    """Calculate with all matrices, as many at a time as take a turn, by the time that those before took."""
    cdef const Routines *r = &ROUTINES[type]
    cdef Py_ssize_t first = 0, last, chunk = threads, singular = 0
    cdef Workspace *w = <Workspace *> malloc(threads * sizeof(Workspace))
    cdef void *block = NULL
    cdef double start, turns
    if w == NULL:
        raise MemoryError(f"Unable to allocate {threads} workspaces, one a worker")
    try:
        block = allocate(w, threads, s, r, type, sizeof(number))
        while first < n:
            last = min(n, first + chunk)
            start = time.perf_counter()
            with nogil:
                singular += calculate_range(tag, s, r, type, w, first, last, threads)
            turns = TURN_SECONDS / max(1e-6, time.perf_counter() - start)
            chunk = max(<Py_ssize_t> threads, <Py_ssize_t> (chunk * min(turns, 8.0)))
            first = last
            PyErr_CheckSignals()
            if callback is not None:
                callback(first, n)
    finally:
        free(block)
        free(w)
    return singular


cdef Py_ssize_t least_shared_m = LEAST_LAPACK_SHARED_M
cdef double least_shared_seconds = LEAST_SHARED_SECONDS


def override_sharing(least_m, least_seconds):
    """Set the two for tests and bench/sharing.py, which measures them; what they were."""
    global least_shared_m, least_shared_seconds
    before = least_shared_m, least_shared_seconds
    least_shared_m, least_shared_seconds = least_m, least_seconds
    return before


cdef double estimate_seconds(double m, bint is_complex) noexcept nogil:
    """Rough time of one matrix on one thread, to keep small work serial."""
    return (1e-7 + 5e-8 * m + 8e-9 * m * m + 4.5e-11 * m * m * m) * (3 if is_complex else 1)


cdef double blas_speedup(double m, int threads) noexcept nogil:
    """How much faster one matrix is with so many threads of BLAS than with one: Amdahl's law fitted to OpenBLAS."""
    cdef double serial = 0.16 + 60 / m if m >= 160 else 1
    return 1 / (serial + (1 - serial) / threads)


cdef bint blas_threads_pay(Py_ssize_t n, Py_ssize_t m, int threads):
    """Whether one matrix after the other, each with all threads in BLAS, ends sooner than rounds of one a thread.

    It is one or the other for a whole call. To finish an incomplete last round with BLAS threads is up to 20 times
    slower: OpenBLAS's threads wait for their next work spinning, in the way of ours.
    """
    cdef Py_ssize_t rounds = (n + threads - 1) // threads
    return n / blas_speedup(m, threads) < rounds and not 0 < thread_stack_size() < LEAST_STACK_FOR_BLAS_THREADS


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


def calculate(cnp.ndarray a not None, outputs, calculation, structure, workers, callback):
    """As `_native.calculate`, for matrices of which more counts than the diagonal."""
    cdef stack s
    cdef int type = "fdFD".index(calculation), threads = 1
    cdef Py_ssize_t n
    cdef bint pinned
    describe(&s, a, outputs[0], outputs[1:], type, structure_named(structure))
    n = s.n
    if s.m >= least_shared_m and n * estimate_seconds(s.m, type >= 2) > least_shared_seconds:
        threads = min(_workers.resolve(None) if workers is None else workers, _workers.available_cpus())
    if threads > 1 and _blas.serves_one_thread():
        threads = 1
    # Those for structures have several threads at any order, and other bits where their number changes meanwhile.
    pinned = threads > 1 or s.m >= LEAST_BLAS_THREADS_M or s.structure != STACKINV_IS_GENERAL
    token = object()
    try:
        if pinned and threads > 1 and blas_threads_pay(n, s.m, threads):
            if _blas.enter(token, threads) > 1:
                threads = 1
        elif pinned:
            _blas.enter(token, 1)
        # OpenMP's threads do not survive a fork, and a child that asks for them hangs.
        threads = 1 if _workers.forked() else min(<Py_ssize_t> threads, n)
        if type == 0:
            return run(<const float *> NULL, &s, type, n, threads, callback)
        if type == 1:
            return run(<const double *> NULL, &s, type, n, threads, callback)
        if type == 2:
            return run(<const floatcomplex *> NULL, &s, type, n, threads, callback)
        return run(<const doublecomplex *> NULL, &s, type, n, threads, callback)
    finally:
        if pinned:
            unpin(token)
