"""How the kernels for each instruction set compare, and single with double precision; NumPy beside them.

python bench/builds.py
"""

import statistics
import time
from collections.abc import Callable

import numpy as np

import stackinv
from stackinv import _engines, _native

ORDERS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
STACK_BYTES = 16 << 20


def stack(m: int, dtype: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    n = STACK_BYTES // (m * m * np.dtype(dtype).itemsize)
    a = rng.standard_normal((n, m, m), np.float64)
    return (a + 1j * rng.standard_normal(a.shape) if dtype in "FD" else a).astype(dtype)


def nanoseconds(call: Callable[[], object], matrices: int) -> float:
    call()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e9 * statistics.median(times) / matrices


def main() -> None:
    print("Nanoseconds a matrix, one worker, stacks of 16 MiB, results in memory that is there:")
    print("build     type " + "".join(f"{m:9d}" for m in ORDERS))
    for name in [name for name, _, runs_here in _native.builds() if runs_here]:
        _engines.use_build(name)
        for dtype in "fdFD":
            cells = []
            for m in ORDERS:
                a = stack(m, dtype)
                out = np.empty_like(a)
                cells.append(nanoseconds(lambda: stackinv.inv(a, out=out, dtype=a.dtype, workers=1), len(a)))
            print(f"{name:9s} {dtype:4s} " + "".join(f"{cell:9.4g}" for cell in cells), flush=True)
    _engines.use_build(None)
    cells = []
    for m in ORDERS:
        a = stack(m, "d")[:20000]
        cells.append(nanoseconds(lambda: np.linalg.inv(a), len(a)))
    print("NumPy     d    " + "".join(f"{cell:9.4g}" for cell in cells))
    print("\ncomplex128, two workers, times NumPy:")
    for m in (4, 8, 16, 32):
        a = stack(m, "D")[:20000]
        out = np.empty_like(a)
        ours = nanoseconds(lambda: stackinv.inv(a, out=out, workers=2), len(a))
        print(f"{m:4d} {nanoseconds(lambda: np.linalg.inv(a), len(a)) / ours:6.1f}", flush=True)


if __name__ == "__main__":
    main()
