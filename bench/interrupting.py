"""How long Ctrl-C takes on work of hours, by order.

python bench/interrupting.py
"""

import os
import signal
import threading
import time

import numpy as np

import stackinv


def main() -> None:
    sent = 0.0

    def interrupt() -> None:
        nonlocal sent
        sent = time.perf_counter()
        os.kill(os.getpid(), signal.SIGINT)

    rng = np.random.default_rng(0)
    for m in (3, 32, 256, 1000, 1500):
        a = np.broadcast_to(rng.standard_normal((m, m)), (10**9, m, m))
        out = np.broadcast_to(np.empty((m, m)), a.shape)
        out.flags.writeable = True
        for workers in (1, None):
            delays = []
            for _ in range(10):
                threading.Timer(rng.uniform(0.2, 0.5), interrupt).start()
                try:
                    stackinv.inv(a, out=out, workers=workers)
                except KeyboardInterrupt:
                    delays.append(time.perf_counter() - sent)
            text = f"M = {m}, workers = {workers}: median {np.median(delays):.3f} s, worst {max(delays):.3f} s"
            print(text, flush=True)


if __name__ == "__main__":
    main()
