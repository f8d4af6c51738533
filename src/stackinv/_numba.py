# SPDX-License-Identifier: BSD-3-Clause
"""`inv`, `solve` and `slogdet` in functions that numba compiles: numba imports this at its first compilation.

They call `calculate` of stackinv/stackinv.h, with a structure that says where arrays are and how they lie.
No Python is in the way, so that it may be in a `prange` and without the lock.
"""

# mypy: ignore-errors

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.extending import get_cython_function_address, intrinsic, overload, register_jitable
from numba.np.numpy_support import as_dtype, from_dtype

import stackinv
from stackinv import _arguments, _native

# By name, for code that numba has cached, too: addresses are others in the next process.
_CALCULATE, _USE_LARGE_PAGES = "stackinv_calculate", "stackinv_use_large_pages"
_INVERT = ("stackinv_sinv", "stackinv_dinv", "stackinv_cinv", "stackinv_zinv")  # one matrix

_INT, _SIZE, _POINTER = ir.IntType(32), ir.IntType(types.intp.bitwidth), ir.IntType(8).as_pointer()
_ARRAY = ir.LiteralStructType([_POINTER, _POINTER])
_NAMES = ("a", "inverse", "b", "solution", "info", "rcond", "sign", "logabsdet", "det")
# `stackinv_stack`.
_STACK = ir.LiteralStructType([_INT] * 4 + [_POINTER, _SIZE, _SIZE] + [_ARRAY] * len(_NAMES) + [_POINTER, _SIZE])
_TYPES = [np.dtype(name) for name in ("float32", "float64", "complex64", "complex128")]
_ALL_THREADS = -1
_MOST_SMALL_M = 16  # for which threads never pay
_LEAST_LARGE = 1 << 18  # numbers of an array that it pays to ask for


class SingularMatrixError(stackinv.SingularMatrixError):
    """What compiled code raises, which does not know the indices."""

    def __init__(self):
        super().__init__((), 1)

    def __reduce__(self):
        return SingularMatrixError, ()


def init():
    """What numba calls once it has imported this."""
    for name in (_CALCULATE, _USE_LARGE_PAGES, *_INVERT):
        address = get_cython_function_address("stackinv.cython_api", name.removeprefix("stackinv_"))
        llvmlite.binding.add_symbol(name, address)


@intrinsic
def _calculate(typing_context, structure, threads, a, inverse, b, solution, sign, logabsdet):
    """How many matrices are singular, or an error; of arrays that are None there is none."""

    def generate(context, builder, signature, values):
        arrays = dict(zip(("a", "inverse", "b", "solution", "sign", "logabsdet"), values[2:], strict=True))
        kinds = dict(zip(arrays, signature.args[2:], strict=True))
        given = context.make_array(a)(context, builder, values[2])
        lengths = cgutils.unpack_tuple(builder, given.shape, a.ndim)
        columns = _SIZE(0)
        if not isinstance(b, types.NoneType):
            right = context.make_array(b)(context, builder, arrays["b"])
            columns = cgutils.unpack_tuple(builder, right.shape, b.ndim)[-1]

        def address(value):
            return builder.bitcast(cgutils.alloca_once_value(builder, value), _POINTER)

        def described(name):
            kind = kinds.get(name, types.none)
            pair = _ARRAY(None)
            if isinstance(kind, types.NoneType):
                return pair
            array = context.make_array(kind)(context, builder, arrays[name])
            pair = builder.insert_value(pair, builder.bitcast(array.data, _POINTER), 0)
            return builder.insert_value(pair, address(array.strides), 1) if kind.ndim else pair

        fields = [
            _INT(_TYPES.index(as_dtype(a.dtype))),
            values[0],
            values[1],
            _INT(a.ndim - 2),
            address(given.shape),
            lengths[-1],
            columns,
            *map(described, _NAMES),
            _POINTER(None),
            _SIZE(0),
        ]
        stack = _STACK(None)
        for k, field in enumerate(fields):
            stack = builder.insert_value(stack, field, k)
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(_SIZE, [_POINTER]), _CALCULATE)
        return builder.call(function, [address(stack)])

    return types.intp(types.int32, types.int32, a, inverse, b, solution, sign, logabsdet), generate


@intrinsic
def _invert_one(typing_context, structure, a, inverse):
    """LAPACK's info, or an error, of a matrix in consecutive numbers; without a structure to fill in."""

    def generate(context, builder, signature, values):
        given, result = (context.make_array(a)(context, builder, value) for value in values[1:])
        order = cgutils.unpack_tuple(builder, given.shape, 2)[0]
        kind = ir.FunctionType(_INT, [_INT, _INT, _POINTER, _SIZE, _POINTER, _SIZE, _POINTER])
        name = _INVERT[_TYPES.index(as_dtype(a.dtype))]
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        at, to = (builder.bitcast(array.data, _POINTER) for array in (given, result))
        how = [values[0], builder.trunc(order, _INT), at, order, to, order, _POINTER(None)]
        return builder.sext(builder.call(function, how), _SIZE)

    return types.intp(types.int32, a, inverse), generate


@intrinsic
def _use_large_pages(typing_context, array):
    """For a new array."""

    def generate(context, builder, signature, values):
        its = context.make_array(array)(context, builder, values[0])
        size = builder.mul(its.nitems, its.itemsize)
        kind = ir.FunctionType(ir.VoidType(), [_POINTER, _SIZE])
        function = cgutils.get_or_insert_function(builder.module, kind, _USE_LARGE_PAGES)
        builder.call(function, [builder.bitcast(its.data, _POINTER), size])
        return context.get_dummy_value()

    return types.void(array), generate


@register_jitable
def _new(shape, dtype):
    x = np.empty(shape, dtype)
    if x.size > _LEAST_LARGE:
        _use_large_pages(x)
    return x


@register_jitable
def _raise(singular):
    if singular > 0:
        raise SingularMatrixError
    if singular < 0:
        raise MemoryError("Unable to allocate a workspace")


@register_jitable
def _check_square(a):
    if a.shape[-1] != a.shape[-2]:
        raise np.linalg.LinAlgError("Last 2 dimensions of the array must be square")


def _number(kind, name, least=2):
    """The type of numbers that NumPy makes of those of an array, or numba's error."""
    if not isinstance(kind, types.Array):
        raise TypingError(f"{name} must be an array, not {kind}")
    if kind.ndim < least:
        raise TypingError(f"{kind.ndim}-dimensional array given. Array must be at least two-dimensional")
    try:
        return _arguments.types(as_dtype(kind.dtype), None)[1]
    except (TypeError, NotImplementedError):
        raise TypingError(f"array type {kind.dtype} is unsupported in linalg") from None


def _structure(assume_a):
    """Its number in the header, from an argument that is known when a function is compiled."""
    name = getattr(assume_a, "literal_value", getattr(assume_a, "value", assume_a))
    if not isinstance(name, str):
        raise TypingError(f"assume_a must be a string that is written in the call, not {assume_a}")
    try:
        return _native.structures()[_arguments.structure_of(name)]
    except ValueError as error:
        raise TypingError(str(error)) from None


def _threads(workers):
    """A function of `workers` for how many threads."""
    if isinstance(workers, types.NoneType | types.Omitted) or workers is None:
        return register_jitable(lambda workers: np.int32(_ALL_THREADS))
    if not isinstance(workers, types.Integer):
        raise TypingError(f"workers must be an integer or None, not {workers}")

    @register_jitable
    def asked(workers):
        if workers == 0 or workers < _ALL_THREADS:
            raise ValueError("workers must be positive, or -1 for all, in compiled code")
        return np.int32(workers)

    return asked


def _converter(kind, number):
    """A function that makes an array of these numbers of another, or leaves it as it is."""
    if as_dtype(kind.dtype) == number and kind.aligned:
        return register_jitable(lambda a: a)
    dtype = from_dtype(number)
    return register_jitable(lambda a: a.astype(dtype))


@overload(stackinv.inv, prefer_literal=True)
def _inv(a, assume_a="gen", workers=None):
    number = _number(a, "a")
    structure, threads, converted = _structure(assume_a), _threads(workers), _converter(a, number)
    dtype = from_dtype(number)

    def inv(a, assume_a="gen", workers=None):
        _check_square(a)
        x = _new(a.shape, dtype)
        _raise(_calculate(np.int32(structure), threads(workers), converted(a), x, None, None, None, None))
        return x

    def inv_one(a, assume_a="gen", workers=None):
        _check_square(a)
        threads(workers)
        x = np.empty(a.shape, dtype)
        if a.shape[0] <= _MOST_SMALL_M:
            _raise(_invert_one(np.int32(structure), a, x))
        else:
            _raise(_calculate(np.int32(structure), threads(workers), a, x, None, None, None, None))
        return x

    if a.ndim == 2 and a.layout == "C" and as_dtype(a.dtype) == number and a.aligned:
        return inv_one
    return inv


@overload(stackinv.solve, prefer_literal=True)
def _solve(a, b, assume_a="gen", workers=None):
    number = np.result_type(_number(a, "a"), _number(b, "b", 1))
    structure, threads, dtype = _structure(assume_a), _threads(workers), from_dtype(number)
    of_a, of_b = _converter(a, number), _converter(b, number)

    @register_jitable
    def calculate(a, b, workers):
        x = _new(b.shape, dtype)
        _raise(_calculate(np.int32(structure), threads(workers), a, None, b, x, None, None))
        return x

    @register_jitable
    def check(a, rows):
        _check_square(a)
        if a.shape[-1] != rows:
            raise ValueError("solve: the matrices and the right-hand sides have different numbers of rows")

    if b.ndim == 1:

        def solve(a, b, assume_a="gen", workers=None):
            check(a, b.shape[0])
            right = np.broadcast_to(np.expand_dims(of_b(b), 1), a.shape[:-1] + (1,))  # noqa: RUF005  # for numba
            return calculate(of_a(a), right, workers)[..., 0]

    elif a.ndim == b.ndim == 2:

        def solve(a, b, assume_a="gen", workers=None):
            check(a, b.shape[0])
            return calculate(of_a(a), of_b(b), workers)

    else:

        def solve(a, b, assume_a="gen", workers=None):
            check(a, b.shape[-2])
            stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
            left = np.broadcast_to(of_a(a), stack + a.shape[-2:])
            return calculate(left, np.broadcast_to(of_b(b), stack + b.shape[-2:]), workers)

    return solve


@overload(stackinv.slogdet, prefer_literal=True)
def _slogdet(a, assume_a="gen", workers=None):
    number = _number(a, "a")
    structure, threads, converted = _structure(assume_a), _threads(workers), _converter(a, number)
    is_pos = structure == _native.structures()["pos"]
    wide = from_dtype(np.dtype("D" if number.kind == "c" else "d"))
    sign_type, real_type = from_dtype(number), from_dtype(np.empty(0, number).real.dtype)
    one = a.ndim == 2

    def slogdet(a, assume_a="gen", workers=None):
        _check_square(a)
        sign, logarithm = np.empty(a.shape[:-2], wide), np.empty(a.shape[:-2], np.float64)
        count = _calculate(np.int32(structure), threads(workers), converted(a), None, None, None, sign, logarithm)
        if count < 0 or is_pos:
            _raise(count)
        return _as_given(sign, logarithm)

    if one:

        @register_jitable
        def _as_given(sign, logarithm):
            return sign_type(sign[()]), real_type(logarithm[()])

    else:

        @register_jitable
        def _as_given(sign, logarithm):
            return sign.astype(sign_type), logarithm.astype(real_type)

    return slogdet
