# SPDX-License-Identifier: BSD-3-Clause
"""`inv` and `inv_ex`: NumPy's contract, from the user's arrays to the user's arrays."""

import math
from collections.abc import Callable, Iterator
from typing import Any, Literal, SupportsIndex

import numpy as np
import numpy.typing as npt

import stackinv
from stackinv import _axes, _engines, _native, _patch, _workers
from stackinv._arguments import (
    NATIVE,
    STRUCTURES,
    Array,
    AssumeA,
    Engine,
    Progress,
    check_callback,
    check_out,
    check_square,
    default_lapack,
    is_foreign,
    is_lapack,
    is_lazy,
    structure_of,
    types,
)
from stackinv._axes import Axes
from stackinv._results import InvExResult, singular

# Stacks that NumPy has to convert go through a buffer of this size, so that they are never copied whole.
_BUFFER_BYTES = 1 << 20

# One large matrix is converted in pieces of this size.
_PIECE_BYTES = 16 << 20


def inv(
    a: npt.ArrayLike,
    *,
    out: Array | None = None,
    dtype: npt.DTypeLike | None = None,
    axes: Axes | None = None,
    assume_a: AssumeA = "gen",
    on_singular: Literal["raise", "nan"] = "raise",
    engine: Engine | None = None,
    workers: SupportsIndex | None = None,
    callback: Progress | None = None,
) -> Array:
    """Inverse of a matrix, or of each matrix of a stack: `numpy.linalg.inv`, faster.

    Parameters
    ----------
    a : array_like or dask.array.Array, shape (..., M, M)
        The matrix or matrices. Booleans and integers are taken as float64. Any strides and any byte order are read
        without a copy of the stack. A dask array gives a lazy one, see the notes.
    out : ndarray, shape (..., M, M), optional
        Where the result goes, as for a NumPy ufunc: the shape of `a`, any type that the result can be cast to within
        its kind. It may be `a` itself, which is then inverted in place, or overlap with it. If matrices are singular,
        theirs are NaN and all others are inverted, whether or not an error is raised; after any other error that
        comes up midway (from `callback`, Ctrl-C) only a part is inverted.
    dtype : data-type, optional
        The type of the calculation and of the result: float32, float64, complex64 or complex128. By default single
        precision input is calculated in double precision and returned in single precision, as NumPy does it.
        ``dtype=np.float32`` calculates in single precision, which is faster and less accurate.
    axes : list of two tuples of two ints, optional
        Which axes are those of the matrices, rows first, in `a` and in the result, as for NumPy's generalized ufuncs.
        By default the last two. ``axes=[(0, 1), (0, 1)]`` is for stacks of shape (M, M, ...).
    assume_a : {"gen", "pos", "sym", "her", "upper triangular", "lower triangular", "diagonal"}, optional
        What is known of the matrices, in SciPy's words: nothing (the default); symmetric (complex ones Hermitian)
        positive definite; symmetric; Hermitian; triangular; diagonal. It is taken at its word: only the lower triangle
        is read of the second to fourth kind, only the triangle or the diagonal of the last three, and nothing is
        guessed where nothing is said. The result has that structure exactly. From an order of a dozen on
        ``"pos"`` takes half the time of ``"gen"``, triangles a third from 48 on; ``"sym"`` and ``"her"`` take no less.
    on_singular : {"raise", "nan"}, optional
        What happens when matrices are exactly singular, or not positive definite under ``assume_a="pos"``. All others
        are inverted first. Then, by default, an error names all those; with ``"nan"`` they are filled with NaN.
    engine : {"auto", "lapack"}, optional
        What calculates: the fastest engine for the stack, or, with ``"lapack"``, LAPACK's routines as SciPy has them,
        for each matrix of a parallel loop. That takes several times as long; it serves to compare with, or to know
        whether a difference comes from the engines of this package. Diagonal matrices have one engine. By default what
        the environment variable ``STACKINV_ENGINE`` says, else ``"auto"``.
    workers : int, optional
        Number of threads, as in `scipy.fft`: a negative number counts back from all cores. By default what
        `get_workers` says. Too little work to share out runs in one thread.
    callback : callable, optional
        ``callback(done, total)`` is called in this thread now and then with the number of matrices inverted so far.
        An exception that it raises stops the work.

    Returns
    -------
    ndarray, shape (..., M, M)
        The inverses: `out` if that was given, else of the subclass that `numpy.linalg.inv` would return.

    Raises
    ------
    SingularMatrixError
        If a matrix is exactly singular, or not positive definite under ``assume_a="pos"``, and `on_singular` is
        ``"raise"``. A `numpy.linalg.LinAlgError`.
    numpy.linalg.LinAlgError
        If `a` has less than two dimensions or its last two differ.
    TypeError
        If the type of `a` cannot be inverted (float16, longdouble, object, ...), or cast to `dtype`, or the result to
        `out`.
    ValueError
        If another argument is none of its allowed values, or `out` has the wrong shape or is read-only.
    MemoryError
        If there is no memory for the result or a workspace.

    See Also
    --------
    inv_ex : The inverses with the outcome and the condition of each matrix, without an error.

    Notes
    -----
    Each matrix is factored by Gaussian elimination with partial pivoting and inverted from its factors, as by LAPACK's
    getrf and getri [1]_ [2]_: small ones as many at a time as the processor's vectors have lanes, large ones in blocks.
    Positive definite ones have Cholesky's factorization, as by potrf and potri, triangular ones are inverted as by
    trtri. Symmetric and Hermitian ones are eliminated as general ones are, with the mean of the inverse and its
    transpose for the result; LAPACK's sytrf and sytri, which need half the operations, take longer. A matrix that is
    singular but for rounding is not noticed, as in NumPy; see the ``rcond`` of `inv_ex`. The result for a matrix does
    not depend on its place in the stack, on its neighbours or (save for large ones in a build without vector
    extensions) on `workers`.

    The inverse of a dask array is calculated chunk by chunk when dask calculates it. The chunks along the axes of the
    stack stay as they are; where the last two axes are split they are made one chunk, for which dask has to collect
    parts of matrices. Wrong arguments, unsupported types and chunks of unknown size are errors at once, singular
    matrices when their chunk is calculated: the error then counts those of its chunk and has their indices in the
    whole stack. Each chunk is inverted by one thread unless `workers` says otherwise, as dask has a thread for each
    core itself; `callback` is called where the chunk is inverted, with numbers of that chunk. An `out`, itself a dask
    array, becomes the result.

    An array whose class has ``__array_function__``, such as astropy's ``Quantity``, comes back as that class makes it
    of `numpy.linalg.inv`, with its unit, calculated here. Keywords are a TypeError if the class does not have the
    inverse calculated exactly once. A plain `out` takes the values once all went well; one of such a class is refused.

    To multiply by an inverse, do not calculate it: `numpy.linalg.solve`, `scipy.linalg.cho_solve` and
    `scipy.linalg.solve_triangular` are more accurate, and for large matrices faster.

    References
    ----------
    .. [1] Anderson, E. et al., *LAPACK Users' Guide*, 3rd ed., SIAM, 1999.
    .. [2] Higham, N. J., *Accuracy and Stability of Numerical Algorithms*, 2nd ed., SIAM, 2002, chapter 14.

    Examples
    --------
    >>> import numpy as np
    >>> import stackinv
    >>> a = np.array([[[1., 2.], [3., 4.]], [[1, 3], [3, 5]]])
    >>> stackinv.inv(a)
    array([[[-2.  ,  1.  ],
            [ 1.5 , -0.5 ]],
           [[-1.25,  0.75],
            [ 0.75, -0.25]]])

    Covariances are positive definite:

    >>> stackinv.inv([[4., 2.], [2., 2.]], assume_a="pos")
    array([[ 0.5, -0.5],
           [-0.5,  1. ]])
    """
    if on_singular not in ("raise", "nan"):
        raise ValueError(f"on_singular must be 'raise' or 'nan', not {on_singular!r}")
    if axes is not None:
        a_last, out_last, result_of = _axes.views(a, out, axes)
        inverse = inv(
            a_last,
            out=out_last,
            dtype=dtype,
            assume_a=assume_a,
            on_singular=on_singular,
            engine=engine,
            workers=workers,
            callback=callback,
        )
        turned: Array = result_of(inverse)
        return turned
    structure = assume_a if assume_a in STRUCTURES else structure_of(assume_a)
    lapack = default_lapack if engine is None else is_lapack(engine)
    if out is None and dtype is None and workers is None and callback is None and not lapack:
        kind: type = type(a)
        if kind is list or kind is tuple:
            a = np.asarray(a)
        small = _native.invert_small(a, structure)
        if small is not None:
            return small
    if type(a) is not np.ndarray:
        if is_lazy(a):
            from stackinv import _dask

            lazy: Array = _dask.inv(a, out, dtype, structure, on_singular, engine, workers, callback)
            return lazy
        if is_foreign(a):
            inverse, _ = _asked(
                a,
                lambda array: (
                    stackinv.inv(
                        array,
                        dtype=dtype,
                        assume_a=assume_a,
                        on_singular=on_singular,
                        engine=engine,
                        workers=workers,
                        callback=callback,
                    ),
                ),
                once=any(x is not None for x in (dtype, engine, workers, callback))
                or structure != "gen"
                or on_singular != "raise",
            )
            foreign: Array = _into(out, inverse)
            return foreign
    array, wrap = _as_stack(a)
    result, info, _, count = _invert(array, out, dtype, structure, lapack, workers, callback, with_rcond=False)
    if count and on_singular == "raise":
        indices = np.nonzero(info) if info.ndim else ()
        raise singular(indices, info.size, int(info[indices].flat[0]) if structure == "pos" else None)
    return _returned(result, out, wrap)


def inv_ex(
    a: npt.ArrayLike,
    *,
    out: Array | None = None,
    dtype: npt.DTypeLike | None = None,
    axes: Axes | None = None,
    assume_a: AssumeA = "gen",
    engine: Engine | None = None,
    workers: SupportsIndex | None = None,
    callback: Progress | None = None,
) -> InvExResult:
    """Inverse of each matrix of a stack, with its outcome and condition; singular matrices are no error.

    Parameters
    ----------
    a : array_like or dask.array.Array, shape (..., M, M)
        The matrix or matrices, as for `inv`.
    out : ndarray, shape (..., M, M), optional
        Where the inverses go, as for `inv`.
    dtype : data-type, optional
        The type of the calculation and of the inverses, as for `inv`.
    axes : list of two tuples of two ints, optional
        Which axes are those of the matrices and of the inverses, as for `inv`. `info` and `rcond` have all others.
    assume_a : {"gen", "pos", "sym", "her", "upper triangular", "lower triangular", "diagonal"}, optional
        What is known of the matrices, as for `inv`.
    engine : {"auto", "lapack"}, optional
        What calculates, as for `inv`.
    workers : int, optional
        Number of threads, as for `inv`.
    callback : callable, optional
        ``callback(done, total)``, called now and then, as for `inv`.

    Returns
    -------
    inverse : ndarray, shape (..., M, M)
        As from ``inv(a, on_singular="nan")``: the inverse of a singular matrix is NaN.
    info : ndarray of int, shape (...)
        0, or LAPACK's ``i > 0``: ``U[i-1, i-1]`` of the factorization, or of a triangular or diagonal matrix itself, is
        exactly zero and the matrix is singular; under ``assume_a="pos"`` its leading minor of order ``i`` is not
        positive.
    rcond : ndarray of float64, shape (...)
        The reciprocal condition number in the 1-norm, 1 / (‖A‖₁ ‖A⁻¹‖₁), from the calculated inverse itself rather
        than an estimate. 0 for a singular matrix, 1 for one without elements. Below about 1e-16 in double precision
        (1e-7 in single) no digit of the inverse can be trusted.

    Raises
    ------
    numpy.linalg.LinAlgError, TypeError, ValueError, MemoryError
        As `inv`, save that no matrix counts as an error for being singular.

    See Also
    --------
    inv : The inverses alone.

    Examples
    --------
    >>> import numpy as np, stackinv
    >>> inverse, info, rcond = stackinv.inv_ex([[[2., 0.], [0., 4.]], [[1., 2.], [2., 4.]]])
    >>> info
    array([0, 2], dtype=int32)
    >>> rcond
    array([0.5, 0. ])
    """
    if axes is not None:
        a_last, out_last, result_of = _axes.views(a, out, axes)
        inverse, info, rcond = inv_ex(
            a_last,
            out=out_last,
            dtype=dtype,
            assume_a=assume_a,
            engine=engine,
            workers=workers,
            callback=callback,
        )
        return InvExResult(result_of(inverse), info, rcond)
    structure = assume_a if assume_a in STRUCTURES else structure_of(assume_a)
    lapack = default_lapack if engine is None else is_lapack(engine)
    if is_lazy(a):
        from stackinv import _dask

        return _dask.inv_ex(a, out, dtype, structure, engine, workers, callback)
    if is_foreign(a):
        inverse, others = _asked(
            a,
            lambda array: stackinv.inv_ex(
                array, dtype=dtype, assume_a=assume_a, engine=engine, workers=workers, callback=callback
            ),
            once=True,
        )
        return InvExResult(_into(out, inverse), *others)
    array, wrap = _as_stack(a)
    result, info, rcond, _ = _invert(array, out, dtype, structure, lapack, workers, callback, with_rcond=True)
    return InvExResult(_returned(result, out, wrap), info[()], rcond[()])


def _asked(a: Any, calculate: Callable[[Array], tuple[Any, ...]], *, once: bool) -> tuple[Any, tuple[Any, ...]]:
    """What the class of `a` makes of `numpy.linalg.inv` with this calculation in it, and what else that gave."""
    others: list[tuple[Any, ...]] = []

    def calculated(array: Array) -> Array:
        inverse, *rest = calculate(array)
        others.append(tuple(rest))
        return inverse  # type: ignore[no-any-return]

    result = _patch.call_numpys(a, calculated)
    if once and len(others) != 1:
        raise TypeError(
            f"{type(a).__name__} has the inverse calculated {len(others)} times by numpy.linalg.inv, expected once: "
            "only inv without keywords can be had of it"
        )
    return result, others[0] if others else ()


def _into(out: Array | None, inverse: Any) -> Any:
    """The values of a foreign array copied into `out`, if that is given."""
    if out is None:
        return inverse
    values = np.asarray(inverse)
    _cast(_checked_out(out, values.shape, values.dtype), values)
    return out


def _as_stack(a: npt.ArrayLike) -> tuple[Array, Callable[[Array], Array] | None]:
    """The array, and what makes the result of the type that NumPy's would have, if anything must."""
    wrap = None
    if type(a) is np.ndarray:
        array = a
    else:
        array = np.asarray(a)
        wrap = getattr(a, "__array_wrap__", None)
    check_square(array.shape)
    return array, wrap


def _invert(
    array: Array,
    out: Array | None,
    dtype: npt.DTypeLike | None,
    structure: str,
    lapack: bool,
    workers: SupportsIndex | None,
    callback: Progress | None,
    *,
    with_rcond: bool,
) -> tuple[Array, npt.NDArray[np.intc], Any, int]:
    """Result, info, rcond (or None) and the number of singular matrices."""
    if workers is not None:
        workers = _workers.resolve(workers)
    check_callback(callback)
    calculation, result_type = types(array.dtype, dtype)
    shared = None
    if out is None:
        result = np.empty(array.shape, result_type)
    else:
        result = _checked_out(out, array.shape, calculation)
        if _may_overlap_itself(result):
            shared, result = result, np.empty(array.shape, result.dtype)
        array = _apart(array, result)
    info = np.zeros(array.shape[:-2], np.intc)
    rcond = np.ones(array.shape[:-2]) if with_rcond else None
    singular = 0
    if array.size:
        native = _is_native(array, calculation.char) and (out is None or _is_native(result, calculation.char))
        run = _engines.invert if native else _invert_converted
        singular = run(array, result, info, rcond, calculation.char, structure, lapack, workers, callback)
    if shared is not None:
        _copy_in_order(shared, result)
    return result, info, rcond, singular


def _returned(result: Array, out: Array | None, wrap: Callable[[Array], Array] | None) -> Array:
    if out is not None:
        return out
    return result if wrap is None else wrap(result)


def _checked_out(out: Array, shape: tuple[int, ...], calculation: np.dtype[Any]) -> Array:
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be a numpy.ndarray, not {type(out).__name__}")
    if is_foreign(out):  # whose unit, or the like, would remain what it was
        raise TypeError(f"out must be a plain numpy.ndarray, not {type(out).__name__}, which has __array_function__")
    check_out(out.shape, out.dtype, shape, calculation)
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


def _is_native(array: Array, calculation: str) -> bool:
    return array.dtype.char in NATIVE[calculation] and array.dtype.isnative and array.flags.aligned


def _invert_converted(
    array: Array,
    result: Array,
    info: Array,
    rcond: Array | None,
    calculation: str,
    structure: str,
    lapack: bool,
    workers: SupportsIndex | None,
    callback: Progress | None,
) -> int:
    """Types that NumPy has to convert, a block of the stack at a time.

    They are cast straight into the result and inverted there, unless the result has too few digits or is itself of a
    type that has to be converted.
    """
    in_result = _is_native(result, calculation) and (
        result.dtype == calculation or np.can_cast(array.dtype, result.dtype, "safe")
    )
    singular = done = 0
    most = max(1, _BUFFER_BYTES // (array.shape[-1] ** 2 * np.dtype(calculation).itemsize))
    for block, _ in blocks(array.shape[:-2], most):
        target = result[block]
        buffer = target if in_result else np.empty(target.shape, calculation)
        _cast(buffer, array[block])
        goal = target if _is_native(result, calculation) else buffer
        singular += _engines.invert(
            buffer,
            goal,
            info[block],
            None if rcond is None else rcond[block],
            calculation,
            structure,
            lapack,
            workers,
            None if callback is None else _offset(callback, done, info.size),
        )
        if goal is not target:
            _cast(target, goal)
        done += info[block].size
    return singular


def _cast(to: Array, source: Array) -> None:
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
