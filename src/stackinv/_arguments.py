# SPDX-License-Identifier: BSD-3-Clause
"""What arguments mean, for NumPy's arrays and dask's: types, shapes, structures, engines."""

import os
import warnings
from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Progress = Callable[[int, int], object]

# The types that LAPACK calculates in, and those that the loop over the stack reads and writes as they are.
NATIVE = {"f": "fd", "d": "fd", "F": "FD", "D": "FD"}

# NumPy's rule by the character of the type given: the types of the calculation and of the result.
_RULE: dict[str, tuple[np.dtype[Any], np.dtype[Any]]] = {
    "f": (np.dtype(np.float64), np.dtype(np.float32)),
    "F": (np.dtype(np.complex128), np.dtype(np.complex64)),
    "D": (np.dtype(np.complex128), np.dtype(np.complex128)),
    **{char: (np.dtype(np.float64), np.dtype(np.float64)) for char in "d?" + np.typecodes["AllInteger"]},
}
AssumeA = Literal["gen", "pos", "sym", "her", "upper triangular", "lower triangular", "diagonal"]
STRUCTURES: tuple[str, ...] = get_args(AssumeA)
Engine = Literal["auto", "lapack"]
ENGINES: tuple[str, ...] = get_args(Engine)
_NUMPYS_ARRAY_FUNCTION = np.ndarray.__array_function__


def is_lazy(a: object) -> bool:
    """An array, or other collection, of dask's that has yet to be calculated."""
    if type(a) is np.ndarray or isinstance(a, type):
        return False
    graph = getattr(a, "__dask_graph__", None)
    return callable(graph) and graph() is not None


def is_foreign(a: object) -> bool:
    """Of a class that says itself what NumPy's functions make of its arrays."""
    return getattr(type(a), "__array_function__", _NUMPYS_ARRAY_FUNCTION) is not _NUMPYS_ARRAY_FUNCTION


def check_square(shape: tuple[int, ...]) -> None:
    """A shape (..., M, M), or NumPy's error."""
    if len(shape) < 2:
        raise np.linalg.LinAlgError(f"{len(shape)}-dimensional array given. Array must be at least two-dimensional")
    if shape[-1] != shape[-2]:
        raise np.linalg.LinAlgError("Last 2 dimensions of the array must be square")


def check_callback(callback: Progress | None) -> None:
    """None or callable, or an error."""
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable, not {type(callback).__name__}")


def structure_of(name: str) -> str:
    """The name of a structure, or an error."""
    if name in STRUCTURES:
        return name
    if name == "general":  # SciPy's other word for it
        return "gen"
    raise ValueError(f"assume_a must be one of {', '.join(map(repr, STRUCTURES))}, not {name!r}")


def is_lapack(engine: str) -> bool:
    """Whether LAPACK is asked for, or an error."""
    if engine not in ENGINES:
        raise ValueError(f"engine must be 'auto' or 'lapack', not {engine!r}")
    return engine == "lapack"


def _engine_of_environment() -> str:
    engine = os.environ.get("STACKINV_ENGINE", "").strip() or "auto"
    if engine in ENGINES:
        return engine
    message = f"STACKINV_ENGINE={engine!r} is ignored: expected 'auto' or 'lapack'"
    warnings.warn(message, RuntimeWarning, stacklevel=2)
    return "auto"


default_lapack = _engine_of_environment() == "lapack"


def understood(assume_a: str, engine: Engine | None) -> tuple[str, bool]:
    """The name of the structure, and whether LAPACK is to calculate, or an error."""
    structure = assume_a if assume_a in STRUCTURES else structure_of(assume_a)
    return structure, default_lapack if engine is None else is_lapack(engine)


def default_engine() -> str:
    """What calculates if a call does not say."""
    return "lapack" if default_lapack else "auto"


_UFUNCS = {"inverse": "inv", "sign": "slogdet", "determinant": "det"}


def types(
    given: np.dtype[Any], dtype: npt.DTypeLike | None, asked: str = "inverse"
) -> tuple[np.dtype[Any], np.dtype[Any]]:
    """The types of the calculation and of the result, or NumPy's error."""
    if dtype is None:
        if given.char in _RULE:
            return _RULE[given.char]
        if given.kind in "fc":
            raise TypeError(f"array type {given.name} is unsupported in linalg")
        calculation: np.dtype[Any] = np.dtype(np.float64)
    else:
        calculation = np.dtype(dtype).newbyteorder("=")
        if calculation.char not in NATIVE:
            raise TypeError(f"dtype must be float32, float64, complex64 or complex128, not {calculation.name}")
    if not np.can_cast(given, calculation, "same_kind"):
        ufunc = _UFUNCS[asked]
        raise TypeError(
            f"Cannot cast ufunc {ufunc!r} input from {given!r} to {calculation!r} with casting rule 'same_kind'"
        )
    return calculation, calculation


def types_of_system(
    a: np.dtype[Any], b: np.dtype[Any], dtype: npt.DTypeLike | None, ufunc: str
) -> tuple[np.dtype[Any], np.dtype[Any]]:
    """The same for matrices and right-hand sides: those that hold both, or NumPy's error."""
    if dtype is None:
        (calculation, result), (other, other_result) = types(a, None), types(b, None)
        return np.result_type(calculation, other), np.result_type(result, other_result)
    calculation = types(np.dtype(bool), dtype)[0]
    for number, given in enumerate((a, b)):
        if not np.can_cast(given, calculation, "same_kind"):
            raise TypeError(
                f"Cannot cast ufunc {ufunc!r} input {number} from {given!r} to {calculation!r} "
                "with casting rule 'same_kind'"
            )
    return calculation, calculation


def check_out(
    given: tuple[int, ...],
    dtype: np.dtype[Any],
    expected: tuple[int, ...],
    calculation: np.dtype[Any],
    ufunc: str = "inv",
) -> None:
    """An `out` of this shape and type can take the result, or an error."""
    if given != expected:
        raise ValueError(f"out has shape {given}, expected {expected}")
    if not np.can_cast(calculation, dtype, "same_kind"):
        raise TypeError(
            f"Cannot cast ufunc {ufunc!r} output from {calculation!r} to {dtype!r} with casting rule 'same_kind'"
        )
