"""The blocked engine: one matrix at a time in tasks, by one thread or all of them together (see kernels/blocked.h)."""

cdef struct Job:
    # One matrix and how far it is.
    matrix matrix
    const steps *steps
    Place at
    int blocks
    int row_tasks
    int tasks
    int done                        # blocks
    int swept                       # row tasks of the first sweep
    int info                        # LAPACK's; the work is at its end if it is not 0


# The next matrix is fetched early if the cache of a core has room for it beside the present one.
cdef Py_ssize_t MOST_FETCHED_BYTES = 256 << 10


cdef Job start_job(const Stack *s, const steps *how, char *factors, Py_ssize_t i) noexcept nogil:
    cdef Job job
    job.at = locate(s, i)
    job.steps = how
    job.done = job.info = 0
    job.swept = 0
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
    how.count_tasks(job.matrix.m, &job.blocks, &job.row_tasks)
    job.tasks = job.blocks + job.row_tasks * (2 if how.sweeps[1] else 1)
    return job


cdef void do_task(Job *job, int task, char *rows) noexcept nogil:
    """Threads take the tasks in order, so that none waits for what nobody has begun."""
    cdef int earlier, info, sweep
    if task >= job.blocks:
        wait_until(&job.done, job.blocks)
        if look(&job.info):
            return
        sweep, task = (task - job.blocks) // job.row_tasks, (task - job.blocks) % job.row_tasks
        if sweep:
            wait_until(&job.swept, job.row_tasks)
        job.steps.sweeps[sweep](&job.matrix, task, rows)
        if sweep == 0:
            count_one(&job.swept)
        return
    job.steps.read_block(&job.matrix, task)
    for earlier in range(task):
        wait_until(&job.done, earlier + 1)
        if look(&job.info):
            return
        job.steps.update_block(&job.matrix, earlier, task)
    info = job.steps.factor_block(&job.matrix, task)
    if info:
        announce(&job.info, info)
    announce(&job.done, job.blocks if info else task + 1)


cdef bint end_job(const Stack *s, const Job *job) noexcept nogil:
    """Note the outcome; whether the matrix is singular."""
    if job.info:
        write_all(s, job.at.out, NAN)
    else:
        make_symmetric(s, job.at.out)
    if s.info and job.info:
        (<int *> job.at.info)[0] = job.info
    if s.rcond:
        (<double *> job.at.rcond)[0] = 0 if job.info else job.steps.rcond(&job.matrix)
    return job.info != 0


cdef bint invert_blocked(const Stack *s, const Workspace *w, int thread, Py_ssize_t i) noexcept nogil:
    """Invert matrix i of the stack; whether it is singular."""
    cdef char *mine = own(w, thread)
    cdef Job job = start_job(s, &w.kernels.steps[w.method][w.type], mine, i)
    cdef int task
    for task in range(job.tasks):
        do_task(&job, task, mine + w.rows_offset)
    return end_job(s, &job)
