"""What more workers, or more callers, than cores cost.

    python bench/oversubscribed.py

The median time of a call with workers=64 over that with workers=-1, and that of 16 Python threads, each with its part
of the calls, over one thread that makes them all. The ratios should be about 1, or up to 2 where Python's threads take
turns at calls of microseconds.
"""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import stackinv


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main():
    print(f"{'stack':>20}  workers=64  16 callers")
    for n, m in ((2000, 3), (500_000, 3), (2000, 32), (60, 200), (1, 1000)):
        a = np.random.default_rng(0).standard_normal((n, m, m)) + 2 * m * np.eye(m)
        out = np.empty_like(a)
        outs = [np.empty_like(a) for _ in range(16)]
        ratios = [], []
        with ThreadPoolExecutor(16) as pool:
            for _ in range(15):
                few = seconds(lambda: stackinv.inv(a, out=out, workers=-1))
                ratios[0].append(seconds(lambda: stackinv.inv(a, out=out, workers=64)) / few)
            calls = max(3, round(0.02 / few))  # of each thread

            def call(k):
                for _ in range(calls):
                    stackinv.inv(a, out=outs[k])

            for _ in range(5):
                one = seconds(lambda: [call(k) for k in range(16)])
                ratios[1].append(seconds(lambda: list(pool.map(call, range(16)))) / one)
        print(f"{a.shape!s:>20}  {statistics.median(ratios[0]):10.2f}  {statistics.median(ratios[1]):10.2f}")


if __name__ == "__main__":
    main()
