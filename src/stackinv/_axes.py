# SPDX-License-Identifier: BSD-3-Clause
"""Which axes are those of the matrices: the keyword `axes` of NumPy's generalized ufuncs."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, SupportsIndex

import numpy as np

from stackinv._arguments import is_foreign, is_lazy

Axes = Sequence[tuple[int, int]]
SystemAxes = Sequence[tuple[int, ...] | int]


def _refuse_wrong(axes: Sequence[Any], ufunc: str, *ndims: int) -> None:
    """Raise what NumPy's ufunc would for arrays of so many axes."""
    if ndims[0] < 2:
        raise np.linalg.LinAlgError(f"{ndims[0]}-dimensional array given. Array must be at least two-dimensional")
    getattr(np.linalg._umath_linalg, ufunc)(*(np.empty((0,) * ndim) for ndim in ndims), axes=axes)


def shape_of_solution(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """That of `solve` for arrays of these shapes, or NumPy's error."""
    core = b[-1:] if len(b) == 1 else b[-2:]
    if b and core[0] == a[-1]:
        try:
            return np.broadcast_shapes(a[:-2], b[: -len(core)]) + core
        except ValueError:
            pass
    ufunc = np.linalg._umath_linalg.solve1 if len(b) == 1 else np.linalg._umath_linalg.solve
    number = np.float64(1)
    ufunc(np.broadcast_to(number, a), np.broadcast_to(number, b))
    raise ValueError(f"a of shape {a} and b of shape {b} do not fit together")


def check(ndim: int, axes: Axes) -> tuple[tuple[int, int], tuple[int, int]]:
    """The axes of rows and columns, none negative, of the input and of the result, or the error of a NumPy ufunc."""
    _refuse_wrong(axes, "inv", ndim)
    (row, column), (out_row, out_column) = ([operator.index(axis) % ndim for axis in pair] for pair in axes)
    return (row, column), (out_row, out_column)


def view(a: Any, axes: Axes, ufunc: str) -> Any:
    """A view with the axes of the matrices last, or the error of this ufunc, whose results have no such axes."""
    if not (is_foreign(a) or is_lazy(a)):
        a = np.asarray(a)
    _refuse_wrong(axes, ufunc, a.ndim)
    return np.moveaxis(a, axes[0], (-2, -1))


def views(a: Any, out: Any, axes: Axes) -> tuple[Any, Any, Callable[[Any], Any]]:
    """Views of both with the axes of the matrices last, and what makes the result of an inverse of the first one."""
    wrap = None
    if not (isinstance(a, np.ndarray) or is_lazy(a) or is_foreign(a)):
        wrap = getattr(a, "__array_wrap__", None)
        a = np.asarray(a)
    given, goal = check(a.ndim, axes)
    if is_lazy(out):
        raise TypeError("out must be a numpy.ndarray if there are axes, not a dask array")
    out_last = out
    if isinstance(out, np.ndarray) and out.ndim == a.ndim:  # else it is wrong, which is found out with all others
        out_last = np.moveaxis(out, goal, (-2, -1))

    def result(inverse: Any) -> Any:
        if out is not None:
            return out
        turned = np.moveaxis(inverse, (-2, -1), goal)
        return turned if wrap is None else wrap(turned)

    return np.moveaxis(a, given, (-2, -1)), out_last, result


def _are_vectors(axes: Any) -> bool:
    """Whether right-hand sides have one axis; of wrong axes either."""
    try:
        return isinstance(axes[1], SupportsIndex) or len(axes[1]) == 1
    except (TypeError, LookupError):
        return False


def views_of_system(a: Any, b: Any, out: Any, axes: SystemAxes) -> tuple[Any, Any, Any, Callable[[Any], Any]]:
    """Views of all with the axes of matrices and right-hand sides last, and what makes the result of the solutions.

    Vectors become matrices of one column.
    """
    wrap = None
    if not (isinstance(b, np.ndarray) or is_lazy(b) or is_foreign(b)):
        wrap = getattr(b, "__array_wrap__", None)
        b = np.asarray(b)
    if not (is_lazy(a) or is_foreign(a)):
        a = np.asarray(a)
    vectors = _are_vectors(axes)
    _refuse_wrong(axes, "solve1" if vectors else "solve", a.ndim, b.ndim)
    given, right, goal = ([axis] if isinstance(axis, SupportsIndex) else list(axis) for axis in axes)
    last = (-1,) if vectors else (-2, -1)
    a, b = np.moveaxis(a, given, (-2, -1)), np.moveaxis(b, right, last)
    if is_lazy(out):
        raise TypeError("out must be a numpy.ndarray if there are axes, not a dask array")
    out_last = out
    if isinstance(out, np.ndarray) and out.ndim == max(a.ndim - 2, b.ndim - len(last)) + len(last):
        out_last = np.moveaxis(out, goal, last)
        out_last = out_last[..., None] if vectors else out_last

    def result(solution: Any) -> Any:
        if out is not None:
            return out
        turned = np.moveaxis(solution[..., 0] if vectors else solution, last, goal)
        return turned if wrap is None else wrap(turned)

    return a, b[..., None] if vectors else b, out_last, result
