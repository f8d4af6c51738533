# SPDX-License-Identifier: BSD-3-Clause
"""The types of the public names. A result has the type of what it is calculated from, where that is known."""

from typing import Any, Literal, SupportsIndex, TypedDict, TypeVar, Unpack, overload

import numpy as np
import numpy.typing as npt

from stackinv._arguments import AssumeA, Engine, Progress
from stackinv._axes import Axes, SystemAxes
from stackinv._config import get_include, show_config
from stackinv._native import version as __version__
from stackinv._patch import is_patched, patch_numpy, patch_scipy, unpatch_numpy, unpatch_scipy
from stackinv._results import InvExResult, InvSlogdetResult, SingularMatrixError
from stackinv._workers import get_workers, set_workers

__all__ = [
    "InvExResult",
    "InvSlogdetResult",
    "SingularMatrixError",
    "__version__",
    "det",
    "get_include",
    "get_workers",
    "inv",
    "inv_ex",
    "inv_slogdet",
    "is_patched",
    "patch_numpy",
    "patch_scipy",
    "set_workers",
    "show_config",
    "slogdet",
    "solve",
    "unpatch_numpy",
    "unpatch_scipy",
]

_Shape = TypeVar("_Shape", bound=tuple[int, ...])
_Number = TypeVar("_Number", np.float32, np.float64, np.complex64, np.complex128)
_Out = TypeVar("_Out", bound=npt.NDArray[Any])
_Integer = np.integer[Any] | np.bool_

class _How(TypedDict, total=False):
    assume_a: AssumeA
    engine: Engine | None
    workers: SupportsIndex | None
    callback: Progress | None

class _HowOfMatrices(_How, total=False):
    axes: Axes | None

class _HowOrRaise(_HowOfMatrices, total=False):
    on_singular: Literal["raise", "nan"]

class _HowOfSystems(_How, total=False):
    axes: SystemAxes | None
    on_singular: Literal["raise", "nan"]

@overload
def inv(
    a: np.ndarray[_Shape, np.dtype[_Number]], *, out: None = ..., dtype: None = ..., **how: Unpack[_HowOrRaise]
) -> np.ndarray[_Shape, np.dtype[_Number]]: ...
@overload
def inv(
    a: np.ndarray[_Shape, np.dtype[_Integer]], *, out: None = ..., dtype: None = ..., **how: Unpack[_HowOrRaise]
) -> np.ndarray[_Shape, np.dtype[np.float64]]: ...
@overload
def inv(a: npt.ArrayLike, *, out: _Out, dtype: npt.DTypeLike | None = ..., **how: Unpack[_HowOrRaise]) -> _Out: ...
@overload
def inv(
    a: npt.ArrayLike, *, out: None = ..., dtype: type[_Number] | np.dtype[_Number], **how: Unpack[_HowOrRaise]
) -> npt.NDArray[_Number]: ...
@overload
def inv(
    a: npt.ArrayLike, *, out: None = ..., dtype: npt.DTypeLike | None = ..., **how: Unpack[_HowOrRaise]
) -> npt.NDArray[Any]: ...
@overload
def inv_ex(
    a: np.ndarray[_Shape, np.dtype[_Number]], *, out: None = ..., dtype: None = ..., **how: Unpack[_HowOfMatrices]
) -> InvExResult[np.ndarray[_Shape, np.dtype[_Number]]]: ...
@overload
def inv_ex(
    a: np.ndarray[_Shape, np.dtype[_Integer]], *, out: None = ..., dtype: None = ..., **how: Unpack[_HowOfMatrices]
) -> InvExResult[np.ndarray[_Shape, np.dtype[np.float64]]]: ...
@overload
def inv_ex(
    a: npt.ArrayLike, *, out: _Out, dtype: npt.DTypeLike | None = ..., **how: Unpack[_HowOfMatrices]
) -> InvExResult[_Out]: ...
@overload
def inv_ex(
    a: npt.ArrayLike, *, out: None = ..., dtype: type[_Number] | np.dtype[_Number], **how: Unpack[_HowOfMatrices]
) -> InvExResult[npt.NDArray[_Number]]: ...
@overload
def inv_ex(
    a: npt.ArrayLike, *, out: None = ..., dtype: npt.DTypeLike | None = ..., **how: Unpack[_HowOfMatrices]
) -> InvExResult[npt.NDArray[Any]]: ...
@overload
def inv_slogdet(
    a: np.ndarray[_Shape, np.dtype[_Number]], *, out: None = ..., dtype: None = ..., **how: Unpack[_HowOrRaise]
) -> InvSlogdetResult[np.ndarray[_Shape, np.dtype[_Number]]]: ...
@overload
def inv_slogdet(
    a: np.ndarray[_Shape, np.dtype[_Integer]], *, out: None = ..., dtype: None = ..., **how: Unpack[_HowOrRaise]
) -> InvSlogdetResult[np.ndarray[_Shape, np.dtype[np.float64]]]: ...
@overload
def inv_slogdet(
    a: npt.ArrayLike, *, out: _Out, dtype: npt.DTypeLike | None = ..., **how: Unpack[_HowOrRaise]
) -> InvSlogdetResult[_Out]: ...
@overload
def inv_slogdet(
    a: npt.ArrayLike, *, out: None = ..., dtype: type[_Number] | np.dtype[_Number], **how: Unpack[_HowOrRaise]
) -> InvSlogdetResult[npt.NDArray[_Number]]: ...
@overload
def inv_slogdet(
    a: npt.ArrayLike, *, out: None = ..., dtype: npt.DTypeLike | None = ..., **how: Unpack[_HowOrRaise]
) -> InvSlogdetResult[npt.NDArray[Any]]: ...
@overload
def solve(
    a: npt.NDArray[_Number],
    b: npt.NDArray[_Number],
    *,
    out: None = ...,
    dtype: None = ...,
    **how: Unpack[_HowOfSystems],
) -> npt.NDArray[_Number]: ...
@overload
def solve(
    a: npt.NDArray[_Integer],
    b: npt.NDArray[_Integer],
    *,
    out: None = ...,
    dtype: None = ...,
    **how: Unpack[_HowOfSystems],
) -> npt.NDArray[np.float64]: ...
@overload
def solve(
    a: npt.ArrayLike, b: npt.ArrayLike, *, out: _Out, dtype: npt.DTypeLike | None = ..., **how: Unpack[_HowOfSystems]
) -> _Out: ...
@overload
def solve(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    out: None = ...,
    dtype: type[_Number] | np.dtype[_Number],
    **how: Unpack[_HowOfSystems],
) -> npt.NDArray[_Number]: ...
@overload
def solve(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    out: None = ...,
    dtype: npt.DTypeLike | None = ...,
    **how: Unpack[_HowOfSystems],
) -> npt.NDArray[Any]: ...
def slogdet(a: npt.ArrayLike, *, dtype: npt.DTypeLike | None = ..., **how: Unpack[_HowOfMatrices]) -> Any: ...
def det(a: npt.ArrayLike, *, dtype: npt.DTypeLike | None = ..., **how: Unpack[_HowOfMatrices]) -> Any: ...
