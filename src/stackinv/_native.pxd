# SPDX-License-Identifier: BSD-3-Clause
"""The surface of the C (native/loop.h) for Cython."""

cimport numpy as cnp

cdef extern from "kernels.h":
    struct determinants:
        bint logarithms
        bint numbers
        double sign[2][16]          # STACKINV_MOST_LANES
        double logarithm[16]
        double number[2][16]
    struct kernels:
        int lanes
        void (*multiply)(const void *numbers, int m, int n, bint odd, determinants *d) noexcept nogil
    struct build:
        const char *name
        const char *features
        bint (*runs_here)() noexcept nogil
        const kernels *kernels[4]
        bint blocked
    const build stackinv_builds[]
    const int stackinv_build_count

cdef extern from "loop.h":
    ctypedef enum stack_type "enum type":
        pass
    ctypedef enum stack_structure "enum structure":
        STACKINV_IS_GENERAL
        STACKINV_IS_SYMMETRIC
        STACKINV_IS_HERMITIAN
        STACKINV_IS_POSITIVE_DEFINITE
        STACKINV_IS_UPPER_TRIANGULAR
        STACKINV_IS_LOWER_TRIANGULAR
        STACKINV_IS_DIAGONAL
        STACKINV_KNOWN
    struct knowledge:
        const char *name
    const knowledge stackinv_structures[]
    enum:
        STACKINV_A
        STACKINV_INVERSE
        STACKINV_INFO
        STACKINV_RCOND
        STACKINV_SIGN
        STACKINV_LOGARITHM
        STACKINV_DETERMINANT
        STACKINV_RIGHT
        STACKINV_SOLUTION
        STACKINV_ARRAYS
    struct layout:
        bint single
        Py_ssize_t row
        Py_ssize_t column
    struct stack:
        stack_structure structure
        bint transposed
        Py_ssize_t n
        int m
        int columns
        char *at[9]                 # STACKINV_ARRAYS
    void stackinv_describe(
        stack *s, stack_type, stack_structure, int m, layout a, layout inverse, char *const *at
    ) noexcept nogil
    void stackinv_add_systems(stack *s, int columns, layout right, layout solution) noexcept nogil
    void stackinv_add_axis(stack *s, Py_ssize_t length, const Py_ssize_t *strides) noexcept nogil

cdef extern from "stack.h":
    bint wants_inverse(const stack *s) noexcept nogil
    bint wants_determinant(const stack *s) noexcept nogil
    bint wants_solution(const stack *s) noexcept nogil
    struct place:
        char *at[9]                 # STACKINV_ARRAYS
    place locate(const stack *s, Py_ssize_t i) noexcept nogil
    void read_matrix(const stack *s, const char *at, void *to, Py_ssize_t ld) noexcept nogil
    void write_matrix(const stack *s, char *at, const void *source, Py_ssize_t ld) noexcept nogil
    void read_right(const stack *s, const char *at, void *to, Py_ssize_t ld) noexcept nogil
    void write_solution(const stack *s, char *at, const void *source, Py_ssize_t ld) noexcept nogil
    void write_singular(const stack *s, const place *at) noexcept nogil
    size_t padded(size_t size) noexcept nogil

cdef extern from "loop.h":
    enum engine_name:
        STACKINV_LANES
        STACKINV_BLOCKED
        STACKINV_LAPACK
    struct settings:
        const build *build
        int engine
        double turn_seconds
        double least_shared_seconds
    settings stackinv_settings() noexcept nogil
    void stackinv_use_build(const build *b) noexcept nogil
    void stackinv_use_engine(int engine) noexcept nogil
    double stackinv_override_turn(double seconds) noexcept nogil
    double stackinv_override_sharing(double least_seconds) noexcept nogil
    struct choice:
        engine_name engine
        bint shared
    ctypedef struct call "struct call":
        pass
    void stackinv_prepare() noexcept nogil
    choice stackinv_choose(const stack *s, bint lapack) noexcept nogil
    int stackinv_most_lanes_m(const build *b, stack_type t, stack_structure known) noexcept nogil
    call *stackinv_begin(const stack *s, choice how, int threads) noexcept nogil
    bint stackinv_turn(call *c) noexcept nogil
    Py_ssize_t stackinv_finished(const call *c) noexcept nogil
    Py_ssize_t stackinv_end(call *c) noexcept nogil
    Py_ssize_t stackinv_invert_few(const stack *s) noexcept nogil

cdef extern from "api.h":
    ctypedef struct stackinv_functions:
        pass
    const stackinv_functions stackinv_api
    const char *STACKINV_CAPSULE
    void stackinv_set_default_threads(int threads) noexcept nogil

cdef extern from "xla.h":
    void stackinv_xla() noexcept nogil

cdef extern from "threads.h":
    int pool_allowed_cpus() noexcept nogil

cdef stack_structure structure_named(object name) except *
cdef int describe(
    stack *s, cnp.ndarray a, cnp.ndarray inverse, tuple others, int number, stack_structure known
) except -1
cdef void multiply(int type, const void *numbers, int m, bint odd, determinants *d) noexcept nogil
