"""Times one library at inverting stacks, alone in a process of its own.

    python _contender.py NAME THREADS M:LENGTH [M:LENGTH ...]

Prints a line of JSON for each order: {"m": M, "microseconds": median time a matrix}. Run as a file, not as a module of
the package, so that stackinv and its libraries are loaded for their own turn only.
"""

import importlib
import inspect
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any


def median_seconds(call: Callable[[], object], at_least: float = 0.4) -> float:
    """Median over as many calls as fit the time, but three or more, after one that is not counted."""
    call()
    seconds: list[float] = []
    start = time.perf_counter()
    while len(seconds) < 3 or time.perf_counter() - start < at_least:
        before = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - before)
    return sorted(seconds)[len(seconds) // 2]


def inverse(name: str, threads: int, a: Any) -> Callable[[], object]:
    """The call to time."""
    module: Any = importlib.import_module({"scipy": "scipy.linalg", "stackinv-out": "stackinv"}.get(name, name))
    if name == "numpy":
        return lambda: module.linalg.inv(a)
    if name == "scipy":
        if "assume_a" not in inspect.signature(module.inv).parameters:  # before 1.17 SciPy takes one matrix
            return lambda: [module.inv(matrix, check_finite=False) for matrix in a]
        return lambda: module.inv(a, check_finite=False, assume_a="gen")
    if name == "torch":
        tensor = module.from_numpy(a)
        return lambda: module.linalg.inv(tensor)
    if name == "jax":
        module.config.update("jax_enable_x64", True)
        compiled, array = module.jit(module.numpy.linalg.inv), module.numpy.asarray(a)
        return lambda: compiled(array).block_until_ready()
    if name == "stackinv-out":  # the result in memory that is there already, instead of new memory in each call
        out = a.copy()
        return lambda: module.inv(a, workers=threads, out=out)
    return lambda: module.inv(a, workers=threads)


def main() -> None:
    """Read the arguments, time, print."""
    name, threads = sys.argv[1], int(sys.argv[2])
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(threads)
    if hasattr(os, "sched_setaffinity"):  # for those that count the cores instead
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    import numpy as np

    rng = np.random.default_rng(0)
    for size in sys.argv[3:]:
        m, length = map(int, size.split(":"))
        seconds = median_seconds(inverse(name, threads, rng.standard_normal((length, m, m))))
        print(json.dumps({"m": m, "microseconds": seconds / length * 1e6}), flush=True)


if __name__ == "__main__":
    main()
