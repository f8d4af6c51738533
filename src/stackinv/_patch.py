# SPDX-License-Identifier: BSD-3-Clause
"""NumPy's functions replaced by those of stackinv, for those who cannot or would rather not change the call.

And for arrays of other classes, which are made for NumPy's functions and know nothing of others.
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
_calls: dict[object, str] = {}  # of `call_numpys` now, and which function
_calculation: ContextVar[tuple[str, Callable[..., Any]] | None] = ContextVar("_calculation", default=None)
# By name NumPy's function, and another with its code. After a reload of numpy.linalg there is one more.
_numpys: dict[str, dict[FunctionType, FunctionType]] = {"inv": {}, "solve": {}, "det": {}, "slogdet": {}}
NAMES = tuple(_numpys)


# What NumPy's functions do while their code is exchanged, with NumPy's names and signatures; `_stackinv` is a name that
# _exchange gives them.
def inv(a: Any) -> Any:
    return _stackinv._patch.calculate("inv", a)  # type: ignore[name-defined]  # noqa: F821


def solve(a: Any, b: Any) -> Any:
    return _stackinv._patch.calculate("solve", a, b)  # type: ignore[name-defined]  # noqa: F821


def det(a: Any) -> Any:
    return _stackinv._patch.calculate("det", a)  # type: ignore[name-defined]  # noqa: F821


def slogdet(a: Any) -> Any:
    return _stackinv._patch.calculate("slogdet", a)  # type: ignore[name-defined]  # noqa: F821


_CODE = {"inv": inv.__code__, "solve": solve.__code__, "det": det.__code__, "slogdet": slogdet.__code__}


def calculate(name: str, *arguments: Any) -> Any:
    """What the function of this name makes of arguments whose classes were asked, by whatever it is now and here."""
    of, calculation = _calculation.get() or (None, None)
    if calculation is not None and of == name:
        token = _calculation.set(None)  # it is for these alone, and not for what callbacks calculate
        try:
            return _wrapped(name, calculation, arguments)
        finally:
            _calculation.reset(token)
    if any(name in holder.names for holder in list(_holders)):
        return _wrapped(name, getattr(stackinv, name), arguments)
    return list(_numpys[name].values())[-1](*arguments)


def _wrapped(name: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    if not any(map(stackinv._arguments.is_foreign, arguments)):
        return function(*arguments)
    result = function(*map(np.asarray, arguments))  # their classes would be asked again
    of_array = name in ("inv", "solve")  # and not of a number, as NumPy's functions do
    wrap = getattr(arguments[-1], "__array_wrap__", None) if of_array else None
    return result if wrap is None else wrap(result)


def call_numpys(name: str, arguments: tuple[Any, ...], calculation: Callable[..., Any]) -> Any:
    """NumPy's function, which asks the classes of its arguments, with this for what it calculates in this thread."""
    call = object()
    function = _find(name)
    token = _calculation.set((name, calculation))
    try:
        with _lock:
            _calls[call] = name
            _exchange(name, function)
        return getattr(np.linalg, name)(*arguments)
    finally:
        _calculation.reset(token)
        with _lock:
            if _calls.pop(call, None):
                _apply()


def _find(name: str) -> FunctionType:
    """NumPy's function behind the one that asks other libraries' arrays first.

    Its code is exchanged and nothing else, so that every name bound to the function follows, also in modules that
    imported it long ago, and it stays the same object with the same docstring and signature to those who pickle,
    dispatch on or compile it.
    """
    function = inspect.unwrap(getattr(np.linalg, name))
    if not isinstance(function, FunctionType) or not function.__globals__["__name__"].startswith("numpy.linalg"):
        raise RuntimeError(f"numpy.linalg.{name} is {function!r} and not NumPy's own, so that it cannot be replaced")
    return function


def _exchange(name: str, function: FunctionType) -> None:
    """Get to know the function, with the lock held: its code is NumPy's, or known already."""
    if function not in _numpys[name]:
        function.__globals__["_stackinv"] = stackinv  # where its code finds it without an import, at exit too
        _numpys[name][function] = FunctionType(function.__code__, function.__globals__, function.__name__)
    _apply()


def _apply() -> None:
    held = {name for holder in _holders for name in holder.names} | set(_calls.values())
    for name, functions in _numpys.items():
        for function, numpys in list(functions.items()):
            function.__code__ = _CODE[name] if name in held else numpys.__code__


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

    def __init__(self, names: tuple[str, ...]) -> None:
        self._depth = 0
        self.names = names
        functions = [_find(name) for name in names]
        with _lock:
            _holders.add(self)
            for name, function in zip(names, functions, strict=True):
                _exchange(name, function)

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


def patch_numpy(*names: str) -> _Patch:
    """Make `numpy.linalg.inv`, `solve`, `det`, `slogdet`, and what NumPy builds on them, calculate by stackinv.

    As a statement, until `unpatch_numpy`; in a ``with`` statement, for its block, which may stand within others. It
    holds for all threads of the process, and for every name that `numpy.linalg.inv` has been given by
    ``from numpy.linalg import inv``, whenever that was. `numpy.linalg.tensorinv`, `numpy.linalg.matrix_power` with
    negative exponents and ``numpy.matrix.I`` call it.

    Parameters
    ----------
    *names : {"inv", "solve", "det", "slogdet"}
        Those functions only. By default all of them.

    Returns
    -------
    context manager
        Whose exit undoes this call. It may be ignored.

    Raises
    ------
    ValueError
        If there is no such function here.
    RuntimeError
        If something else has replaced one of them already.

    See Also
    --------
    unpatch_numpy : Undo it.
    is_patched : Whether one is replaced now.

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
    for name in names:
        if name not in NAMES:
            raise ValueError(f"patch_numpy has {', '.join(map(repr, NAMES))}, not {name!r}")
    return _Patch(names or NAMES)


def is_patched(name: str = "inv") -> bool:
    """Whether a function of `numpy.linalg` calculates by stackinv now.

    Parameters
    ----------
    name : {"inv", "solve", "det", "slogdet"}, optional
        Which one.

    Returns
    -------
    bool
        True after `patch_numpy`, within its block, or in a program of ``stackinv run`` from the first call on.

    See Also
    --------
    patch_numpy : What makes it so.

    Examples
    --------
    >>> import stackinv
    >>> with stackinv.patch_numpy("inv"):
    ...     stackinv.is_patched(), stackinv.is_patched("det")
    (True, False)
    """
    if name not in NAMES:
        raise ValueError(f"patch_numpy has {', '.join(map(repr, NAMES))}, not {name!r}")
    with _lock:
        return any(name in holder.names for holder in _holders)


def unpatch_numpy() -> None:
    """Give NumPy its functions back at once, however often `patch_numpy` was called.

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
