# SPDX-License-Identifier: BSD-3-Clause
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The loop over the stack: which engine, who does what, workspace, signals.

Every matrix is read once from where the user has it (any strides), inverted in a workspace that belongs to one thread,
and written once to where it ends. The GIL is released for the whole loop.
"""

from cpython.exc cimport PyErr_CheckSignals
from libc.math cimport NAN, fabs, hypot, isnan, sqrt
from libc.stdlib cimport free, llabs, malloc

cimport numpy as cnp
from libc.string cimport memcpy, memset
import os
import warnings

from stackinv import _workers

cdef extern from *:
    const char *STACKINV_VERSION

cdef extern from "threads.h":
    Py_ssize_t take(Py_ssize_t *counter, Py_ssize_t amount) nogil
    int take_below(int *counter, int end) nogil
    ctypedef struct time_limit:
        double until
        int up
    double read_clock() nogil
    bint time_is_up(void *limit) noexcept nogil
    ctypedef struct team:
        pass
    void announce(int *what, int value) nogil
    void count_one(int *counter) nogil
    int look(const int *what) nogil
    bint wait_until(const int *what, int value, time_limit *limit) nogil
    void pool_prepare() nogil
    void team_run(team *t, int size, void (*work)(void *argument, int member) noexcept nogil, void *argument) nogil
    void team_make_room(team *t) nogil

cdef extern from "transpose.h":
    void transpose_square(double *to, Py_ssize_t to_stride, const double *source, Py_ssize_t stride) nogil

cnp.import_array()
pool_prepare()

version: str = STACKINV_VERSION.decode()


include "stack.pxi"


include "kernels.pxi"


cdef enum Engine:
    LANES
    BLOCKED
    TOGETHER                        # blocked, with all threads at one matrix
    LAPACK
    DIAGONALS


cdef struct Workspace:
    # One allocation: what all threads share, then as many slots as there are threads, with the memory that one needs.
    void *block
    Py_ssize_t size
    char *start
    Py_ssize_t shared
    Py_ssize_t per_thread
    Engine engine
    const kernels *kernels
    int type
    int method
    int unit                        # matrices that are inverted at once
    # Lanes: a tile of results on their way past the caches, and its bytes, 0 if results are written where they go.
    # Diagonals: as many results as are written at once, and whether they go past the caches.
    Py_ssize_t staged_offset
    Py_ssize_t staged
    bint streamed
    # Blocked: rows of the inverse, behind the factors if each slot has its own, and matrices that are gathered.
    Py_ssize_t rows_offset
    Py_ssize_t gathered_offset
    int gathered
    Py_ssize_t slot_offset
    # Diagonals: one of them.
    Py_ssize_t work_offset


cdef char *own(const Workspace *w, int slot) noexcept nogil:
    """The memory of a slot."""
    return w.start + w.shared + slot * w.per_thread


include "lanes.pxi"
include "blocked.pxi"
include "diagonal.pxi"


# Bytes of results that are taken at a time: a large page of memory, which threads would wait for each other to fill, or
# less where that takes long.
cdef Py_ssize_t CHUNK_BYTES = 2 << 20
# After so long all threads leave off, to look at signals and to call the callback. The time decides, and no estimate.
cdef double TURN_SECONDS = 0.03


def override_turn(seconds):
    """Set it for tests, which leave off at every piece; what it was."""
    global TURN_SECONDS
    before = TURN_SECONDS
    TURN_SECONDS = seconds
    return before


ctypedef struct Share:
    # What the threads of a team share: the work, how far it is, and what came of it.
    const Stack *stack
    const Workspace *workspace
    Job *job
    int threads
    Py_ssize_t next
    Py_ssize_t last
    Py_ssize_t chunk
    Py_ssize_t finished
    Py_ssize_t singular
    time_limit limit
    int *queue                      # the slots, those that were left off first,
    int left_off                    # and how many these are;
    int claimed                     # how many of all slots belong to a thread in this turn
    team members


cdef Slot *slot_of(const Workspace *w, int k) noexcept nogil:
    return <Slot *> (own(w, k) + w.slot_offset)


cdef void queue_slots(Share *share) noexcept nogil:
    """Those with work left come first, in its order, so that none waits for what nobody goes on with."""
    cdef const Workspace *w = share.workspace
    cdef int k, i, before
    share.left_off = share.claimed = 0
    for k in range(share.threads):
        if slot_of(w, k).first < slot_of(w, k).last:
            i = share.left_off
            while i > 0 and slot_of(w, share.queue[i - 1]).first > slot_of(w, k).first:
                share.queue[i] = share.queue[i - 1]
                i -= 1
            share.queue[i] = k
            share.left_off += 1
    before = share.left_off
    for k in range(share.threads):
        if slot_of(w, k).first == slot_of(w, k).last:
            share.queue[before] = k
            before += 1


cdef bint go_on(Share *share, const number *tag, int k, Py_ssize_t *singular) noexcept nogil:
    """Go on with the work of a slot; whether there is progress, else it was left off in the midst of something."""
    cdef const Stack *s = share.stack
    cdef const Workspace *w = share.workspace
    cdef Slot *slot = slot_of(w, k)
    cdef Py_ssize_t end = slot.last
    if w.engine == LANES:
        singular[0] += invert_tiles(s, w, k, slot.first, end)
    elif w.engine == DIAGONALS:
        singular[0] += invert_diagonals(s, w, tag, k, slot.first, end)
    else:
        end = slot.first + 1
        if w.engine == BLOCKED:
            if not invert_blocked(s, w, tag, k, &share.limit):
                return False
            singular[0] += slot.job.info != 0
        elif not do_task(s, share.job, slot, <int> slot.first, own(w, k) + w.rows_offset):
            return False
    take(&share.finished, end - slot.first)
    slot.first = end
    return True


cdef void invert_chunks(Share *share, const number *tag, int member) noexcept nogil:
    """The part of one thread: what was left off, then chunk after chunk, until none is left or the time is up."""
    cdef Py_ssize_t singular = 0
    cdef int claimed = take_below(&share.claimed, share.threads), another, k
    cdef Slot *slot
    if claimed == share.threads:    # it comes so late that others have gone on with its slot
        return
    while True:
        k = share.queue[claimed]
        slot = slot_of(share.workspace, k)
        while slot.first < slot.last:
            if not go_on(share, tag, k, &singular) or time_is_up(&share.limit):
                take(&share.singular, singular)
                return
            if member == 0 and share.threads > 1:
                team_make_room(&share.members)
        if claimed < share.left_off:
            another = take_below(&share.claimed, share.left_off)
            if another < share.left_off:
                claimed = another
                continue
        slot.first = take(&share.next, share.chunk)
        slot.last = min(slot.first + share.chunk, share.last)
        if slot.first >= share.last:
            slot.first = slot.last = 0
            break
    take(&share.singular, singular)


cdef void invert_part(void *share, int member) noexcept nogil:
    cdef Share *work = <Share *> share
    if work.workspace.type == 0:
        invert_chunks(work, <const float *> NULL, member)
    elif work.workspace.type == 1:
        invert_chunks(work, <const double *> NULL, member)
    elif work.workspace.type == 2:
        invert_chunks(work, <const floatcomplex *> NULL, member)
    else:
        invert_chunks(work, <const doublecomplex *> NULL, member)


cdef Py_ssize_t chunk_of(const Stack *s, const Workspace *w, Py_ssize_t n, int threads) noexcept nogil:
    """How many matrices, or tasks of one, are taken at a time: few enough for the threads to end together."""
    cdef Py_ssize_t units = CHUNK_BYTES // ((4 if s.out_single else 8) * s.parts * s.m * s.m * w.unit)
    if w.engine == TOGETHER:
        return 1
    if threads > 1:
        units = min(units, (n + w.unit - 1) // w.unit // (16 * threads))
    return max(<Py_ssize_t> 1, units) * w.unit


cdef Py_ssize_t run(
    const Stack *s, const Workspace *w, Job *job, Py_ssize_t n, int threads, object callback, Py_ssize_t total
) except -1:
    """Invert the first n matrices, or do the n tasks of the job, in turns; how many matrices are singular."""
    cdef Share share
    cdef Py_ssize_t told = 0
    cdef int k
    share.stack, share.workspace, share.job, share.threads = s, w, job, threads
    share.next = share.finished = share.singular = 0
    share.last = n
    share.chunk = chunk_of(s, w, n, threads)
    share.queue = <int *> w.start
    if job:
        job.matrix.clock = &share.limit
    for k in range(threads):
        slot_of(w, k).first = slot_of(w, k).last = 0
        slot_of(w, k).begun = False
        slot_of(w, k).gathered_last = 0
        slot_of(w, k).piece = 0
    while share.finished < n:
        with nogil:
            queue_slots(&share)
            share.limit.until = read_clock() + TURN_SECONDS
            share.limit.up = False
            if threads == 1:
                invert_part(&share, 0)
            else:
                team_run(&share.members, threads, invert_part, &share)
        PyErr_CheckSignals()
        if callback is not None and share.finished > told:
            told = share.finished
            callback(told, total)
    return share.singular


# The last workspace is kept for the next call, unless it is large: what the kernel takes to give and clear the memory
# of a matrix of M = 256 is as long as its inversion.
cdef Py_ssize_t MOST_SPARE_BYTES = 16 << 20
cdef void *spare = NULL
cdef Py_ssize_t spare_size = 0


cdef void *take_block(Py_ssize_t *size) noexcept:
    """So many bytes, or a few more, or NULL."""
    global spare
    cdef void *block = spare
    if block == NULL or spare_size < size[0]:
        return malloc(size[0])
    spare = NULL
    size[0] = spare_size
    return block


cdef void release(Workspace *w) noexcept:
    global spare, spare_size
    cdef void *other = w.block
    if w.size <= MOST_SPARE_BYTES and (spare == NULL or spare_size < w.size):
        other, spare, spare_size = spare, w.block, w.size
    free(other)


cdef int allocate(
    Workspace *w, const Stack *s, const number *tag, const kernels *kernels, Py_ssize_t n, Engine engine, int threads
) except -1:
    cdef Py_ssize_t m = s.m
    cdef int type = type_index(tag)
    w.block = NULL
    w.shared = padded(threads * sizeof(int))    # for the queue of slots
    w.per_thread = 0
    w.unit = 1
    w.engine = engine
    w.kernels = kernels
    w.type = type
    w.method = method_of(s.structure)
    w.staged = w.streamed = w.gathered = 0
    if <double> threads * m * m * sizeof(number) < 2.0 ** 60:
        if engine == LANES:
            w.unit = kernels.lanes
            w.staged = staged_bytes(s, n, w.unit)
            w.staged_offset = padded(kernels.work_size[w.method](<int> m))
            w.per_thread = w.staged_offset + padded(w.staged)
        elif engine == BLOCKED:
            w.rows_offset = padded(kernels.steps[w.method].factors_size(<int> m))
            w.gathered_offset = w.rows_offset + padded(kernels.steps[w.method].rows_size(<int> m))
            w.gathered = count_gathered(s, tag, n, threads)
            w.unit = max(1, w.gathered)
            w.per_thread = w.gathered_offset + padded(w.gathered * gathered_bytes(s, sizeof(number)))
        elif engine == TOGETHER:
            w.rows_offset = 0
            w.shared += padded(kernels.steps[w.method].factors_size(<int> m))
            w.per_thread = padded(kernels.steps[w.method].rows_size(<int> m))
        else:
            w.unit = <int> max(<Py_ssize_t> 1, template_matrices(s))
            w.staged = template_matrices(s) * result_bytes(s)
            w.streamed = STACKINV_STREAMS and w.staged and n * result_bytes(s) > LEAST_STREAMED_BYTES
            w.work_offset = padded(w.staged)
            w.per_thread = w.work_offset + padded((w.unit + 1) * m * sizeof(number))
        w.slot_offset = w.per_thread
        w.per_thread += padded(sizeof(Slot))
        w.size = w.shared + threads * w.per_thread + 64
        w.block = take_block(&w.size)
    if w.block == NULL:
        raise MemoryError(f"Unable to allocate {threads} workspaces, one a worker, for matrices of order {m}")
    w.start = <char *> ((<size_t> w.block + 63) // 64 * 64)
    return 0


# Matrices that take longer, roughly, are inverted by all threads together, since each thread would need as much memory.
cdef double MOST_ALONE_SECONDS = 0.5
# Measured by bench/sharing.py: below this much work a team of threads costs more than it brings.
cdef double LEAST_SHARED_SECONDS = 300e-6
# One matrix by several threads: as if these rows of it were one thread's work, from bench/sharing.py.
cdef double SERIAL_ROWS = 60


def override_sharing(least_seconds):
    """Set it for tests and for bench/sharing.py, which measures it; what it was."""
    global LEAST_SHARED_SECONDS
    before = LEAST_SHARED_SECONDS
    LEAST_SHARED_SECONDS = least_seconds
    return before


cdef double estimate_seconds(
    int type, const kernels *kernels, double m, Engine engine, Structure structure
) noexcept nogil:
    """Rough time of one matrix on one thread, to keep small work serial and to share out few large matrices."""
    cdef double seconds
    if engine == LANES:
        seconds = (6.4e-9 * m * m + 2.2e-10 * m * m * m) / kernels.lanes
    else:
        seconds = 2e-9 * m * m + 1.3e-10 * m * m * m / kernels.lanes
    if engine == DIAGONALS:
        return 1e-8 + 2e-9 * m + 2e-10 * m * m
    if structure == POSITIVE_DEFINITE:
        seconds /= 2
    elif structure == UPPER_TRIANGULAR:
        seconds /= 4
    if type >= 2:
        seconds *= 3
    return seconds


cdef object lapack_engine = None


def import_lapack():
    """The LAPACK engine, and with it SciPy's LAPACK, which takes longer to import than all else."""
    global lapack_engine
    if lapack_engine is None:
        # The package first: else, with another thread that imports it, each would wait for what the other has begun.
        import scipy.linalg  # no-cython-lint
        from stackinv import _lapack

        lapack_engine = _lapack
    return lapack_engine


cdef object forced = None


def use_engine(name):
    """Use this engine from now on, "lanes", "blocked" or "lapack", or None for the best one for each stack."""
    global forced
    forced = {None: None, "lanes": LANES, "blocked": BLOCKED, "lapack": LAPACK}[name]
    if forced == LAPACK:
        import_lapack()


# Up to this order a matrix alone has the very result that it has in a stack.
cdef Py_ssize_t ALWAYS_LANES_M = 16


cdef Engine choose_engine(int type, const build *used, Py_ssize_t m, Py_ssize_t n, Structure structure):
    """Lanes up to the order that the build gives for this type, as far as they are filled; then what the build says.

    Few small matrices are worth it all the same, for one result whether they are alone or in a stack.
    """
    cdef double most_m = used.most_m[method_of(structure)][type]
    cdef int lanes = used.kernels[type].lanes
    if structure == DIAGONAL:
        return DIAGONALS
    if forced is not None:
        return forced
    # A full tile is faster than the next engine by the root of most_m / m, roughly (bench/engines.py).
    if m <= ALWAYS_LANES_M or m <= most_m and n * sqrt(most_m / m) >= (n + lanes - 1) // lanes * lanes:
        return LANES
    return BLOCKED if used.blocked else LAPACK


cdef Py_ssize_t count_together(Py_ssize_t n, double m, double seconds, int threads) noexcept nogil:
    """How many of the matrices, the last ones, are each inverted by all threads together.

    Those that would leave threads without work in the last round, if together they end it sooner than one thread each.
    """
    cdef double speedup = 1 / (SERIAL_ROWS / m + (1 - SERIAL_ROWS / m) / threads)
    if threads == 1:
        return 0
    if seconds > MOST_ALONE_SECONDS:
        return n
    if seconds < 2 * LEAST_SHARED_SECONDS:  # they wait for each other more than for the start of a team
        return 0
    return n % threads if n % threads < speedup else 0


cdef Py_ssize_t share(
    const Stack *s, const number *tag, const build *used, Engine engine, Py_ssize_t n, object workers, object callback
) except -1:
    """Invert all n matrices of the stack; how many of them are singular."""
    cdef double seconds = estimate_seconds(type_index(tag), used.kernels[type_index(tag)], s.m, engine, s.structure)
    cdef Py_ssize_t together = 0, singular = 0, i
    cdef int threads = 1
    cdef Workspace w
    cdef Job job

    if n * seconds > LEAST_SHARED_SECONDS:
        threads = min(_workers.resolve(None) if workers is None else workers, _workers.available_cpus())
    if engine == BLOCKED:
        together = count_together(n, s.m, seconds, threads)
    if together < n:
        threads = min(<Py_ssize_t> threads, n)
        allocate(&w, s, tag, used.kernels[type_index(tag)], n, engine, threads)
        try:
            singular = run(s, &w, NULL, n - together, threads, callback, n)
        finally:
            release(&w)
    if together:
        allocate(&w, s, tag, used.kernels[type_index(tag)], n, TOGETHER, threads)
        try:
            for i in range(n - together, n):
                start_job(&job, s, &w, w.start + padded(threads * sizeof(int)), i)
                run(s, &w, &job, job.tasks, threads, None, n)
                end_job(s, &job)
                singular += job.info != 0
                if callback is not None:
                    callback(i + 1, n)
        finally:
            release(&w)
    return singular


def invert(
    cnp.ndarray a not None, cnp.ndarray out not None, cnp.ndarray info, cnp.ndarray rcond,
    calculation, structure, lapack, workers, callback,
):
    """Invert the stack `a` into `out`; how many of its matrices are singular.

    `a` and `out` have shape (..., M, M), M > 0, at least one matrix, and any strides; they are real or complex as the
    calculation is, of either precision, aligned and of native byte order. They may be the same memory.
    What `structure` says of the matrices is not checked; of symmetric ones the lower triangle is read.
    `lapack` says whether the LAPACK engine does it, whatever is best; it has no diagonal matrices.
    `info` (C int, zeros) and `rcond` (double) have the shape of the stack; either may be None.
    """
    cdef Stack s
    cdef Py_ssize_t n = describe(&s, a, out, info, rcond, calculation in "FD", STRUCTURES[structure])
    cdef const build *used = build_in_use   # read once, as use_build() may change it meanwhile
    cdef int type = "fdFD".index(calculation)
    cdef Engine engine = choose_engine(type, used, s.m, n, s.structure)
    if engine == LAPACK or lapack and engine != DIAGONALS:
        return import_lapack().invert(a, out, info, rcond, calculation, structure, workers, callback)
    if type == 0:
        return share(&s, <const float *> NULL, used, engine, n, workers, callback)
    if type == 1:
        return share(&s, <const double *> NULL, used, engine, n, workers, callback)
    if type == 2:
        return share(&s, <const floatcomplex *> NULL, used, engine, n, workers, callback)
    return share(&s, <const doublecomplex *> NULL, used, engine, n, workers, callback)


# Stacks of at most this many numbers are not worth more than the arithmetic takes.
cdef Py_ssize_t MOST_SMALL = 1024


def invert_small(a, structure):
    """The inverses of few matrices of low order that no type or layout keeps from it, or None; also if one is singular.

    `invert` without what takes longer than the arithmetic.
    """
    cdef Stack s
    cdef Workspace w
    cdef cnp.ndarray array, result
    cdef int typenum, ndim
    cdef bint is_complex
    cdef Py_ssize_t n, m, singular
    cdef Structure known = STRUCTURES[structure]
    if not cnp.PyArray_CheckExact(a):
        return None
    array = a
    ndim = cnp.PyArray_NDIM(array)
    if ndim < 2 or not 0 < cnp.PyArray_SIZE(array) <= MOST_SMALL or forced not in (None, LANES) or known == DIAGONAL:
        return None
    typenum = cnp.PyArray_TYPE(array)
    if cnp.PyTypeNum_ISINTEGER(typenum) or cnp.PyTypeNum_ISBOOL(typenum):
        array = cnp.PyArray_Cast(array, cnp.NPY_DOUBLE)
        typenum = cnp.NPY_DOUBLE
    m = cnp.PyArray_DIM(array, ndim - 1)
    is_complex = typenum == cnp.NPY_CDOUBLE or typenum == cnp.NPY_CFLOAT
    if (
        not (is_complex or typenum == cnp.NPY_DOUBLE or typenum == cnp.NPY_FLOAT) or m > ALWAYS_LANES_M
        or m != cnp.PyArray_DIM(array, ndim - 2) or not cnp.PyArray_ISBEHAVED_RO(array)
    ):
        return None
    result = cnp.PyArray_EMPTY(ndim, cnp.PyArray_DIMS(array), typenum, 0)
    n = describe(&s, array, result, None, None, is_complex, known)
    if is_complex:
        allocate(&w, &s, <const doublecomplex *> NULL, build_in_use.kernels[3], n, LANES, 1)
    else:
        allocate(&w, &s, <const double *> NULL, build_in_use.kernels[1], n, LANES, 1)
    singular = invert_tiles(&s, &w, 0, 0, n)
    release(&w)
    return None if singular else result
