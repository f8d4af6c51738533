"""How many workers and threads a call has here, and in the processes of a pool: pools.py KIND METHOD."""

import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

import stackinv


def threads(_):
    """This process, and what its first call uses; its threads remain, so that later ones start none."""
    stackinv._workers.available_cpus = lambda: 4
    os.environ.pop("OMP_NUM_THREADS", None)  # joblib's, which depends on the machine
    before = len(list(Path("/proc/self/task").iterdir()))
    stackinv.inv(np.broadcast_to(3 * np.eye(20), (3000, 20, 20)))
    used = 1 + len(list(Path("/proc/self/task").iterdir())) - before
    return os.getpid(), f"workers: {stackinv.get_workers()}, threads: {used}"


def results(kind, method):
    context = multiprocessing.get_context(method)
    if kind == "pool":
        with context.Pool(2) as pool:
            return pool.map(threads, range(4), 1)
    if kind == "executor":
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            return list(pool.map(threads, range(4)))
    if kind == "loky":
        import joblib

        return joblib.Parallel(2)(joblib.delayed(threads)(k) for k in range(4))
    import dask

    with dask.config.set({"multiprocessing.context": method}):
        return dask.compute([dask.delayed(threads)(k) for k in range(4)], scheduler="processes", num_workers=2)[0]


if __name__ == "__main__":
    first = {}
    for process, used in [*results(*sys.argv[1:]), threads(0)]:
        first.setdefault(process, used)
    print(*first.values(), sep="\n")
