# SPDX-License-Identifier: BSD-3-Clause
"""`numpy.linalg.inv` replaced by `stackinv.inv`, for those who cannot or would rather not change the call.

And for arrays of other classes, which are made for NumPy's function and know nothing of another.
"""

import inspect
import os
import threading
from collections.abc import Callable
from contextvars import ContextVar
from types import FunctionType
from typing import Any

import numpy as np

import stackinv

_lock = threading.RLock()
_holders: set["_Patch"] = set()
_calls: set[object] = set()  # of `call_numpys` now
_calculation: ContextVar[Callable[[Any], Any] | None] = ContextVar("_calculation", default=None)
# NumPy's function, and another with its code. After a reload of numpy.linalg there is one more.
_numpys: dict[FunctionType, FunctionType] = {}


def inv(a: Any) -> Any:  # what NumPy's function does while its code is exchanged, with NumPy's name and signature
    return _stackinv._patch.calculate(a)  # type: ignore[name-defined]  # noqa: F821  # a name that _exchange gives it


def calculate(a: Any) -> Any:
    """The inverse of `a`, whose class has been asked, by whatever it is now and here that calculates."""
    calculation = _calculation.get()
    if calculation is not None:
        token = _calculation.set(None)  # it is for `a` alone, and not for what callbacks invert
        try:
            return _wrapped(calculation, a)
        finally:
            _calculation.reset(token)
    return _wrapped(stackinv.inv, a) if _holders else next(reversed(_numpys.values()))(a)


def _wrapped(function: Callable[[Any], Any], a: Any) -> Any:
    if not stackinv._arguments.is_foreign(a):
        return function(a)
    inverse = function(np.asarray(a))  # its class would be asked again
    wrap = getattr(a, "__array_wrap__", None)
    return inverse if wrap is None else wrap(inverse)


def call_numpys(a: Any, calculation: Callable[[Any], Any]) -> Any:
    """`numpy.linalg.inv(a)`, which asks the class of `a`, with this in place of what it calculates in this thread."""
    call = object()
    function = _find()
    token = _calculation.set(calculation)
    try:
        with _lock:
            _calls.add(call)
            _exchange(function)
        return np.linalg.inv(a)
    finally:
        _calculation.reset(token)
        with _lock:
            if call in _calls:
                _calls.remove(call)
                _apply()


def _find() -> FunctionType:
    """NumPy's function behind the one that asks other libraries' arrays first.

    Its code is exchanged and nothing else, so that every name bound to the function follows, also in modules that
    imported it long ago, and it stays the same object with the same docstring and signature to those who pickle,
    dispatch on or compile it.
    """
    function = inspect.unwrap(np.linalg.inv)
    if not isinstance(function, FunctionType) or not function.__globals__["__name__"].startswith("numpy.linalg"):
        raise RuntimeError(f"numpy.linalg.inv is {function!r} and not NumPy's own, so that it cannot be replaced")
    return function


def _exchange(function: FunctionType) -> None:
    """Get to know the function, with the lock held: its code is NumPy's, or known already."""
    if function not in _numpys:
        function.__globals__["_stackinv"] = stackinv  # where its code finds it without an import, at exit too
        _numpys[function] = FunctionType(function.__code__, function.__globals__, function.__name__)
    _apply()


def _apply() -> None:
    for function, numpys in list(_numpys.items()):
        function.__code__ = (inv if _holders or _calls else numpys).__code__


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.RLock()  # whoever held it does not exist here, nor do the calls of other threads
    if _calls:
        _calls.clear()
        _apply()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


class _Patch:
    """What `patch_numpy` returns: with it, the patch ends with the block."""

    def __init__(self) -> None:
        self._depth = 0
        function = _find()
        with _lock:
            _holders.add(self)
            _exchange(function)

    def __enter__(self) -> None:
        with _lock:
            self._depth += 1
            _holders.add(self)
            _apply()

    def __exit__(self, *exception: object) -> None:
        with _lock:
            self._depth -= 1
            if self._depth == 0:
                _holders.discard(self)
                _apply()


def patch_numpy() -> _Patch:
    """Make `numpy.linalg.inv`, and what NumPy builds on it, calculate by `stackinv.inv`.

    As a statement, until `unpatch_numpy`; in a ``with`` statement, for its block, which may stand within others. It
    holds for all threads of the process, and for every name that `numpy.linalg.inv` has been given by
    ``from numpy.linalg import inv``, whenever that was. `numpy.linalg.tensorinv`, `numpy.linalg.matrix_power` with
    negative exponents and ``numpy.matrix.I`` call it.

    Returns
    -------
    context manager
        Whose exit undoes this call. It may be ignored.

    Raises
    ------
    RuntimeError
        If something else has replaced `numpy.linalg.inv` already.

    See Also
    --------
    unpatch_numpy : Undo it.

    Notes
    -----
    The function object remains NumPy's, with its docstring and its signature, and arrays of other libraries are
    dispatched as before; only its code is exchanged. Child processes by ``fork`` inherit the patch, others call it
    themselves: ``ProcessPoolExecutor(initializer=stackinv.patch_numpy)``, ``client.run(stackinv.patch_numpy)`` in
    dask. The command ``stackinv run`` patches a program and the Python processes that it starts, without a change.

    Examples
    --------
    >>> import numpy as np, stackinv
    >>> a = np.array([[1., 2.], [3., 4.]])
    >>> with stackinv.patch_numpy():
    ...     np.linalg.inv(a)
    array([[-2. ,  1. ],
           [ 1.5, -0.5]])
    """
    return _Patch()


def unpatch_numpy() -> None:
    """Give `numpy.linalg.inv` back to NumPy at once, however often `patch_numpy` was called.

    Harmless if it was not called at all. Blocks of ``with patch_numpy():`` that are still running go on with NumPy.

    See Also
    --------
    patch_numpy : What this undoes.

    Examples
    --------
    >>> import stackinv
    >>> stackinv.patch_numpy()  # doctest: +ELLIPSIS
    <...>
    >>> stackinv.unpatch_numpy()
    """
    with _lock:
        if _holders:
            _holders.clear()
            _apply()
