"""The table in native/tuning.h that chooses the engine: each of them timed by order, type and instruction set.

python bench/engines.py [--assume-a STRUCTURE] [--json FILE]

OpenBLAS should use what the kernels that it is compared with use: for AVX2 set OPENBLAS_CORETYPE=Haswell, for the
baseline of x86 OPENBLAS_CORETYPE=Nehalem, and STACKINV_DISABLE_CPU_FEATURES accordingly.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np

import stackinv
from stackinv import _engines, _native

STACK_BYTES = 32 << 20
ORDERS = (4, 8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 160, 192, 256, 384, 512)
ENGINES = ("lanes", "blocked", "lapack")
TYPES = {"f": "float32", "d": "float64", "F": "complex64", "D": "complex128"}


def stack(m: int, n: int, dtype: str, assume_a: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    a = rng.standard_normal((n, m, m))
    a = (a + 1j * rng.standard_normal(a.shape) if dtype in "FD" else a).astype(dtype)
    if assume_a == "pos":
        return a @ a.conj().swapaxes(-1, -2) / m + np.eye(m, dtype=dtype)
    return a if assume_a == "gen" else a + 2 * m**0.5 * np.eye(m, dtype=dtype)


def microseconds(a: np.ndarray, engine: str, assume_a: str) -> float:
    """A matrix, on one worker."""
    out = np.empty_like(a)
    _engines.use_engine(engine)
    times = []
    begin = time.perf_counter()
    while len(times) < 4 or time.perf_counter() - begin < 0.1:
        start = time.perf_counter()
        stackinv.inv(a, out=out, dtype=a.dtype, workers=1, assume_a=assume_a)
        times.append(time.perf_counter() - start)
    _engines.use_engine(None)
    return 1e6 * statistics.median(times[1:]) / len(a)


def measure(dtype: str, bytes_: int, assume_a: str) -> dict[str, list[float]]:
    lengths = [max(16, bytes_ // (m * m * np.dtype(dtype).itemsize)) if bytes_ else 1 for m in ORDERS]
    stacks = [stack(m, n, dtype, assume_a) for m, n in zip(ORDERS, lengths, strict=True)]
    return {engine: [microseconds(a, engine, assume_a) for a in stacks] for engine in ENGINES}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the best build's times of long stacks, and no more"
    )
    parser.add_argument("--assume-a", default="gen", metavar="STRUCTURE")
    arguments = parser.parse_args()
    assume_a = arguments.assume_a
    best = _native.build_used()
    if arguments.json:
        records = [
            {"dtype": dtype, "engine": engine, "m": m, "microseconds": float(f"{time:.4g}")}
            | {"most_lanes_m": _native.most_lanes_m(char, assume_a)}
            for char, dtype in TYPES.items()
            for engine, times in measure(char, STACK_BYTES, assume_a).items()
            for m, time in zip(ORDERS, times, strict=True)
        ]
        arguments.json.write_text(json.dumps(records))
        return
    runnable = [name for name, _, runs_here in _native.builds() if runs_here]
    runnable = runnable[runnable.index(best) :]
    for title, size in (("long stacks", STACK_BYTES), ("one matrix, whose tile holds copies of it", 0)):
        print(f"\nTime over that of the blocked engine, {title}, one worker:")
        print("build     type engine  " + "".join(f"{m:6d}" for m in ORDERS))
        for build in runnable:
            _engines.use_build(build)
            all_times = {dtype: measure(dtype, size, assume_a) for dtype in TYPES}
            for dtype, times in all_times.items():
                for engine in ("lanes", "lapack"):
                    ratios = [t / blocked for t, blocked in zip(times[engine], times["blocked"], strict=True)]
                    print(f"{build:9s} {dtype:4s} {engine:7s} " + "".join(f"{r:6.2f}" for r in ratios), flush=True)
        _engines.use_build(best)


if __name__ == "__main__":
    main()
