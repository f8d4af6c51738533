# SPDX-License-Identifier: BSD-3-Clause
"""`solve`: NumPy's contract."""

from typing import Any, Literal, SupportsIndex

import numpy as np
import numpy.typing as npt

import stackinv
from stackinv import _axes, _native
from stackinv._arguments import Array, AssumeA, Engine, Progress, is_foreign, is_lazy, types_of_system, understood
from stackinv._axes import SystemAxes
from stackinv._foreign import asked, into
from stackinv._results import singular_ones
from stackinv._stack import as_array, as_stack, calculate, returned


def solve(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    out: Array | None = None,
    dtype: npt.DTypeLike | None = None,
    axes: SystemAxes | None = None,
    assume_a: AssumeA = "gen",
    on_singular: Literal["raise", "nan"] = "raise",
    engine: Engine | None = None,
    workers: SupportsIndex | None = None,
    callback: Progress | None = None,
) -> Array:
    """Solution X of A X = B for a matrix, or for each matrix of a stack: `numpy.linalg.solve`, faster.

    Parameters
    ----------
    a : array_like or dask.array.Array, shape (..., M, M)
        The matrix or matrices. Any strides and any byte order are read without a copy of the stack.
    b : array_like or dask.array.Array, shape (M,) or (..., M, K)
        The right-hand sides: one vector if it has one dimension, as in NumPy 2, else K columns for each matrix. A stack
        of vectors of shape (..., M) is ``b[..., None]``, or `axes` says so. The axes of the stacks are broadcast.
    out : ndarray, shape (..., M) or (..., M, K), optional
        Where the result goes: of the shape of the result, and of any type that it can be cast to within its kind. It
        may be `a` or `b` itself, or overlap with them. If matrices are singular, theirs is NaN and all other systems
        are solved, whether or not an error is raised; after any other error that comes up midway only a part is solved.
    dtype : data-type, optional
        The type of the calculation and of the result: float32, float64, complex64 or complex128. By default single
        precision input is calculated in double precision and returned in single precision, as NumPy does it.
    axes : list of three tuples of ints, optional
        Which axes are those of the matrices, of the right-hand sides and of the result, as for NumPy's generalized
        ufuncs: rows first, or one axis for vectors. ``axes=[(-2, -1), (-1,), (-1,)]`` is for a stack of vectors,
        ``axes=[(0, 1), (0,), (0,)]`` for stacks of shape (M, M, ...) and (M, ...).
    assume_a : {"gen", "pos", "sym", "her", "upper triangular", "lower triangular", "diagonal"}, optional
        What is known of the matrices, as for `inv`. ``"pos"`` takes less time than ``"gen"``, triangles and diagonals
        much less. Only the lower triangle is read of positive definite, symmetric and Hermitian matrices.
    on_singular : {"raise", "nan"}, optional
        What happens when matrices are exactly singular, or not positive definite under ``assume_a="pos"``. All other
        systems are solved first. Then, by default, an error names all those; with ``"nan"`` their solutions are NaN.
    engine : {"auto", "lapack"}, optional
        What calculates, as for `inv`.
    workers : int, optional
        Number of threads, as for `inv`.
    callback : callable, optional
        ``callback(done, total)``, called now and then with the number of systems solved so far, as for `inv`.

    Returns
    -------
    ndarray, shape (..., M) or (..., M, K)
        The solutions: `out` if that was given, else of the subclass that `numpy.linalg.solve` would return.

    Raises
    ------
    SingularMatrixError
        If a matrix is exactly singular, or not positive definite under ``assume_a="pos"``, and `on_singular` is
        ``"raise"``. A `numpy.linalg.LinAlgError`.
    numpy.linalg.LinAlgError
        If `a` has less than two dimensions or its last two differ.
    TypeError
        If a type cannot be calculated with (float16, longdouble, object, ...), or cast to `dtype`, or the result to
        `out`.
    ValueError
        If `a` and `b` do not fit together, another argument is none of its allowed values, or `out` has the wrong shape
        or is read-only.
    MemoryError
        If there is no memory for the result or a workspace.

    See Also
    --------
    inv : The inverses, where they themselves are needed.
    slogdet : Determinants from the same factors.

    Notes
    -----
    Each matrix is factored as for `inv`, and its systems are solved by substitution [1]_: by Gaussian elimination with
    partial pivoting, as by LAPACK's gesv, by Cholesky's factorization, as by posv, or with a triangle as it is. The
    residual is small whatever the condition: ‖A X - B‖ is at most (M + 1) ε ‖A‖ ‖X‖ in the Frobenius norm, for all
    matrices of the tests, which ``inv(a) @ b`` does not promise; and one right-hand side takes less than half its time.
    Condition numbers and outcomes are not to be had with it: LAPACK's estimate would be another figure than the exact
    one of `inv_ex`.

    dask arrays and arrays whose class has ``__array_function__`` are treated as by `inv`. Each chunk of `b` along its
    columns has the matrices factored for itself.

    References
    ----------
    .. [1] Higham, N. J., *Accuracy and Stability of Numerical Algorithms*, 2nd ed., SIAM, 2002, chapters 8 to 10.

    Examples
    --------
    >>> import numpy as np, stackinv
    >>> a = np.array([[[1., 2.], [3., 4.]], [[1., 0.], [0., 2.]]])
    >>> stackinv.solve(a, [5., 6.])
    array([[-4. ,  4.5],
           [ 5. ,  3. ]])

    A vector for each matrix:

    >>> b = np.array([[5., 6.], [1., 1.]])
    >>> stackinv.solve(a, b, axes=[(-2, -1), (-1,), (-1,)])
    array([[-4. ,  4.5],
           [ 1. ,  0.5]])
    """
    if on_singular not in ("raise", "nan"):
        raise ValueError(f"on_singular must be 'raise' or 'nan', not {on_singular!r}")
    structure, lapack = understood(assume_a, engine)
    usual = dtype is None and axes is None and workers is None and callback is None and not lapack
    if usual and out is None:
        small = _native.solve_small(a, b, structure)
        if small is not None:
            return small
    keywords: dict[str, Any] = {
        "dtype": dtype,
        "assume_a": assume_a,
        "on_singular": on_singular,
        "engine": engine,
        "workers": workers,
        "callback": callback,
    }
    if axes is not None:
        a_last, b_last, out_last, result_of = _axes.views_of_system(a, b, out, axes)
        turned: Array = result_of(solve(a_last, b_last, out=out_last, **keywords))
        return turned
    if is_lazy(a) or is_lazy(b):
        from stackinv import _dask

        lazy: Array = _dask.solve(a, b, out, dtype, structure, on_singular, engine, workers, callback)
        return lazy
    if is_foreign(a) or is_foreign(b):
        solution, _ = asked(
            "solve",
            (a, b),
            lambda *arrays: (stackinv.solve(*arrays, **keywords),),
            once=not usual or engine is not None or structure != "gen" or on_singular != "raise",
        )
        foreign: Array = into(out, solution)
        return foreign
    array, _ = as_stack(a)
    right, wrap = as_array(b)
    vector = right.ndim == 1
    types_of_system(array.dtype, right.dtype, dtype, "solve1" if vector else "solve")
    shape = _axes.shape_of_solution(array.shape, right.shape)
    goal = out
    if vector:
        right = right[:, None]
        if isinstance(out, np.ndarray):
            if out.shape != shape:
                raise ValueError(f"out has shape {out.shape}, expected {shape}")
            goal = out[..., None]
    outputs, count = calculate(array, ("info",), goal, dtype, structure, lapack, workers, callback, right)
    if count and on_singular == "raise":
        raise singular_ones(outputs.info, structure)
    result = outputs.solution
    return returned(result[..., 0] if vector else result, out, wrap)
