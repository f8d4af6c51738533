# SPDX-License-Identifier: BSD-3-Clause
"""Which axes are those of the matrices: the keyword `axes` of NumPy's generalized ufuncs."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from stackinv._arguments import is_foreign, is_lazy

Axes = Sequence[tuple[int, int]]


def _refuse_wrong(ndim: int, axes: Axes, ufunc: str) -> None:
    """Raise what NumPy's ufunc would for an array of so many axes."""
    if ndim < 2:
        raise np.linalg.LinAlgError(f"{ndim}-dimensional array given. Array must be at least two-dimensional")
    getattr(np.linalg._umath_linalg, ufunc)(np.empty((0,) * ndim), axes=axes)


def check(ndim: int, axes: Axes) -> tuple[tuple[int, int], tuple[int, int]]:
    """The axes of rows and columns, none negative, of the input and of the result, or the error of a NumPy ufunc."""
    _refuse_wrong(ndim, axes, "inv")
    (row, column), (out_row, out_column) = ([operator.index(axis) % ndim for axis in pair] for pair in axes)
    return (row, column), (out_row, out_column)


def view(a: Any, axes: Axes, ufunc: str) -> Any:
    """A view with the axes of the matrices last, or the error of this ufunc, whose results have no such axes."""
    if not (is_foreign(a) or is_lazy(a)):
        a = np.asarray(a)
    _refuse_wrong(a.ndim, axes, ufunc)
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
