"""The stacks that are inverted."""

import os

import numpy as np

from . import THREADS

WORKERS = [1, THREADS]
# Set to show only whether the benchmarks run: else stacks are larger than the caches, and there are more of them.
BRIEF = bool(os.environ.get("STACKINV_BENCH_BRIEF"))
STACK_BYTES = (4 if BRIEF else 64) << 20


def some(values: list) -> list:
    """All, or the first and the last one."""
    return values[:: len(values) - 1] if BRIEF else values


def stack(m: int, dtype: str, assume_a: str = "gen", stack_bytes: int = STACK_BYTES) -> np.ndarray:
    """Well-conditioned matrices of this structure; many are equal, so that they are made quickly."""
    length = max(2, stack_bytes // (np.dtype(dtype).itemsize * m * m))
    rng = np.random.default_rng(0)
    a = rng.standard_normal((min(length, max(2, 20_000 // m**2)), m, m)).astype(dtype)
    if a.dtype.kind == "c":
        a.imag = rng.standard_normal(a.shape)
    if assume_a == "pos":
        a = a @ a.conj().swapaxes(-1, -2) / m + np.eye(m, dtype=dtype)
    else:
        a += (2 * m**0.5 * np.eye(m)).astype(dtype)
    if assume_a == "upper triangular":
        a = np.triu(a)
    return np.resize(a, (length, m, m))
