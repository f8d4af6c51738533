"""Errors and residuals of every kernel on hard matrices, beside those of NumPy and of LAPACK's getrf and getri."""

from itertools import product

import numpy as np
import pytest
from conftest import BUILDS

import stackinv
from stackinv import _core

ORDERS = {
    "f8": {"lanes": [1, 2, 3, 4, 5, 8, 9, 16, 24, 33, 48, 70], "blocked": [9, 24, 33, 70, 100, 200, 512]},
    "c16": {"lanes": [2, 4, 9, 24, 48], "blocked": [9, 24, 70, 130]},
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


@pytest.mark.parametrize("dtype", ["f8", "c16"])
@pytest.mark.parametrize("name", FAMILIES)
def test_errors_are_those_of_lapack(name, dtype, lapack_engine):
    """At most twice the larger of NumPy's and of getrf and getri's, and what is far below one unit does not count.

    Kernels without FMA round twice where those of OpenBLAS round once, and have a little more room.
    """
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
            ours = errors(a, stackinv.inv(a), exact)
            factor, slacks = (3, (0.25, 0.5)) if build == "baseline" else (2, (0.05, 0.25))
            for statistic, slack in zip((np.median, np.max), slacks, strict=True):
                theirs = np.max([statistic(e, axis=1) for e in others], axis=0)
                mine = statistic(ours, axis=1)
                assert np.all(mine <= factor * theirs + slack), (engine, build, m, statistic.__name__, mine, theirs)
