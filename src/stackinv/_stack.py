# SPDX-License-Identifier: BSD-3-Clause
"""One way for the data: from the user's array, by the engines, to the user's arrays, whatever is asked for."""

import math
from collections.abc import Callable, Iterator
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from stackinv import _engines, _workers
from stackinv._arguments import (
    NATIVE,
    Array,
    Progress,
    check_callback,
    check_out,
    check_square,
    is_foreign,
    types,
    types_of_system,
)

# Stacks that NumPy has to convert go through a buffer of this size, so that they are never copied whole.
_BUFFER_BYTES = 1 << 20

# One large matrix is converted in pieces of this size.
_PIECE_BYTES = 16 << 20


def as_array(a: npt.ArrayLike) -> tuple[Array, Callable[[Array], Array] | None]:
    """The array, and what makes the result of the type that NumPy's would have, if anything must."""
    if type(a) is np.ndarray:
        return a, None
    return np.asarray(a), getattr(a, "__array_wrap__", None)


def as_stack(a: npt.ArrayLike) -> tuple[Array, Callable[[Array], Array] | None]:
    """The same of square matrices, or NumPy's error."""
    array, wrap = as_array(a)
    check_square(array.shape)
    return array, wrap


def calculate(
    array: Array,
    asked: tuple[str, ...],
    out: Array | None,
    dtype: npt.DTypeLike | None,
    structure: str,
    lapack: bool,
    workers: SupportsIndex | None,
    callback: Progress | None,
    right: Array | None = None,
) -> tuple[_engines.Outputs, int]:
    """New arrays for what is asked, and the number of singular matrices.

    The inverses are `out` or what becomes it. With right-hand sides, one a column, it is the solutions.
    """
    if workers is not None:
        workers = _workers.resolve(workers)
    check_callback(callback)
    if right is None:
        calculation, result_type = types(array.dtype, dtype, asked[0])
        expected, ufunc = array.shape, "inv"
    else:
        calculation, result_type = types_of_system(array.dtype, right.dtype, dtype, "solve")
        array, right = _broadcast(array, right)
        expected, ufunc = right.shape, "solve"
    shape, shared = array.shape[:-2], None
    result: Any = None
    if out is not None:
        result = checked_out(out, expected, calculation, ufunc)
        if _may_overlap_itself(result):
            shared, result = result, np.empty(expected, result.dtype)
        array = _apart(array, result)
        right = None if right is None else _apart(right, result)
    elif "inverse" in asked or right is not None:
        result = np.empty(expected, result_type)
    number = np.complex128 if calculation.kind == "c" else np.float64
    size = array.size
    outputs = _engines.Outputs(
        result if right is None else None,
        np.zeros(shape, np.intc) if "info" in asked else None,
        _new(shape, np.float64, size, 1) if "rcond" in asked else None,
        _new(shape, number, size, 1) if "sign" in asked else None,
        _new(shape, np.float64, size, 0) if "logarithm" in asked else None,
        _new(shape, number, size, 1) if "determinant" in asked else None,
        right,
        None if right is None else result,
    )
    singular = 0
    if size and right is not None and not right.size:  # NumPy too looks whether the matrices are singular
        run = _engines.calculate if is_native(array, calculation.char) else _calculate_converted
        factors = outputs._replace(right=None, solution=None)
        singular = run(array, factors, calculation.char, structure, lapack, workers, callback)
    elif size:
        arrays = (array, right, None if out is None else result)
        native = all(given is None or is_native(given, calculation.char) for given in arrays)
        run = _engines.calculate if native else _calculate_converted
        singular = run(array, outputs, calculation.char, structure, lapack, workers, callback)
    if shared is not None:
        _copy_in_order(shared, result)
    return outputs, singular


def _new(shape: tuple[int, ...], dtype: type[np.generic], size: int, of_empty: int) -> Array:
    """For what is calculated of each matrix, and what it is of those without elements."""
    return np.empty(shape, dtype) if size else np.full(shape, of_empty, dtype)


def _broadcast(array: Array, right: Array) -> tuple[Array, Array]:
    """Both with the axes of one stack."""
    shape = np.broadcast_shapes(array.shape[:-2], right.shape[:-2])
    return np.broadcast_to(array, shape + array.shape[-2:]), np.broadcast_to(right, shape + right.shape[-2:])


def returned(result: Array, out: Array | None, wrap: Callable[[Array], Array] | None) -> Array:
    if out is not None:
        return out
    return result if wrap is None else wrap(result)


def checked_out(out: Array, shape: tuple[int, ...], calculation: np.dtype[Any], ufunc: str = "inv") -> Array:
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be a numpy.ndarray, not {type(out).__name__}")
    if is_foreign(out):  # whose unit, or the like, would remain what it was
        raise TypeError(f"out must be a plain numpy.ndarray, not {type(out).__name__}, which has __array_function__")
    check_out(out.shape, out.dtype, shape, calculation, ufunc)
    if not out.flags.writeable:
        raise ValueError("output array is read-only")
    return np.asarray(out)


def _apart(array: Array, result: Array) -> Array:
    """`array`, or a copy of it if writing a matrix of `result` could change a matrix still to be read."""
    if not np.may_share_memory(array, result):
        return array
    same = (
        array.__array_interface__["data"][0] == result.__array_interface__["data"][0]  # .ctypes needs an import
        and array.strides == result.strides
        and array.itemsize == result.itemsize
    )
    if same and not _may_overlap_itself(result):
        return array
    try:  # the stubs know fewer values of max_work than NumPy
        overlap = same or np.shares_memory(array, result, max_work=10_000)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        overlap = True
    return array.copy() if overlap else array


def _may_overlap_itself(array: Array) -> bool:
    """False if every axis, from the finest on, is sure to step over all finer ones; else elements may coincide."""
    if array.flags.c_contiguous:
        return False
    reach = array.itemsize
    for stride, size in sorted(zip(map(abs, array.strides), array.shape, strict=True)):
        if size > 1:
            if stride < reach:
                return True
            reach += stride * (size - 1)
    return False


def _copy_in_order(to: Array, source: Array) -> None:
    """One matrix after the other into memory that they may share, so that the last one is there in the end."""
    for d, (stride, size) in enumerate(zip(to.strides, to.shape, strict=True)):
        if stride == 0 and size > 1:
            last = (*(slice(None),) * d, slice(-1, None))
            to, source = to[last], source[last]
    if _may_overlap_itself(to):
        for index in np.ndindex(to.shape[:-2]):
            to[index] = source[index]
    else:
        to[...] = source


def is_native(array: Array, calculation: str) -> bool:
    return array.dtype.char in NATIVE[calculation] and array.dtype.isnative and array.flags.aligned


def _calculate_converted(
    array: Array,
    outputs: _engines.Outputs,
    calculation: str,
    structure: str,
    lapack: bool,
    workers: SupportsIndex | None,
    callback: Progress | None,
) -> int:
    """Types that NumPy has to convert, a block of the stack at a time.

    They are cast straight into the inverses and inverted there, unless those are not asked for, have too few digits or
    are themselves of a type that has to be converted. So are right-hand sides into the solutions.
    """
    system = outputs.solution is not None
    result, source = (outputs.solution, outputs.right) if system else (outputs.inverse, array)
    in_result = (
        result is not None
        and is_native(result, calculation)
        and (result.dtype == calculation or np.can_cast(source.dtype, result.dtype, "safe"))
    )
    shape = array.shape[:-2]
    singular = done = 0
    most = max(
        1, _BUFFER_BYTES // (array.shape[-1] * max(array.shape[-1], source.shape[-1]) * np.dtype(calculation).itemsize)
    )
    for block, _ in blocks(shape, most):
        target = None if result is None else result[block]
        buffer = target if in_result else np.empty(source[block].shape, calculation)
        assert buffer is not None
        cast(buffer, source[block])
        goal: Any = target if target is None or is_native(target, calculation) else buffer
        matrices = buffer
        if system:
            matrices = _converted(array[block], calculation)
            others = outputs.block(block)._replace(right=buffer, solution=goal)
        else:
            others = outputs.block(block)._replace(inverse=goal)
        singular += _engines.calculate(
            matrices,
            others,
            calculation,
            structure,
            lapack,
            workers,
            None if callback is None else _offset(callback, done, math.prod(shape)),
        )
        if target is not None and goal is not target:
            cast(target, goal)
        done += math.prod(matrices.shape[:-2])
    return singular


def _converted(array: Array, calculation: str) -> Array:
    if is_native(array, calculation):
        return array
    result = np.empty(array.shape, calculation)
    cast(result, array)
    return result


def cast(to: Array, source: Array) -> None:
    """In pieces, between which Python looks at signals."""
    rows = max(1, _PIECE_BYTES // max(1, to.shape[-1] * to.itemsize))
    with np.errstate(all="ignore"):
        for block, _ in blocks(to.shape[:-1], rows):
            np.copyto(to[block], source[block], casting="same_kind")


def blocks(shape: tuple[int, ...], most: int) -> Iterator[tuple[tuple[Any, ...], tuple[int, ...]]]:
    """Indices that cut a stack of this shape into views of at most `most` matrices, and where each view begins."""
    if not shape:
        yield (...,), ()
        return
    inner = math.prod(shape[1:])
    if inner > most:
        for i in range(shape[0]):
            for rest, offset in blocks(shape[1:], most):
                yield (slice(i, i + 1), *rest), (i, *offset)
    else:
        step = most // max(1, inner)
        for i in range(0, shape[0], step):
            yield (slice(i, i + step), ...), (i, *(0 for _ in shape[1:]))


def _offset(callback: Progress, before: int, total: int) -> Progress:
    return lambda done, _: callback(before + done, total)
