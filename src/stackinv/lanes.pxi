"""The lanes engine: a tile of matrices at once, one in each lane of the processor's vectors (see kernels/lanes.h)."""

cdef extern from "kernels.h":
    struct tile:
        int m
        bint a_single
        bint out_single
        Py_ssize_t a_row
        Py_ssize_t a_column
        Py_ssize_t out_row
        Py_ssize_t out_column
        Py_ssize_t ahead
        Py_ssize_t fetch_a
        Py_ssize_t fetch_out
        void *work
        double *rcond
        const char *a[16]           # STACKINV_MOST_LANES
        char *out[16]
        int info[16]
    struct kernels:
        int lanes[4]
        size_t (*work_size[4])(int m) noexcept nogil
        bint (*invert[4])(tile *t) noexcept nogil
    struct build:
        const char *name
        const char *features
        bint (*runs_here)() noexcept nogil
        const kernels *kernels
        int most_m[4]
    const build stackinv_builds[]
    const int stackinv_build_count


cdef extern from "stream.h":
    const int STACKINV_STREAMS
    void stream(char *to, const char *source, Py_ssize_t size) nogil
    void stream_end() nogil


def builds():
    """What the kernels were compiled for, best first: names, the features needed, and whether this machine has them."""
    return [
        (stackinv_builds[i].name.decode(), stackinv_builds[i].features.decode().split(), stackinv_builds[i].runs_here())
        for i in range(stackinv_build_count)
    ]


cdef const build *build_in_use = NULL


def use_build(name):
    """Calculate with the kernels of this name from now on; None: the best that run here and are not disabled."""
    global build_in_use
    cdef int i
    disabled = set(os.environ.get("STACKINV_DISABLE_CPU_FEATURES", "").replace(",", " ").split())
    known = {feature for _, features, _ in builds() for feature in features}
    if name is None and disabled - known:
        warnings.warn(
            f"STACKINV_DISABLE_CPU_FEATURES: {', '.join(sorted(disabled - known))} not known; this build knows "
            f"{', '.join(sorted(known)) or 'none'}",
            ImportWarning,
            stacklevel=2,
        )
    for i, (candidate, features, runs_here) in enumerate(builds()):
        if runs_here and (candidate == name or name is None and not disabled.intersection(features)):
            build_in_use = &stackinv_builds[i]
            return
    raise ValueError(f"no kernels {name!r} run here; there are {', '.join(build[0] for build in builds() if build[2])}")


use_build(None)


def build_used():
    """The name of the kernels in use."""
    return build_in_use.name.decode()


cdef int type_index(const number *_) noexcept nogil:
    # As the tables of the kernels are ordered.
    if number is float:
        return 0
    elif number is double:
        return 1
    elif number is floatcomplex:
        return 2
    else:
        return 3


cdef Py_ssize_t dense_bytes(Py_ssize_t m, Py_ssize_t row, Py_ssize_t column, Py_ssize_t size) noexcept nogil:
    """Bytes of a matrix without gaps; 0 of any other, whose cache lines are not fetched early."""
    if row == size * m and column == size or column == size * m and row == size:
        return m * m * size
    return 0


# Results of more than this many bytes do not stay in the caches anyway, and go past them, ...
cdef Py_ssize_t LEAST_STREAMED_BYTES = 32 << 20
# ... by way of a copy, which should be worth it, and stay in the innermost cache.
cdef Py_ssize_t LEAST_STAGED_BYTES = 1 << 10
cdef Py_ssize_t MOST_STAGED_BYTES = 8 << 10


cdef Py_ssize_t staged_bytes(const Stack *s, Py_ssize_t n, int lanes) noexcept nogil:
    """Bytes of a tile's results if they are streamed to memory, else 0."""
    cdef Py_ssize_t size = (4 if s.out_single else 8) * s.parts, matrix = s.m * s.m * size
    if (
        STACKINV_STREAMS and n * matrix > LEAST_STREAMED_BYTES
        and LEAST_STAGED_BYTES <= lanes * matrix <= MOST_STAGED_BYTES
        and s.ndim == 1 and s.out_strides[0] == matrix and s.out_row == s.m * size and s.out_column == size
    ):
        return lanes * matrix
    return 0


cdef void prepare_tile(tile *t, const Stack *s, const Workspace *w, int thread) noexcept nogil:
    t.m = <int> s.m
    t.a_single, t.out_single = s.a_single, s.out_single
    t.a_row, t.a_column, t.out_row, t.out_column = s.a_row, s.a_column, s.out_row, s.out_column
    t.ahead = w.unit * s.a_strides[0] if s.ndim == 1 else 0
    t.fetch_a = dense_bytes(s.m, s.a_row, s.a_column, (4 if s.a_single else 8) * s.parts) if t.ahead else 0
    t.fetch_out = 0 if w.staged else dense_bytes(s.m, s.out_row, s.out_column, (4 if s.out_single else 8) * s.parts)
    t.work = w.start + thread * w.per_thread


cdef Py_ssize_t invert_tiles(
    const Stack *s, const Workspace *w, int thread, Py_ssize_t first, Py_ssize_t last
) noexcept nogil:
    """Invert matrices first to last - 1; how many of them are singular."""
    cdef double rcond[16]
    cdef Py_ssize_t singular = 0, i = first
    cdef int n, lane
    cdef Place at
    cdef bint any_singular
    cdef char *staged = w.start + thread * w.per_thread + w.staged_offset
    cdef tile t
    prepare_tile(&t, s, w, thread)
    t.rcond = rcond if s.rcond else NULL
    while i < last:
        n = <int> min(<Py_ssize_t> w.unit, last - i)
        if s.ndim <= 1:
            t.a[0], t.out[0] = s.a + i * s.a_strides[0], s.out + i * s.out_strides[0]
            for lane in range(1, n):
                t.a[lane], t.out[lane] = t.a[lane - 1] + s.a_strides[0], t.out[lane - 1] + s.out_strides[0]
        else:
            for lane in range(n):
                at = locate(s, i + lane)
                t.a[lane], t.out[lane] = at.a, at.out
        for lane in range(n, w.unit):
            t.a[lane], t.out[lane] = t.a[0], t.out[0]
        if w.staged:
            for lane in range(w.unit):
                t.out[lane] = staged + lane * (w.staged // w.unit)
        any_singular = w.lanes.invert[w.type](&t)
        if any_singular or s.rcond:
            for lane in range(n):
                at = locate(s, i + lane)
                if s.rcond:
                    (<double *> at.rcond)[0] = rcond[lane]
                if any_singular and t.info[lane]:
                    singular += 1
                    if s.info:
                        (<int *> at.info)[0] = t.info[lane]
                    write_nan(s, t.out[lane])
        if w.staged:
            stream(s.out + i * s.out_strides[0], staged, n * (w.staged // w.unit))
        i += w.unit
    if w.staged:
        stream_end()
    return singular
