# SPDX-License-Identifier: BSD-3-Clause
"""`torch.linalg`'s inv, solve, slogdet and det for stacks in the memory of the processor, with their gradients.

Each is an operator of PyTorch's, calculated by the function of the same name for NumPy's arrays. PyTorch is
imported with this module, and by nothing else in the package.
"""

import operator
from collections.abc import Callable
from typing import Any, Literal, SupportsIndex

import numpy as np
import torch

import stackinv
from stackinv import _native
from stackinv._arguments import AssumeA, structure_of
from stackinv._engines import Outputs

__all__ = ["SingularMatrixError", "det", "inv", "slogdet", "solve"]

_TYPES = (torch.float32, torch.float64, torch.complex64, torch.complex128)

# The structure of Aᴴ, by that of A.
_ADJOINT = {"upper triangular": "lower triangular", "lower triangular": "upper triangular"}


class SingularMatrixError(stackinv.SingularMatrixError, torch.linalg.LinAlgError):  # type: ignore[misc]
    """What `stackinv.SingularMatrixError` is, and a `torch.linalg.LinAlgError` too.

    Parameters
    ----------
    indices : tuple of ndarray of int
        Where the singular matrices are, as for `stackinv.SingularMatrixError`.
    total : int
        The number of matrices in the stack.
    minor : int, optional
        For matrices that should be positive definite, as for `stackinv.SingularMatrixError`.
    of : str, optional
        What `total` is the number of matrices of.
    text : str, optional
        What is printed.

    Examples
    --------
    >>> import torch, stackinv.torch
    >>> try:
    ...     stackinv.torch.inv(torch.ones(2, 2))
    ... except torch.linalg.LinAlgError as error:
    ...     print(error)
    Singular matrix
    """

    def __reduce__(self) -> tuple[Any, ...]:
        """Of this class when it comes back."""
        return SingularMatrixError, super().__reduce__()[1], self.__dict__


def inv(
    A: torch.Tensor,
    *,
    assume_a: AssumeA = "gen",
    on_singular: Literal["raise", "nan"] = "raise",
    workers: SupportsIndex | None = None,
) -> torch.Tensor:
    """Inverse of a matrix, or of each matrix of a stack: `torch.linalg.inv`, faster.

    Parameters
    ----------
    A : torch.Tensor, shape (..., M, M)
        The matrix or matrices, of type float32, float64, complex64 or complex128, on the CPU. Any strides are read
        without a copy.
    assume_a : {"gen", "pos", "sym", "her", "upper triangular", "lower triangular", "diagonal"}, optional
        What is known of the matrices, as for `stackinv.inv`. It is taken at its word.
    on_singular : {"raise", "nan"}, optional
        What happens when matrices are exactly singular, or not positive definite under ``assume_a="pos"``: an error
        that names all those, or NaN for their inverses.
    workers : int, optional
        Number of threads, as for `stackinv.inv`. PyTorch's own number of threads is another one.

    Returns
    -------
    torch.Tensor, shape (..., M, M)
        The inverses, contiguous, of the type of `A`, which is also that of the calculation.

    Raises
    ------
    SingularMatrixError
        If a matrix is singular and `on_singular` is ``"raise"``. Also a `stackinv.SingularMatrixError`.
    RuntimeError
        If `A` is not on the CPU, has another type, less than two dimensions or matrices that are not square.
    TypeError
        If `A` is no tensor, or `workers` no integer.
    ValueError
        If another argument is none of its allowed values.

    See Also
    --------
    solve : A solution is faster and more accurate than the product with an inverse.
    stackinv.inv : The same for NumPy's arrays.

    Notes
    -----
    Gradients of any order, `torch.compile`, `torch.vmap` and `torch.func.grad` work; derivatives in forward mode
    (`torch.func.jvp`) are not defined.

    With a structure the gradient has that structure too: it is what the gradient of a general matrix is, projected.
    It is symmetric or Hermitian as that of `torch.linalg.cholesky`, or zero outside of the triangle as that of
    `torch.linalg.solve_triangular`, although only one triangle is read.

    Examples
    --------
    >>> import torch, stackinv.torch
    >>> a = torch.tensor([[1., 2.], [3., 4.]], dtype=torch.float64, requires_grad=True)
    >>> x = stackinv.torch.inv(a)
    >>> x.sum().backward()
    >>> a.grad
    tensor([[-0.5000,  0.5000],
            [ 0.5000, -0.5000]], dtype=torch.float64)
    """
    _check("inv", A)
    result: torch.Tensor = _inv(A, *_understood(assume_a, on_singular, workers))
    return result


def solve(
    A: torch.Tensor,
    B: torch.Tensor,
    *,
    left: bool = True,
    assume_a: AssumeA = "gen",
    on_singular: Literal["raise", "nan"] = "raise",
    workers: SupportsIndex | None = None,
) -> torch.Tensor:
    """Solution X of A X = B for a matrix, or for each matrix of a stack: `torch.linalg.solve`, faster.

    Parameters
    ----------
    A : torch.Tensor, shape (..., M, M)
        The matrix or matrices, as for `inv`.
    B : torch.Tensor, shape (..., M, K) or (..., M) or (M,)
        The right-hand sides, of the type of `A`. They are vectors, as in PyTorch, if there is one axis or if the shape
        is that of `A` without its last axis; else matrices, or rows of them without `left`. The axes of the stacks are
        broadcast.
    left : bool, optional
        Whether `A` is on the left of X. ``left=False`` solves X A = B, with `B` of shape (..., K, M).
    assume_a : {"gen", "pos", "sym", "her", "upper triangular", "lower triangular", "diagonal"}, optional
        What is known of the matrices, as for `inv`.
    on_singular : {"raise", "nan"}, optional
        What happens when matrices are singular, as for `inv`.
    workers : int, optional
        Number of threads, as for `inv`.

    Returns
    -------
    torch.Tensor
        The solutions, of the shape of `B` with the axes of the stacks broadcast.

    Raises
    ------
    SingularMatrixError, RuntimeError, TypeError, ValueError
        As `inv`; a RuntimeError also if `A` and `B` do not fit together or differ in type.

    See Also
    --------
    stackinv.solve : The same for NumPy's arrays, by NumPy's rule for vectors.

    Examples
    --------
    >>> import torch, stackinv.torch
    >>> a = torch.tensor([[[1., 2.], [3., 4.]], [[1., 0.], [0., 2.]]])
    >>> stackinv.torch.solve(a, torch.tensor([[5., 6.], [1., 1.]]))
    tensor([[-4.0000,  4.5000],
            [ 1.0000,  0.5000]])
    """
    _check("solve", A)
    _check_tensor("solve", B)
    how = _understood(assume_a, on_singular, workers)
    if A.dtype != B.dtype:
        raise RuntimeError(f"solve: expected A and B of one type, got {A.dtype} and {B.dtype}")
    vectors = B.ndim == 1 or (B.ndim == A.ndim - 1 and B.shape == A.shape[:-1])
    if vectors and not left:
        raise RuntimeError("solve: vectors B are not supported with left=False")
    right = B.unsqueeze(-1) if vectors else B
    if not left:  # the system of the transposes
        A, right = _transposed(A, how[0]), right.mT
        how = (_ADJOINT.get(how[0], how[0]), *how[1:])
    if right.ndim < 2 or right.shape[-2] != A.shape[-1] or not _fit(A.shape[:-2], right.shape[:-2]):
        raise RuntimeError(
            f"solve: A of shape {tuple(A.shape)} and B of shape {tuple(B.shape)} do not fit together"
            + ("" if left else " with left=False")
        )
    result: torch.Tensor = _solve(A, right, *how)
    if vectors:
        return result.squeeze(-1)
    return result if left else result.mT


def slogdet(
    A: torch.Tensor, *, assume_a: AssumeA = "gen", workers: SupportsIndex | None = None
) -> "torch.return_types.linalg_slogdet":
    """Sign and logarithm of the determinant of each matrix of a stack: `torch.linalg.slogdet`, faster.

    Parameters
    ----------
    A : torch.Tensor, shape (..., M, M)
        The matrix or matrices, as for `inv`.
    assume_a : {"gen", "pos", "sym", "her", "upper triangular", "lower triangular", "diagonal"}, optional
        What is known of the matrices, as for `inv`.
    workers : int, optional
        Number of threads, as for `inv`.

    Returns
    -------
    sign : torch.Tensor, shape (...)
        1 or -1; for complex matrices a number of modulus 1; 0 for a singular matrix.
    logabsdet : torch.Tensor, shape (...)
        The natural logarithm of the determinant's modulus, of a real type; -inf for a singular matrix, whose gradient
        is NaN. Both are a named tuple, that of `torch.linalg.slogdet`.

    Raises
    ------
    SingularMatrixError
        If a matrix is not positive definite under ``assume_a="pos"``. No other matrix is an error.
    RuntimeError, TypeError, ValueError
        As `inv`.

    See Also
    --------
    det : The determinants themselves, which may overflow.
    stackinv.slogdet : The same for NumPy's arrays.

    Examples
    --------
    >>> import torch, stackinv.torch
    >>> sign, logabsdet = stackinv.torch.slogdet(torch.tensor([[1., 2.], [3., 4.]]))
    >>> sign, logabsdet
    (tensor(-1.), tensor(0.6931))
    """
    _check("slogdet", A)
    structure, _, threads = _understood(assume_a, "raise", workers)
    return torch.return_types.linalg_slogdet(_slogdet(A, structure, threads))


def det(A: torch.Tensor, *, assume_a: AssumeA = "gen", workers: SupportsIndex | None = None) -> torch.Tensor:
    """Determinant of each matrix of a stack: `torch.linalg.det`, faster.

    Parameters
    ----------
    A : torch.Tensor, shape (..., M, M)
        The matrix or matrices, as for `inv`.
    assume_a : {"gen", "pos", "sym", "her", "upper triangular", "lower triangular", "diagonal"}, optional
        What is known of the matrices, as for `inv`.
    workers : int, optional
        Number of threads, as for `inv`.

    Returns
    -------
    torch.Tensor, shape (...)
        The determinants, of the type of `A`.

    Raises
    ------
    SingularMatrixError, RuntimeError, TypeError, ValueError
        As `slogdet`.

    See Also
    --------
    slogdet : The logarithms, which do not overflow.
    stackinv.det : The same for NumPy's arrays.

    Notes
    -----
    The gradient is calculated from the inverse. That of a singular matrix is NaN, where `torch.linalg.det` has one.

    Examples
    --------
    >>> import torch, stackinv.torch
    >>> stackinv.torch.det(torch.tensor([[4., 2.], [2., 2.]]))
    tensor(4.)
    """
    _check("det", A)
    structure, _, threads = _understood(assume_a, "raise", workers)
    result: torch.Tensor = _det(A, structure, threads)
    return result


def _check_tensor(name: str, a: Any) -> None:
    """Of a kind that can be calculated with, or an error."""
    if not isinstance(a, torch.Tensor):
        raise TypeError(f"{name}: expected a torch.Tensor, got {type(a).__name__}")
    if a.device.type not in ("cpu", "meta"):
        raise RuntimeError(f"{name}: expected a tensor on the CPU, got one on {a.device}")
    if a.layout != torch.strided:
        raise RuntimeError(f"{name}: expected a dense tensor, got one of layout {a.layout}")
    if a.dtype not in _TYPES:
        raise RuntimeError(
            f"{name}: expected a tensor of type float32, float64, complex64 or complex128, got {a.dtype}"
        )


def _check(name: str, a: Any) -> None:
    """The same of square matrices."""
    _check_tensor(name, a)
    if a.ndim < 2:
        raise RuntimeError(f"{name}: expected a tensor of at least 2 dimensions, got shape {tuple(a.shape)}")
    if a.shape[-1] != a.shape[-2]:
        raise RuntimeError(f"{name}: expected square matrices, got shape {tuple(a.shape)}")


def _fit(one: Any, other: Any) -> bool:
    """Whether these shapes can be broadcast."""
    shared = min(len(one), len(other))
    tails = zip(one[len(one) - shared :], other[len(other) - shared :], strict=True)
    return all(m == n or 1 in (m, n) for m, n in tails)


def _understood(assume_a: str, on_singular: str, workers: SupportsIndex | None) -> tuple[str, str, int | None]:
    """As the operators take them, or an error."""
    structure = structure_of(assume_a)
    if on_singular not in ("raise", "nan"):
        raise ValueError(f"on_singular must be 'raise' or 'nan', not {on_singular!r}")
    return structure, on_singular, None if workers is None else operator.index(workers)


def _array(a: torch.Tensor) -> Any:
    return a.detach().numpy()


def _call(function: Callable[..., Any], *tensors: torch.Tensor, **how: Any) -> Any:
    """What NumPy's function of this package makes of tensors, calculated in their type."""
    arrays = [_array(tensor) for tensor in tensors]
    try:
        return function(*arrays, dtype=arrays[0].dtype, **how)
    except stackinv.SingularMatrixError as error:
        raise SingularMatrixError(error.indices, error.total, error.minor) from None


# The operators. What they return is memory of NumPy's, which has large pages where the system lets it choose: new
# memory of PyTorch's may take longer to come by than the calculation.


def _calculate_inv(a: torch.Tensor, assume_a: str, on_singular: str, workers: int | None) -> torch.Tensor:
    return torch.from_numpy(_call(stackinv.inv, a, assume_a=assume_a, on_singular=on_singular, workers=workers))


def _calculate_solve(
    a: torch.Tensor, b: torch.Tensor, assume_a: str, on_singular: str, workers: int | None
) -> torch.Tensor:
    return torch.from_numpy(_call(stackinv.solve, a, b, assume_a=assume_a, on_singular=on_singular, workers=workers))


def _calculate_slogdet(a: torch.Tensor, assume_a: str, workers: int | None) -> tuple[torch.Tensor, torch.Tensor]:
    sign, logabsdet = _call(stackinv.slogdet, a, assume_a=assume_a, workers=workers)
    return torch.from_numpy(np.asarray(sign)), torch.from_numpy(np.asarray(logabsdet))


def _calculate_det(a: torch.Tensor, assume_a: str, workers: int | None) -> torch.Tensor:
    return torch.from_numpy(np.asarray(_call(stackinv.det, a, assume_a=assume_a, workers=workers)))


def _calculate_product(x: torch.Tensor, y: torch.Tensor, factor: float) -> torch.Tensor:
    result = torch.from_numpy(np.empty((*x.shape[:-1], y.shape[-1]), _array(x[:0]).dtype))
    if result.numel():
        flat, x, y = (tensor.reshape(-1, *tensor.shape[-2:]) for tensor in (result, x, y))
        torch.baddbmm(flat, x, y, beta=0, alpha=factor, out=flat)
    return result


def _calculate_derivative(x: torch.Tensor, b: torch.Tensor, adjoint: bool, workers: int | None) -> torch.Tensor:
    """-X B X, or -Xᴴ B Xᴴ."""
    array = _array(x)
    result = np.empty(array.shape, array.dtype)
    outputs = Outputs(right=_array(b), solution=result)
    what = "gradient" if adjoint else "derivative"
    if result.size and _native.calculate(array, outputs, array.dtype.char, what, workers, None) < 0:  # for BLAS
        factor = x.mH.resolve_conj() if adjoint else x
        return _calculate_product(_calculate_product(factor, b, 1.0), factor, -1.0)
    return torch.from_numpy(result)


def _operator(
    calculate: Callable[..., Any], fake: Callable[..., Any], save: Callable[..., None], gradients: Callable[..., Any]
) -> Any:
    """An operator of the calculation's name, with shapes and types of its results, what it saves for its gradients."""
    name = calculate.__name__.removeprefix("_calculate_")
    op = torch.library.custom_op(f"stackinv::{name}", calculate, mutates_args=(), device_types="cpu")

    def of_stack(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> Any:
        """With the axis of `torch.vmap` the first one of a larger stack."""
        tensors = [argument for argument in arguments if isinstance(argument, torch.Tensor)]
        dims = in_dims[: len(tensors)]
        most = max(tensor.ndim + (dim is None) for tensor, dim in zip(tensors, dims, strict=True))
        stacks = []
        for tensor, dim in zip(tensors, dims, strict=True):
            stack = tensor.unsqueeze(0) if dim is None else tensor.movedim(dim, 0)
            stack = stack[(slice(None), *[None] * (most - stack.ndim))]
            stacks.append(stack.expand(info.batch_size, *stack.shape[1:]))
        result = call(*stacks, *arguments[len(tensors) :])
        return result, (0,) * len(result) if isinstance(result, tuple) else 0

    op.register_fake(fake)
    op.register_autograd(gradients, setup_context=save)
    op.register_vmap(of_stack)

    class Differentiable(torch.autograd.Function):  # type: ignore[misc]
        forward, setup_context, backward, vmap = map(staticmethod, (op, save, gradients, of_stack))

    def call(*arguments: Any) -> Any:
        """As a function, since torch.func cannot differentiate operators, and as an operator to torch.compile."""
        if not torch.compiler.is_compiling():
            return Differentiable.apply(*arguments)
        if torch.autograd.forward_ad._current_level >= 0:  # there an operator would have derivatives of zero
            raise NotImplementedError(f"{name}: derivatives in forward mode are not defined")
        return op(*arguments)

    return call


def _projected(gradient: torch.Tensor, structure: str) -> torch.Tensor:
    """On what matrices of this structure may differ by."""
    if structure in ("pos", "her"):
        return (gradient + gradient.mH) / 2
    if structure == "sym":
        return (gradient + gradient.mT) / 2
    if structure == "upper triangular":
        return gradient.triu()
    if structure == "lower triangular":
        return gradient.tril()
    return gradient if structure == "gen" else gradient.diagonal(dim1=-2, dim2=-1).diag_embed()


def _transposed(a: torch.Tensor, structure: str) -> torch.Tensor:
    """The transposes, where only what is read of the matrices is known."""
    if structure in ("pos", "her"):
        return a.conj()
    return a if structure == "sym" else a.mT


def _save_of_inv(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
    _, ctx.structure, _, ctx.workers = inputs
    ctx.save_for_backward(output)


def _gradients_of_inv(ctx: Any, gradient: torch.Tensor) -> tuple[Any, ...]:
    (x,) = ctx.saved_tensors
    return _projected(_derivative(x, gradient, True, ctx.workers), ctx.structure), None, None, None


def _save_of_derivative(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
    x, b, ctx.adjoint, ctx.workers = inputs
    ctx.save_for_backward(x, b)


def _gradients_of_derivative(ctx: Any, gradient: torch.Tensor) -> tuple[Any, ...]:
    """With Y the factor of both sides, -Yᴴ G Yᴴ with respect to B, and -(G Yᴴ Bᴴ + Bᴴ Yᴴ G) with respect to Y."""
    x, b = ctx.saved_tensors
    of_x = of_b = None
    if ctx.needs_input_grad[0]:
        factor = x if ctx.adjoint else x.mH
        left = _product(_product(gradient, factor, -1.0), b.mH, 1.0)
        right = _product(_product(b.mH, factor, -1.0), gradient, 1.0)
        of_x = (left + right).mH if ctx.adjoint else left + right
    if ctx.needs_input_grad[1]:
        of_b = _derivative(x, gradient, not ctx.adjoint, ctx.workers)
    return of_x, of_b, None, None


def _save_of_solve(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
    a, b, *ctx.how = inputs
    ctx.shapes = a.shape, b.shape
    ctx.save_for_backward(a, output)


def _gradients_of_solve(ctx: Any, gradient: torch.Tensor) -> tuple[Any, ...]:
    """A⁻ᴴ G with respect to B, and -A⁻ᴴ G Xᴴ with respect to A."""
    a, x = ctx.saved_tensors
    structure, *how = ctx.how
    of_b = _solve(_transposed(a, structure).conj(), gradient, _ADJOINT.get(structure, structure), *how)
    of_a = None
    if ctx.needs_input_grad[0]:
        of_a = _projected(_product(of_b, x.mH, -1.0).sum_to_size(ctx.shapes[0]), structure)
    return of_a, of_b.sum_to_size(ctx.shapes[1]), None, None, None


def _save_of_determinant(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    a, ctx.structure, ctx.workers = inputs
    ctx.save_for_backward(a, output[0] if isinstance(output, tuple) else output)


def _times_adjoint_inverses(ctx: Any, a: torch.Tensor, factors: torch.Tensor) -> tuple[Any, ...]:
    x = _inv(a, ctx.structure, "nan", ctx.workers)
    return _projected(factors[..., None, None] * x.mH, ctx.structure), None, None


def _gradients_of_slogdet(ctx: Any, of_sign: torch.Tensor, of_logarithm: torch.Tensor) -> tuple[Any, ...]:
    """With det A = s exp(l), (Gₗ + i Im(Gₛ s̄)) A⁻ᴴ."""
    a, sign = ctx.saved_tensors
    if a.is_complex():
        return _times_adjoint_inverses(ctx, a, torch.complex(of_logarithm, (of_sign * sign.conj()).imag))
    return _times_adjoint_inverses(ctx, a, of_logarithm)


def _gradients_of_det(ctx: Any, gradient: torch.Tensor) -> tuple[Any, ...]:
    a, determinant = ctx.saved_tensors
    return _times_adjoint_inverses(ctx, a, gradient * determinant.conj())


def _save_of_product(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
    x, y, ctx.factor = inputs
    ctx.save_for_backward(x, y)


def _gradients_of_product(ctx: Any, gradient: torch.Tensor) -> tuple[Any, ...]:
    x, y = ctx.saved_tensors
    of_x, of_y = ctx.needs_input_grad[:2]
    return (
        _product(gradient, y.mH, ctx.factor) if of_x else None,
        _product(x.mH, gradient, ctx.factor) if of_y else None,
        None,
    )


_inv = _operator(_calculate_inv, lambda a, *how: a.new_empty(a.shape), _save_of_inv, _gradients_of_inv)
_solve = _operator(
    _calculate_solve,
    lambda a, b, *how: b.new_empty((*torch.broadcast_shapes(a.shape[:-2], b.shape[:-2]), *b.shape[-2:])),
    _save_of_solve,
    _gradients_of_solve,
)
_slogdet = _operator(
    _calculate_slogdet,
    lambda a, *how: (a.new_empty(a.shape[:-2]), a.new_empty(a.shape[:-2], dtype=a.dtype.to_real())),
    _save_of_determinant,
    _gradients_of_slogdet,
)
_det = _operator(_calculate_det, lambda a, *how: a.new_empty(a.shape[:-2]), _save_of_determinant, _gradients_of_det)
_derivative = _operator(
    _calculate_derivative, lambda x, *how: x.new_empty(x.shape), _save_of_derivative, _gradients_of_derivative
)
_product = _operator(
    _calculate_product,
    lambda x, y, factor: x.new_empty((*x.shape[:-1], y.shape[-1])),
    _save_of_product,
    _gradients_of_product,
)
