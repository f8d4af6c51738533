"""Every order from 1 to 600, and multiples of 64 with their neighbours up to 2240: where does one more row cost
much more than it should? float64, all workers.

python bench/cliffs.py [--json FILE]
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np

import stackinv

MOST_M = 600  # without gaps
ORDERS = [*range(1, MOST_M + 1), *(m + d for m in range(640, 2241, 64) for d in (-1, 0, 1))]
STACK_BYTES = 8 << 20
SWEEPS = 3


def microseconds(m: int) -> float:
    """A matrix of order m; the shortest of some calls, since what is looked for is no matter of noise."""
    n = max(8 if m <= MOST_M else 2, STACK_BYTES // (8 * m * m))
    a = np.random.default_rng(0).standard_normal((n, m, m))
    out = np.empty_like(a)
    times = []
    for _ in range(5 if m <= MOST_M else 2):
        start = time.perf_counter()
        stackinv.inv(a, out=out)
        times.append(time.perf_counter() - start)
    return 1e6 * min(times) / n


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the times")
    path = parser.parse_args().json
    sweeps = [[microseconds(m) for m in ORDERS] for _ in range(SWEEPS)]
    times = [statistics.median(sweep) for sweep in zip(*sweeps, strict=True)]
    costs = [time / m**3 for m, time in zip(ORDERS, times, strict=True)]
    ratios = {ORDERS[i]: costs[i] / (costs[i - 1] * costs[i + 1]) ** 0.5 for i in range(1, len(ORDERS) - 1)}
    print("The largest times an operation over the geometric mean of the neighbours':")
    for m in sorted(ratios, key=ratios.__getitem__, reverse=True)[:8]:
        print(f"   M = {m:3d}: {ratios[m]:.2f}")
    steps = {ORDERS[i]: costs[i] / costs[i - 1] for i in range(1, len(ORDERS)) if ORDERS[i] > 16}
    print("The largest steps from one order to the next, from M = 17 on:")
    for m in sorted(steps, key=steps.__getitem__, reverse=True)[:8]:
        print(f"   M = {m:3d}: {steps[m]:.2f}")
    if path:
        records = [{"m": m, "microseconds": float(f"{time:.4g}")} for m, time in zip(ORDERS, times, strict=True)]
        path.write_text(json.dumps(records))


if __name__ == "__main__":
    main()
