# SPDX-License-Identifier: BSD-3-Clause
"""How many threads: the argument, then `set_workers`, then the environment, then what this process may use."""

import contextlib
import functools
import math
import operator
import os
import sys
import warnings
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import SupportsIndex

from threadpoolctl import LibController, register

from stackinv import _cgroup, _native

_set_workers: ContextVar[int | None] = ContextVar("stackinv_workers", default=None)
_forked = False
_limit: int | None = None  # threadpoolctl's
_MOST = 1 << 16  # no more than fit a C int; a team is never larger than the cores anyway


def _after_fork_in_child() -> None:
    global _forked
    _forked = True
    remember()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def forked() -> bool:
    """Whether this process is a child of a fork that this module was imported before."""
    return _forked


def resolve(workers: SupportsIndex | None) -> int:
    """The number of threads that `workers` stands for."""
    return (_set_workers.get() or remember()) if workers is None else _validated(workers)


def remember() -> int:
    """The default, which compiled code does not ask Python for."""
    default = _default()
    _native.set_default_threads(min(default, available_cpus()))
    return default


def _validated(workers: SupportsIndex) -> int:
    try:
        n = operator.index(workers)
    except TypeError:
        raise TypeError(f"workers must be an integer or None, not {type(workers).__name__}") from None
    if n == 0:
        raise ValueError("workers must not be zero")
    if n < 0:
        cpus = available_cpus()
        if n < -cpus:
            raise ValueError(f"workers value out of range; got {n}, must not be less than {-cpus}")
        n += 1 + cpus
    return min(n, _MOST)


def _default() -> int:
    return min(_unlimited(), _limit or _MOST)


def _unlimited() -> int:
    return _from_environment() or (1 if _one_of_many() else available_cpus())


def _one_of_many() -> bool:
    """Whether this is a child of a fork or a process of multiprocessing, as those of most pools are."""
    process = sys.modules.get("multiprocessing.process")  # which every such process has imported
    return _forked or (
        process is not None
        # while a new process imports the main module, it does not know its parent yet
        and (process.parent_process() is not None or getattr(process.current_process(), "_inheriting", False))
    )


def _from_environment() -> int | None:
    own = os.environ.get("STACKINV_NUM_THREADS", "").strip()
    others = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()  # for nested levels there may be more
    return (_parsed(own) if own else None) or (min(int(others), _MOST) or None if others.isdecimal() else None)


@functools.cache  # one warning for each text
def _parsed(text: str) -> int | None:
    try:
        return _validated(int(text))
    except ValueError as error:
        message = f"STACKINV_NUM_THREADS={text!r} is ignored: expected an integer other than 0 ({error})"
        warnings.warn(message, RuntimeWarning, stacklevel=2)
        return None


def available_cpus() -> int:
    """The cores that this process may use: its affinity mask, and its cgroup's CPU quota rounded up."""
    if hasattr(os, "sched_getaffinity"):
        cpus = len(os.sched_getaffinity(0))
    else:
        cpus = _native.allowed_cpus() or os.cpu_count() or 1
    return max(1, min(cpus, _quota()))


@functools.cache
def _quota() -> int:
    return math.ceil(min(_cgroup.cores(), _MOST))


@contextlib.contextmanager
def set_workers(workers: SupportsIndex) -> Iterator[None]:
    """Context manager for the default number of workers of all calls within it.

    As `scipy.fft.set_workers`. The setting belongs to the thread (or asyncio task) that makes it.

    Parameters
    ----------
    workers : int
        The number of threads; a negative number counts back from all cores that this process may use: -1 is all of
        them.

    Raises
    ------
    ValueError
        If `workers` is 0 or reaches back further than there are cores.

    Examples
    --------
    >>> import stackinv
    >>> with stackinv.set_workers(2):
    ...     stackinv.get_workers()
    2
    """
    token = _set_workers.set(_validated(workers))
    try:
        yield
    finally:
        _set_workers.reset(token)


def get_workers() -> int:
    """Number of workers that a call without `workers` uses here.

    The first of these that is set: `set_workers`; the environment variables ``STACKINV_NUM_THREADS`` and
    ``OMP_NUM_THREADS``; the cores that this process may use, after its affinity mask and the CPU quota of its cgroup.
    In a forked child process and in those of `multiprocessing` and `concurrent.futures`, joblib and dask, which are
    mostly some of many, it is 1 unless `set_workers` or the environment say otherwise.
    ``threadpoolctl.threadpool_limits`` limits the default.

    Returns
    -------
    int
        The number of threads. Work too small to be shared out uses fewer.

    Examples
    --------
    >>> import stackinv
    >>> with stackinv.set_workers(3):
    ...     stackinv.get_workers()
    3
    """
    return resolve(None)


class _Controller(LibController):  # type: ignore[misc]
    """What `threadpoolctl.threadpool_limits` sets and `threadpool_info` shows of this library."""

    user_api = internal_api = "stackinv"
    filename_prefixes = (Path(_native.__file__).name.lower(),)
    check_symbols = ("stackinv_threads",)

    def get_num_threads(self) -> int:
        return _default()

    def set_num_threads(self, num_threads: int) -> None:
        global _limit
        _limit = num_threads if num_threads < _unlimited() else None
        remember()

    def get_version(self) -> str:
        return _native.version

    def set_additional_attributes(self) -> None:
        pass


register(_Controller)
_from_environment()  # a mistake in it is told now, and not when there is much to do
