# SPDX-License-Identifier: BSD-3-Clause
"""dask arrays: the functions chunk by chunk, when and where dask calculates them."""

import functools
import itertools
import math
import operator
from collections.abc import Sequence
from typing import Any, SupportsIndex

import dask.array as da
import numpy as np

import stackinv
from stackinv import _arguments, _axes, _workers
from stackinv._results import InvExResult, InvSlogdetResult


def inv(
    a: Any,
    out: Any,
    dtype: Any,
    structure: str,
    on_singular: str,
    engine: str | None,
    workers: SupportsIndex | None,
    callback: _arguments.Progress | None,
) -> Any:
    """The lazy inverse of a dask array, in chunks that hold whole matrices."""
    keywords = _keywords(dtype, structure, engine, workers, callback)
    a, result_type = _whole_matrices(a, out, dtype)
    function = functools.partial(_inv_chunk, starts=_starts(a), on_singular=on_singular, **keywords)
    return _returned(a.map_blocks(function, meta=a._meta.astype(result_type)), out)


def inv_ex(
    a: Any,
    out: Any,
    dtype: Any,
    structure: str,
    engine: str | None,
    workers: SupportsIndex | None,
    callback: _arguments.Progress | None,
) -> InvExResult[Any]:
    """The three lazy results, which share the work on a chunk if they are computed together."""
    keywords = _keywords(dtype, structure, engine, workers, callback)
    a, result_type = _whole_matrices(a, out, dtype)
    numbers = (0,) * (a.ndim - 2)
    metas = [a._meta.astype(result_type), np.empty(numbers, np.intc), np.empty(numbers)]
    inverse, info, rcond = _parts("inv_ex", InvExResult._fields, metas, a, keywords)
    return InvExResult(_returned(inverse, out), info, rcond)


def inv_slogdet(
    a: Any,
    out: Any,
    dtype: Any,
    structure: str,
    on_singular: str,
    engine: str | None,
    workers: SupportsIndex | None,
    callback: _arguments.Progress | None,
) -> InvSlogdetResult[Any]:
    """The same with its results."""
    keywords = _keywords(dtype, structure, engine, workers, callback) | {"on_singular": on_singular}
    a, result_type = _whole_matrices(a, out, dtype)
    metas = [a._meta.astype(result_type), *_metas(a.ndim - 2, result_type)]
    inverse, sign, logarithm = _parts("inv_slogdet", InvSlogdetResult._fields, metas, a, keywords)
    return InvSlogdetResult(_returned(inverse, out), sign, logarithm)


def solve(
    a: Any,
    b: Any,
    out: Any,
    dtype: Any,
    structure: str,
    on_singular: str,
    engine: str | None,
    workers: SupportsIndex | None,
    callback: _arguments.Progress | None,
) -> Any:
    """The lazy solution, in chunks that hold whole matrices and columns; of which columns may be in several."""
    keywords = _keywords(dtype, structure, engine, workers, callback) | {"on_singular": on_singular}
    a, b = (x if _arguments.is_lazy(x) else da.asarray(x) for x in (a, b))
    for name, x in (("a", a), ("b", b)):
        _refuse_unknown(x, name)
    _arguments.check_square(a.shape)
    shape = _axes.shape_of_solution(a.shape, b.shape)
    calculation, result_type = _arguments.types_of_system(a.dtype, b.dtype, dtype, "solve")
    if out is not None:
        _check_out(out, shape, calculation, "solve")
    core = 1 if b.ndim == 1 else 2
    stack = shape[: len(shape) - core]
    a = da.broadcast_to(a, stack + a.shape[-2:]).rechunk({len(stack): -1, len(stack) + 1: -1})
    b = da.broadcast_to(b[:, None] if core == 1 else b, stack + b.shape[-core:] + (1,) * (2 - core))
    b = b.rechunk({len(stack): -1})
    axes = tuple(range(len(stack)))
    row, inner, column = range(len(stack), len(stack) + 3)
    chunks, arrays = da.core.unify_chunks(a, (*axes, row, inner), b, (*axes, inner, column))
    a, b = arrays
    places = [x for axis in axes for x in (da.arange(stack[axis], chunks=(chunks[axis],)), (axis,))]
    result = da.blockwise(
        functools.partial(_solve_chunk, **keywords),
        (*axes, row, column),
        *(a, (*axes, row, inner), b, (*axes, inner, column)),
        *places,
        concatenate=True,
        dtype=result_type,
        meta=np.empty((0,) * (len(stack) + 2), result_type),
        token="solve",
    )
    return _returned(result[..., 0] if core == 1 else result, out)


def determinants(
    name: str,
    a: Any,
    dtype: Any,
    structure: str,
    engine: str | None,
    workers: SupportsIndex | None,
    callback: _arguments.Progress | None,
) -> list[Any]:
    """The lazy results of `slogdet`, two of them, or of `det`, one."""
    keywords = _keywords(dtype, structure, engine, workers, callback)
    a, result_type = _whole_matrices(a, None, dtype)
    sign, logarithm = _metas(a.ndim - 2, result_type)
    if name == "det":
        return _parts(name, ["determinant"], [sign], a, keywords)
    return _parts(name, ["sign", "logabsdet"], [sign, logarithm], a, keywords)


def _metas(ndim: int, result_type: np.dtype[Any]) -> list[Any]:
    """Of signs and of logarithms."""
    return [np.empty((0,) * ndim, kind) for kind in (result_type, result_type.type(0).real.dtype)]


def _parts(function: str, names: Sequence[str], metas: list[Any], a: Any, keywords: dict[str, Any]) -> list[Any]:
    """Lazy arrays from the function of this name, which returns several for each chunk, or one."""
    starts = _starts(a)
    results = a.map_blocks(
        functools.partial(_results_chunk, function=function, starts=starts, **keywords), meta=a._meta.astype(object)
    )
    axes = tuple(range(a.ndim))
    return [
        da.blockwise(_part, axes[: meta.ndim], results, axes, k=k, token=f"{function}-{name}", meta=meta)
        for k, (name, meta) in enumerate(zip(names, metas, strict=True))
    ]


def _starts(a: Any) -> tuple[tuple[int, ...], ...]:
    """Where each chunk begins along the axes of the stack."""
    return tuple(tuple(itertools.accumulate(chunks, initial=0)) for chunks in a.chunks[:-2])


def _keywords(
    dtype: Any,
    structure: str,
    engine: str | None,
    workers: SupportsIndex | None,
    callback: _arguments.Progress | None,
) -> dict[str, Any]:
    """For the call on each chunk. dask has a thread for each core already, so that a call has but one by default."""
    _arguments.check_callback(callback)
    if not isinstance(workers, SupportsIndex) or operator.index(workers) >= 0:  # the cores to count back from are there
        _workers.resolve(workers)
    return {
        "dtype": dtype,
        "assume_a": structure,
        "engine": engine,
        "workers": 1 if workers is None else workers,
        "callback": callback,
    }


def _whole_matrices(a: Any, out: Any, dtype: Any) -> tuple[Any, np.dtype[Any]]:
    """`a` in chunks that hold whole matrices, and the type of the result."""
    _refuse_unknown(a, "a")
    _arguments.check_square(a.shape)
    calculation, result_type = _arguments.types(a.dtype, dtype)
    if out is not None:
        _check_out(out, a.shape, calculation, "inv")
    return a.rechunk({a.ndim - 2: -1, a.ndim - 1: -1}), result_type


def _refuse_unknown(a: Any, name: str) -> None:
    """An array of dask's whose chunks are NumPy's, of known sizes, or an error."""
    if not isinstance(a, da.Array):
        kind = f"{type(a).__module__.partition('.')[0]} {type(a).__name__}"
        raise TypeError(
            f"{name} is a lazy {kind}, expected an array of NumPy or dask "
            "(an xarray.DataArray goes through xarray.apply_ufunc(stackinv.inv, ..., dask='allowed'))"
        )
    if not isinstance(a._meta, np.ndarray) or _arguments.is_foreign(a._meta):
        raise TypeError(f"the chunks of {name} are of type {type(a._meta).__name__}, expected numpy.ndarray")
    if any(math.isnan(size) for chunks in a.chunks for size in chunks):
        raise ValueError(
            f"{name} has chunks of unknown size: shape {a.shape}, expected all to be known; "
            f"{name}.compute_chunk_sizes() finds them out"
        )


def _check_out(out: Any, shape: tuple[int, ...], calculation: np.dtype[Any], ufunc: str) -> None:
    if not isinstance(out, da.Array):
        raise TypeError(f"out must be a dask array, as a is, not {type(out).__name__}")
    _arguments.check_out(out.shape, out.dtype, shape, calculation, ufunc)


def _returned(result: Any, out: Any) -> Any:
    """`out` made the result, which is how dask's own functions understand it."""
    if out is None:
        return result
    result = result.astype(out.dtype)
    if hasattr(out, "_expr"):  # dask's arrays of expressions, which change like this in place
        out._expr = result._expr
    else:
        da.core.handle_out(out, result)
    return out


def _inv_chunk(
    chunk: Any,
    *,
    starts: tuple[tuple[int, ...], ...],
    block_id: tuple[int, ...] = (),
    function: str = "inv",
    **keywords: Any,
) -> Any:
    try:
        return getattr(stackinv, function)(chunk, **keywords)
    except stackinv.SingularMatrixError as error:
        raise error.in_whole([axis[i] for axis, i in zip(starts, block_id[:-2], strict=True)]) from None


def _solve_chunk(a: Any, b: Any, *places: Any, **keywords: Any) -> Any:
    try:
        return stackinv.solve(a, b, **keywords)
    except stackinv.SingularMatrixError as error:
        raise error.in_whole([int(place[0]) for place in places]) from None


def _results_chunk(chunk: Any, *, block_id: tuple[int, ...] = (), **keywords: Any) -> tuple[Any, ...]:
    results = _inv_chunk(chunk, block_id=block_id, **keywords)
    return results if isinstance(results, tuple) else (results,)


def _part(block: Any, k: int) -> Any:
    while isinstance(block, list):  # of the one block along an axis that the part does not have
        (block,) = block
    return block[k]
