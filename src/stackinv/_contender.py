# SPDX-License-Identifier: BSD-3-Clause
"""Times one library at inverting stacks of a type and a structure, alone in a process of its own.

    python -P _contender.py NAME THREADS DTYPE ASSUME_A M:LENGTH [M:LENGTH ...]

Prints a line of JSON for each size: {"m": M, "microseconds": median time a matrix}. Run as a file, not as a module of
the package, so that stackinv and its libraries are loaded for their own turn only.
"""

import importlib
import inspect
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any


def median_seconds(call: Callable[[], object], at_least: float = 0.2) -> float:
    """Median over as many calls as fit the time, but three or more, after two that are not counted.

    Short calls are timed some at once, so that reading the clock does not count.
    """
    call()
    start = time.perf_counter()
    call()
    repeats = range(max(1, int(2e-5 / (time.perf_counter() - start))))
    seconds: list[float] = []
    start = time.perf_counter()
    while len(seconds) < 3 or time.perf_counter() - start < at_least:
        before = time.perf_counter()
        for _ in repeats:
            call()
        seconds.append((time.perf_counter() - before) / len(repeats))
    return sorted(seconds)[len(seconds) // 2]


def stack(length: int, m: int, dtype: str, assume_a: str) -> Any:
    """Random matrices of this type and structure: well-conditioned, but for general ones, which are as they come."""
    import numpy as np

    rng = np.random.default_rng(0)
    a = rng.standard_normal((length, m, m)).astype(dtype, copy=False)
    if a.dtype.kind == "c":
        a.imag = rng.standard_normal((length, m, m))
    if assume_a == "gen":
        return a
    for first in range(0, length, 1000):  # without a second stack
        part = a[first : first + 1000]
        transposed = part.swapaxes(-1, -2)
        if assume_a == "her":
            transposed = transposed.conj()
        if assume_a == "pos":
            part[:] = part @ transposed.conj() / m + np.eye(m)
        elif assume_a in ("sym", "her"):
            part[:] = part + transposed + 2 * m**0.5 * np.eye(m)
        elif assume_a == "diagonal":
            part[:] = (part + 3) * np.eye(m)
        else:
            part[:] = (np.triu if assume_a == "upper triangular" else np.tril)(part) / m**0.5 + 2 * np.eye(m)
    return a


def inverse(name: str, assume_a: str, a: Any) -> Callable[[], object]:
    """The call to time: the one for this structure, if the library has it."""
    if len(a) == 1:  # whoever has one matrix has no stack
        a = a[0]
    module: Any = importlib.import_module("scipy.linalg" if name == "scipy" else name.partition("-")[0])
    if name == "numpy":
        return lambda: module.linalg.inv(a)
    if name == "scipy":
        if "assume_a" not in inspect.signature(module.inv).parameters:  # before 1.17 SciPy takes one matrix
            return lambda: [module.inv(matrix, check_finite=False) for matrix in a.reshape(-1, *a.shape[-2:])]
        return lambda: module.inv(a, check_finite=False, assume_a=assume_a)
    if name == "torch":
        tensor = module.from_numpy(a)
        if assume_a == "pos":
            return lambda: module.cholesky_inverse(module.linalg.cholesky(tensor))
        return lambda: module.linalg.inv(tensor)
    if name == "jax":
        module.config.update("jax_enable_x64", True)
        compiled, array = module.jit(module.numpy.linalg.inv), module.numpy.asarray(a)
        return lambda: compiled(array).block_until_ready()
    if name in ("stackinv-out", "stackinv-native"):  # into memory that is there, instead of new memory in each call
        out, dtype = a.copy(), a.dtype if name == "stackinv-native" else None  # float32 in float32, not in float64
        return lambda: module.inv(a, out=out, dtype=dtype, assume_a=assume_a)
    engine = "lapack" if name == "stackinv-lapack" else "auto"
    return lambda: module.inv(a, assume_a=assume_a, engine=engine)


def fix_threads(threads: int) -> None:
    """Before any library is imported."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "STACKINV_NUM_THREADS"):
        os.environ[variable] = str(threads)
    if hasattr(os, "sched_setaffinity"):  # for those that count the cores instead
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def end_with(parent: int) -> None:
    """End this process soon after its parent has, however that was."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def main(inverse: Callable[[str, str, Any], Callable[[], object]] = inverse) -> None:
    """Read the arguments, time what `inverse` says, print."""
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    name, threads, dtype, assume_a = sys.argv[1:5]
    fix_threads(int(threads))
    for size in sys.argv[5:]:
        m, length = map(int, size.split(":"))
        seconds = median_seconds(inverse(name, assume_a, stack(length, m, dtype, assume_a)))
        print(json.dumps({"m": m, "microseconds": seconds / length * 1e6}), flush=True)


if __name__ == "__main__":
    main()
