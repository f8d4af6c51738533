# SPDX-License-Identifier: BSD-3-Clause
"""Inverses, solutions and determinants of JAX's arrays on the CPU: ``import stackinv.jax``.

In compiled functions as well as outside, under `jax.jit`, `jax.vmap`, `jax.grad` and `jax.jvp`. XLA calls the kernels
itself, without Python and without a copy. As with all functions of JAX, a singular matrix is no error: its results are
NaN.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from stackinv import _native
from stackinv._arguments import AssumeA, structure_of

__all__ = ["inv", "slogdet", "solve"]

_TYPES = ("float32", "float64", "complex64", "complex128")
_NUMBERS = _native.structures()


class SlogdetResult(NamedTuple):
    """What `slogdet` returns: as that of `jax.numpy.linalg.slogdet`."""

    sign: jax.Array
    logabsdet: jax.Array


jax.ffi.register_ffi_target("stackinv", _native.XLA_HANDLER, platform="cpu")


def _call(structure: str, results: Any, *arrays: jax.Array) -> Any:
    function = jax.ffi.ffi_call("stackinv", results, vmap_method="broadcast_all")
    return function(*arrays, structure=np.int32(_NUMBERS[structure]))


def _stack(a: Any, what: str) -> jax.Array:
    """An array of numbers that are calculated with, or an error."""
    array = jnp.asarray(a)
    if jnp.issubdtype(array.dtype, jnp.integer) or array.dtype == bool:
        array = array.astype(jnp.result_type(float))
    if array.dtype.name not in _TYPES:
        raise TypeError(f"{what} must be of {', '.join(_TYPES)} or integers, not {array.dtype.name}")
    return array


def _matrices(a: Any) -> jax.Array:
    array = _stack(a, "a")
    if array.ndim < 2 or array.shape[-1] != array.shape[-2]:
        raise ValueError(f"a must have shape (..., M, M), not {array.shape}")
    return array


def _as_read(a: jax.Array, assume_a: str) -> tuple[jax.Array, str]:
    """The matrices as they are by their structure, so that derivatives are of what is read alone; its name."""
    structure = structure_of(assume_a)
    if structure in ("sym", "her", "pos"):
        below = jnp.tril(a, -1)
        diagonal = a if structure == "sym" else a.real.astype(a.dtype)
        above = below.mT if structure == "sym" else below.mT.conj()
        a = below + above + jnp.where(jnp.eye(a.shape[-1], dtype=bool), diagonal, 0)
    elif structure == "upper triangular":
        a = jnp.triu(a)
    elif structure == "lower triangular":
        a = jnp.tril(a)
    elif structure == "diagonal":
        a = jnp.where(jnp.eye(a.shape[-1], dtype=bool), a, 0)
    return a, structure


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _inv(a: jax.Array, structure: str) -> jax.Array:
    result: jax.Array = _call(structure, jax.ShapeDtypeStruct(a.shape, a.dtype), a)
    return result


def _inv_jvp(structure: str, primals: Any, tangents: Any) -> Any:
    (a,), (change,) = primals, tangents
    x = _inv(a, structure)
    return x, _derivative(a, x, change)


def _derivative(a: jax.Array, x: jax.Array, b: jax.Array) -> Any:
    """-X B X, by the kernels; as the solution Y of -A Y A = B it has derivatives of any order itself."""
    result = jax.ShapeDtypeStruct(b.shape, b.dtype)
    return jax.lax.custom_linear_solve(
        lambda y: -a @ y @ a,
        b,
        lambda _, right: _call("derivative", result, x, right),
        lambda _, right: _call("gradient", result, x.conj(), right),  # the transpose has no conjugates
    )


_inv.defjvp(_inv_jvp)


def inv(a: jax.typing.ArrayLike, *, assume_a: AssumeA = "gen") -> jax.Array:
    """Inverse of each matrix of a stack: `jax.numpy.linalg.inv`, faster.

    Parameters
    ----------
    a : array_like, shape (..., M, M)
        The matrix or matrices. Integers are taken for JAX's usual floating-point numbers.
    assume_a : {"gen", "pos", "sym", "her", "upper triangular", "lower triangular", "diagonal"}, optional
        What is known of the matrices, and not checked, as for `stackinv.inv`. Derivatives are with respect to the
        numbers that are read.

    Returns
    -------
    jax.Array, shape (..., M, M)
        The inverses, of the type of `a`, as `stackinv.inv` calculates them, to the bit. Those of singular matrices are
        NaN.

    Raises
    ------
    ValueError
        If the last two axes of `a` are not of the same length.
    TypeError
        If `a` has numbers of a type that is not calculated with.

    See Also
    --------
    stackinv.inv : The same for NumPy's arrays.

    Notes
    -----
    From dX = -X dA X forward and reverse derivatives of any order follow [1]_.

    References
    ----------
    .. [1] Giles, M. B., *Collected matrix derivative results for forward and reverse mode algorithmic differentiation*,
       Springer, 2008.

    Examples
    --------
    >>> import jax.numpy as jnp, stackinv.jax
    >>> stackinv.jax.inv(jnp.array([[[1., 2.], [3., 4.]], [[2., 0.], [0., 4.]]])).shape
    (2, 2, 2)
    """
    return _inv(*_as_read(_matrices(a), assume_a))


_TRANSPOSES = {"upper triangular": "lower triangular", "lower triangular": "upper triangular"}


def _solve(a: jax.Array, b: jax.Array, structure: str) -> Any:
    result = jax.ShapeDtypeStruct(b.shape, b.dtype)
    transposed = _TRANSPOSES.get(structure, structure)
    return jax.lax.custom_linear_solve(
        lambda x: a @ x,
        b,
        lambda _, right: _call(structure, result, a, right),
        lambda _, right: _call(transposed, result, a.mT, right),
    )


def solve(a: jax.typing.ArrayLike, b: jax.typing.ArrayLike, *, assume_a: AssumeA = "gen") -> jax.Array:
    """Solution of a linear system for each matrix of a stack: `jax.numpy.linalg.solve`, faster.

    Parameters
    ----------
    a : array_like, shape (..., M, M)
        The matrix or matrices, as for `inv`.
    b : array_like, shape (M,) or (..., M, K)
        The right-hand sides, one vector for all matrices or K columns for each. Both are broadcast.
    assume_a : {"gen", "pos", "sym", "her", "upper triangular", "lower triangular", "diagonal"}, optional
        What is known of the matrices, as for `inv`.

    Returns
    -------
    jax.Array, shape (..., M) or (..., M, K)
        The solutions, NaN where a matrix is singular.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    TypeError
        If there are numbers of a type that is not calculated with.

    See Also
    --------
    stackinv.solve : The same for NumPy's arrays.

    Notes
    -----
    From A dX = dB - dA X forward and reverse derivatives of any order follow.

    Examples
    --------
    >>> import jax.numpy as jnp, stackinv.jax
    >>> stackinv.jax.solve(jnp.array([[[1., 2.], [3., 4.]], [[2., 0.], [0., 4.]]]), jnp.array([1., 1.])).shape
    (2, 2)
    """
    matrices, right = _matrices(a), _stack(b, "b")
    vector = right.ndim == 1
    if vector:
        right = right[:, None]
    if right.ndim < 2 or right.shape[-2] != matrices.shape[-1]:
        raise ValueError(
            f"b must have shape ({matrices.shape[-1]},) or (..., {matrices.shape[-1]}, K), not {jnp.shape(b)}"
        )
    dtype = jnp.promote_types(matrices.dtype, right.dtype)
    stack = jnp.broadcast_shapes(matrices.shape[:-2], right.shape[:-2])
    matrices, structure = _as_read(matrices.astype(dtype), assume_a)
    matrices = jnp.broadcast_to(matrices, stack + matrices.shape[-2:])
    right = jnp.broadcast_to(right.astype(dtype), stack + right.shape[-2:])
    x: jax.Array = _solve(matrices, right, structure)
    return x[..., 0] if vector else x


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _slogdet(a: jax.Array, structure: str) -> tuple[jax.Array, jax.Array]:
    real = jnp.finfo(a.dtype).dtype
    results = jax.ShapeDtypeStruct(a.shape[:-2], a.dtype), jax.ShapeDtypeStruct(a.shape[:-2], real)
    sign, logarithm = _call(structure, results, a)
    return sign, logarithm


def _slogdet_jvp(structure: str, primals: Any, tangents: Any) -> Any:
    sign, logarithm = _slogdet(*primals, structure)
    # trace(X dA)
    change = jnp.sum(_inv(*primals, structure).mT * tangents[0], axis=(-1, -2))
    if not jnp.iscomplexobj(change):
        return (sign, logarithm), (jnp.zeros_like(sign), change)
    return (sign, logarithm), (1j * change.imag.astype(sign.dtype) * sign, change.real)


_slogdet.defjvp(_slogdet_jvp)


def slogdet(a: jax.typing.ArrayLike, *, assume_a: AssumeA = "gen") -> SlogdetResult:
    """Sign and logarithm of the determinant of each matrix of a stack: `jax.numpy.linalg.slogdet`, faster.

    Parameters
    ----------
    a : array_like, shape (..., M, M)
        The matrix or matrices, as for `inv`.
    assume_a : {"gen", "pos", "sym", "her", "upper triangular", "lower triangular", "diagonal"}, optional
        What is known of the matrices, as for `inv`.

    Returns
    -------
    sign : jax.Array, shape (...)
        The determinants over their moduli; 0 for a singular matrix.
    logabsdet : jax.Array, shape (...)
        The natural logarithms of their moduli; -inf for a singular matrix.

    Raises
    ------
    ValueError
        If the last two axes of `a` are not of the same length.
    TypeError
        If `a` has numbers of a type that is not calculated with.

    See Also
    --------
    stackinv.slogdet : The same for NumPy's arrays.

    Notes
    -----
    From d(log det A) = trace(inverse(A) dA) derivatives of any order follow.

    Examples
    --------
    >>> import jax.numpy as jnp, stackinv.jax
    >>> sign, logabsdet = stackinv.jax.slogdet(jnp.array([[1., 2.], [3., 4.]]))
    >>> float(sign)
    -1.0
    """
    return SlogdetResult(*_slogdet(*_as_read(_matrices(a), assume_a)))
