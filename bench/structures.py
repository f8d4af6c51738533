"""What assume_a brings, by structure and order, beside our own "gen", SciPy and, for "pos", PyTorch; float64.

python bench/structures.py [--threads N] [--plot FILE] [M ...]

Each library in a process of its own, medians of rounds, the result of stackinv in memory that is there (`out=`).
"""

import argparse
import statistics

from scaling import microseconds

from stackinv import _compare

ROUNDS = 3
STACK_BYTES = 64 << 20
ORDERS = (2, 3, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512)
STRUCTURES = ("pos", "sym", "upper triangular", "lower triangular", "diagonal")
TITLES = {"gen": "stackinv gen", "stackinv-out": "stackinv", "scipy": "SciPy", "torch": "PyTorch"}


def measure(structure: str, threads: int, orders: list[int]) -> dict[str, list[float]]:
    """Microseconds a matrix."""
    sizes = [f"{m}:{max(threads, STACK_BYTES // (8 * m * m))}" for m in orders]
    contenders = {
        "gen": ("stackinv-out", "gen"),
        "stackinv-out": ("stackinv-out", structure),
        "scipy": ("scipy", structure),
    }
    if structure == "pos" and _compare._installed("torch"):
        contenders["torch"] = ("torch", structure)
    rounds: dict[str, list[list[float]]] = {key: [] for key in contenders}
    for _ in range(ROUNDS):
        for key, (name, assume_a) in contenders.items():
            rounds[key].append(microseconds(name, threads, sizes, assume_a))
    return {key: [statistics.median(run) for run in zip(*runs, strict=True)] for key, runs in rounds.items()}


def plot(times: dict[str, dict[str, list[float]]], orders: list[int], threads: int, path: str) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    left.plot(orders, times["pos"]["gen"], "k.-", markersize=4, label="gen")
    for structure, by_name in times.items():
        (line,) = left.plot(orders, by_name["stackinv-out"], ".-", markersize=4, label=structure)
        ratios = [theirs / own for theirs, own in zip(by_name["scipy"], by_name["stackinv-out"], strict=True)]
        right.plot(orders, ratios, ".-", markersize=4, color=line.get_color(), label=f"SciPy, {structure}")
        if "torch" in by_name:
            ratios = [theirs / own for theirs, own in zip(by_name["torch"], by_name["stackinv-out"], strict=True)]
            right.plot(orders, ratios, ".--", markersize=4, color=line.get_color(), label=f"PyTorch, {structure}")
    left.set(title="Time a matrix, by assume_a", ylabel="µs", yscale="log")
    right.set(title="Speed-up of stackinv over", ylabel="×", yscale="log")
    for axes in (left, right):
        axes.set(xlabel="M (order of the matrices)", xscale="log")
        axes.set_xticks([2, 4, 8, 16, 32, 64, 128, 256, 512])
        axes.xaxis.set_major_formatter("{x:.0f}")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=8)
    figure.suptitle(f"Inverting stacks of float64 matrices of known structure, {threads} threads", fontsize=11)
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--plot", metavar="FILE")
    parser.add_argument("orders", type=int, nargs="*", default=ORDERS)
    arguments = parser.parse_args()
    orders = list(arguments.orders)
    all_times = {}
    for structure in STRUCTURES:
        times = all_times[structure] = measure(structure, arguments.threads, orders)
        others = [name for name in times if name != "stackinv-out"]
        print(f"\n{structure}: us a matrix, medians of {ROUNDS} rounds; x: times as fast as that")
        print("   M  stackinv" + "".join(f"{TITLES[name]:>14s}      x" for name in others), flush=True)
        for i, m in enumerate(orders):
            own = times["stackinv-out"][i]
            cells = "".join(f"{times[name][i]:14.4g} {times[name][i] / own:6.2f}" for name in others)
            print(f"{m:4d} {own:9.4g}{cells}", flush=True)
    if arguments.plot:
        plot(all_times, orders, arguments.threads, arguments.plot)


if __name__ == "__main__":
    main()
