"""Solving A x = b for stacks of small matrices, by solve and by the inverse; float64, one right-hand side each.

python bench/solving.py [--json FILE]
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.linalg

import stackinv

STACK_BYTES = 8 << 20
ROUNDS = 5
CALLS = 3  # the first may have to wait for another way's threads, which spin for a while
WAYS = {
    "solve": ("np.linalg.solve(a, b)", np.linalg.solve),
    "scipy-solve": ("scipy.linalg.solve(a, b)", scipy.linalg.solve),
    "inv": ("stackinv.inv(a) @ b", lambda a, b: stackinv.inv(a) @ b),
    "numpy-inv": ("np.linalg.inv(a) @ b", lambda a, b: np.linalg.inv(a) @ b),
}


def duration(solution: Callable[[np.ndarray, np.ndarray], object], a: np.ndarray, b: np.ndarray) -> float:
    start = time.perf_counter()
    solution(a, b)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the times")
    arguments = parser.parse_args()
    records = []
    rng = np.random.default_rng(0)
    for m in (2, 3, 4, 8, 16, 32, 64, 128, 256):
        n = STACK_BYTES // (8 * m * m)
        a = rng.standard_normal((n, m, m)) + 2 * m**0.5 * np.eye(m)
        b = rng.standard_normal((n, m, 1))
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(ROUNDS):
            for way, (_, solution) in WAYS.items():
                seconds[way].append(min(duration(solution, a, b) for _ in range(CALLS)))
        for way, (title, _) in WAYS.items():
            microseconds = 1e6 * statistics.median(seconds[way]) / n
            records.append({"way": way, "title": title, "m": m, "microseconds": float(f"{microseconds:.4g}")})
            print(f"M = {m:3d}  {title:25s} {microseconds:10.4g} us a system", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(records))


if __name__ == "__main__":
    main()
