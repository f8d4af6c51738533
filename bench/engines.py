"""Where the lanes engine hands over to LAPACK, by type and instruction set (`lanes_pay` in _core.pyx).

python bench/engines.py
"""

import statistics
import time

import numpy as np

import stackinv
from stackinv import _core

ORDERS = (4, 8, 16, 32, 64, 96, 128, 160, 192, 256, 320, 400)


def stack(m: int, n: int, dtype: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    a = rng.standard_normal((n, m, m))
    return (a + 1j * rng.standard_normal(a.shape) if dtype in "FD" else a).astype(dtype)


def microseconds(a: np.ndarray, engine: str, repeat: int) -> float:
    """A call, on one worker."""
    out = np.empty_like(a)
    _core.use_engine(engine)
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        stackinv.inv(a, out=out, dtype=a.dtype, workers=1)
        times.append(time.perf_counter() - start)
    _core.use_engine(None)
    return 1e6 * statistics.median(times)


def main() -> None:
    print("LAPACK's time over that of the lanes engine, long stacks (8 MiB), one worker:")
    print("build     type " + "".join(f"{m:6d}" for m in ORDERS))
    runnable = [name for name, _, runs_here in _core.builds() if runs_here]
    for name in runnable:
        _core.use_build(name)
        for dtype in "fdFD":
            cells = []
            for m in ORDERS:
                a = stack(m, max(32, (8 << 20) // (m * m * np.dtype(dtype).itemsize)), dtype)
                cells.append(microseconds(a, "lapack", 5) / microseconds(a, "lanes", 5))
            print(f"{name:9s} {dtype:4s} " + "".join(f"{ratio:6.2f}" for ratio in cells), flush=True)

    print("\nThe same for one matrix, whose tile holds copies of it:")
    for name in runnable:
        _core.use_build(name)
        for dtype in "fdFD":
            cells = []
            for m in ORDERS:
                a = stack(m, 1, dtype)
                cells.append(microseconds(a, "lapack", 200) / microseconds(a, "lanes", 200))
            print(f"{name:9s} {dtype:4s} " + "".join(f"{ratio:6.2f}" for ratio in cells), flush=True)


if __name__ == "__main__":
    main()
