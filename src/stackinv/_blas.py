"""How many threads SciPy's BLAS may use while stackinv is at work.

BLAS threads inside threads over the stack are ruinous (five times slower), and concurrent calls into a multi-threaded
OpenBLAS have given wrong results (numpy#29391). The thread count belongs to the process, so that all callers share one
rule: while anybody is inside, the smallest limit holds; when the last one leaves, the count is what it was.
"""

import functools
import os
import threading
from pathlib import Path

import scipy
from threadpoolctl import LibController, ThreadpoolController

_lock = threading.Lock()
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


def _apply() -> None:
    # Called again after an interruption, each step ends in the same state.
    global _before
    if _limits:
        if _before is None:
            _before = [lib.get_num_threads() for lib in libraries()]
        for lib in libraries():
            if lib.get_num_threads() != min(_limits.values()):
                lib.set_num_threads(min(_limits.values()))
    elif _before is not None:
        for lib, count in zip(libraries(), _before, strict=True):
            if lib.get_num_threads() != count:
                lib.set_num_threads(count)
        _before = None


def enter(token: object, threads: int) -> int:
    """Limit BLAS to so many threads until `leave(token)`; the limit granted, which is 1 while others are inside."""
    with _lock:
        _limits.pop(token, None)
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
    _lock = threading.Lock()
    _limits.clear()
    _apply()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
