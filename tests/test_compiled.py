"""The functions for other compiled code, by their addresses: the same results as those for Python, to the bit."""

import ctypes
import os
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import NATIVE, STRUCTURES, hide_unread, run, structured, well_conditioned

import stackinv
from stackinv import _native, cython_api

pytestmark = pytest.mark.usefixtures("own_engines")
EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
LETTERS = dict(zip(NATIVE, "sdcz", strict=True))
NUMBERS = _native.structures()
INT, SIZE, POINTER = ctypes.c_int, ctypes.c_ssize_t, ctypes.c_void_p
NO_MEMORY, TYPE, STRUCTURE, WRONG_SIZE, ARRAYS, STRIDES, WORKSPACE = range(-1, -8, -1)


class Array(ctypes.Structure):
    _fields_ = [("data", POINTER), ("strides", ctypes.POINTER(SIZE))]


class Stack(ctypes.Structure):
    """`stackinv_stack` of the header."""

    ARRAYS = ("a", "inverse", "b", "solution", "info", "rcond", "sign", "logabsdet", "det")
    _fields_ = [
        ("type", INT),
        ("structure", INT),
        ("threads", INT),
        ("ndim", INT),
        ("shape", ctypes.POINTER(SIZE)),
        ("order", SIZE),
        ("columns", SIZE),
        *[(name, Array) for name in ARRAYS],
        ("workspace", POINTER),
        ("workspace_bytes", ctypes.c_size_t),
    ]


def function(name, result, *arguments):
    capsule = cython_api.__pyx_capi__[name]
    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype, api.PyCapsule_GetName.argtypes = ctypes.c_char_p, [ctypes.py_object]
    api.PyCapsule_GetPointer.restype = POINTER
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    address = api.PyCapsule_GetPointer(capsule, api.PyCapsule_GetName(capsule))
    return ctypes.CFUNCTYPE(result, *arguments)(address)


MATRIX = (POINTER, SIZE)
INV = {k: function(c + "inv", INT, INT, INT, *MATRIX, *MATRIX, POINTER) for k, c in LETTERS.items()}
SOLVE = {k: function(c + "solve", INT, INT, INT, INT, *MATRIX, *MATRIX, *MATRIX) for k, c in LETTERS.items()}
SLOGDET = {k: function(c + "slogdet", INT, INT, INT, *MATRIX, POINTER, POINTER) for k, c in LETTERS.items()}
CALCULATE = function("calculate", SIZE, ctypes.POINTER(Stack))
WORKSPACE_BYTES = function("workspace_bytes", SIZE, ctypes.POINTER(Stack))
DESCRIBE_ERROR = function("describe_error", ctypes.c_char_p, SIZE)


def lengths(numbers):
    return (SIZE * max(len(numbers), 1))(*numbers)


def describe(dtype, a, structure="gen", threads=1, workspace=None, **arrays):
    """A stack, and all that must live as long."""
    stack = Stack(NATIVE.index(dtype), NUMBERS[structure], threads, a.ndim - 2, lengths(a.shape[:-2]), a.shape[-1])
    for name, array in {"a": a, **arrays}.items():
        setattr(stack, name, Array(array.ctypes.data, lengths(array.strides)))
    if "b" in arrays:
        stack.columns = arrays["b"].shape[-1]
    if workspace is not None:
        stack.workspace, stack.workspace_bytes = workspace.ctypes.data, workspace.nbytes
    return stack


def wide(m, dtype, rows=None):
    """An array with more columns than are used, and the part that is."""
    whole = np.full((m if rows is None else rows, m + 3), 777, dtype)
    return whole, whole[:, :m]


@pytest.mark.parametrize("dtype", NATIVE)
@pytest.mark.parametrize("structure", STRUCTURES)
def test_one_matrix(structure, dtype):
    for m in [1, 2, 3, 4, 5, 8, 11, 16, 17, 33, 70, 130]:
        a = hide_unread(structured((m, m), structure, dtype), structure).astype(dtype)
        given, matrix = wide(m, dtype)
        matrix[...] = a
        result, x = wide(m, dtype)
        rcond = ctypes.c_double()
        info = INV[dtype](
            NUMBERS[structure], m, given.ctypes.data, m + 3, result.ctypes.data, m + 3, ctypes.addressof(rcond)
        )
        expected = stackinv.inv_ex(a, assume_a=structure)
        assert info == 0
        assert rcond.value == expected.rcond
        np.testing.assert_array_equal(x, expected.inverse)
        assert np.all(result[:, m:] == 777)
        assert np.all(given[:, m:] == 777)

        k = m // 2 + 1
        b = well_conditioned((m, m), dtype)[:, :k].copy()
        solution = np.empty((m, k), dtype)
        info = SOLVE[dtype](
            NUMBERS[structure], m, k, given.ctypes.data, m + 3, b.ctypes.data, k, solution.ctypes.data, k
        )
        assert info == 0
        np.testing.assert_array_equal(solution, stackinv.solve(a, b, assume_a=structure))

        sign, logabsdet = np.full(2, 7.0), ctypes.c_double()
        info = SLOGDET[dtype](
            NUMBERS[structure], m, given.ctypes.data, m + 3, sign.ctypes.data, ctypes.addressof(logabsdet)
        )
        expected = stackinv.slogdet(a, assume_a=structure)
        assert info == 0
        assert a.dtype.type(sign.view("c16")[0] if a.dtype.kind == "c" else sign[0]) == expected.sign
        assert a.real.dtype.type(logabsdet.value) == expected.logabsdet

        info = INV[dtype](NUMBERS[structure], m, given.ctypes.data, m + 3, given.ctypes.data, m + 3, None)
        assert info == 0  # in place
        np.testing.assert_array_equal(matrix, x)


@pytest.mark.parametrize("dtype", NATIVE)
def test_a_singular_matrix(dtype):
    for m in [1, 2, 3, 5, 20, 100]:
        a = well_conditioned((m, m), dtype)
        a[:, m // 2] = 0
        x, rcond = np.empty_like(a), ctypes.c_double(7)
        info = INV[dtype](0, m, a.ctypes.data, m, x.ctypes.data, m, ctypes.addressof(rcond))
        assert info == stackinv.inv_ex(a).info == m // 2 + 1
        assert rcond.value == 0
        assert np.all(np.isnan(x))
        b = np.ones((m, 1), dtype)
        assert SOLVE[dtype](0, m, 1, a.ctypes.data, m, b.ctypes.data, 1, b.ctypes.data, 1) == info
        assert np.all(np.isnan(b))
        sign, logabsdet = np.full(2, 7.0), ctypes.c_double()
        assert SLOGDET[dtype](0, m, a.ctypes.data, m, sign.ctypes.data, ctypes.addressof(logabsdet)) == info
        assert sign[0] == 0
        assert logabsdet.value == -np.inf


def test_order_zero():
    rcond, sign, logabsdet = ctypes.c_double(), ctypes.c_double(), ctypes.c_double()
    assert INV["f8"](0, 0, None, 0, None, 0, ctypes.addressof(rcond)) == 0
    assert SLOGDET["f8"](0, 0, None, 0, ctypes.addressof(sign), ctypes.addressof(logabsdet)) == 0
    assert SOLVE["f8"](0, 0, 2, None, 0, None, 2, None, 2) == 0
    assert (rcond.value, sign.value, logabsdet.value) == (1, 1, 0)


@pytest.mark.parametrize("dtype", NATIVE)
def test_a_stack_of_order_zero(dtype):
    a, number = np.empty((3, 0, 0), dtype), "c16" if np.dtype(dtype).kind == "c" else "f8"
    info, rcond, logabsdet = np.full(3, 7, np.intc), np.full(3, 7.0), np.full(3, 7.0)
    sign, det = np.full((2, 3), 7, number)
    known = {"info": info, "rcond": rcond, "sign": sign, "logabsdet": logabsdet, "det": det}
    assert CALCULATE(describe(dtype, a, inverse=a, **known)) == 0
    assert np.all(np.stack([info, logabsdet]) == 0)
    assert np.all(np.stack([rcond, sign, det]) == 1)
    sign[0] = 7
    assert SLOGDET[dtype](0, 0, None, 0, sign.ctypes.data, logabsdet.ctypes.data) == 0
    assert sign[0] == 1


@pytest.mark.parametrize("m", [3, 30])
def test_one_matrix_as_a_stack_without_axes(m):
    a = well_conditioned((m, m))
    x, info, rcond = np.empty_like(a), np.array(7, np.intc), np.array(7.0)
    assert CALCULATE(describe("f8", a, inverse=x, info=info, rcond=rcond)) == 0
    np.testing.assert_array_equal(x, stackinv.inv(a))
    assert (info, rcond) == (0, stackinv.inv_ex(a).rcond)
    a[:, 1] = 0
    assert CALCULATE(describe("f8", a, inverse=x, info=info, rcond=rcond)) == 1
    assert (info, rcond) == (2, 0)
    assert np.all(np.isnan(x))


def test_one_matrix_with_wrong_arguments():
    a, x = np.eye(3), np.full((3, 3), 7.0)
    arguments = (a.ctypes.data, 3, x.ctypes.data, 3, None)
    assert INV["f8"](7, 3, *arguments) == INV["f8"](-1, 3, *arguments) == STRUCTURE
    assert INV["f8"](0, -1, *arguments) == WRONG_SIZE
    assert INV["f8"](0, 3, a.ctypes.data, 2, x.ctypes.data, 3, None) == STRIDES
    assert INV["f8"](0, 3, a.ctypes.data, 3, x.ctypes.data, 2, None) == STRIDES
    assert SOLVE["f8"](0, 3, 2, a.ctypes.data, 3, x.ctypes.data, 1, x.ctypes.data, 2) == STRIDES
    assert SOLVE["f8"](0, 3, -1, a.ctypes.data, 3, x.ctypes.data, 1, x.ctypes.data, 2) == WRONG_SIZE
    assert SLOGDET["f8"](0, 3, a.ctypes.data, 2, x.ctypes.data, x.ctypes.data) == STRIDES
    assert np.all(x == 7)


VIEWS = {
    "as it is": lambda a: a,
    "transposed": lambda a: a.swapaxes(-1, -2),
    "backwards": lambda a: a[::-1, :, ::-1, ::-1],
    "side by side": lambda a: np.moveaxis(np.moveaxis(a, (-2, -1), (0, 1)).copy(), (0, 1), (-2, -1)),
    "every other": lambda a: np.repeat(np.repeat(a, 2, 0), 2, -1)[::2, ..., ::2],
    "one for all": lambda a: np.broadcast_to(a[:1], a.shape),
}


def like(view, shape, dtype):
    """A new array that lies as the view does, and is not NaN."""
    return view(np.full(shape, 7, dtype)) if view is not VIEWS["one for all"] else np.full(shape, 7, dtype)


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("dtype", NATIVE)
def test_a_stack_of_any_strides(dtype, view):
    for m, threads in [(1, 1), (3, 2), (6, 1), (17, 3), (65, 2)]:
        a = view(well_conditioned((5, 3, m, m), dtype))
        inverse = like(view, a.shape, dtype)
        info, rcond = np.full((5, 3), 7, np.intc), np.empty((3, 5)).T
        arrays = {"inverse": inverse, "info": info, "rcond": rcond}
        assert CALCULATE(describe(dtype, a, threads=threads, **arrays)) == 0
        expected = stackinv.inv_ex(a)
        np.testing.assert_array_equal(inverse, expected.inverse)
        np.testing.assert_array_equal(rcond, expected.rcond)
        assert np.all(info == 0)

        b = view(well_conditioned((5, 3, m, m), dtype, seed=1))[..., :2]
        solution = like(view, (5, 3, m, m), dtype)[..., :2]
        assert CALCULATE(describe(dtype, a, threads=threads, b=b, solution=solution)) == 0
        np.testing.assert_array_equal(solution, stackinv.solve(a, b))

        number = "c16" if a.dtype.kind == "c" else "f8"
        sign, logabsdet, det = np.empty((5, 3), number), np.empty((5, 3)), np.empty((5, 3), number)
        assert CALCULATE(describe(dtype, a, sign=sign, logabsdet=logabsdet)) == 0
        assert CALCULATE(describe(dtype, a, det=det)) == 0
        expected = stackinv.slogdet(a)
        np.testing.assert_array_equal(sign.astype(dtype), expected.sign)
        np.testing.assert_array_equal(logabsdet.astype(a.real.dtype), expected.logabsdet)
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(det.astype(dtype), stackinv.det(a))


def test_without_strides_there_are_no_gaps():
    a, b = well_conditioned((4, 6, 3, 3)), well_conditioned((4, 6, 3, 3))[..., :2].copy()
    inverse, solution, info = np.empty_like(a), np.empty_like(b), np.full((4, 6), 7, np.intc)
    a[2, 5] = 0
    first = describe("f8", a, inverse=inverse, info=info)
    second = describe("f8", a, b=b, solution=solution)
    for stack in (first, second):
        for name in Stack.ARRAYS:
            getattr(stack, name).strides = ctypes.POINTER(SIZE)()
        assert CALCULATE(stack) == 1
    np.testing.assert_array_equal(inverse, stackinv.inv(a, on_singular="nan"))
    np.testing.assert_array_equal(solution, stackinv.solve(a, b, on_singular="nan"))
    assert list(zip(*np.nonzero(info), strict=True)) == [(2, 5)]


def test_all_at_once_that_can_be():
    a = well_conditioned((50, 4, 4))
    inverse, sign, logabsdet = np.empty_like(a), np.empty(50), np.empty(50)
    assert CALCULATE(describe("f8", a, inverse=inverse, sign=sign, logabsdet=logabsdet)) == 0
    for mine, expected in zip((inverse, sign, logabsdet), stackinv.inv_slogdet(a), strict=True):
        np.testing.assert_array_equal(mine, expected)
    for m in (3, 90):
        a, b = structured((5, m, m), "pos"), well_conditioned((5, m, m))
        solution, sign, logabsdet = np.empty_like(b), np.empty(5), np.empty(5)
        stack = describe("f8", a, "pos", b=b, solution=solution, sign=sign, logabsdet=logabsdet)
        assert CALCULATE(stack) == 0
        np.testing.assert_array_equal(solution, stackinv.solve(a, b, assume_a="pos"))
        np.testing.assert_array_equal(logabsdet, stackinv.slogdet(a, assume_a="pos").logabsdet)


def wrong(**fields):
    """A right stack but for these, and the array that is not to be written."""
    a, x = well_conditioned((4, 3, 3)), np.full((4, 3, 3), 7.0)
    stack = describe("f8", a, inverse=x)
    for name, value in fields.items():
        setattr(stack, name, value)
    return stack, x


NUMBER = Array(np.empty(64).ctypes.data)


@pytest.mark.parametrize(
    ("error", "fields"),
    [
        (TYPE, {"type": 4}),
        (TYPE, {"type": -1}),
        (STRUCTURE, {"structure": 7}),
        (WRONG_SIZE, {"ndim": 63}),
        (WRONG_SIZE, {"ndim": -1}),
        (WRONG_SIZE, {"shape": ctypes.POINTER(SIZE)()}),
        (WRONG_SIZE, {"shape": lengths([-1])}),
        (WRONG_SIZE, {"ndim": 2, "shape": lengths([1 << 40, 1 << 40])}),
        (WRONG_SIZE, {"order": -1}),
        (WRONG_SIZE, {"order": 1 << 31}),
        (WRONG_SIZE, {"columns": 1 << 31}),
        (WRONG_SIZE, {"threads": -2}),
        (ARRAYS, {"a": Array()}),
        (ARRAYS, {"b": NUMBER}),
        (ARRAYS, {"b": NUMBER, "solution": NUMBER}),
        (ARRAYS, {"inverse": Array(), "rcond": NUMBER}),
        (WORKSPACE, {"workspace": NUMBER.data, "workspace_bytes": 64}),
    ],
)
def test_an_error_does_nothing(error, fields):
    stack, x = wrong(**fields)
    assert CALCULATE(stack) == error
    assert np.all(x == 7)


def test_each_error_has_its_words():
    errors = [NO_MEMORY, TYPE, STRUCTURE, WRONG_SIZE, ARRAYS, STRIDES, WORKSPACE]
    later, none = DESCRIBE_ERROR(-100), DESCRIBE_ERROR(0)
    texts = {DESCRIBE_ERROR(error) for error in errors}
    assert len(texts | {later, none}) == len(errors) + 2
    assert b"lda" in DESCRIBE_ERROR(STRIDES)
    assert none == DESCRIBE_ERROR(3) == b"no error"  # a number of singular matrices


def test_too_large_a_matrix():
    stack, x = wrong(order=(1 << 31) - 1)
    assert CALCULATE(stack) == WORKSPACE_BYTES(stack) == NO_MEMORY
    assert np.all(x == 7)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("m", [1, 3, 20, 100, 300])
def test_in_a_workspace_of_the_callers(m, threads):
    a = well_conditioned((7, m, m))
    x = np.empty_like(a)
    size = WORKSPACE_BYTES(describe("f8", a, threads=threads, inverse=x))
    memory = np.full(size + 2, 7, np.uint8)
    for start in (0, 1):
        stack = describe("f8", a, threads=threads, inverse=x, workspace=memory[start : start + size])
        assert CALCULATE(stack) == 0
        np.testing.assert_array_equal(x, stackinv.inv(a))
        assert np.all(memory[start + size :] == 7)
        memory[:] = 7


def test_threads_as_python_has_them():
    """More than one, if that is Python's default: nothing else can be told from outside than that it is right."""
    a = well_conditioned((20_000, 4, 4))
    x = np.empty_like(a)
    assert CALCULATE(describe("f8", a, threads=-1, inverse=x)) == 0
    np.testing.assert_array_equal(x, stackinv.inv(a))


def test_without_the_lock():
    """While ctypes has given it back, many threads at once."""
    a = [well_conditioned((300, m, m), seed=m) for m in (3, 8, 30)]
    expected = [stackinv.inv(one) for one in a]

    def call(k):
        x = np.empty_like(a[k % 3])
        return CALCULATE(describe("f8", a[k % 3], threads=k % 4, inverse=x)), np.array_equal(x, expected[k % 3])

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(call, range(60))) == {(0, True)}


def build(tmp_path, source, *options):
    """An extension module of C."""
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "").split()
    if os.name == "nt" or not compiler or not shutil.which(compiler[0]):
        pytest.skip("no C compiler")
    target = tmp_path / (source.stem + sysconfig.get_config_var("EXT_SUFFIX"))
    shared = ["-shared"] if sys.platform != "darwin" else ["-bundle", "-undefined", "dynamic_lookup"]
    include = [f"-I{sysconfig.get_path('include')}", *options]
    subprocess.run([*compiler, "-O2", *shared, "-fPIC", *include, source, "-o", target], check=True)


def test_the_example_in_cython(tmp_path):
    pytest.importorskip("Cython")
    c = tmp_path / "filter_bank.c"
    subprocess.run(
        [sys.executable, "-m", "cython", "-3", "-Werror", EXAMPLES / "filter_bank.pyx", "-o", c],
        cwd=tmp_path,
        check=True,
    )
    build(tmp_path, c)
    code = (EXAMPLES / "filter_bank_use.py").read_text()
    assert "equal to rounding" in run(code, cwd=tmp_path)


def test_the_example_in_c(tmp_path):
    build(tmp_path, EXAMPLES / "log_densities.c", f"-I{stackinv.get_include()}", f"-I{np.get_include()}", "-Werror")
    code = (EXAMPLES / "log_densities_use.py").read_text()
    assert "equal to rounding" in run(code, cwd=tmp_path)


def test_the_header_is_c_and_cpp(tmp_path):
    compilers = [name for name in ("cc", "c++") if shutil.which(name)]
    if not compilers:
        pytest.skip("no C compiler")
    for compiler in compilers:
        source = tmp_path / ("header.c" if compiler == "cc" else "header.cpp")
        source.write_text(
            "#include <Python.h>\n#include <stackinv/stackinv.h>\nint main(void) { return !stackinv_import(); }\n"
        )
        include = [f"-I{sysconfig.get_path('include')}", f"-I{stackinv.get_include()}"]
        subprocess.run([compiler, "-Wall", "-Wextra", "-Werror", "-fsyntax-only", *include, source], check=True)
