"""How long Ctrl-C takes on work of hours, and in the midst of one large matrix, by order.

python bench/interrupting.py [--times 20] [--busy 0] [--within 10] [--orders 1000 4000]

With --busy, so many other processes on each core take their share of it. Ctrl-C comes within so many seconds, or within
the time of a call if that is less.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np

from stackinv import _engines

ORDERS = (3, 32, 256, 1000, 1500)
LARGE = (1000, 2000, 4000, 10_000)
BUSY = "while True: pass"


def delay(a: np.ndarray, out: np.ndarray, workers: int | None, after: float) -> float | None:
    """From a Ctrl-C so many seconds after the start to its exception; None if the work was done before."""
    sent = 0.0

    def interrupt() -> None:
        nonlocal sent
        sent = time.perf_counter()
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(after, interrupt)
    try:
        timer.start()
        _engines.calculate(
            a, _engines.Outputs(out), "d", "gen", False, workers, None
        )  # which takes results that share memory
        timer.cancel()
        timer.join()
    except KeyboardInterrupt:
        return time.perf_counter() - sent
    return None


def report(what: str, delays: list[float | None]) -> None:
    heard = [d for d in delays if d is not None]
    worst = f"median {np.median(heard):.3f} s, worst {max(heard):.3f} s" if heard else "none heard"
    print(f"{what}: {len(heard)} of {len(delays)} heard, {worst}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--busy", type=int, default=0)
    parser.add_argument("--within", type=float, default=10)
    parser.add_argument("--orders", type=int, nargs="*", default=[*ORDERS, *LARGE])
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(options.busy * cores)]
    rng = np.random.default_rng(0)
    try:
        for m in options.orders:
            a = rng.standard_normal((m, m))
            out = np.empty_like(a)
            if m in ORDERS and m not in LARGE:
                a = np.broadcast_to(a, (10**9, m, m))
                out = np.broadcast_to(out, a.shape)
                out.flags.writeable = True
            for workers in (1, cores):
                seconds = 0.5
                if a.ndim == 2:
                    start = time.perf_counter()
                    delay(a, out, workers, options.within)
                    seconds = time.perf_counter() - start
                report(
                    f"M = {m}, workers = {workers}",
                    [delay(a, out, workers, rng.uniform(0, 0.95 * seconds)) for _ in range(options.times)],
                )
    finally:
        for other in others:
            other.kill()


if __name__ == "__main__":
    main()
