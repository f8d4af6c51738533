"""Where `patch_scipy` leaves small work to SciPy: which of both is faster, and what the limits in `_scipy.py` choose.

    python bench/scipy_limits.py

For `scipy.linalg.inv` and `solve`, with vectors and with as many columns as rows: medians over rounds of the function
as it is, and with all work for stackinv, in turn. On a quiet machine, with SciPy 1.17 or newer.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import scipy.linalg

import stackinv
from stackinv import _scipy

ORDERS = [2, 3, 4, 8, 16, 32, 64, 128, 256]
LENGTHS = [1, 2, 4, 8, 16, 32, 64, 128]
MOST_NUMBERS = 1 << 20
ROUNDS = 15


def microseconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    calls = 0
    while calls < 3 or time.perf_counter() - start < 2e-4:
        call()
        calls += 1
    return (time.perf_counter() - start) / calls * 1e6


def both(call: Callable[[], object]) -> tuple[float, float]:
    """SciPy's time and stackinv's."""
    rounds: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        own = microseconds(call)
        with stackinv.patch_scipy():
            rounds.append((own, microseconds(call)))
    own, ours = zip(*rounds, strict=True)
    return statistics.median(own), statistics.median(ours)


def main() -> None:
    rng = np.random.default_rng(0)
    limits = dict(_scipy.least)
    print("                 M  matrices     SciPy  stackinv  SciPy's time over it    left to SciPy")
    for m in ORDERS:
        for length in LENGTHS:
            if length * m * m > MOST_NUMBERS:
                continue
            a = rng.standard_normal((length, m, m)) + 2 * m**0.5 * np.eye(m)
            for name, columns in (("inv", 0), ("solve, vector", 1), ("solve, M columns", m)):
                b = rng.standard_normal((length, m, columns))
                _scipy.least.update(dict.fromkeys(limits, 0))
                own, ours = both(lambda: scipy.linalg.solve(a, b) if columns else scipy.linalg.inv(a))
                _scipy.least.update(limits)
                left = not (_scipy.is_worth_solving(a) if columns else _scipy.is_worth_inverting(a))
                wrong = left != (own < ours) and not 1 / 1.2 < own / ours < 1.2
                print(
                    f"{name:16s} {m:3d} {length:9d} {own:9.1f} {ours:9.1f} {own / ours:21.2f}    "
                    f"{'yes' if left else 'no'}{'  (the other is faster)' if wrong else ''}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
