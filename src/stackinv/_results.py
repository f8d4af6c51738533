# SPDX-License-Identifier: BSD-3-Clause
"""What comes back or is raised, other than arrays."""

import functools
from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

_Inverse = TypeVar("_Inverse")


class SingularMatrixError(np.linalg.LinAlgError):
    """One or more matrices of a stack are exactly singular, or not positive definite where that was assumed.

    A `numpy.linalg.LinAlgError`, and so a `ValueError`. Its text is NumPy's, ``Singular matrix``, to the letter, or
    SciPy's from a function of SciPy; what more is known is a note under it in tracebacks [1]_ and in the attributes.

    Parameters
    ----------
    indices : tuple of ndarray of int
        Where the singular matrices are, one array for each axis of the stack, as from `numpy.nonzero`: ``a[indices]``
        is the stack of all singular matrices. An empty tuple if `a` was a single matrix.
    total : int
        The number of matrices in the stack.
    minor : int, optional
        For matrices that should be positive definite: the order of the first leading minor, of the first of them, that
        is not positive.
    of : str, optional
        What `total` is the number of matrices of. With dask it is one chunk, as others may not have been looked at;
        the indices are those in the whole stack nevertheless.
    text : str, optional
        Another text, such as SciPy's.

    Attributes
    ----------
    indices : tuple of ndarray of int
        As given.
    total : int
        As given.
    minor : int or None
        As given.

    References
    ----------
    .. [1] PEP 678, Enriching Exceptions with Notes.

    Examples
    --------
    >>> import numpy as np, stackinv
    >>> a = np.stack([np.eye(2), np.zeros((2, 2)), np.ones((2, 2))])
    >>> try:
    ...     stackinv.inv(a)
    ... except stackinv.SingularMatrixError as error:
    ...     print(error)
    ...     print(*error.__notes__)
    ...     print(error.indices)
    Singular matrix
    2 of 3 in the stack, first at index (1,)
    (array([1, 2]),)
    """

    def __init__(
        self,
        indices: tuple[npt.NDArray[np.intp], ...],
        total: int,
        minor: int | None = None,
        of: str = "stack",
        text: str = "Singular matrix",
    ) -> None:
        super().__init__(text)
        self.indices, self.total, self.minor, self._of = indices, total, minor, of
        note = []
        if indices:
            first = tuple(int(axis[0]) for axis in indices)
            note.append(f"{len(indices[0])} of {total} in the {of}, first at index {first}")
        if minor is not None:
            note.append(f"not positive definite, the leading minor of order {minor} is not positive")
        if note:
            self.add_note(": ".join(note))

    def __reduce__(self) -> tuple[Any, ...]:
        return (
            singular,
            (self.indices, self.total, self.minor, self._of, str(self)),
            self.__dict__,
        )  # with notes of others

    def in_whole(self, offset: Sequence[int]) -> "SingularMatrixError":
        """The error for a chunk that begins at `offset` in the stack."""
        indices = tuple(axis + start for axis, start in zip(self.indices, offset, strict=True))
        return singular(indices, self.total, self.minor, "chunk")


def singular(*arguments: Any, **keywords: Any) -> SingularMatrixError:
    """A SingularMatrixError that also is the `numpy.linalg.LinAlgError` of now, another one after a reload."""
    return _singular_error(np.linalg.LinAlgError)(*arguments, **keywords)


def singular_ones(info: npt.NDArray[np.intc], structure: str, text: str = "Singular matrix") -> SingularMatrixError:
    """The error about the matrices whose info is not 0."""
    indices = np.nonzero(info) if info.ndim else ()
    minor = int(info[indices].flat[0]) if structure == "pos" else None
    return singular(indices, info.size, minor, text=text)


@functools.cache
def _singular_error(base: type[Exception]) -> type[SingularMatrixError]:
    if issubclass(SingularMatrixError, base):
        return SingularMatrixError
    return type("SingularMatrixError", (SingularMatrixError, base), {"__module__": "stackinv"})


class InvSlogdetResult(NamedTuple, Generic[_Inverse]):
    """What `inv_slogdet` returns.

    A named tuple: ``inverse, sign, logabsdet = inv_slogdet(a)``.

    Parameters
    ----------
    inverse : ndarray, shape (..., M, M)
        The inverses; those of singular matrices are NaN.
    sign : ndarray, shape (...)
        The determinants' signs, or complex numbers of modulus 1; 0 for a singular matrix.
    logabsdet : ndarray, shape (...)
        The natural logarithms of the determinants' moduli; -inf for a singular matrix.
    """

    inverse: _Inverse
    sign: Any
    logabsdet: Any


class InvExResult(NamedTuple, Generic[_Inverse]):
    """What `inv_ex` returns.

    A named tuple: ``inverse, info, rcond = inv_ex(a)``.

    Parameters
    ----------
    inverse : ndarray, shape (..., M, M)
        The inverses; those of singular matrices are NaN.
    info : ndarray of int, shape (...)
        0, or LAPACK's ``i > 0`` for a singular matrix.
    rcond : ndarray of float64, shape (...)
        Reciprocal condition numbers in the 1-norm.
    """

    inverse: _Inverse
    info: Any
    rcond: Any
