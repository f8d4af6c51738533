"""stackinv.inv gives what numpy.linalg.inv gives: types, shapes, strides, subclasses, special values."""

import warnings

import numpy as np
import pytest
from conftest import INTEGERS, NATIVE, assert_inverses, well_conditioned

import stackinv

SHAPES = [(1, 1), (2, 2), (3, 3), (7, 7), (8, 8), (9, 9), (17, 17), (33, 33), (64, 64), (65, 65), (130, 130)]
STACKS = [(), (1,), (5,), (2, 3), (2, 1, 3), (1, 1, 1, 2), (40,)]


@pytest.mark.parametrize("dtype", NATIVE + INTEGERS)
@pytest.mark.parametrize("stack", STACKS)
def test_types_and_stacks(dtype, stack):
    a = well_conditioned((*stack, 4, 4), dtype)
    assert_inverses(stackinv.inv(a), a)


@pytest.mark.parametrize("dtype", NATIVE)
@pytest.mark.parametrize("shape", SHAPES)
def test_orders(dtype, shape):
    a = well_conditioned((3, *shape), dtype)
    assert_inverses(stackinv.inv(a), a)
    assert_inverses(stackinv.inv(a, workers=2), a)


@pytest.mark.parametrize("dtype", [*NATIVE, *INTEGERS])
def test_byte_order(dtype):
    a = well_conditioned((6, 5, 5), dtype)
    assert_inverses(stackinv.inv(a.astype(a.dtype.newbyteorder())), a)


def test_order_0_and_empty_stacks():
    for shape in [(0, 0), (2, 0, 0), (0, 3, 3), (0, 0, 0), (2, 0, 3, 3), (0, 2, 1, 1)]:
        for dtype in [*NATIVE, *INTEGERS]:
            a = np.empty(shape, dtype)
            assert_inverses(stackinv.inv(a), a)
            inverse, info, rcond = stackinv.inv_ex(a)
            assert inverse.shape == shape
            assert np.shape(info) == np.shape(rcond) == shape[:-2]
            assert np.all(info == 0)
            assert np.all(rcond == 1)


def _packed_field(a):
    records = np.zeros(a.shape, np.dtype([("flag", "i1"), ("value", a.dtype)]))
    records["value"] = a
    return records["value"]


def _read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


VIEWS = {
    "Fortran order": np.asfortranarray,
    "transposed": lambda a: np.ascontiguousarray(np.swapaxes(a, -1, -2)).swapaxes(-1, -2),
    "reversed rows": lambda a: np.ascontiguousarray(a[..., ::-1, :])[..., ::-1, :],
    "reversed columns": lambda a: np.ascontiguousarray(a[..., ::-1])[..., ::-1],
    "reversed stack": lambda a: np.ascontiguousarray(a[::-1])[::-1],
    "every second": lambda a: np.repeat(np.repeat(np.repeat(a, 2, 0), 2, -2), 2, -1)[::2, ..., ::2, ::2],
    "stack last": lambda a: np.ascontiguousarray(np.moveaxis(a, 0, -1)).transpose(3, 0, 1, 2),
    "matrix axes first": lambda a: np.ascontiguousarray(a.transpose(2, 3, 0, 1)).transpose(2, 3, 0, 1),
    "stack axes swapped": lambda a: np.ascontiguousarray(a.swapaxes(0, 1)).swapaxes(0, 1),
    "window of a larger one": lambda a: np.pad(a, [(1, 1), (0, 2), (2, 1), (1, 3)])[1:-1, :-2, 2:-1, 1:-3],
    "broadcast": lambda a: np.broadcast_to(a[:1, :1], a.shape),
    "one axis broadcast": lambda a: np.broadcast_to(a[:, :1], a.shape),
    "unaligned": lambda a: np.frombuffer(b"x" + a.tobytes(), np.uint8)[1:].view(a.dtype).reshape(a.shape),
    "field of a record": _packed_field,
    "read-only": _read_only,
}


@pytest.mark.parametrize("m", [1, 3, 8, 20])
@pytest.mark.parametrize("dtype", ["f8", "f4", "c16", "i4", ">f8"])
@pytest.mark.parametrize("view", VIEWS)
def test_strides(view, dtype, m):
    a = VIEWS[view](well_conditioned((4, 3, m, m), dtype))
    before = a.copy()
    assert_inverses(stackinv.inv(a), before)
    np.testing.assert_array_equal(a, before)


@pytest.mark.parametrize("view", VIEWS)
def test_strides_of_out(view):
    a = well_conditioned((4, 3, 5, 5))
    out = VIEWS[view](np.zeros_like(a)) if view not in ("broadcast", "one axis broadcast") else np.zeros_like(a)
    if not out.flags.writeable:
        out = out.copy()
    assert stackinv.inv(a, out=out) is out
    assert_inverses(out, a)


def test_memory_mapped(tmp_path):
    a = well_conditioned((20, 6, 6))
    np.save(tmp_path / "a.npy", a)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert_inverses(stackinv.inv(mapped), a, np.linalg.inv(mapped))


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_subclasses():
    a = well_conditioned((4, 4))
    assert_inverses(stackinv.inv(np.matrix(a)), a, np.linalg.inv(np.matrix(a)))
    masked = np.ma.array(well_conditioned((3, 4, 4)), mask=False)
    assert_inverses(stackinv.inv(masked), masked.data, np.linalg.inv(masked))

    class Wrapped(np.ndarray):
        def __array_wrap__(self, array, context=None, return_scalar=False):
            result = array.view(Wrapped)
            result.note = "wrapped"
            return result

    result = stackinv.inv(a.view(Wrapped))
    assert isinstance(result, Wrapped)
    assert result.note == "wrapped"
    plain = np.zeros((4, 4))
    assert stackinv.inv(a.view(Wrapped), out=plain) is plain


def test_array_likes():
    class Convertible:
        def __array__(self, dtype=None, copy=None):
            return np.array([[2.0, 1.0], [1.0, 1.0]])

    for a in ([[2, 1], [1, 1]], ((2.0, 1.0), (1.0, 1.0)), [[[True, False], [True, True]]], Convertible()):
        assert_inverses(stackinv.inv(a), a)


@pytest.mark.parametrize("dtype", NATIVE)
def test_zeros_are_positive_as_numpys(dtype):
    for a in (np.eye(3), np.diag([2, 4, 5]), np.tri(3), np.tri(3).T):
        result = stackinv.inv(a.astype(dtype))
        np.testing.assert_array_equal(np.signbit(result.real), np.signbit(np.linalg.inv(a.astype(dtype)).real))


def test_examples_of_numpys_reference_page():
    a = np.array([[1.0, 2.0], [3.0, 4.0]])
    ainv = stackinv.inv(a)
    assert np.allclose(a @ ainv, np.eye(2))
    assert np.allclose(ainv @ a, np.eye(2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        assert str(stackinv.inv(np.matrix(a))) == "[[-2.   1. ]\n [ 1.5 -0.5]]"
        assert isinstance(stackinv.inv(np.matrix(a)), np.matrix)
    stack = np.array([[[1.0, 2.0], [3.0, 4.0]], [[1, 3], [3, 5]]])
    np.testing.assert_allclose(
        stackinv.inv(stack), [[[-2.0, 1.0], [1.5, -0.5]], [[-1.25, 0.75], [0.75, -0.25]]], rtol=1e-13
    )
    near = np.array([[2, 4, 6], [2, 0, 2], [6, 8, 14]])
    assert stackinv.inv(near).shape == (3, 3)  # no error is raised
    assert stackinv.inv_ex(near).rcond < 1e-15


@pytest.mark.parametrize("dtype", NATIVE)
@pytest.mark.parametrize("m", [2, 5, 40])
def test_nan_and_inf_stay_in_their_matrix(dtype, m):
    a = well_conditioned((9, m, m), dtype)
    expected = np.linalg.inv(a)
    a[2, 0, 0], a[4, m - 1, 1], a[6] = np.nan, np.inf, np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = stackinv.inv(a, on_singular="nan", workers=2)
    others = [0, 1, 3, 5, 7, 8]
    assert_inverses(result[others], a[others], expected[others])
    assert np.isnan(result[2]).any()
    assert np.isnan(result[6]).all()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_no_warning_and_no_flushing_at_the_ends_of_the_range(dtype):
    info = np.finfo(dtype)
    diagonal = np.array([info.smallest_normal / 2, info.max / 2, 1])
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        result = stackinv.inv(np.diag(diagonal).astype(dtype))
        tiny = stackinv.inv(np.diag([info.smallest_subnormal, 1]).astype(dtype))
    assert result.dtype == dtype
    assert result[1, 1] != 0
    assert tiny[1, 1] == 1
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(result, np.linalg.inv(np.diag(diagonal).astype(dtype)))


def test_float32_is_calculated_in_double_unless_told_otherwise():
    a = (np.vander(np.linspace(0.1, 1, 6)) + 0j).astype("c8").real.copy()
    reference = np.linalg.inv(a.astype("f8"))
    scale = np.abs(reference).max()
    by_default, single = stackinv.inv(a), stackinv.inv(a, dtype=np.float32)
    assert by_default.dtype == single.dtype == np.float32
    assert np.abs(by_default - reference).max() < 2e-7 * scale
    assert np.abs(single - reference).max() > 2e-7 * scale
