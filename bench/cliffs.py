"""Every order from 1 to 600: where does one more row cost much more than it should? float64, all workers.

python bench/cliffs.py [--plot FILE]
"""

import argparse
import statistics
import time

import numpy as np

import stackinv

MOST_M = 600
STACK_BYTES = 8 << 20
ROUNDS = 5


def microseconds(m: int) -> float:
    """A matrix of order m; the shortest of some calls, since what is looked for is no matter of noise."""
    n = max(8, STACK_BYTES // (8 * m * m))
    a = np.random.default_rng(0).standard_normal((n, m, m))
    out = np.empty_like(a)
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        stackinv.inv(a, out=out)
        times.append(time.perf_counter() - start)
    return 1e6 * min(times) / n


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--plot", metavar="FILE")
    path = parser.parse_args().plot
    orders = range(1, MOST_M + 2)
    sweeps = [[microseconds(m) for m in orders] for _ in range(3)]
    times = [statistics.median(sweep) for sweep in zip(*sweeps, strict=True)]
    inner = range(1, len(orders) - 1)
    ratios = {orders[i]: times[i] / (times[i - 1] * times[i + 1]) ** 0.5 for i in inner}
    print("The largest times over the geometric mean of their neighbours':")
    for m in sorted(ratios, key=ratios.__getitem__, reverse=True)[:8]:
        print(f"   M = {m:3d}: {ratios[m]:.2f}")
    steps = {orders[i]: times[i] / times[i - 1] / (orders[i] / orders[i - 1]) ** 3 for i in inner if orders[i] > 16}
    print("The largest steps from M - 1 to M, over what M cubed explains, from M = 17 on:")
    for m in sorted(steps, key=steps.__getitem__, reverse=True)[:8]:
        print(f"   M = {m:3d}: {steps[m]:.2f}")
    if path:
        import matplotlib

        matplotlib.use("agg")
        from matplotlib import pyplot as plt

        figure, axes = plt.subplots(figsize=(7.5, 3.2), layout="constrained")
        axes.plot(orders, [2e-3 * m**3 / t for m, t in zip(orders, times, strict=True)], linewidth=1)
        axes.set(
            xlabel="M, every order", ylabel="GFLOP/s", title=f"stackinv, float64, {stackinv.get_workers()} workers"
        )
        axes.grid(alpha=0.3)
        figure.savefig(path)


if __name__ == "__main__":
    main()
