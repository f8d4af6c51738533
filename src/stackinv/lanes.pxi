# SPDX-License-Identifier: BSD-3-Clause
"""The lanes engine: a tile of matrices at once, one in each lane of the processor's vectors (see kernels/lanes-inl.h)."""

cdef extern from "stream.h":
    const int STACKINV_STREAMS
    void stream(char *to, const char *source, Py_ssize_t size) nogil
    void stream_end() nogil


# Results of more than this many bytes do not stay in the caches anyway, and go past them, ...
cdef Py_ssize_t LEAST_STREAMED_BYTES = 32 << 20
# ... by way of a copy, which should be worth it (twice as large where little arithmetic hides it), and stay in the
# caches of a core.
cdef Py_ssize_t LEAST_STAGED_BYTES = 1 << 10
cdef Py_ssize_t MOST_STAGED_BYTES = 256 << 10


cdef Py_ssize_t staged_bytes(const Stack *s, Py_ssize_t n, int lanes) noexcept nogil:
    """Bytes of a tile's results if they are streamed to memory, else 0."""
    cdef Py_ssize_t size = (4 if s.out_single else 8) * s.parts, matrix = s.m * s.m * size
    cdef Py_ssize_t least = LEAST_STAGED_BYTES * (2 if s.structure == UPPER_TRIANGULAR else 1)
    if (
        STACKINV_STREAMS and n * matrix > LEAST_STREAMED_BYTES and least <= lanes * matrix <= MOST_STAGED_BYTES
        and s.ndim == 1 and s.out_strides[0] == matrix and dense_bytes(s.m, s.out_row, s.out_column, size)
    ):
        return lanes * matrix
    return 0


cdef void prepare_tile(tile *t, const Stack *s, const Workspace *w, int thread) noexcept nogil:
    t.m = <int> s.m
    t.symmetry = symmetry_of(s.structure)
    t.transposed = s.transposed
    t.a_single, t.out_single = s.a_single, s.out_single
    t.a_row, t.a_column, t.out_row, t.out_column = s.a_row, s.a_column, s.out_row, s.out_column
    t.ahead = w.unit * s.a_strides[0] if s.ndim == 1 else 0
    t.fetch_a = dense_bytes(s.m, s.a_row, s.a_column, (4 if s.a_single else 8) * s.parts) if t.ahead else 0
    t.fetch_out = 0 if w.staged else dense_bytes(s.m, s.out_row, s.out_column, (4 if s.out_single else 8) * s.parts)
    t.work = own(w, thread)


cdef Py_ssize_t invert_tiles(
    const Stack *s, const Workspace *w, int thread, Py_ssize_t first, Py_ssize_t last
) noexcept nogil:
    """Invert matrices first to last - 1; how many of them are singular."""
    cdef double rcond[16]
    cdef Py_ssize_t singular = 0, i = first
    cdef int n, lane
    cdef Place at
    cdef bint any_singular
    cdef char *staged = own(w, thread) + w.staged_offset
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
        any_singular = w.kernels.invert[w.method](&t)
        if t.symmetry:
            for lane in range(n):
                make_symmetric(s, t.out[lane], 0, s.m)
        if any_singular or s.rcond:
            for lane in range(n):
                at = locate(s, i + lane)
                if s.rcond:
                    (<double *> at.rcond)[0] = rcond[lane]
                if any_singular and t.info[lane]:
                    singular += 1
                    if s.info:
                        (<int *> at.info)[0] = t.info[lane]
                    write_all(s, t.out[lane], NAN)
        if w.staged:
            stream(s.out + i * s.out_strides[0], staged, n * (w.staged // w.unit))
        i += w.unit
    if w.staged:
        stream_end()
    return singular
