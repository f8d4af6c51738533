# SPDX-License-Identifier: BSD-3-Clause
"""How many threads SciPy's BLAS may use while stackinv is at work.

BLAS threads inside threads over the stack are ruinous (five times slower), and concurrent calls into a multi-threaded
OpenBLAS have given wrong results (numpy#29391). The thread count belongs to the process, so that all callers share one
rule: while anybody is inside, the smallest limit holds; when the last one leaves, the count is what it was.
"""

import functools
import itertools
import os
import threading
from collections.abc import Callable
from pathlib import Path

import scipy
from threadpoolctl import LibController, ThreadpoolController

_lock = threading.RLock()  # a signal's handler may come back to it
_limits: dict[object, int] = {}
_before: list[int] | None = None


@functools.cache
def libraries() -> list[LibController]:
    """The BLAS that SciPy calls: the one its wheel brings, else every BLAS of the process."""
    found: list[LibController] = ThreadpoolController().select(user_api="blas").lib_controllers
    package = Path(scipy.__file__).parent
    brought = (package.with_name("scipy.libs"), package / ".dylibs")
    own = [lib for lib in found if Path(lib.filepath).parent in brought]
    return own or found


@functools.cache
def _setters() -> list[Callable[[int], object]]:
    """What sets the number of threads of each library.

    threadpoolctl lets but one thread set that of an OpenBLAS with its own threads, so that one is called directly.
    """
    setters = []
    for lib in libraries():
        setter: Callable[[int], object] = lib.set_num_threads
        if lib.internal_api == "openblas" and lib.threading_layer == "pthreads":
            for prefix, suffix in itertools.product(("", "scipy_"), ("", "64_", "_64")):
                setter = getattr(lib.dynlib, f"{prefix}openblas_set_num_threads{suffix}", setter)
        setters.append(setter)
    return setters


def serves_one_thread() -> bool:
    """Whether each thread that calls BLAS has a limit of its own, so that ours would not hold in the others."""
    return any(lib.internal_api == "openblas" and lib.threading_layer == "openmp" for lib in libraries())


def _apply() -> None:
    # Called again after an interruption, or by a signal's handler in the midst of it, each step ends in the same state.
    global _before
    libs = libraries()
    if _limits:
        counts = [lib.get_num_threads() for lib in libs]
        if _before is None:
            _before = counts
        for lib, set_num_threads in zip(libs, _setters(), strict=True):
            if lib.get_num_threads() != min(_limits.values()):
                set_num_threads(min(_limits.values()))
    elif (before := _before) is not None:
        for lib, set_num_threads, count in zip(libs, _setters(), before, strict=True):
            if lib.get_num_threads() != count:
                set_num_threads(count)
        _before = None


def enter(token: object, threads: int) -> int:
    """Limit BLAS to so many threads until `leave(token)`; the limit granted, which is 1 while others are inside."""
    with _lock:
        _limits[token] = 1 if _limits else threads
        _apply()
        return _limits[token]


def leave(token: object) -> None:
    """Undo `enter(token)`; harmless if it was never called or was left already."""
    with _lock:
        _limits.pop(token, None)
        _apply()


def _after_fork_in_child() -> None:
    # The threads that were inside, and held the lock perhaps, do not exist here.
    global _lock
    _lock = threading.RLock()
    _limits.clear()
    _apply()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
