# SPDX-License-Identifier: BSD-3-Clause
"""`inv` and `inv_ex`: NumPy's contract."""

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
    is_lapack,
    is_lazy,
    structure_of,
    understood,
)
from stackinv._axes import Axes
from stackinv._foreign import asked, into
from stackinv._results import InvExResult, singular_ones
from stackinv._stack import as_stack, calculate, returned


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
            inverse, _ = asked(
                "inv",
                (a,),
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
            foreign: Array = into(out, inverse)
            return foreign
    array, wrap = as_stack(a)
    outputs, count = calculate(array, ("inverse", "info"), out, dtype, structure, lapack, workers, callback)
    if count and on_singular == "raise":
        raise singular_ones(outputs.info, structure)
    return returned(outputs.inverse, out, wrap)


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
) -> InvExResult[Any]:
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
    structure, lapack = understood(assume_a, engine)
    if is_lazy(a):
        from stackinv import _dask

        return _dask.inv_ex(a, out, dtype, structure, engine, workers, callback)
    if is_foreign(a):
        inverse, others = asked(
            "inv",
            (a,),
            lambda array: stackinv.inv_ex(
                array, dtype=dtype, assume_a=assume_a, engine=engine, workers=workers, callback=callback
            ),
            once=True,
        )
        return InvExResult(into(out, inverse), *others)
    array, wrap = as_stack(a)
    asked_for = ("inverse", "info", "rcond")
    outputs, _ = calculate(array, asked_for, out, dtype, structure, lapack, workers, callback)
    return InvExResult(returned(outputs.inverse, out, wrap), outputs.info[()], outputs.rcond[()])
