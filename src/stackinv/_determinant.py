# SPDX-License-Identifier: BSD-3-Clause
"""`slogdet` and `det`, NumPy's contract, and `inv_slogdet`: determinants from the factors of an inversion."""

from typing import Any, Literal, SupportsIndex

import numpy as np
import numpy.typing as npt

import stackinv
from stackinv import _axes, _native
from stackinv._arguments import (
    STRUCTURES,
    Array,
    AssumeA,
    Engine,
    Progress,
    default_lapack,
    is_foreign,
    is_lazy,
    types,
    understood,
)
from stackinv._axes import Axes
from stackinv._foreign import asked, into
from stackinv._results import InvSlogdetResult, singular_ones
from stackinv._stack import as_stack, calculate, returned

_BOTH = ("inverse", "info", "sign", "logarithm")
SlogdetResult: Any = type(np.linalg.slogdet(np.eye(1)))


def slogdet(
    a: npt.ArrayLike,
    *,
    dtype: npt.DTypeLike | None = None,
    axes: Axes | None = None,
    assume_a: AssumeA = "gen",
    engine: Engine | None = None,
    workers: SupportsIndex | None = None,
    callback: Progress | None = None,
) -> Any:
    """Sign and logarithm of the determinant of each matrix of a stack: `numpy.linalg.slogdet`, faster.

    Parameters
    ----------
    a : array_like or dask.array.Array, shape (..., M, M)
        The matrix or matrices. Booleans and integers are taken as float64. Any strides and any byte order are read
        without a copy of the stack. A dask array gives lazy ones, as for `inv`.
    dtype : data-type, optional
        The type of the calculation and of the results, as for `inv`.
    axes : list of tuples of ints, optional
        Which axes are those of the matrices, rows first, as for NumPy's generalized ufuncs: ``axes=[(0, 1)]``, or with
        an empty tuple for each of the results, ``axes=[(0, 1), (), ()]``. By default the last two.
    assume_a : {"gen", "pos", "sym", "her", "upper triangular", "lower triangular", "diagonal"}, optional
        What is known of the matrices, as for `inv`. ``"pos"`` takes half the time. Of triangular and diagonal matrices
        the diagonal alone is read.
    engine : {"auto", "lapack"}, optional
        What calculates, as for `inv`.
    workers : int, optional
        Number of threads, as for `inv`.
    callback : callable, optional
        ``callback(done, total)``, called now and then, as for `inv`.

    Returns
    -------
    sign : ndarray, shape (...)
        1 or -1; for complex matrices a number of modulus 1; 0 for a singular matrix.
    logabsdet : ndarray, shape (...)
        The natural logarithm of the determinant's modulus; -inf for a singular matrix. Both are NumPy's
        ``SlogdetResult``.

    Raises
    ------
    SingularMatrixError
        If a matrix is not positive definite under ``assume_a="pos"``. No other matrix is an error.
    numpy.linalg.LinAlgError
        If `a` has less than two dimensions or its last two differ.
    TypeError
        If the type of `a` has no determinants in NumPy (float16, longdouble, object, ...), or cannot be cast to
        `dtype`, or the class of `a` has none.
    ValueError
        If another argument is none of its allowed values.
    MemoryError
        If there is no memory for the results or a workspace.

    See Also
    --------
    det : The determinants themselves, which may overflow.
    inv_slogdet : The inverses too, for little more than their own time.

    Notes
    -----
    The determinant is the product of the pivots of Gaussian elimination with partial pivoting, or of the squares of
    the diagonal of Cholesky's factor [1]_. Mantissas and exponents are multiplied apart, so that nothing overflows and
    there is one logarithm for each matrix, which has fewer rounding errors than a sum of logarithms.

    References
    ----------
    .. [1] Higham, N. J., *Accuracy and Stability of Numerical Algorithms*, 2nd ed., SIAM, 2002, section 14.6.

    Examples
    --------
    >>> import numpy as np, stackinv
    >>> a = np.array([[[1., 2.], [3., 4.]], [[1., 2.], [2., 4.]]])
    >>> sign, logabsdet = stackinv.slogdet(a)
    >>> sign
    array([-1.,  0.])
    >>> logabsdet
    array([0.69314718,       -inf])
    """
    found = None
    usual = dtype is None and axes is None and engine is None and workers is None and callback is None
    if usual and assume_a in STRUCTURES and not default_lapack:
        found = _native.determinants_small(a, assume_a, True)
    if found is None:
        found = _determinants(a, ("sign", "logarithm"), dtype, axes, assume_a, engine, workers, callback)
    return SlogdetResult._make(found)


def det(
    a: npt.ArrayLike,
    *,
    dtype: npt.DTypeLike | None = None,
    axes: Axes | None = None,
    assume_a: AssumeA = "gen",
    engine: Engine | None = None,
    workers: SupportsIndex | None = None,
    callback: Progress | None = None,
) -> Any:
    """Determinant of each matrix of a stack: `numpy.linalg.det`, faster.

    Parameters
    ----------
    a : array_like or dask.array.Array, shape (..., M, M)
        The matrix or matrices, as for `slogdet`.
    dtype : data-type, optional
        The type of the calculation and of the result, as for `inv`.
    axes : list of tuples of ints, optional
        Which axes are those of the matrices, as for `slogdet`: ``axes=[(0, 1)]``, or ``axes=[(0, 1), ()]``.
    assume_a : {"gen", "pos", "sym", "her", "upper triangular", "lower triangular", "diagonal"}, optional
        What is known of the matrices, as for `slogdet`.
    engine : {"auto", "lapack"}, optional
        What calculates, as for `inv`.
    workers : int, optional
        Number of threads, as for `inv`.
    callback : callable, optional
        ``callback(done, total)``, called now and then, as for `inv`.

    Returns
    -------
    ndarray, shape (...)
        The determinants; infinite or zero where they are beyond the range of the type. 0 for a singular matrix.

    Raises
    ------
    numpy.linalg.LinAlgError, TypeError, ValueError, MemoryError
        As `slogdet`.

    See Also
    --------
    slogdet : The logarithms, which do not overflow.

    Examples
    --------
    >>> import stackinv
    >>> stackinv.det([[[1., 2.], [3., 4.]], [[1., 2.], [2., 4.]]])
    array([-2.,  0.])
    """
    found = None
    usual = dtype is None and axes is None and engine is None and workers is None and callback is None
    if usual and assume_a in STRUCTURES and not default_lapack:
        found = _native.determinants_small(a, assume_a, False)
    if found is None:
        found = _determinants(a, ("determinant",), dtype, axes, assume_a, engine, workers, callback)
    return found[0]


def inv_slogdet(
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
) -> InvSlogdetResult[Any]:
    """Inverse of each matrix of a stack, and sign and logarithm of its determinant, from one factorization.

    Parameters
    ----------
    a : array_like or dask.array.Array, shape (..., M, M)
        The matrix or matrices, as for `inv`.
    out : ndarray, shape (..., M, M), optional
        Where the inverses go, as for `inv`.
    dtype : data-type, optional
        The type of the calculation and of the results, as for `inv`.
    axes : list of two tuples of two ints, optional
        Which axes are those of the matrices and of the inverses, as for `inv`. The other results have all others.
    assume_a : {"gen", "pos", "sym", "her", "upper triangular", "lower triangular", "diagonal"}, optional
        What is known of the matrices, as for `inv`.
    on_singular : {"raise", "nan"}, optional
        What happens when matrices are singular, as for `inv`. With ``"nan"`` the sign of such a determinant is 0, and
        the logarithm -inf.
    engine : {"auto", "lapack"}, optional
        What calculates, as for `inv`.
    workers : int, optional
        Number of threads, as for `inv`.
    callback : callable, optional
        ``callback(done, total)``, called now and then, as for `inv`.

    Returns
    -------
    inverse : ndarray, shape (..., M, M)
        As from `inv`.
    sign : ndarray, shape (...)
        As from `slogdet`.
    logabsdet : ndarray, shape (...)
        As from `slogdet`.

    Raises
    ------
    SingularMatrixError, numpy.linalg.LinAlgError, TypeError, ValueError, MemoryError
        As `inv`.

    See Also
    --------
    inv, slogdet : Either alone.

    Examples
    --------
    The density of a normal distribution takes both:

    >>> import numpy as np, stackinv
    >>> covariance, x = np.array([[4., 2.], [2., 2.]]), np.array([1., 1.])
    >>> inverse, _, logabsdet = stackinv.inv_slogdet(covariance, assume_a="pos")
    >>> print(f"{-0.5 * (x @ inverse @ x + logabsdet) - np.log(2 * np.pi):.6f}")
    -2.781024
    """
    if on_singular not in ("raise", "nan"):
        raise ValueError(f"on_singular must be 'raise' or 'nan', not {on_singular!r}")
    keywords: dict[str, Any] = {
        "dtype": dtype,
        "assume_a": assume_a,
        "on_singular": on_singular,
        "engine": engine,
        "workers": workers,
        "callback": callback,
    }
    if axes is not None:
        a_last, out_last, result_of = _axes.views(a, out, axes)
        inverse, sign, logabsdet = inv_slogdet(a_last, out=out_last, **keywords)
        return InvSlogdetResult(result_of(inverse), sign, logabsdet)
    structure, lapack = understood(assume_a, engine)
    if is_lazy(a):
        from stackinv import _dask

        return _dask.inv_slogdet(a, out, dtype, structure, on_singular, engine, workers, callback)
    if is_foreign(a):
        inverse, others = asked("inv", (a,), lambda array: stackinv.inv_slogdet(array, **keywords), once=True)
        return InvSlogdetResult(into(out, inverse), *others)
    array, wrap = as_stack(a)
    outputs, count = calculate(array, _BOTH, out, dtype, structure, lapack, workers, callback)
    if count and on_singular == "raise":
        raise singular_ones(outputs.info, structure)
    kind = types(array.dtype, dtype)[1]
    return InvSlogdetResult(
        returned(outputs.inverse, out, wrap),
        _typed(outputs.sign, kind),
        _typed(outputs.logarithm, kind.type(0).real.dtype),
    )


def _determinants(
    a: Any,
    wanted: tuple[str, ...],
    dtype: npt.DTypeLike | None,
    axes: Axes | None,
    assume_a: AssumeA,
    engine: Engine | None,
    workers: SupportsIndex | None,
    callback: Progress | None,
) -> list[Any]:
    """What is asked, of NumPy's types, as scalars if `a` is one matrix."""
    structure, lapack = understood(assume_a, engine)
    name = "slogdet" if wanted[0] == "sign" else "det"
    if axes is not None:
        a = _axes.view(a, axes, name)
    if is_lazy(a):
        from stackinv import _dask

        return _dask.determinants(name, a, dtype, structure, engine, workers, callback)
    if is_foreign(a):
        return _of_foreign(name, a, dtype, assume_a, engine, workers, callback)
    array, _ = as_stack(a)
    if structure == "pos":
        outputs, count = calculate(array, (*wanted, "info"), None, dtype, structure, lapack, workers, callback)
        if count:
            raise singular_ones(outputs.info, structure)
    else:
        outputs, _ = calculate(array, wanted, None, dtype, structure, lapack, workers, callback)
    kind = types(array.dtype, dtype, wanted[0])[1]
    kinds = {"sign": kind, "determinant": kind, "logarithm": kind.type(0).real.dtype}
    return [_typed(getattr(outputs, name), kinds[name]) for name in wanted]


def _typed(values: Any, kind: np.dtype[Any]) -> Any:
    """Of this type, and a scalar if there is one matrix."""
    with np.errstate(over="ignore", under="ignore"):
        return values.astype(kind, copy=False)[()]


def _of_foreign(
    name: str,
    a: Any,
    dtype: npt.DTypeLike | None,
    assume_a: AssumeA,
    engine: Engine | None,
    workers: SupportsIndex | None,
    callback: Progress | None,
) -> list[Any]:
    """What the class of `a` makes of NumPy's function, calculated here."""
    keywords: dict[str, Any] = {
        "dtype": dtype,
        "assume_a": assume_a,
        "engine": engine,
        "workers": workers,
        "callback": callback,
    }
    once = any(value not in (None, "gen") for value in keywords.values())
    result, _ = asked(name, (a,), lambda array: (getattr(stackinv, name)(array, **keywords),), once=once)
    return list(result) if name == "slogdet" else [result]
