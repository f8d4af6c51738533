"""The same matrices in other layouts: float64, stacks of 32 MiB, results in the same layout, into memory that is there.

python bench/layouts.py [--json FILE]

NumPy returns new memory, in C order. Cofactors are what people write who have the matrix axes first.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import stackinv

STACK_BYTES = 32 << 20
ROUNDS = 9
ORDERS = (2, 3, 4, 6, 8, 12, 16, 32)
FIRST = [(0, 1), (0, 1)]
SHORT = 4  # the length of a short last axis


def cofactors(a: np.ndarray, out: np.ndarray) -> None:
    """The inverses of (2, 2, ...) or (3, 3, ...) without pivots."""
    if len(a) == 2:
        (p, q), (r, s) = a
        determinant = p * s - q * r
        for (i, j), x in (((0, 0), s), ((0, 1), -q), ((1, 0), -r), ((1, 1), p)):
            np.divide(x, determinant, out=out[i, j])
        return
    for i in range(3):
        for j in range(3):
            above, below = (j + 1) % 3, (j + 2) % 3
            left, right = (i + 1) % 3, (i + 2) % 3
            out[i, j] = a[above, left] * a[below, right] - a[above, right] * a[below, left]
    out /= a[0, 0] * out[0, 0] + a[0, 1] * out[1, 0] + a[0, 2] * out[2, 0]


def with_gaps(first: np.ndarray, length: int) -> np.ndarray:
    """The same stack as one of two axes, the last one of this length, with a gap after each of those."""
    m, _, n = first.shape
    room = np.empty((m, m, n // length, length + 1))[..., :length]
    room[...] = first.reshape(room.shape)
    return room


def ways(m: int) -> dict[str, tuple[str, Callable[[], object]]]:
    """Each way of inverting the same matrices, with its title; all are checked against the first."""
    n = STACK_BYTES // (8 * m * m) // 64 * 64
    c = np.random.default_rng(0).standard_normal((n, m, m)) + 2 * m**0.5 * np.eye(m)
    first = np.ascontiguousarray(np.moveaxis(c, 0, -1))
    fortran = np.swapaxes(np.ascontiguousarray(np.swapaxes(c, -1, -2)), -1, -2)
    results = [np.empty_like(x) for x in (c, fortran, first)]
    two, two_out = (with_gaps(first, 64) for _ in range(2))
    short, short_out = (with_gaps(first, SHORT) for _ in range(2))
    expected = np.linalg.inv(c[:100])
    found: dict[str, tuple[str, Callable[[], object]]] = {
        "c": ("(n, M, M), C order", lambda: stackinv.inv(c, out=results[0])),
        "fortran": ("(n, M, M), columns first", lambda: stackinv.inv(fortran, out=results[1])),
        "first": ("(M, M, n)", lambda: stackinv.inv(first, axes=FIRST, out=results[2])),
        "two": ("(M, M, k, 64) of 65", lambda: stackinv.inv(two, axes=FIRST, out=two_out)),
        "short": (f"(M, M, k, {SHORT}) of {SHORT + 1}", lambda: stackinv.inv(short, axes=FIRST, out=short_out)),
        "numpy": ("(M, M, n) by NumPy", lambda: np.linalg.inv(np.moveaxis(first, -1, 0))),
    }
    if m <= 3:
        by_hand = np.empty_like(first)
        found["cofactors"] = ("(M, M, n), cofactors by hand", lambda: cofactors(first, by_hand))
    for _, run in found.values():
        run()
    apart = [x.reshape(m, m, n) for x in (two_out, short_out)]
    some = [results[0][:100], results[1][:100], *(np.moveaxis(x, -1, 0)[:100] for x in (results[2], *apart))]
    some += [np.moveaxis(by_hand, -1, 0)[:100]] if m <= 3 else []
    for one in some:
        np.testing.assert_allclose(one, expected, rtol=1e-9, atol=1e-9)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the times")
    path = parser.parse_args().json
    records = []
    for m in ORDERS:
        n = STACK_BYTES // (8 * m * m) // 64 * 64
        found = ways(m)
        seconds: dict[str, list[float]] = {way: [] for way in found}
        for _ in range(ROUNDS):
            for way, (_, run) in found.items():
                start = time.perf_counter()
                run()
                seconds[way].append(time.perf_counter() - start)
        for way, (title, _) in found.items():
            microseconds = 1e6 * statistics.median(seconds[way]) / n
            records.append({"way": way, "title": title, "m": m, "microseconds": float(f"{microseconds:.4g}")})
            print(f"M = {m:2d}  {title:30s} {microseconds:10.4g} us a matrix", flush=True)
    if path:
        path.write_text(json.dumps(records))


if __name__ == "__main__":
    main()
