"""What type checkers make of the public functions: `mypy --strict tests/typed.py`. It is a program, too."""

from typing import TYPE_CHECKING, Any, assert_type

import numpy as np
import numpy.typing as npt

import stackinv

Matrix = tuple[int, int]

single: npt.NDArray[np.float32] = np.eye(2, dtype=np.float32)[None]
double: npt.NDArray[np.float64] = np.eye(2)[None]
complexes: npt.NDArray[np.complex64] = np.eye(2, dtype=np.complex64)[None]
integers: npt.NDArray[np.int32] = np.eye(2, dtype=np.int32)[None]
booleans: npt.NDArray[np.bool_] = np.eye(2, dtype=np.bool_)[None]
one: np.ndarray[Matrix, np.dtype[np.complex128]] = np.eye(2, dtype=np.complex128)

assert_type(stackinv.inv(single), npt.NDArray[np.float32])
assert_type(stackinv.inv(double, assume_a="pos", workers=2), npt.NDArray[np.float64])
assert_type(stackinv.inv(complexes), npt.NDArray[np.complex64])
assert_type(stackinv.inv(integers), npt.NDArray[np.float64])
assert_type(stackinv.inv(booleans), npt.NDArray[np.float64])
assert_type(stackinv.inv(one), np.ndarray[Matrix, np.dtype[np.complex128]])  # with as many axes
assert_type(stackinv.inv(double, dtype=np.float32), npt.NDArray[np.float32])
assert_type(stackinv.inv(single, dtype=np.dtype(np.complex128)), npt.NDArray[np.complex128])
assert_type(stackinv.inv(single, out=double), npt.NDArray[np.float64])
assert_type(stackinv.inv([[1.0, 2.0], [3.0, 5.0]]), npt.NDArray[Any])
assert_type(stackinv.inv(double, dtype="float32"), npt.NDArray[Any])

inverse, info, rcond = stackinv.inv_ex(single)
assert_type(inverse, npt.NDArray[np.float32])
assert_type(stackinv.inv_ex(one).inverse, np.ndarray[Matrix, np.dtype[np.complex128]])
assert_type(stackinv.inv_slogdet(integers).inverse, npt.NDArray[np.float64])
assert_type(stackinv.inv_slogdet(double), stackinv.InvSlogdetResult[npt.NDArray[np.float64]])

assert_type(stackinv.solve(single, single), npt.NDArray[np.float32])
assert_type(stackinv.solve(integers, booleans), npt.NDArray[np.float64])
assert_type(stackinv.solve(double, complexes), npt.NDArray[Any])
assert_type(stackinv.solve(single, single, out=double), npt.NDArray[np.float64])
assert_type(stackinv.solve(double, [1.0, 2.0], dtype=np.complex64), npt.NDArray[np.complex64])

with stackinv.set_workers(1):
    assert_type(stackinv.get_workers(), int)
assert_type(stackinv.is_patched("solve"), bool)

if TYPE_CHECKING:  # each is an error
    stackinv.inv(double, assume_a="symmetric")  # type: ignore[call-overload]
    stackinv.inv(double, on_singular="ignore")  # type: ignore[call-overload]
    stackinv.inv(double, axis=0)  # type: ignore[call-overload]
