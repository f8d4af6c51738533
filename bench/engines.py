"""The table in kernels/builds.c that chooses the engine: each of them timed by order, type and instruction set.

python bench/engines.py [--assume-a STRUCTURE] [--plot FILE]

OpenBLAS should use what the kernels that it is compared with use: for AVX2 set OPENBLAS_CORETYPE=Haswell, for the
baseline of x86 OPENBLAS_CORETYPE=Nehalem, and STACKINV_DISABLE_CPU_FEATURES accordingly.
"""

import argparse
import statistics
import time

import numpy as np

import stackinv
from stackinv import _core

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
    _core.use_engine(engine)
    times = []
    begin = time.perf_counter()
    while len(times) < 4 or time.perf_counter() - begin < 0.1:
        start = time.perf_counter()
        stackinv.inv(a, out=out, dtype=a.dtype, workers=1, assume_a=assume_a)
        times.append(time.perf_counter() - start)
    _core.use_engine(None)
    return 1e6 * statistics.median(times[1:]) / len(a)


def measure(dtype: str, bytes_: int, assume_a: str) -> dict[str, list[float]]:
    lengths = [max(16, bytes_ // (m * m * np.dtype(dtype).itemsize)) if bytes_ else 1 for m in ORDERS]
    stacks = [stack(m, n, dtype, assume_a) for m, n in zip(ORDERS, lengths, strict=True)]
    return {engine: [microseconds(a, engine, assume_a) for a in stacks] for engine in ENGINES}


def plot(times: dict[str, dict[str, list[float]]], build: str, assume_a: str, path: str) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    figure, grid = plt.subplots(1, 4, figsize=(12, 3.2), layout="constrained", sharey=True)
    for axes, (dtype, name) in zip(grid, TYPES.items(), strict=True):
        for engine in ENGINES:
            flops = [(8 if dtype in "FD" else 2) * m**3 for m in ORDERS]
            rates = [flop / t / 1e3 for flop, t in zip(flops, times[dtype][engine], strict=True)]
            axes.plot(ORDERS, rates, marker="o", markersize=3, label=engine)
        axes.axvline(_core.most_lanes_m(dtype, assume_a), color="gray", linestyle=":", linewidth=1)
        axes.set(title=name, xlabel="M", xscale="log")
        axes.set_xticks([4, 16, 64, 128, 512], ["4", "16", "64", "128", "512"])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    grid[0].set(ylabel="GFLOP/s, one worker")
    grid[0].legend(frameon=False)
    figure.suptitle(
        f"The engines, {build} kernels, assume_a={assume_a!r}; dotted: where the lanes engine hands over", fontsize=10
    )
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--plot", metavar="FILE", help="draw the best build's rates")
    parser.add_argument("--assume-a", default="gen", metavar="STRUCTURE")
    arguments = parser.parse_args()
    path, assume_a = arguments.plot, arguments.assume_a
    best = _core.build_used()
    runnable = [name for name, _, runs_here in _core.builds() if runs_here]
    runnable = runnable[runnable.index(best) :]
    for title, size in (("long stacks", 32 << 20), ("one matrix, whose tile holds copies of it", 0)):
        print(f"\nTime over that of the blocked engine, {title}, one worker:")
        print("build     type engine  " + "".join(f"{m:6d}" for m in ORDERS))
        for build in runnable:
            _core.use_build(build)
            all_times = {dtype: measure(dtype, size, assume_a) for dtype in TYPES}
            for dtype, times in all_times.items():
                for engine in ("lanes", "lapack"):
                    ratios = [t / blocked for t, blocked in zip(times[engine], times["blocked"], strict=True)]
                    print(f"{build:9s} {dtype:4s} {engine:7s} " + "".join(f"{r:6.2f}" for r in ratios), flush=True)
            if path and size and build == best:
                plot(all_times, build, assume_a, path)
        _core.use_build(best)


if __name__ == "__main__":
    main()
