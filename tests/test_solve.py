# SPDX-License-Identifier: BSD-3-Clause
"""`solve`: NumPy's contract, small residuals on hard matrices, the same bits wherever a system is."""

from itertools import product

import numpy as np
import pytest
from accuracy import DOUBLE_ONLY, draw, norm, scale, times_minus, wide
from conftest import BUILDS, INTEGERS, NATIVE, STRUCTURES, hide_unread, structured, well_conditioned
from test_accuracy import SOME
from test_parity import VIEWS

import stackinv
from stackinv import _engines, _native

ORDERS = {
    "lanes": [*range(1, 36), 47, 48, 49, *range(63, 68)],
    "blocked": [*range(1, 27), *range(31, 35), 47, 48, 49, 63, 64, 65, 66, 95, 96, 97, 127, 128, 129, 193],
    "lapack": [1, 2, 3, 10, 40, 100],
}
UFUNC, UFUNC_OF_VECTORS = np.linalg._umath_linalg.solve, np.linalg._umath_linalg.solve1


def right_sides(shape, dtype="f8"):
    rng = np.random.default_rng([7, *shape])
    b = rng.standard_normal(shape)
    b = (
        b + 1j * rng.standard_normal(shape)
        if np.dtype(dtype).kind == "c"
        else b * (5 if np.dtype(dtype).kind in "iu" else 1)
    )
    return (np.abs(b) if np.dtype(dtype).kind == "u" else b).astype(dtype)


def matrices(shape, structure, dtype="f8"):
    return well_conditioned(shape, dtype) if structure == "gen" else structured(shape, structure, dtype)


def assert_solutions(actual, a, b, tolerance=None):
    """`actual` has NumPy's type, shape and, to rounding, values."""
    expected = np.linalg.solve(a, b)
    assert type(actual) is type(expected)
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    tolerance = tolerance or (1e-4 if actual.dtype.char in "fF" else 1e-10)
    actual, expected = np.asarray(actual), np.asarray(expected)
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * np.max(np.abs(expected), initial=0))


@pytest.mark.parametrize("dtype", NATIVE)
@pytest.mark.parametrize("structure", ["gen", *STRUCTURES])
def test_every_order(structure, dtype, any_engine):
    """Against NumPy; what is not read does not matter; the same bits wherever a system is, and beside other columns."""
    for m in ORDERS[any_engine]:
        n = 33 if any_engine == "lanes" and m < 36 else 3
        a = matrices((n, m, m), structure, dtype)
        given = a if structure == "gen" else hide_unread(a, structure)
        keywords = {"assume_a": structure, "dtype": dtype}
        for k in {1, 30 if m in (7, 33, 65, 129) else 2 + m % 5}:
            b = right_sides((n, m, k), dtype)
            x = stackinv.solve(given, b, **keywords)
            assert_solutions(x, a, b, 2e-3 if dtype in ("f4", "c8") else None)
            if any_engine == "lapack":  # whose kernels depend on how many columns there are
                continue
            for count in {1, n // 2, n - 1}:
                np.testing.assert_array_equal(stackinv.solve(given[:count], b[:count], **keywords), x[:count])
            np.testing.assert_array_equal(stackinv.solve(given[::-1], b[::-1], **keywords), x[::-1])
            np.testing.assert_array_equal(stackinv.solve(given, b[:, :, :1], **keywords), x[:, :, :1])


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("structure", ["gen", "pos", "lower triangular", "diagonal"])
def test_strides(view, structure, any_engine):
    """Of the matrices, of the right-hand sides, of `out`, each as every view has it."""
    for dtype, m, k in product(("f8", "c8"), (3, 9, 70), (1, 6)):
        a, b = matrices((4, 3, m, m), structure, dtype), right_sides((4, 3, m, k), dtype)
        tolerance = 1e-5 if dtype == "c8" else None
        turned = VIEWS[view](a)
        if structure == "gen" or VIEWS[view](np.tri(m)[None, None])[0, 0, -1, 0] == 1:  # the structure is what it was
            assert_solutions(stackinv.solve(turned, b, assume_a=structure), turned, b, tolerance)
        square = (4, 3, max(m, k), max(m, k))
        right = VIEWS[view](right_sides(square, dtype))[..., :m, :k]
        assert_solutions(stackinv.solve(a, right, assume_a=structure), a, right, tolerance)
        expected = stackinv.solve(a, b, assume_a=structure)
        out = VIEWS[view](np.zeros(square, dtype))[..., :m, :k]
        if out.shape == b.shape and out.flags.writeable:
            assert stackinv.solve(a, b, assume_a=structure, out=out) is out
            np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("across", [False, True])
def test_vectors_side_by_side(across, any_engine):
    """Stacks of shape (M, M, n) and (M, n), whose neighbours share cache lines."""
    for dtype, m, k in product(NATIVE, (1, 2, 3, 5, 8, 20, 40), (1, 2, 4)):
        a, b = well_conditioned((50, m, m), dtype), right_sides((50, m, k), dtype)
        expected = stackinv.solve(a, b)
        first, right = (np.ascontiguousarray(np.moveaxis(z, 0, -1)) for z in (a, b))
        out = np.empty_like(right if across else b)
        goal = (0, 1) if across else (1, 2)
        assert stackinv.solve(first, right, out=out, axes=[(0, 1), (0, 1), goal]) is out
        out = np.moveaxis(out, -1, 0) if across else out
        if any_engine == "lapack":
            assert_solutions(out, a, b)
        else:
            np.testing.assert_array_equal(out, expected)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("dtype", [*INTEGERS, *NATIVE, ">f8", ">f4", ">c16"])
def test_types_and_shapes(dtype):
    shapes = [
        ((3, 3), (3,)),
        ((3, 3), (3, 2)),
        ((7, 3, 3), (3,)),
        ((7, 3, 3), (3, 4)),
        ((3, 3), (7, 3, 4)),
        ((5, 1, 3, 3), (4, 3, 2)),
        ((1, 9, 20, 20), (2, 1, 20, 1)),
        ((5, 0, 3, 3), (3,)),
        ((0, 3, 3), (3, 2)),
        ((0, 0), (0,)),
        ((4, 0, 0), (0, 3)),
        ((3, 3), (3, 0)),
        ((1, 1), (1,)),
    ]
    for (a_shape, b_shape), other in product(shapes, [dtype, "f8", "f4", "c8", "i2"]):
        a, b = well_conditioned(a_shape, dtype), right_sides(b_shape, other)
        assert_solutions(stackinv.solve(a, b), a, b, 1e-5 if "f4" in (dtype, other) or "c8" in (dtype, other) else None)
    assert stackinv.solve([[1, 2], [3, 4]], [5, 6]) == pytest.approx([-4, 4.5])
    matrix = np.matrix([[1.0, 2], [3, 5]])
    for a, b in product((matrix, np.asarray(matrix)), (np.matrix([[1.0], [2]]), np.ones((2, 1)))):
        assert_solutions(stackinv.solve(a, b), a, b)


def test_calculation_in_single_precision(any_engine):
    a, b = well_conditioned((40, 9, 9)), right_sides((40, 9, 2))
    x = stackinv.solve(a, b, dtype="f4")
    assert x.dtype == np.float32
    error = np.abs(x - np.linalg.solve(a, b)).max()
    assert 1e-9 < error < 1e-4
    x = stackinv.solve(a, b, dtype="c16")
    assert x.dtype == np.complex128
    assert_solutions(x.real.copy(), a, b)


def test_unaligned_and_of_other_byte_order(any_engine):
    a, b = well_conditioned((40, 9, 9)), right_sides((40, 9, 3))

    def unaligned(x):
        room = np.empty(x.nbytes + 1, np.uint8)
        y = room[1:].view(x.dtype).reshape(x.shape)
        y[...] = x
        return y

    expected = stackinv.solve(a, b)
    for change in (unaligned, lambda x: x.astype(">f8")):
        for which in product((False, True), repeat=3):
            given, right, out = (
                change(z) if changed else z for z, changed in zip((a, b, np.empty_like(b)), which, strict=True)
            )
            assert stackinv.solve(given, right, out=out) is out
            assert_solutions(np.ascontiguousarray(out.astype("f8")), a, b)
            assert_solutions(stackinv.solve(given, right), a, b)
    np.testing.assert_array_equal(stackinv.solve(a, b), expected)


def test_out_may_be_or_overlap_what_is_given(any_engine):
    for m in (3, 20, 70):
        a, b = well_conditioned((12, m, m)), right_sides((12, m, m))
        expected = stackinv.solve(a, b)
        for overlap in ("b", "a", "shifted b", "shifted a", "columns of a", "b turned", "both"):
            given, right = a.copy(), b.copy()
            truth = expected
            if overlap == "b":
                out = right
            elif overlap == "a":
                out = given
            elif overlap == "shifted b":
                room = np.concatenate([b, b[:1]])
                right, out = room[:-1], room[1:]
            elif overlap == "shifted a":
                room = np.concatenate([a, a[:1]])
                given, out = room[:-1], room[1:]
            elif overlap == "columns of a":
                right, out, truth = right[..., :2].copy(), given[..., 1:3], stackinv.solve(a, b[..., :2].copy())
            elif overlap == "b turned":
                out = right.swapaxes(1, 2)
            else:
                out, right = given, given
                truth = stackinv.solve(a, a)
            assert stackinv.solve(given, right, out=out) is out
            np.testing.assert_allclose(out, truth, rtol=1e-9, atol=1e-9)
    a, b = well_conditioned((3, 3)), right_sides((3,))
    assert stackinv.solve(a, b, out=b) is b
    assert_solutions(b, a, right_sides((3,)))


def test_wrong_out():
    a, b = well_conditioned((5, 3, 3)), right_sides((5, 3, 2))
    for right, shape in ((b, (5, 3)), (b, (3, 2)), (b[0, :, 0], (5, 3, 1)), (b[0, :, 0], (3,))):
        with pytest.raises(ValueError, match=r"out has shape .*, expected \(5, 3"):
            stackinv.solve(a, right, out=np.empty(shape))
    with pytest.raises(TypeError, match="Cannot cast ufunc 'solve' output"):
        stackinv.solve(a, b + 1j, out=np.empty(b.shape))
    with pytest.raises(TypeError, match=r"must be a numpy\.ndarray"):
        stackinv.solve(a, b, out=[1])
    out = np.empty(b.shape)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        stackinv.solve(a, b, out=out)


def test_numpys_errors():
    one, three = np.ones(1), np.eye(3)
    cases = [
        (1.0, one),
        (one, one),
        (np.ones((2, 3)), one),
        (three, 1.0),
        (three, np.ones(2)),
        (three, np.ones((2, 3))),
        (three, np.ones((3, 2, 3))),
        (np.ones((4, 3, 3)), np.ones((5, 3, 1))),
        (three.astype("f2"), one),
        (three, np.ones(3, "f2")),
        (three.astype(np.longdouble), np.ones(3)),
        (three, np.ones(3, object)),
        ("ab", one),
    ]
    for a, b in cases:
        with pytest.raises(Exception) as expected:  # noqa: PT011
            np.linalg.solve(a, b)
        kind = (
            TypeError
            if "ufunc" in str(expected.value) and isinstance(expected.value, TypeError)
            else type(expected.value)
        )
        with pytest.raises(kind) as error:
            stackinv.solve(a, b)
        if kind is ValueError:
            assert str(error.value) == str(expected.value)
    for keywords, kind in (
        ({"assume_a": "nothing"}, ValueError),
        ({"engine": "mkl"}, ValueError),
        ({"workers": 0}, ValueError),
        ({"callback": 3}, TypeError),
        ({"dtype": "f2"}, TypeError),
        ({"on_singular": "no"}, ValueError),
    ):
        with pytest.raises(kind):
            stackinv.solve(three, np.ones(3), **keywords)
    for number, (a, b) in enumerate(((three + 0j, np.ones(3)), (three, np.ones(3) + 0j))):
        with pytest.raises(TypeError, match=f"Cannot cast ufunc 'solve1' input {number}"):
            stackinv.solve(a, b, dtype="f8")
    with pytest.raises(TypeError):
        stackinv.solve(three, np.ones(3), "gen")


@pytest.mark.parametrize("structure", ["gen", *STRUCTURES])
@pytest.mark.parametrize("dtype", NATIVE)
def test_singular(structure, dtype, any_engine):
    for m in (1, 2, 3, 9, 20, 70):
        a, b = matrices((12, m, m), structure, dtype), right_sides((12, m, 3), dtype)
        a[::3, :, m // 2] = a[::3, m // 2, :] = 0
        regular = np.arange(12) % 3 != 0
        for right in (b, b[0, :, 0]):
            x = stackinv.solve(a, right, assume_a=structure, on_singular="nan")
            assert np.all(np.isnan(x[::3]))
            expected = stackinv.solve(a[regular], right[regular] if right is b else right, assume_a=structure)
            np.testing.assert_allclose(x[regular], expected, rtol=1e-5)
            out = np.zeros(x.shape, dtype)
            with pytest.raises(stackinv.SingularMatrixError) as error:
                stackinv.solve(a, right, assume_a=structure, out=out)
            np.testing.assert_array_equal(error.value.indices[0], [0, 3, 6, 9])
            np.testing.assert_array_equal(out, x)
            if structure == "pos":
                assert error.value.minor == m // 2 + 1
        with pytest.raises(stackinv.SingularMatrixError):
            stackinv.solve(a[0], b[0, :, 0], assume_a=structure)
        with pytest.raises(stackinv.SingularMatrixError):
            stackinv.solve(a, b[..., :0], assume_a=structure)


def test_the_same_matrices_are_singular_as_for_inv():
    """Which are NumPy's: test_singular.py."""
    rng = np.random.default_rng(0)
    for m in range(1, 8):
        a = rng.integers(-2, 3, (2000, m, m)).astype(float)
        found = np.isnan(stackinv.solve(a, np.ones(m), on_singular="nan")).any(-1)
        np.testing.assert_array_equal(found, stackinv.inv_ex(a).info != 0)


@pytest.mark.parametrize("dtype", NATIVE)
def test_nan_and_infinities_stay_in_their_system(dtype, any_engine):
    for m in (1, 2, 4, 9, 33, 70):
        a, b = well_conditioned((9, m, m), dtype), right_sides((9, m, 5), dtype)
        expected = stackinv.solve(a, b)
        others = np.arange(9) != 4
        for value in (np.nan, np.inf, -np.inf):
            bad = a.copy()
            bad[4, m // 2, 0] = value
            with np.errstate(all="ignore"):
                np.testing.assert_array_equal(stackinv.solve(bad, b)[others], expected[others])
            bad = b.copy()
            bad[4, m // 2, 3] = value
            with np.errstate(all="ignore"):
                x = stackinv.solve(a, bad)
            np.testing.assert_array_equal(x[others], expected[others])
            np.testing.assert_array_equal(x[4, :, :3], expected[4, :, :3])
            assert not np.isfinite(x[4, :, 3]).all()


@pytest.mark.parametrize("dtype", NATIVE)
def test_small_integers_come_out_exactly(dtype, engine):
    """Permuted and scaled by integers: numbers are divided by the pivots, not multiplied by their reciprocals."""
    rng = np.random.default_rng(0)
    for m in (1, 2, 3, 5, 8, 16, 17, 40, 100):
        order = np.array([rng.permutation(m) for _ in range(20)])
        factors = rng.integers(1, 100, (20, m))
        x = rng.integers(-99, 100, (20, m, 3)).astype(dtype)
        a = (np.eye(m)[order] * factors[:, None]).astype(dtype)
        tolerance = 4 * np.finfo(dtype).eps if np.dtype(dtype).kind == "c" else 0
        np.testing.assert_allclose(stackinv.solve(a, a @ x, dtype=dtype), x, rtol=tolerance, atol=0)


@pytest.mark.parametrize("structure", ["gen", "sym", "upper triangular", "lower triangular", "diagonal"])
@pytest.mark.parametrize("dtype", NATIVE)
def test_tiny_pivots(structure, dtype, engine):
    """Whose reciprocals are infinite."""
    tiny = np.finfo(dtype).smallest_subnormal * 2.0**5
    for m in (1, 2, 5, 9, 20, 70):
        x = right_sides((9, m, 2), dtype).round(1) * 0 + np.arange(1, m + 1)[:, None]
        a = np.broadcast_to(np.eye(m, dtype=dtype) * tiny, (9, m, m))
        np.testing.assert_allclose(stackinv.solve(a, x * tiny, assume_a=structure, dtype=dtype), x, rtol=1e-5)


def residuals(a, x, b):
    """The norms of A X - B over (M + 1) eps |A| |X|, for each system."""
    eps, m = np.finfo(a.dtype).eps, a.shape[1]
    a, x, b = wide(a), wide(x), wide(b)
    size = scale(a)
    a, x = a * size, x / size
    return norm(times_minus(a, x, b)).astype(float) / ((m + 1) * eps * norm(a) * norm(x))


@pytest.mark.parametrize(("structure", "name"), SOME)
def test_residuals_of_hard_matrices(structure, name, request, lapack_engine):
    """At most (M + 1) eps |A| |X| by every engine and instruction set, and level with LAPACK's."""
    seed, worst = request.config.getoption("--seed"), {}
    for dtype, orders in (
        ("f8", (1, 2, 3, 5, 9, 16, 24, 33, 70, 130)),
        ("c16", (2, 9, 24, 70)),
        ("f4", (3, 9, 33, 100)),
    ):
        if dtype == "f4" and any(word in name for word in DOUBLE_ONLY):
            continue
        for m in orders:
            a = draw(structure, name, m, dtype, seed)
            for k in (1, 5):
                b = right_sides((len(a), m, k), dtype)
                _engines.use_engine("lapack")
                _engines.use_build(BUILDS[0])
                theirs = np.median(residuals(a, stackinv.solve(a, b, assume_a=structure, dtype=dtype), b))
                for engine, build in product(("lanes", "blocked"), BUILDS):
                    if engine == "lanes" and m > 70:
                        continue
                    _engines.use_engine(engine)
                    _engines.use_build(build)
                    found = residuals(a, stackinv.solve(a, b, assume_a=structure, dtype=dtype), b)
                    assert np.all(found <= 1), (engine, build, dtype, m, found)
                    worst.setdefault((engine, build), []).append(
                        np.log(np.maximum(np.median(found), 0.02) / max(theirs, 0.02))
                    )
    for key, ratios in worst.items():
        assert np.exp(np.mean(ratios)) < 2, (key, np.exp(ratios))


def test_a_worse_method_is_found_out(request):
    """The inverse times B: its residual grows with the condition."""
    for m in (9, 33, 70):
        a = draw("gen", "condition 1e14", m, "f8", request.config.getoption("--seed"))
        b = a @ right_sides((len(a), m, 1))
        assert np.median(residuals(a, np.linalg.inv(a) @ b, b)) > 1


AXES = [
    [(-2, -1), (-2, -1), (-2, -1)],
    [(0, 1), (0, 1), (0, 1)],
    [(1, 0), (-1, 0), (2, 1)],
    [(0, 2), (1, 2), (0, -1)],
    [(0, 1), (0,), (0,)],
    [(0, 1), 0, -1],
    [(-2, -1), (-1,), (1,)],
]


@pytest.mark.parametrize("axes", AXES, ids=str)
def test_axes_as_of_a_generalized_ufunc(axes):
    vectors = isinstance(axes[1], int) or len(axes[1]) == 1
    ufunc = UFUNC_OF_VECTORS if vectors else UFUNC
    last = (-1,) if vectors else (-2, -1)
    a = np.ascontiguousarray(np.moveaxis(well_conditioned((4, 3, 3)), (-2, -1), axes[0]))
    b = right_sides((4, 3) if vectors else (4, 3, 2))
    b = np.ascontiguousarray(np.moveaxis(b, last, axes[1]))
    expected = ufunc(a, b, axes=axes)
    for given, right in ((a, b), (a.tolist(), b.tolist())):
        x = stackinv.solve(given, right, axes=axes)
        assert x.shape == expected.shape
        np.testing.assert_allclose(x, expected, rtol=1e-12)
    out = np.empty_like(expected)
    assert stackinv.solve(a, b, axes=axes, out=out) is out
    np.testing.assert_allclose(out, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "axes",
    [[], [(0, 1)], [(0, 1), (0, 1)], [(0, 1), (0, 9), (0, 1)], [(0, 1), (0, 0), (0, 1)], [(0,), (0,), (0,)], 5, "ab"],
    ids=str,
)
def test_wrong_axes_are_numpys_errors(axes):
    a, b = np.zeros((3, 3, 4)), np.zeros((3, 3, 4))
    errors = []
    for function in (stackinv.solve, UFUNC_OF_VECTORS if axes == [(0,), (0,), (0,)] else UFUNC):
        with pytest.raises(Exception) as error:  # noqa: PT011
            function(a, b, axes=axes)
        errors.append((type(error.value), str(error.value)))
    assert errors[0] == errors[1]


def test_arrays_with_units():
    from astropy import units

    a, b = well_conditioned((4, 3, 3)) * units.m, right_sides((4, 3, 2)) * units.s
    for given, right in ((a, b), (a, b.value), (a.value, b)):
        expected = np.linalg.solve(given, right)
        for x in (stackinv.solve(given, right), stackinv.solve(given, right, workers=1)):
            assert x.unit == expected.unit
            np.testing.assert_allclose(x.value, expected.value, rtol=1e-10)
    out = np.empty(b.shape)
    assert stackinv.solve(a, b, out=out) is out
    np.testing.assert_allclose(out, np.linalg.solve(a.value, b.value), rtol=1e-10)
    with pytest.raises(TypeError, match="plain"):
        stackinv.solve(a.value, b.value, out=b.copy())
    turned = stackinv.solve(a, b[..., 0], axes=[(-2, -1), (-1,), (-1,)])
    assert turned.unit == units.s / units.m
    np.testing.assert_allclose(turned.value, np.linalg.solve(a.value, b.value)[..., 0], rtol=1e-10)


def test_workers_and_callback():
    for m, n, k in ((3, 200_000, 1), (20, 5000, 3), (100, 200, 1), (700, 3, 100)):
        a, b = np.random.default_rng(0).standard_normal((n, m, m)), right_sides((n, m, k))
        seen = []
        one = stackinv.solve(a, b, workers=1, callback=lambda done, total, seen=seen: seen.append((done, total)))
        assert seen[-1] == (n, n)
        assert seen == sorted(seen)
        many = stackinv.solve(a, b, workers=3)
        if m > 20 and _native.needs_lapack():  # whose results depend on its threads
            np.testing.assert_allclose(many, one, rtol=1e-8)
        else:
            np.testing.assert_array_equal(many, one)

    def stop(done, total):
        raise KeyError

    with pytest.raises(KeyError):
        stackinv.solve(a, b, callback=stop)


def test_left_off_at_every_piece(engine):
    """A turn that ends after each piece of a large matrix gives the same bits."""
    for structure, m in product(("gen", "pos", "sym", "upper triangular", "lower triangular"), (530,)):
        a, b = matrices((2, m, m), structure), right_sides((2, m, 70))
        expected = stackinv.solve(a, b, assume_a=structure)
        before = _native.override_turn(0)
        try:
            np.testing.assert_array_equal(stackinv.solve(a, b, assume_a=structure, workers=2), expected)
        finally:
            _native.override_turn(before)
