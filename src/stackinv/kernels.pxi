# SPDX-License-Identifier: BSD-3-Clause
"""kernels.h for Cython, and which of the builds of the kernels is in use."""

cdef extern from "kernels.h":
    enum method:
        STACKINV_LU
        STACKINV_SYMMETRIC_LU
        STACKINV_CHOLESKY
        STACKINV_TRIANGLE
    enum symmetry:
        STACKINV_NONE
        STACKINV_SYMMETRIC
        STACKINV_HERMITIAN
    double stackinv_rcond(double a_norm, double norm, double unit) nogil
    struct tile:
        int m
        symmetry symmetry
        bint transposed
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
    struct matrix:
        int m
        symmetry symmetry
        bint transposed
        bint a_single
        bint out_single
        Py_ssize_t a_row
        Py_ssize_t a_column
        Py_ssize_t out_row
        Py_ssize_t out_column
        bint rcond
        void *factors
        const char *a
        char *out
        const char *next
        Py_ssize_t fetch_next
        bint fetch_out
        bint (*pause)(void *clock) noexcept nogil
        void *clock
    struct steps:
        size_t (*factors_size)(int m) noexcept nogil
        size_t (*rows_size)(int m) noexcept nogil
        void (*count_tasks)(int m, int *blocks, int *row_tasks) noexcept nogil
        void (*read_block)(const matrix *, int block) noexcept nogil
        void (*update_block)(const matrix *, int done, int block) noexcept nogil
        int (*factor_block)(const matrix *, int block) noexcept nogil
        bint (*sweeps[2])(const matrix *, int row_task, int *piece, void *work) noexcept nogil
        double (*rcond)(const matrix *) noexcept nogil
    struct kernels:
        int lanes
        size_t (*work_size[4])(int m) noexcept nogil        # STACKINV_METHODS
        bint (*invert[4])(tile *t) noexcept nogil
        steps steps[4]
    struct build:
        const char *name
        const char *features
        bint (*runs_here)() noexcept nogil
        const kernels *kernels[4]
        int most_m[4][4]
        bint blocked
    const build stackinv_builds[]
    const int stackinv_build_count


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


def vector_bits():
    """The length of the vectors of the kernels in use: one number of 64 bits if built without vector extensions."""
    return 64 * build_in_use.kernels[1].lanes


def needs_lapack():
    """Whether the build in use has no engine of its own for large matrices."""
    return not build_in_use.blocked


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


cdef int method_of(Structure structure) noexcept nogil:
    if structure == POSITIVE_DEFINITE:
        return STACKINV_CHOLESKY
    if structure == UPPER_TRIANGULAR or structure == LOWER_TRIANGULAR:
        return STACKINV_TRIANGLE
    if structure == SYMMETRIC or structure == HERMITIAN:
        return STACKINV_SYMMETRIC_LU
    return STACKINV_LU


cdef symmetry symmetry_of(Structure structure) noexcept nogil:
    if structure == SYMMETRIC:
        return STACKINV_SYMMETRIC
    if structure == HERMITIAN:
        return STACKINV_HERMITIAN
    return STACKINV_NONE


def most_lanes_m(calculation, structure="gen"):
    """The order up to which the lanes engine is chosen for long stacks of this type and structure."""
    return build_in_use.most_m[method_of(STRUCTURES[structure])]["fdFD".index(calculation)]
