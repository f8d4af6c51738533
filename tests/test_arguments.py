"""Arguments: what is refused, with which words, and what out= and dtype= do."""

import re

import numpy as np
import pytest
from conftest import NATIVE, assert_inverses, well_conditioned

import stackinv

A = well_conditioned((2, 3, 3))
READ_ONLY = np.zeros((2, 3, 3))
READ_ONLY.flags.writeable = False
LINALG, TYPE, VALUE = np.linalg.LinAlgError, TypeError, ValueError

# What was given, the error's type, its text. These are NumPy's own.
BAD_INPUT = [
    (3, LINALG, "0-dimensional array given. Array must be at least two-dimensional"),
    (None, LINALG, "0-dimensional array given. Array must be at least two-dimensional"),
    ({}, LINALG, "0-dimensional array given. Array must be at least two-dimensional"),
    ("x", LINALG, "0-dimensional array given. Array must be at least two-dimensional"),
    ([], LINALG, "1-dimensional array given. Array must be at least two-dimensional"),
    ([1, 2], LINALG, "1-dimensional array given. Array must be at least two-dimensional"),
    (np.zeros((2, 3)), LINALG, "Last 2 dimensions of the array must be square"),
    (np.zeros((4, 2, 3)), LINALG, "Last 2 dimensions of the array must be square"),
    (np.zeros((0, 2, 3)), LINALG, "Last 2 dimensions of the array must be square"),
    (np.zeros((2, 0)), LINALG, "Last 2 dimensions of the array must be square"),
    (np.zeros((2, 3), np.float16), LINALG, "Last 2 dimensions of the array must be square"),
    (np.eye(2, dtype=np.float16), TYPE, "array type float16 is unsupported in linalg"),
    (np.eye(2, dtype=np.longdouble), TYPE, f"array type {np.dtype(np.longdouble).name} is unsupported in linalg"),
    (np.eye(2, dtype=np.clongdouble), TYPE, f"array type {np.dtype(np.clongdouble).name} is unsupported in linalg"),
    (np.zeros((0, 3, 3), np.float16), TYPE, "array type float16 is unsupported in linalg"),
    *[
        (
            a,
            TYPE,
            f"Cannot cast ufunc 'inv' input from {a.dtype!r} to dtype('float64') with casting rule 'same_kind'",
        )
        for a in (
            np.eye(2, dtype=object),
            np.zeros((0, 0), object),
            np.array([["a", "b"], ["c", "d"]]),
            np.array([[b"a"]]),
            np.zeros((2, 2), np.dtypes.StringDType()),
            np.zeros((2, 2), "m8[s]"),
            np.zeros((2, 2), "M8[s]"),
            np.zeros((2, 2), "V3"),
            np.zeros((2, 2), [("x", float)]),
        )
    ],
    (np.zeros((2, 2)), LINALG, "Singular matrix"),
    (np.ones((3, 3), int), LINALG, "Singular matrix"),
    (np.zeros((2, 2), bool), LINALG, "Singular matrix"),
    ([[1, 2], [3]], VALUE, None),
]


@pytest.mark.parametrize(("a", "error", "text"), BAD_INPUT, ids=lambda value: re.sub(r"\s+", " ", repr(value))[:40])
@pytest.mark.parametrize("function", [stackinv.inv, stackinv.inv_ex])
def test_bad_input_is_numpys_error(function, a, error, text):
    with pytest.raises(Exception) as numpys:  # noqa: PT011
        np.linalg.inv(a)
    assert isinstance(numpys.value, error)
    if text == "Singular matrix" and function is stackinv.inv_ex:
        assert function(a).info > 0
        return
    with pytest.raises(error) as ours:
        function(a)
    assert str(ours.value) == str(numpys.value)
    assert text is None or str(ours.value) == text


# Keywords of our own: what was given, the error's type, its text.
BAD_KEYWORDS = [
    ({"out": [[1.0]]}, TYPE, "out must be a numpy.ndarray, not list"),
    ({"out": np.zeros((3, 3))}, VALUE, "out has shape (3, 3), expected (2, 3, 3)"),
    ({"out": np.zeros((2, 3, 4))}, VALUE, "out has shape (2, 3, 4), expected (2, 3, 3)"),
    ({"out": np.zeros((1, 2, 3, 3))}, VALUE, "out has shape (1, 2, 3, 3), expected (2, 3, 3)"),
    ({"out": READ_ONLY}, VALUE, "output array is read-only"),
    (
        {"out": np.zeros((2, 3, 3), int)},
        TYPE,
        f"Cannot cast ufunc 'inv' output from dtype('float64') to {np.dtype(int)!r} with casting rule 'same_kind'",
    ),
    (
        {"out": np.zeros((2, 3, 3)), "dtype": complex},
        TYPE,
        "Cannot cast ufunc 'inv' output from dtype('complex128') to dtype('float64') with casting rule 'same_kind'",
    ),
    ({"dtype": int}, TYPE, "dtype must be float32, float64, complex64 or complex128, not int64"),
    ({"dtype": np.float16}, TYPE, "dtype must be float32, float64, complex64 or complex128, not float16"),
    ({"dtype": "no such type"}, TYPE, None),
    (
        {"assume_a": "positive"},
        VALUE,
        (
            "assume_a must be one of 'gen', 'pos', 'sym', 'her', 'upper triangular', 'lower triangular', 'diagonal', "
            "not 'positive'"
        ),
    ),
    ({"assume_a": None}, VALUE, None),
    ({"assume_a": ["gen"]}, VALUE, None),
    ({"on_singular": "ignore"}, VALUE, "on_singular must be 'raise' or 'nan', not 'ignore'"),
    ({"workers": 0}, VALUE, "workers must not be zero"),
    ({"workers": -1000}, VALUE, None),
    ({"workers": 1.5}, TYPE, "workers must be an integer or None, not float"),
    ({"workers": "2"}, TYPE, "workers must be an integer or None, not str"),
    ({"callback": 3}, TYPE, "callback must be callable, not int"),
    ({"nonsense": 3}, TYPE, None),
]


@pytest.mark.parametrize(("keywords", "error", "text"), BAD_KEYWORDS, ids=lambda value: repr(value)[:40])
def test_bad_keywords_are_refused_before_any_work(keywords, error, text):
    out = np.full((2, 3, 3), 7.0)
    with pytest.raises(error) as raised:
        stackinv.inv(A, **{"out": out, **keywords})
    assert text is None or str(raised.value) == text
    assert np.all(out == 7)


def test_complex_to_real_is_refused():
    with pytest.raises(TypeError, match=r"input from dtype\('complex128'\) to dtype\('float64'\)"):
        stackinv.inv(A + 0j, dtype=float)


def test_a_class_of_lazy_arrays_is_no_lazy_array():
    class Lazy:
        def __dask_graph__(self):
            pytest.fail("asked")

    with pytest.raises(np.linalg.LinAlgError, match="0-dimensional array given"):
        stackinv.inv(Lazy)


@pytest.mark.parametrize("given", ["?", "i4", "u8", "f2", "f4", "f8", "c8", "c16", ">f8", "g"])
@pytest.mark.parametrize("calculation", NATIVE)
def test_dtype_is_the_type_of_calculation_and_result(given, calculation):
    a = well_conditioned((4, 3, 3), given)
    if a.dtype.kind == "c" and np.dtype(calculation).kind != "c":
        with pytest.raises(TypeError, match="Cannot cast ufunc 'inv' input"):
            stackinv.inv(a, dtype=calculation)
        return
    result = stackinv.inv(a, dtype=calculation)
    assert result.dtype == np.dtype(calculation)
    wide = np.complex128 if np.dtype(calculation).kind == "c" else np.float64
    np.testing.assert_allclose(result, np.linalg.inv(a.astype(wide)), rtol=1e-3, atol=1e-4)


def test_dtype_of_other_byte_order_is_the_native_one():
    assert stackinv.inv(A, dtype=">f4").dtype == np.float32


@pytest.mark.parametrize("given", ["i4", "f4", "f8", ">f8", "c8", "c16"])
@pytest.mark.parametrize("into", ["f2", "f4", "f8", ">f4", ">f8", "g", "c8", "c16", ">c16", "G"])
def test_out_takes_any_type_of_its_kind(given, into):
    a = well_conditioned((5, 4, 4), given)
    out = np.zeros(a.shape, into)
    if a.dtype.kind == "c" and out.dtype.kind != "c":
        with pytest.raises(TypeError, match="Cannot cast ufunc 'inv' output"):
            stackinv.inv(a, out=out)
        assert np.all(out == 0)
        return
    assert stackinv.inv(a, out=out) is out
    tolerance = 5e-3 if into == "f2" else 1e-4 if into[-2:] in ("f4", "c8") else 1e-9
    wide = np.complex128 if a.dtype.kind == "c" else np.float64
    np.testing.assert_allclose(out, np.linalg.inv(a.astype(wide)), rtol=tolerance, atol=tolerance)


def test_integers_keep_their_digits_on_the_way_to_a_narrow_out():
    a = np.array([[[2**24 + 1, 1], [0, 1]]])
    out = np.zeros(a.shape, np.float32)
    stackinv.inv(a, out=out)
    np.testing.assert_array_equal(out, np.linalg.inv(a).astype(np.float32))


@pytest.mark.parametrize("dtype", NATIVE)
@pytest.mark.parametrize("m", [1, 4, 9, 40])
def test_in_place(dtype, m):
    a = well_conditioned((7, m, m), dtype)
    expected = np.linalg.inv(a)
    assert stackinv.inv(a, out=a) is a
    assert_inverses(a, a, expected)


def test_in_place_through_another_view():
    a = well_conditioned((7, 4, 4))
    expected = np.linalg.inv(a)
    stackinv.inv(a, out=a[...])
    assert_inverses(a, a, expected)
    integers = well_conditioned((7, 4, 4), "i8")
    expected = np.linalg.inv(integers)
    assert_inverses(stackinv.inv(integers, out=integers.view("f8")), integers, expected)


@pytest.mark.parametrize(
    "out_of",
    [
        lambda a: a[::-1],
        lambda a: a.swapaxes(-1, -2),
        lambda a: a[:, ::-1],
        lambda a: a.swapaxes(0, 1),
    ],
)
def test_out_overlaps_in_another_order(out_of):
    a = well_conditioned((6, 6, 6, 6))
    expected = np.linalg.inv(a)
    out = out_of(a)
    assert_inverses(stackinv.inv(a, out=out), a, expected)


def test_in_place_where_matrices_share_memory():
    for dtype in ("f8", ">f8"):
        one = np.array([[2.0, 0], [0, 4]], dtype)
        twice = np.lib.stride_tricks.as_strided(one, (2, 2, 2), (0, 16, 8))
        stackinv.inv(twice, out=twice)
        assert one.tolist() == [[0.5, 0], [0, 0.25]]


def test_callback_sees_the_users_floating_point_settings():
    seen = []
    with np.errstate(divide="print"):
        for a in (10 * np.eye(3, dtype=int)[None], np.eye(3)[None]):
            stackinv.inv(a, callback=lambda done, total: seen.append(np.geterr()["divide"]))
    assert seen == ["print", "print"]


def test_out_interleaved_with_a():
    both = np.zeros((6, 4, 8))
    both[..., ::2] = well_conditioned((6, 4, 4))
    expected = np.linalg.inv(both[..., ::2])
    stackinv.inv(both[..., ::2], out=both[..., 1::2])
    assert_inverses(both[..., 1::2], both[..., ::2], expected)


def test_out_of_a_subclass_is_returned_as_it_is(tmp_path):
    mapped = np.lib.format.open_memmap(tmp_path / "out.npy", mode="w+", dtype="f8", shape=A.shape)
    assert stackinv.inv(A, out=mapped) is mapped
    mapped.flush()
    assert_inverses(np.load(tmp_path / "out.npy"), A)


def test_one_matrix_with_out():
    out = np.zeros((3, 3))
    assert stackinv.inv(A[0], out=out) is out
    assert_inverses(out, A[0])
    assert stackinv.inv_ex(A[0], out=out).inverse is out


def test_general_is_gen():
    assert_inverses(stackinv.inv(A, assume_a="general"), A)


@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16", "i8", "?", ">f8"])
@pytest.mark.parametrize(
    ("shape", "strides"), [((5, 2, 2), (0, 2, 1)), ((2, 3, 2, 2), (4, 0, 2, 1)), ((5, 2, 2), (1, 5, 1))]
)
def test_the_last_inverse_is_in_an_out_whose_matrices_share_memory(dtype, shape, strides):
    a = well_conditioned(shape, dtype)
    expected = stackinv.inv(a)
    memory = np.zeros(99, expected.dtype)
    out = np.lib.stride_tricks.as_strided(memory, shape, [memory.itemsize * step for step in strides])
    one_by_one = np.zeros_like(memory)
    goal = np.lib.stride_tricks.as_strided(one_by_one, shape, out.strides)
    for index in np.ndindex(shape[:-2]):
        goal[index] = expected[index]
    assert stackinv.inv(a, out=out) is out
    np.testing.assert_array_equal(memory, one_by_one)


@pytest.mark.parametrize(
    "a", [[[1, 2], [3, 4]], ((2, 0), (1, 1)), [[[1, 2], [3, 4]]] * 3, [[True, False], [True, True]]]
)
@pytest.mark.parametrize("dtype", [None, "i1", "u8", "f4", "c16"])
def test_small_stacks_of_whatever(a, dtype):
    a = a if dtype is None else np.array(a, dtype)
    expected = np.linalg.inv(a)
    result = stackinv.inv(a)
    assert (result.dtype, result.shape) == (expected.dtype, expected.shape)
    np.testing.assert_allclose(result, expected, rtol=1e-6)
    with pytest.raises(stackinv.SingularMatrixError):
        stackinv.inv(np.multiply(a, 0))
