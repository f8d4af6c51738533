"""Every order from 1 to 600: where does one more row cost much more than it should? float64, all workers.

python bench/cliffs.py [--json FILE]
"""

import argparse
import json
import statistics
import time
from pathlib import Path

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
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the times")
    path = parser.parse_args().json
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
        records = [{"m": m, "microseconds": float(f"{time:.4g}")} for m, time in zip(orders, times, strict=True)]
        path.write_text(json.dumps(records))


if __name__ == "__main__":
    main()
