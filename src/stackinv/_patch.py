# SPDX-License-Identifier: BSD-3-Clause
"""NumPy's functions, and SciPy's, calculate by stackinv, for those who cannot or would rather not change the call.

And for arrays of other classes, which are made for NumPy's functions and know nothing of others.
"""

import importlib
import inspect
import os
import threading
from collections.abc import Callable
from contextvars import ContextVar
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import numpy as np

import stackinv

_lock = threading.RLock()
_holders: set["_Patch"] = set()
_calls: dict[object, str] = {}  # of `call_numpys` now, and which function
_calculation: ContextVar[tuple[str, Callable[..., Any]] | None] = ContextVar("_calculation", default=None)
_LIBRARIES = {"numpy.linalg": ("inv", "solve", "det", "slogdet"), "scipy.linalg": ("inv", "solve")}


class _Exchanged(NamedTuple):
    """Another function with the library's code, and the code that it has while it is patched."""

    own: FunctionType
    code: CodeType


# By name the library's function. After a reload of numpy.linalg there is one more.
_exchanged: dict[str, dict[FunctionType, _Exchanged]] = {
    f"{library}.{name}": {} for library, names in _LIBRARIES.items() for name in names
}


# What NumPy's functions do while their code is exchanged, with NumPy's names and signatures; `_stackinv` is a name that
# _code gives them.
def inv(a: Any) -> Any:
    return _stackinv._patch.calculate("inv", a)  # type: ignore[name-defined]  # noqa: F821


def solve(a: Any, b: Any) -> Any:
    return _stackinv._patch.calculate("solve", a, b)  # type: ignore[name-defined]  # noqa: F821


def det(a: Any) -> Any:
    return _stackinv._patch.calculate("det", a)  # type: ignore[name-defined]  # noqa: F821


def slogdet(a: Any) -> Any:
    return _stackinv._patch.calculate("slogdet", a)  # type: ignore[name-defined]  # noqa: F821


_CODE = {f"numpy.linalg.{function.__name__}": function.__code__ for function in (inv, solve, det, slogdet)}


def calculate(name: str, *arguments: Any) -> Any:
    """What the function of this name makes of arguments whose classes were asked, by whatever it is now and here."""
    of, calculation = _calculation.get() or (None, None)
    if calculation is not None and of == name:
        token = _calculation.set(None)  # it is for these alone, and not for what callbacks calculate
        try:
            return _wrapped(name, calculation, arguments)
        finally:
            _calculation.reset(token)
    full = f"numpy.linalg.{name}"
    if any(full in holder.names for holder in list(_holders)):
        return _wrapped(name, getattr(stackinv, name), arguments)
    return list(_exchanged[full].values())[-1].own(*arguments)


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
    full = f"numpy.linalg.{name}"
    function = _find(full)
    token = _calculation.set((name, calculation))
    try:
        with _lock:
            _calls[call] = full
            _exchange(full, function)
        return getattr(np.linalg, name)(*arguments)
    finally:
        _calculation.reset(token)
        with _lock:
            if _calls.pop(call, None):
                _apply()


def _find(name: str) -> FunctionType:
    """The library's function behind the one that asks other libraries' arrays first.

    Its code is exchanged and nothing else, so that every name bound to the function follows, also in modules that
    imported it long ago, and it stays the same object with the same docstring and signature to those who pickle,
    dispatch on or compile it.
    """
    library, _, attribute = name.rpartition(".")
    function = inspect.unwrap(getattr(importlib.import_module(library), attribute))
    if not isinstance(function, FunctionType) or not function.__globals__["__name__"].startswith(library):
        whose = {"numpy.linalg": "NumPy", "scipy.linalg": "SciPy"}[library]
        raise RuntimeError(f"{name} is {function!r} and not {whose}'s own, so that it cannot be replaced")
    return function


def _code(name: str, function: FunctionType) -> CodeType:
    """What it has while it is patched, which finds what it calls without an import, at exit too."""
    if name in _CODE:
        function.__globals__["_stackinv"] = stackinv
        return _CODE[name]
    from stackinv import _scipy

    return _scipy.code_for(function)


def _exchange(name: str, function: FunctionType) -> None:
    """Get to know the function, with the lock held: its code is the library's, or known already."""
    if function not in _exchanged[name]:
        own = FunctionType(function.__code__, function.__globals__, function.__name__)
        _exchanged[name][function] = _Exchanged(own, _code(name, function))
    _apply()


def _apply() -> None:
    held = {name for holder in _holders for name in holder.names} | set(_calls.values())
    for name, functions in _exchanged.items():
        for function, (own, code) in list(functions.items()):
            function.__code__ = code if name in held else own.__code__


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.RLock()  # whoever held it does not exist here, nor do the calls of other threads
    if _calls:
        _calls.clear()
        _apply()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


class _Patch:
    """What `patch_numpy` and `patch_scipy` return: with it, the patch ends with the block."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._depth = 0
        self.names = names
        functions = [_find(name) for name in names]
        with _lock:
            for name, function in zip(names, functions, strict=True):
                _exchange(name, function)
            _holders.add(self)
            _apply()

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


def _patch(what: str, library: str, names: tuple[str, ...]) -> _Patch:
    for name in names:
        if name not in _LIBRARIES[library]:
            raise ValueError(f"{what} has {', '.join(map(repr, _LIBRARIES[library]))}, not {name!r}")
    return _Patch(tuple(f"{library}.{name}" for name in names or _LIBRARIES[library]))


def _unpatch(library: str) -> None:
    with _lock:
        for holder in list(_holders):
            if holder.names[0].startswith(library):
                _holders.discard(holder)
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
    patch_scipy : The same of SciPy's functions.

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
    return _patch("patch_numpy", "numpy.linalg", names)


def patch_scipy(*names: str) -> _Patch:
    """Make `scipy.linalg.inv` and `solve`, and what SciPy builds on them, calculate by stackinv.

    As a statement, until `unpatch_scipy`; in a ``with`` statement, for its block, which may stand within others. It
    holds for all threads of the process, and for every name that the functions have been given, as `patch_numpy`
    does. Both patches go together.

    Parameters
    ----------
    *names : {"inv", "solve"}
        That function only. By default both.

    Returns
    -------
    context manager
        Whose exit undoes this call. It may be ignored.

    Raises
    ------
    ValueError
        If there is no such function here.
    RuntimeError
        If something else has replaced one of them already, or SciPy is older than 1.17, the first whose functions
        calculate whole stacks.

    See Also
    --------
    unpatch_scipy : Undo it.
    is_patched : Whether one is replaced now.
    patch_numpy : The same of NumPy's functions.

    Notes
    -----
    All keywords mean what they do in SciPy, and results have SciPy's types and layouts: the code of SciPy's functions
    remains, and calls stackinv where it called LAPACK for each matrix. Single precision is calculated in single
    precision, as there. Without `assume_a` each matrix is looked at, and has the method for what it is. Singular
    matrices are a `SingularMatrixError` with SciPy's text; ``LinAlgWarning`` names the matrices whose exact reciprocal
    condition number is below the resolution of their type. `scipy.linalg.solve` is calculated by SciPy where that takes
    less time: tridiagonal and banded matrices, those of an order above 256, and complex ones with ``transposed=True``.

    Examples
    --------
    >>> import scipy.linalg, stackinv
    >>> with stackinv.patch_scipy():
    ...     scipy.linalg.inv([[1., 2.], [3., 4.]])
    array([[-2. ,  1. ],
           [ 1.5, -0.5]])
    """
    return _patch("patch_scipy", "scipy.linalg", names)


def is_patched(name: str = "inv") -> bool:
    """Whether a function of `numpy.linalg`, or of `scipy.linalg`, calculates by stackinv now.

    Parameters
    ----------
    name : str, optional
        Which one: ``"inv"``, ``"solve"``, ``"det"`` or ``"slogdet"`` of NumPy, also as ``"numpy.linalg.inv"``, or
        ``"scipy.linalg.inv"`` or ``"scipy.linalg.solve"``.

    Returns
    -------
    bool
        True after `patch_numpy`, or `patch_scipy`, within its block, or in a program of ``stackinv run`` from the
        first call on.

    Raises
    ------
    ValueError
        If there is no such function here.

    See Also
    --------
    patch_numpy, patch_scipy : What makes it so.

    Examples
    --------
    >>> import stackinv
    >>> with stackinv.patch_numpy("inv"):
    ...     stackinv.is_patched(), stackinv.is_patched("det"), stackinv.is_patched("scipy.linalg.inv")
    (True, False, False)
    """
    full = name if "." in name else f"numpy.linalg.{name}"
    if full not in _exchanged:
        raise ValueError(f"is_patched has {', '.join(map(repr, _exchanged))}, not {name!r}")
    with _lock:
        return any(full in holder.names for holder in _holders)


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
    _unpatch("numpy.linalg")


def unpatch_scipy() -> None:
    """Give SciPy its functions back at once, however often `patch_scipy` was called.

    Harmless if it was not called at all. Blocks of ``with patch_scipy():`` that are still running go on with SciPy.

    See Also
    --------
    patch_scipy : What this undoes.

    Examples
    --------
    >>> import stackinv
    >>> stackinv.patch_scipy()  # doctest: +ELLIPSIS
    <...>
    >>> stackinv.unpatch_scipy()
    """
    _unpatch("scipy.linalg")
