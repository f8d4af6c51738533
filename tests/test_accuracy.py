"""Errors and residuals of every kernel on hard matrices, beside those of NumPy and of LAPACK's getrf and getri."""

from itertools import product

import numpy as np
import pytest
from conftest import BUILDS, adjoint

import stackinv
from stackinv import _core

ORDERS = {
    "f8": {"lanes": [1, 2, 3, 4, 5, 8, 9, 16, 24, 33, 48, 70], "blocked": [9, 24, 33, 70, 100, 200, 512]},
    "c16": {"lanes": [2, 4, 9, 24, 48], "blocked": [9, 24, 70, 130]},
}


ORDERS_STRUCTURED = {
    "f8": {"lanes": [1, 2, 3, 4, 5, 8, 9, 16, 24, 33, 48, 70], "blocked": [9, 33, 130]},
    "c16": {"lanes": [2, 4, 9, 24], "blocked": [9, 40]},
}


def count(m):
    """How many matrices of this order: the reference takes long."""
    return 30 if m <= 70 else max(1, 400 // m)


def gaussian(rng, m, dtype):
    a = rng.standard_normal((count(m), m, m))
    return a + 1j * rng.standard_normal(a.shape) if dtype == "c16" else a


def of_condition(decades):
    def family(rng, m, dtype):
        left, right = (np.linalg.qr(gaussian(rng, m, dtype))[0] for _ in range(2))
        return (left * np.logspace(0, -decades, m)) @ right

    return family


def graded(rows, columns):
    def family(rng, m, dtype):
        scale = np.logspace(0, -12, m)
        return gaussian(rng, m, dtype) * (scale[:, None] if rows else 1) * (scale if columns else 1)

    return family


def permuted(rng, m, dtype):
    triangle = np.triu(gaussian(rng, m, dtype)) + m * np.eye(m)
    return np.stack([a[rng.permutation(m)][:, rng.permutation(m)] for a in triangle])


def hilbert(rng, m, dtype):
    i = np.arange(m)
    a = 1 / (1 + i[:, None] + i) + (1e-10 * np.eye(m) if m > 9 else 0)
    return a * (1 + 1e-3 * rng.standard_normal((count(m), 1, 1)))


def kahan(rng, m, dtype):
    s, c = np.sin(1.2), np.cos(1.2)
    a = np.diag(s ** np.arange(m)) @ (np.eye(m) - c * np.triu(np.ones((m, m)), 1))
    return np.stack([a[rng.permutation(m)] for _ in range(count(m))])


FAMILIES = {
    **{f"condition 1e{decades}": of_condition(decades) for decades in (0, 4, 8, 12, 14)},
    "graded rows": graded(True, False),
    "graded columns": graded(False, True),
    "graded both ways": graded(True, True),
    "upper triangular": lambda rng, m, dtype: np.triu(gaussian(rng, m, dtype)) + m * np.eye(m),
    "lower triangular": lambda rng, m, dtype: np.tril(gaussian(rng, m, dtype)) + m * np.eye(m),
    "permuted triangular": permuted,
    "random": gaussian,
    "Hilbert": hilbert,
    "Kahan": kahan,
}


def reference(a):
    """By Gauss-Jordan elimination with partial pivoting in long double, which has 11 bits more on most machines."""
    a = a.astype(np.clongdouble if a.dtype.kind == "c" else np.longdouble)
    n, m, _ = a.shape
    x = np.broadcast_to(np.eye(m, dtype=a.dtype), a.shape).copy()
    every = np.arange(n)
    for k in range(m):
        pivot = k + np.argmax(np.abs(a[:, k:, k]), axis=1)
        for z in (a, x):
            z[every, pivot], z[:, k] = z[:, k].copy(), z[every, pivot].copy()
        factors = a[:, :, k] / a[:, k, k, None]
        factors[:, k] = 0
        a -= factors[:, :, None] * a[:, None, k]
        x -= factors[:, :, None] * x[:, None, k]
    return x / np.einsum("nii->ni", a)[:, :, None]


def norm(a):
    return np.sqrt(np.sum(np.abs(a) ** 2, axis=(1, 2))).astype(float)


def errors(a, x, exact):
    """Forward error, right and left residual of each matrix, over eps |A| |X| (and |X|, the first)."""
    scale = np.finfo(a.dtype).eps * norm(a) * norm(x)
    wide_a, wide_x, eye = a.astype(exact.dtype), x.astype(exact.dtype), np.eye(a.shape[1])
    return np.stack(
        [
            norm(wide_x - exact) / norm(exact) / scale,
            norm(wide_a @ wide_x - eye) / scale,
            norm(wide_x @ wide_a - eye) / scale,
        ]
    )


def check(ours, others, build, what):
    """At most twice the largest of the others', and what is far below one unit does not count.

    Kernels without FMA round twice where those of OpenBLAS round once, and have a little more room.
    """
    factor, slacks = (3, (0.25, 0.5)) if build == "baseline" else (2, (0.05, 0.25))
    for statistic, slack in zip((np.median, np.max), slacks, strict=True):
        theirs = np.max([statistic(e, axis=1) for e in others], axis=0)
        mine = statistic(ours, axis=1)
        assert np.all(mine <= factor * theirs + slack), (*what, statistic.__name__, mine, theirs)


def hermitian(a):
    """Exactly so, by its lower triangle."""
    lower = np.tril(a, -1)
    return lower + adjoint(lower) + np.einsum("nii->ni", a).real[:, :, None] * np.eye(a.shape[1])


def with_eigenvalues(decades, definite):
    def family(rng, m, dtype):
        q = np.linalg.qr(gaussian(rng, m, dtype))[0]
        signs = 1 if definite else rng.choice([-1, 1], m)
        return hermitian((q * signs * np.logspace(0, -decades, m)) @ adjoint(q))

    return family


def graded_hermitian(backwards, definite):
    def family(rng, m, dtype):
        scale = np.logspace(0, -12, m)[:: -1 if backwards else 1]
        g = gaussian(rng, m, dtype)
        return hermitian(scale[:, None] * (g @ adjoint(g) / m + np.eye(m) if definite else g + adjoint(g)) * scale)

    return family


def covariance(rng, m, dtype):
    g = gaussian(rng, m, dtype)
    return hermitian(g @ adjoint(g) / m)


def laplacian(rng, m, dtype):
    return (2 * np.eye(m) - np.eye(m, k=1) - np.eye(m, k=-1)) * (1 + rng.random((count(m), 1, 1)))


def zero_diagonal(rng, m, dtype):
    g = gaussian(rng, m, dtype)
    return hermitian((g + adjoint(g)) * (1 - np.eye(m) if m > 1 else 1))


def constrained(rng, m, dtype):
    """The matrix of a quadratic program with a third as many constraints as unknowns."""
    n = m - m // 3
    g = gaussian(rng, m, dtype)
    a = np.zeros_like(g)
    a[:, :n, :n] = g[:, :n, :n] @ adjoint(g[:, :n, :n])
    a[:, n:, :n] = g[:, n:, :n]
    return hermitian(a)


def r_of_condition(decades):
    return lambda rng, m, dtype: np.triu(np.linalg.qr(of_condition(decades)(rng, m, dtype))[1])


def scaled_triangle(axis):
    def family(rng, m, dtype):
        return np.triu(gaussian(rng, m, dtype) + m * np.eye(m)) * np.expand_dims(np.logspace(0, -12, m), axis)

    return family


def kahan_triangle(rng, m, dtype):
    s, c = np.sin(1.2), np.cos(1.2)
    a = np.diag(s ** np.arange(m)) @ (np.eye(m) - c * np.triu(np.ones((m, m)), 1))
    return a * (1 + rng.random((count(m), 1, 1)))


def rising(family):
    """Reflected at the antidiagonal, so that the diagonal rises where it fell."""
    return lambda rng, m, dtype: np.ascontiguousarray(np.swapaxes(family(rng, m, dtype)[:, ::-1, ::-1], 1, 2))


STRUCTURED = {
    "pos": {
        **{f"condition 1e{decades}": with_eigenvalues(decades, True) for decades in (0, 4, 8, 12, 14)},
        "graded": graded_hermitian(False, True),
        "graded backwards": graded_hermitian(True, True),
        "covariance": covariance,
        "Laplacian": laplacian,
        "Hilbert": hilbert,
    },
    "her": {
        **{f"condition 1e{decades}": with_eigenvalues(decades, False) for decades in (0, 4, 8, 12, 14)},
        "graded": graded_hermitian(False, False),
        "graded backwards": graded_hermitian(True, False),
        "zero diagonal": zero_diagonal,
        "constrained": constrained,
    },
    "upper triangular": {
        **{f"condition 1e{decades}": r_of_condition(decades) for decades in (0, 4, 8, 12, 14)},
        "graded rows": scaled_triangle(1),
        "graded columns": scaled_triangle(0),
        "Kahan": kahan_triangle,
    },
}
STRUCTURED["lower triangular"] = STRUCTURED["upper triangular"]
STRUCTURED["upper triangular"] = STRUCTURED["upper triangular"] | {
    f"{name}, rising": rising(STRUCTURED["upper triangular"][name])
    for name in ("condition 1e4", "condition 1e14", "graded rows", "Kahan")
}
STRUCTURED["sym"] = {name: STRUCTURED["her"][name] for name in ("condition 1e12", "constrained")}


@pytest.mark.parametrize(("structure", "name"), [(s, name) for s, families in STRUCTURED.items() for name in families])
def test_errors_are_those_of_lapacks_routine_for_the_structure(structure, name, lapack_engine):
    """As for general matrices, but beside nothing else than potrf and potri, sytrf and sytri, trtri."""
    for dtype in ("f8", "c16"):
        orders = ORDERS_STRUCTURED[dtype]
        for m in sorted({*orders["lanes"], *orders["blocked"]}):
            a = STRUCTURED[structure][name](np.random.default_rng(m), m, dtype).astype(dtype)
            if structure == "lower triangular":
                a = np.ascontiguousarray(np.swapaxes(a, 1, 2))
            if structure == "sym" and dtype == "c16":
                a = np.tril(a) + np.swapaxes(np.tril(a, -1), 1, 2)
            exact = reference(a)
            _core.use_engine("lapack")
            theirs = errors(a, stackinv.inv(a, assume_a=structure), exact)
            for engine, build in product(orders, BUILDS):
                if m not in orders[engine]:
                    continue
                _core.use_engine(engine)
                _core.use_build(build)
                ours = errors(a, stackinv.inv(a, assume_a=structure), exact)
                check(ours, [theirs], build, (engine, build, m, dtype))


@pytest.mark.parametrize("dtype", ["f8", "c16"])
@pytest.mark.parametrize("name", FAMILIES)
def test_errors_are_those_of_lapack(name, dtype, lapack_engine):
    """At most twice the larger of NumPy's and of getrf and getri's."""
    orders = ORDERS[dtype]
    for m in sorted({*orders["lanes"], *orders["blocked"]}):
        a = FAMILIES[name](np.random.default_rng(m), m, dtype).astype(dtype)
        exact = reference(a)
        _core.use_engine("lapack")
        others = [errors(a, x, exact) for x in (stackinv.inv(a), np.linalg.inv(a))]
        for engine, build in product(orders, BUILDS):
            if m not in orders[engine]:
                continue
            _core.use_engine(engine)
            _core.use_build(build)
            check(errors(a, stackinv.inv(a), exact), others, build, (engine, build, m))
