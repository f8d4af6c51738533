"""GFLOP/s (2 M³ over the time a matrix) by order, beside other libraries and the rate of dgemm; float64.

python bench/rates.py [--threads N] [--plot FILE]

Each library in a process of its own, medians of rounds; stackinv's result goes to memory that is there (`out=`), from
M = 16 on it makes little difference.
"""

import argparse
import os
import statistics
import subprocess
import sys

from scaling import microseconds

from stackinv import _compare

ORDERS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 4096)
ROUNDS = 3
STACK_BYTES = 64 << 20
TITLES = {"stackinv-out": "stackinv", "numpy": "NumPy", "scipy": "SciPy", "torch": "PyTorch"}
DGEMM = """
import time, numpy as np, scipy.linalg.blas as blas
a, b, c = (np.ones((2048, 2048), order="F") for _ in range(3))
times = []
for _ in range(9):
    start = time.perf_counter()
    blas.dgemm(1.0, a, b, c=c, overwrite_c=True)
    times.append(time.perf_counter() - start)
print(2 * 2048**3 / sorted(times)[4] / 1e9)
"""


def dgemm(threads: int) -> float:
    """GFLOP/s of SciPy's dgemm at M = 2048."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    output = subprocess.run([sys.executable, "-c", DGEMM], stdout=subprocess.PIPE, check=True, env=environment)
    return float(output.stdout)


def plot(rates: dict[str, list[float]], ceiling: float, threads: int, path: str) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7.5, 4.4), layout="constrained")
    for name, values in rates.items():
        width = 2.2 if name == "stackinv-out" else 1.3
        axes.plot(ORDERS, values, marker="o", markersize=4, linewidth=width, label=TITLES[name])
    axes.axhline(ceiling, color="gray", linestyle="--", linewidth=1)
    axes.text(1, ceiling * 1.15, f"dgemm, {ceiling:.0f}", color="gray", fontsize=8)
    axes.set(xlabel="M (order of the matrices)", ylabel="GFLOP/s", xscale="log", yscale="log")
    axes.set_xticks([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096])
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.tick_params(axis="x", labelrotation=60, labelsize=8)
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    axes.set_title(f"Inverting stacks of float64 matrices, {threads} threads: 2 M³ floating-point operations each")
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--plot", metavar="FILE")
    arguments = parser.parse_args()
    threads = arguments.threads
    lengths = [max(threads, STACK_BYTES // (8 * m * m)) for m in ORDERS]
    sizes = [f"{m}:{length}" for m, length in zip(ORDERS, lengths, strict=True)]
    names = [name for name in TITLES if _compare._installed(name.split("-")[0])]
    rounds: dict[str, list[list[float]]] = {name: [] for name in names}
    ceilings = []
    for _ in range(ROUNDS):
        ceilings.append(dgemm(threads))
        for name in names:
            rounds[name].append(microseconds(name, threads, sizes))
    times = {name: [statistics.median(run) for run in zip(*runs, strict=True)] for name, runs in rounds.items()}
    ceiling = statistics.median(ceilings)
    print(f"dgemm: {ceiling:.0f} GFLOP/s with {threads} threads. Medians of {ROUNDS} rounds, us a matrix:")
    print("   M  stackinv  GFLOP/s  of dgemm" + "".join(f"{TITLES[name]:>12s}      x" for name in names[1:]))
    rates = {name: [2e-3 * m**3 / t for m, t in zip(ORDERS, times[name], strict=True)] for name in names}
    for i, m in enumerate(ORDERS):
        own, rate = times["stackinv-out"][i], rates["stackinv-out"][i]
        cells = [f"{m:4d} {own:9.4g} {rate:8.1f} {100 * rate / ceiling:7.0f} %"]
        cells += [f"{times[name][i]:12.4g} {times[name][i] / own:6.2f}" for name in names[1:]]
        print("".join(cells))
    if arguments.plot:
        plot(rates, ceiling, threads, arguments.plot)


if __name__ == "__main__":
    main()
