# SPDX-License-Identifier: BSD-3-Clause
"""Which axes are those of the matrices: the keyword `axes` of NumPy's generalized ufuncs."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from stackinv._arguments import is_lazy

Axes = Sequence[tuple[int, int]]


def check(ndim: int, axes: Axes) -> tuple[tuple[int, int], tuple[int, int]]:
    """The axes of rows and columns, none negative, of the input and of the result, or the error of a NumPy ufunc."""
    if ndim < 2:
        raise np.linalg.LinAlgError(f"{ndim}-dimensional array given. Array must be at least two-dimensional")
    np.linalg._umath_linalg.inv(np.empty((0,) * ndim), axes=axes)
    (row, column), (out_row, out_column) = ([operator.index(axis) % ndim for axis in pair] for pair in axes)
    return (row, column), (out_row, out_column)


def last(array: Any, axes: tuple[int, int]) -> Any:
    """A view with these axes last."""
    return np.moveaxis(array, axes, (-2, -1))


def back(array: Any, axes: tuple[int, int]) -> Any:
    """A view with its last axes here."""
    return np.moveaxis(array, (-2, -1), axes)


def out_last(out: Any, ndim: int, axes: tuple[int, int]) -> Any:
    """A view of `out` with these axes last; `out` itself where it is none or wrong, which is then found out."""
    if is_lazy(out):
        raise TypeError("out must be a numpy.ndarray if there are axes, not a dask array")
    return last(out, axes) if isinstance(out, np.ndarray) and out.ndim == ndim else out
