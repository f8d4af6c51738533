# SPDX-License-Identifier: BSD-3-Clause
"""The blocked engine: one matrix at a time in tasks, by one thread or all of them together (see kernels/blocked-inl.h)."""

cdef enum:
    # The phases of a matrix:
    COLUMNS                         # blocks of them are factored, one after the other,
    FIRST_SWEEP                     # then rows are inverted,
    SECOND_SWEEP                    # by some methods in two steps,
    RESULT                          # then rows of the result get what is left to do
    PHASES


cdef struct Job:
    # One matrix and how far it is.
    matrix matrix
    const steps *steps
    Place at
    int counts[PHASES]              # tasks of each phase,
    int finished[PHASES]                # and how many are finished
    int tasks
    int info                        # LAPACK's; the work is at its end if it is not 0


cdef struct Slot:
    # What one thread works at, and goes on with in its next turn, or another thread does.
    Py_ssize_t first                # what is left of its chunk: matrices, or tasks of one, first to last - 1
    Py_ssize_t last
    int piece                       # of a task, the next one
    # Of a matrix that the slot has alone:
    bint begun
    int task
    Job job
    # Matrices that were gathered, and the stack that they are then.
    Py_ssize_t gathered_first
    Py_ssize_t gathered_last
    Stack gathered


# The next matrix is fetched early if the cache of a core has room for it beside the present one.
cdef Py_ssize_t MOST_FETCHED_BYTES = 256 << 10
# Smaller matrices take little time, and are not left off in the midst of a task.
cdef int LEAST_LEFT_OFF_M = 512
# Matrices that lie across each other, so that neighbours share each cache line, are gathered: so many at a time, or as
# many as these bytes hold. The results go back in the same way.
cdef int MOST_GATHERED = 16
cdef Py_ssize_t MOST_GATHERED_BYTES = 16 << 20
# Rows of the result that are one task.
cdef int RESULT_ROWS = 64


cdef bint lie_across(Py_ssize_t step, Py_ssize_t row, Py_ssize_t column, Py_ssize_t line) noexcept nogil:
    return llabs(step) < line and llabs(step) < llabs(row) and llabs(step) < llabs(column)


cdef Py_ssize_t gathered_bytes(const Stack *s, Py_ssize_t size) noexcept nogil:
    """Of one matrix: as numbers of the calculation, and then as those of the result, in place."""
    return s.m * s.m * max(size, (4 if s.out_single else 8) * s.parts)


cdef int count_gathered(const Stack *s, const number *_, Py_ssize_t n, int threads) noexcept nogil:
    """How many matrices are gathered at a time, 0 if each is read from and written to where it is."""
    cdef Py_ssize_t most = MOST_GATHERED_BYTES // gathered_bytes(s, sizeof(number)), rounds
    if s.ndim != 1 or min(most, n) < 4 or not (
        lie_across(s.a_strides[0], s.a_row, s.a_column, 64) or lie_across(s.out_strides[0], s.out_row, s.out_column, 64)
    ):
        return 0
    most = min(<Py_ssize_t> MOST_GATHERED, most)
    rounds = (n + threads * most - 1) // (threads * most)
    return <int> ((n + threads * rounds - 1) // (threads * rounds))     # the same for each thread


cdef void copy_across(
    target_real *to, Py_ssize_t to_step, Py_ssize_t to_row, Py_ssize_t to_column,
    const real *source, Py_ssize_t step, Py_ssize_t row, Py_ssize_t column, Py_ssize_t count, Py_ssize_t m, int parts,
) noexcept nogil:
    """Matrices into others, row by row, each number of all of them together. Strides are in bytes."""
    cdef Py_ssize_t i
    for i in range(m):
        copy_matrix(
            <target_real *> (<char *> to + i * to_row), to_column, to_step,
            <const real *> (<const char *> source + i * row), column, step, m, count, parts,
        )


cdef void gather(const Stack *s, const number *_, Slot *slot, char *memory, int most) noexcept nogil:
    """The first matrices of the slot into memory, one after the other, and the stack that they are there."""
    cdef Stack *g = &slot.gathered
    cdef Py_ssize_t count = min(<Py_ssize_t> most, slot.last - slot.first), size = sizeof(number)
    cdef Place at = locate(s, slot.first)
    memcpy(g, s, sizeof(Stack))
    slot.gathered_first, slot.gathered_last = slot.first, slot.first + count
    g.a, g.out, g.info, g.rcond = memory, memory, at.info, at.rcond
    if not s.rcond:
        g.rcond = NULL
    if not s.info:
        g.info = NULL
    g.shape[0] = count
    g.a_row, g.a_column, g.a_strides[0] = s.m * size, size, gathered_bytes(s, size)
    g.a_single = number is float or number is floatcomplex
    size = (4 if s.out_single else 8) * s.parts
    g.out_row, g.out_column, g.out_strides[0] = s.m * size, size, g.a_strides[0]
    if number is float or number is floatcomplex:
        turn(<float *> memory, g, s, at.a, count)
    else:
        turn(<double *> memory, g, s, at.a, count)


cdef void turn(target_real *to, const Stack *g, const Stack *s, const char *at, Py_ssize_t count) noexcept nogil:
    if s.a_single:
        copy_across(
            to, g.a_strides[0], g.a_row, g.a_column,
            <const float *> at, s.a_strides[0], s.a_row, s.a_column, count, s.m, s.parts,
        )
    else:
        copy_across(
            to, g.a_strides[0], g.a_row, g.a_column,
            <const double *> at, s.a_strides[0], s.a_row, s.a_column, count, s.m, s.parts,
        )


cdef void scatter(const Stack *s, const Slot *slot) noexcept nogil:
    """The inverses of what was gathered to where they go."""
    cdef const Stack *g = &slot.gathered
    cdef Place at = locate(s, slot.gathered_first)
    cdef Py_ssize_t count = slot.gathered_last - slot.gathered_first
    if s.out_single:
        copy_across(
            <float *> at.out, s.out_strides[0], s.out_row, s.out_column,
            <const float *> g.out, g.out_strides[0], g.out_row, g.out_column, count, s.m, s.parts,
        )
    else:
        copy_across(
            <double *> at.out, s.out_strides[0], s.out_row, s.out_column,
            <const double *> g.out, g.out_strides[0], g.out_row, g.out_column, count, s.m, s.parts,
        )


cdef void start_job(Job *job, const Stack *s, const Workspace *w, char *factors, Py_ssize_t i) noexcept nogil:
    job.at = locate(s, i)
    job.steps = &w.kernels.steps[w.method]
    job.info = 0
    job.matrix.m = <int> s.m
    job.matrix.symmetry = symmetry_of(s.structure)
    job.matrix.transposed = s.transposed
    job.matrix.a_single, job.matrix.out_single = s.a_single, s.out_single
    job.matrix.a_row, job.matrix.a_column = s.a_row, s.a_column
    job.matrix.out_row, job.matrix.out_column = s.out_row, s.out_column
    job.matrix.rcond = s.rcond != NULL
    job.matrix.factors = factors
    job.matrix.a, job.matrix.out = job.at.a, job.at.out
    job.matrix.fetch_next = dense_bytes(s.m, s.a_row, s.a_column, (4 if s.a_single else 8) * s.parts)
    if s.ndim != 1 or job.matrix.fetch_next > MOST_FETCHED_BYTES:
        job.matrix.fetch_next = 0
    job.matrix.next = job.at.a + (s.a_strides[0] if job.matrix.fetch_next else 0)
    job.matrix.fetch_out = dense_bytes(s.m, s.out_row, s.out_column, (4 if s.out_single else 8) * s.parts) > 0
    job.matrix.pause = NULL
    if s.m >= LEAST_LEFT_OFF_M:
        job.matrix.pause = time_is_up
    job.steps.count_tasks(job.matrix.m, &job.counts[COLUMNS], &job.counts[FIRST_SWEEP])
    job.counts[SECOND_SWEEP] = job.counts[FIRST_SWEEP] if job.steps.sweeps[1] else 0
    job.counts[RESULT] = (job.matrix.m + RESULT_ROWS - 1) // RESULT_ROWS
    job.tasks = 0
    for phase in range(PHASES):
        job.finished[phase] = 0
        job.tasks += job.counts[phase]


cdef bint do_task(const Stack *s, Job *job, Slot *slot, int task, char *rows) noexcept nogil:
    """Go on with a task; whether it is done, else the time is up.

    Threads take the tasks in order, so that none waits for what nobody has begun.
    """
    cdef time_limit *limit = <time_limit *> job.matrix.clock
    cdef int phase = COLUMNS
    while task >= job.counts[phase]:
        task -= job.counts[phase]
        if not wait_until(&job.finished[phase], job.counts[phase], limit):
            return False
        phase += 1
    if phase == COLUMNS:
        return do_block(job, slot, task)
    if phase == RESULT:
        finish_rows(s, job, task * RESULT_ROWS, min(job.matrix.m, (task + 1) * RESULT_ROWS))
    elif not look(&job.info) and not job.steps.sweeps[phase - FIRST_SWEEP](&job.matrix, task, &slot.piece, rows):
        return False
    count_one(&job.finished[phase])
    slot.piece = 0
    return True


cdef bint do_block(Job *job, Slot *slot, int block) noexcept nogil:
    """Go on with a block of columns: read it, apply each earlier one, factor it. Whether that is done."""
    cdef int info
    if slot.piece == 0:
        job.steps.read_block(&job.matrix, block)
        slot.piece = 1
    while slot.piece <= block:
        if not wait_until(&job.finished[COLUMNS], slot.piece, <time_limit *> job.matrix.clock):
            return False
        if look(&job.info):
            slot.piece = 0
            return True
        job.steps.update_block(&job.matrix, slot.piece - 1, block)
        slot.piece += 1
        if job.matrix.pause and job.matrix.pause(job.matrix.clock):
            return False
    info = job.steps.factor_block(&job.matrix, block)
    if info:
        announce(&job.info, info)
    announce(&job.finished[COLUMNS], job.counts[COLUMNS] if info else block + 1)
    slot.piece = 0
    return True


cdef void finish_rows(const Stack *s, const Job *job, int first, int last) noexcept nogil:
    if job.info:
        write_rows(s, job.at.out, first, last, NAN)
    else:
        make_symmetric(s, job.at.out, first, last)


cdef void end_job(const Stack *s, const Job *job) noexcept nogil:
    """Note the outcome."""
    if s.info and job.info:
        (<int *> job.at.info)[0] = job.info
    if s.rcond:
        (<double *> job.at.rcond)[0] = 0 if job.info else job.steps.rcond(&job.matrix)


cdef bint invert_blocked(
    const Stack *s, const Workspace *w, const number *tag, int k, time_limit *limit
) noexcept nogil:
    """Go on with the first matrix of a slot; whether it is done, else the time is up."""
    cdef Slot *slot = slot_of(w, k)
    if not w.gathered:
        return go_on_with_job(s, w, slot, own(w, k), slot.first, limit)
    if slot.first >= slot.gathered_last:
        gather(s, tag, slot, own(w, k) + w.gathered_offset, w.gathered)
    if not go_on_with_job(&slot.gathered, w, slot, own(w, k), slot.first - slot.gathered_first, limit):
        return False
    if slot.first + 1 == slot.gathered_last:
        scatter(s, slot)
    return True


cdef bint go_on_with_job(
    const Stack *s, const Workspace *w, Slot *slot, char *memory, Py_ssize_t i, time_limit *limit
) noexcept nogil:
    if not slot.begun:
        start_job(&slot.job, s, w, memory, i)
        slot.job.matrix.clock = limit
        slot.task = slot.piece = 0
        slot.begun = True
    while slot.task < slot.job.tasks:
        if not do_task(s, &slot.job, slot, slot.task, memory + w.rows_offset):
            return False
        slot.task += 1
        if slot.job.matrix.pause and slot.task < slot.job.tasks and time_is_up(limit):
            return False
    end_job(s, &slot.job)
    slot.begun = False
    return True
