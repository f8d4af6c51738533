"""`slogdet`, `det` and `inv_slogdet`: NumPy's contract, exact determinants, what the factors of an inversion give."""

import math
from fractions import Fraction

import numpy as np
import pytest
from conftest import INTEGERS, NATIVE, STRUCTURES, hide_unread, structured, well_conditioned
from test_parity import VIEWS

import stackinv
from stackinv import _native

ORDERS = {
    "lanes": [*range(1, 36), 47, 48, 49, *range(63, 68)],
    "blocked": [*range(1, 27), *range(31, 35), 47, 48, 49, 63, 64, 65, 66, 95, 96, 97, 127, 128, 129, 193],
    "lapack": [1, 2, 3, 10, 40, 100],
}


def assert_determinants(actual, a, tolerance=None):
    """`actual` are NumPy's signs and logarithms of `a`, in type, shape and, to rounding, value."""
    expected = np.linalg.slogdet(a)
    assert type(actual) is type(expected)
    single = expected.logabsdet.dtype == np.float32
    tolerance = tolerance or (1e-4 if single else 1e-12)
    for mine, numpys in zip(actual, expected, strict=True):
        assert type(mine) is type(numpys)
        assert mine.dtype == numpys.dtype
        assert mine.shape == numpys.shape
        np.testing.assert_allclose(mine, numpys, rtol=tolerance, atol=tolerance * max(1, a.shape[-1]))


def exact(a):
    """The determinant of a matrix of integers, by elimination without fractions (E. H. Bareiss, 1968)."""
    a = [[int(x) for x in row] for row in a]
    sign, before = 1, 1
    for k in range(len(a) - 1):
        if a[k][k] == 0:
            other = next((i for i in range(k + 1, len(a)) if a[i][k]), None)
            if other is None:
                return 0
            a[k], a[other], sign = a[other], a[k], -sign
        for i in range(k + 1, len(a)):
            for j in range(k + 1, len(a)):
                a[i][j] = (a[i][j] * a[k][k] - a[i][k] * a[k][j]) // before
        before = a[k][k]
    return sign * a[-1][-1]


@pytest.mark.parametrize("dtype", NATIVE)
@pytest.mark.parametrize("structure", ["gen", *STRUCTURES])
def test_every_order(structure, dtype, any_engine):
    """Against NumPy; with the inverse and without; what is not read does not matter; the same bits wherever it is."""
    for m in ORDERS[any_engine]:
        shape = (33 if any_engine == "lanes" and m < 36 else 3, m, m)
        a = well_conditioned(shape, dtype) if structure == "gen" else structured(shape, structure, dtype)
        given = a if structure == "gen" else hide_unread(a, structure)
        keywords = {"assume_a": structure, "dtype": dtype}
        result = stackinv.slogdet(given, **keywords)
        assert_determinants(result, a)
        if dtype in ("f8", "c16") or m < 30:
            determinants = stackinv.det(given, **keywords)
            expected = np.linalg.det(a)
            assert determinants.dtype == expected.dtype
            np.testing.assert_allclose(determinants, expected, rtol=2e-3 if dtype in ("f4", "c8") else 1e-10)
        both = stackinv.inv_slogdet(given, **keywords)
        np.testing.assert_array_equal(both.inverse, stackinv.inv(given, **keywords))
        if structure in ("her", "pos") and dtype in ("c8", "c16"):
            assert np.all(result.sign.imag == 0)
        if any_engine == "lapack":  # whose factors may depend on the address of a matrix
            continue
        np.testing.assert_array_equal(both.sign, result.sign)
        np.testing.assert_array_equal(both.logabsdet, result.logabsdet)
        for n in {1, len(a) // 2, len(a) - 1}:
            np.testing.assert_array_equal(stackinv.slogdet(given[:n], **keywords), np.array(result)[:, :n])
        np.testing.assert_array_equal(stackinv.slogdet(given[::-1], **keywords), np.array(result)[:, ::-1])


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("structure", ["gen", *STRUCTURES])
def test_strides(view, structure, any_engine):
    for dtype in ("f8", "c8"):
        for m in (1, 3, 9, 33, 70):
            shape = (4, 3, m, m)
            a = well_conditioned(shape, dtype) if structure == "gen" else structured(shape, structure, dtype)
            a = VIEWS[view](a)
            assert_determinants(stackinv.slogdet(a, assume_a=structure), a, 1e-6 if dtype == "c8" else None)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("dtype", [*INTEGERS, *NATIVE, ">f8", ">f4", ">c16"])
def test_types(dtype):
    for shape in ((3, 3), (7, 3, 3), (2, 3, 20, 20), (5, 0, 3, 3), (0, 0), (4, 0, 0), (1, 1)):
        a = well_conditioned(shape, dtype)
        assert_determinants(stackinv.slogdet(a), a, 1e-6 if np.dtype(dtype).char in "fF" else None)
        determinants, expected = stackinv.det(a), np.linalg.det(a)
        assert type(determinants) is type(expected)
        assert determinants.dtype == expected.dtype
        np.testing.assert_allclose(determinants, expected, rtol=1e-5 if np.dtype(dtype).char in "fF" else 1e-12)
    assert stackinv.det([[1, 2], [3, 4]]) == pytest.approx(-2)
    assert_determinants(stackinv.slogdet(np.matrix([[1.0, 2], [3, 5]])), np.matrix([[1.0, 2], [3, 5]]))


def test_unaligned(any_engine):
    a = well_conditioned((40, 9, 9))
    room = np.empty(a.nbytes + 1, np.uint8)
    unaligned = room[1:].view(np.float64).reshape(a.shape)
    unaligned[...] = a
    assert_determinants(stackinv.slogdet(unaligned), a)


def test_exact_determinants(any_engine):
    """Of integers: the relative error is that of a backward stable elimination."""
    rng = np.random.default_rng(0)
    for m in range(1, 13):
        a = rng.integers(-9, 10, (50, m, m)).astype(float)
        truth = [exact(matrix) for matrix in a]
        for structure in ("gen", "pos"):
            b = a if structure == "gen" else a.swapaxes(-1, -2) @ a + np.eye(m)
            determinants = [float(x) for x in (truth if structure == "gen" else map(exact, b))]
            condition = np.linalg.cond(b)
            assert np.isfinite(condition).all() or 0 in determinants
            bound = 4 * m**2 * np.finfo(float).eps * condition
            result = stackinv.det(b, assume_a=structure)
            sign, logarithm = stackinv.slogdet(b, assume_a=structure)
            for x, y, s, z, error in zip(result, determinants, sign, logarithm, bound, strict=True):
                if y == 0:
                    assert abs(x) < 1e-6 * np.abs(b).max() ** m
                    continue
                assert abs(x - y) <= error * abs(y)
                assert s == math.copysign(1, y)
                assert abs(z - math.log(abs(Fraction(y)))) <= error + 4 * np.finfo(float).eps * abs(z)


@pytest.mark.parametrize("dtype", NATIVE)
def test_permutations_and_powers_of_two_are_exact(dtype, any_engine):
    rng = np.random.default_rng(0)
    for m in (1, 2, 3, 5, 8, 16, 17, 40, 100):
        order = np.array([rng.permutation(m) for _ in range(20)])
        scale = 2.0 ** rng.integers(-3, 4, (20, m))
        a = (np.eye(m)[order] * scale[:, None]).astype(dtype)
        odd = [sum(p[i] > p[j] for i in range(m) for j in range(i + 1, m)) % 2 for p in order]
        powers = np.log2(scale).sum(-1)
        sign, logarithm = stackinv.slogdet(a, dtype=dtype)
        np.testing.assert_array_equal(sign, np.where(odd, -1, 1))
        np.testing.assert_allclose(logarithm, powers * math.log(2), rtol=2 * np.finfo(dtype).eps, atol=0)
        np.testing.assert_array_equal(stackinv.det(a, dtype=dtype), np.where(odd, -1, 1) * 2.0**powers)


def test_logarithms_to_the_last_digits(any_engine):
    """Of single numbers, from the smallest to the largest, around 1 and around powers of two."""
    rng = np.random.default_rng(0)
    near = 1 + np.concatenate(
        [rng.uniform(-0.5, 1, 1000), 2.0 ** rng.uniform(-50, -1, 200), -(2.0 ** rng.uniform(-52, -2, 200))]
    )
    far = np.ldexp(rng.uniform(0.5, 1, 1000), rng.integers(-1073, 1025, 1000))
    for x in (near, far):
        a = (x * rng.choice([-1, 1], x.size))[:, None, None]
        sign, logarithm = stackinv.slogdet(a)
        np.testing.assert_array_equal(sign, np.sign(a[:, 0, 0]))
        np.testing.assert_allclose(logarithm, np.log(x), rtol=6e-16, atol=0)
        np.testing.assert_array_equal(stackinv.det(a), a[:, 0, 0])


@pytest.mark.parametrize("dtype", ["f8", "c16"])
def test_too_large_and_too_small_for_numbers(dtype, any_engine):
    for m in (2, 3, 8, 30, 100):
        for scale in (1e-320, 1e-310, 1e-200, 1e200, 1e300):
            a = well_conditioned((9, m, m), dtype) / m**0.5 if scale > 1e-300 else np.eye(m, dtype=dtype)[None]
            sign, logarithm = stackinv.slogdet(a * scale)
            expected = np.linalg.slogdet(a)
            np.testing.assert_allclose(sign, expected.sign, rtol=1e-10)
            shift = math.log(Fraction(float(scale)))
            np.testing.assert_allclose(logarithm, expected.logabsdet + m * shift, rtol=1e-12)
            with np.errstate(all="ignore"):
                truth = np.exp(logarithm)
            determinants = np.abs(stackinv.det(a * scale))
            np.testing.assert_array_equal(np.isinf(determinants), np.isinf(truth))
            np.testing.assert_array_equal(determinants == 0, logarithm < math.log(5e-324) - 0.7)


@pytest.mark.parametrize("structure", ["gen", "sym", "her", "upper triangular", "lower triangular", "diagonal"])
@pytest.mark.parametrize("dtype", NATIVE)
def test_singular(structure, dtype, any_engine):
    for m in (1, 2, 3, 9, 20, 70):
        shape = (12, m, m)
        a = well_conditioned(shape, dtype) if structure == "gen" else structured(shape, structure, dtype)
        a[::3, :, m // 2] = a[::3, m // 2, :] = 0
        sign, logarithm = stackinv.slogdet(a, assume_a=structure)
        np.testing.assert_array_equal(sign[::3], 0)
        np.testing.assert_array_equal(logarithm[::3], -np.inf)
        np.testing.assert_array_equal(stackinv.det(a, assume_a=structure)[::3], 0)
        regular = np.arange(12) % 3 != 0
        assert_determinants(
            type(np.linalg.slogdet(np.eye(1)))(sign[regular], logarithm[regular]),
            a[regular],
            1e-5 if dtype in ("f4", "c8") else None,
        )
        both = stackinv.inv_slogdet(a, assume_a=structure, on_singular="nan")
        np.testing.assert_array_equal(both.sign == 0, ~regular)
        assert np.all(np.isnan(both.inverse[::3]))
        with pytest.raises(stackinv.SingularMatrixError) as error:
            stackinv.inv_slogdet(a, assume_a=structure)
        np.testing.assert_array_equal(error.value.indices[0], [0, 3, 6, 9])


def test_the_same_matrices_are_singular_as_for_inv():
    rng = np.random.default_rng(0)
    for m in range(2, 6):
        a = rng.integers(-2, 3, (2000, m, m)).astype(float)
        np.testing.assert_array_equal(stackinv.slogdet(a).sign == 0, stackinv.inv_ex(a).info != 0)


def test_not_positive_definite(any_engine):
    for m in (1, 3, 20, 70):
        a = structured((10, m, m), "pos")
        a[4, m // 2, m // 2] = -1
        for function in (stackinv.slogdet, stackinv.det, stackinv.inv_slogdet):
            with pytest.raises(stackinv.SingularMatrixError) as error:
                function(a, assume_a="pos")
            assert error.value.indices[0].tolist() == [4]
            assert error.value.minor == m // 2 + 1
            with pytest.raises(stackinv.SingularMatrixError) as error:
                function(a[4], assume_a="pos")
            assert error.value.minor == m // 2 + 1


@pytest.mark.parametrize("dtype", NATIVE)
def test_nan_and_infinities_stay_in_their_matrix(dtype, any_engine):
    for m in (1, 2, 4, 9, 33, 70):
        clean = well_conditioned((9, m, m), dtype)
        for value in (np.nan, np.inf, -np.inf):
            a = clean.copy()
            a[4, m // 2, 0] = value
            with np.errstate(all="ignore"):
                sign, logarithm = stackinv.slogdet(a)
                determinants = stackinv.det(a)
            assert not np.isfinite(logarithm[4])
            assert not np.isfinite(determinants[4])
            others = np.arange(9) != 4
            expected = stackinv.slogdet(clean)
            np.testing.assert_array_equal(sign[others], expected.sign[others])
            np.testing.assert_array_equal(logarithm[others], expected.logabsdet[others])
    assert stackinv.slogdet([[np.inf]]) == (1, np.inf)
    assert stackinv.slogdet([[-np.inf]]) == (-1, np.inf)


def test_axes():
    a = well_conditioned((5, 4, 3, 3))
    first = np.ascontiguousarray(a.transpose(2, 3, 0, 1))
    expected = stackinv.slogdet(a)
    for axes in ([(0, 1)], [(0, 1), (), ()], [(-4, -3)]):
        np.testing.assert_array_equal(stackinv.slogdet(first, axes=axes), expected)
    for axes in ([(0, 1)], [(0, 1), ()]):
        np.testing.assert_array_equal(stackinv.det(first, axes=axes), stackinv.det(a))
    both = stackinv.inv_slogdet(first, axes=[(0, 1), (0, 1)])
    np.testing.assert_array_equal(both.inverse.transpose(2, 3, 0, 1), stackinv.inv(a))
    np.testing.assert_array_equal(both[1:], expected)
    for axes in ([(0, 1), (0, 1)], [(0, 9)], [(0, 0)], (0, 1), [(0,)], 5):
        errors = []
        for function in (stackinv.det, lambda x, axes: np.linalg._umath_linalg.det(x, axes=axes)):
            with pytest.raises(Exception) as error:  # noqa: PT011  # NumPy's
                function(first, axes=axes)
            errors.append((type(error.value), str(error.value)))
        assert errors[0] == errors[1]


@pytest.mark.parametrize("function", [stackinv.slogdet, stackinv.det, stackinv.inv_slogdet])
def test_wrong_arguments(function):
    for a in (
        1.0,
        [1.0, 2.0],
        np.ones((2, 3)),
        np.ones((4, 3, 2)),
        np.ones((3, 3), np.float16),
        np.ones((2, 2), object),
        "ab",
    ):
        numpys = {"slogdet": np.linalg.slogdet, "det": np.linalg.det, "inv_slogdet": np.linalg.inv}[function.__name__]
        with pytest.raises(Exception) as expected:  # noqa: PT011
            numpys(a)
        kind = np.linalg.LinAlgError if isinstance(expected.value, np.linalg.LinAlgError) else TypeError
        with pytest.raises(kind):
            function(a)
    for keywords, error in (
        ({"assume_a": "nothing"}, ValueError),
        ({"engine": "mkl"}, ValueError),
        ({"workers": 0}, ValueError),
        ({"callback": 3}, TypeError),
        ({"dtype": "f2"}, TypeError),
    ):
        with pytest.raises(error):
            function(np.eye(3), **keywords)
    with pytest.raises(TypeError, match=r"Cannot cast ufunc '(slog)?(det|inv)' input"):
        function(np.eye(3) + 0j, dtype="f8")
    with pytest.raises(TypeError):
        function(np.eye(3), "gen")


def test_arrays_with_units():
    from astropy import units

    a = well_conditioned((4, 3, 3)) * units.m
    for result in (stackinv.det(a), stackinv.det(a, workers=1)):
        assert result.unit == np.linalg.det(a).unit == units.m**3
        np.testing.assert_allclose(result.value, np.linalg.det(a.value))
    both = stackinv.inv_slogdet(a)
    assert both.inverse.unit == 1 / units.m
    np.testing.assert_array_equal(both.logabsdet, stackinv.slogdet(a.value).logabsdet)
    with pytest.raises(type(_error(np.linalg.slogdet, a))):
        stackinv.slogdet(a)
    first = np.moveaxis(a, 0, -1)
    assert np.all(stackinv.det(first, axes=[(0, 1)]) == stackinv.det(a))
    both = stackinv.inv_slogdet(first, axes=[(0, 1), (0, 1)])
    assert both.inverse.unit == 1 / units.m
    assert both.inverse.shape == (3, 3, 4)


def _error(function, *arguments):
    with pytest.raises(Exception) as error:  # noqa: PT011
        function(*arguments)
    return error.value


def test_out_of_inv_slogdet():
    a = well_conditioned((30, 5, 5))
    expected = stackinv.inv_slogdet(a)
    for dtype in ("f4", "f8", ">f8"):
        out = np.empty(a.shape, dtype)
        result = stackinv.inv_slogdet(a, out=out)
        assert result.inverse is out
        np.testing.assert_allclose(out, expected.inverse, rtol=1e-6)
        np.testing.assert_array_equal(result.logabsdet, expected.logabsdet)
    b = a.copy()
    assert stackinv.inv_slogdet(b, out=b).inverse is b
    np.testing.assert_array_equal(b, expected.inverse)
    single = stackinv.inv_slogdet(a[0])
    assert [type(x) for x in single] == [np.ndarray, np.float64, np.float64]


def test_workers_and_callback():
    seen = []
    for m, n in ((3, 200_000), (20, 5000), (100, 200), (700, 3)):
        a = np.random.default_rng(0).standard_normal((n, m, m))
        one = stackinv.slogdet(a, workers=1, callback=lambda done, total: seen.append((done, total)))
        assert seen[-1] == (n, n)
        many = stackinv.slogdet(a, workers=3)
        if m > 20 and _native.needs_lapack():  # whose results depend on its threads
            np.testing.assert_allclose(many, one, rtol=1e-12)
        else:
            np.testing.assert_array_equal(many, one)

    def stop(done, total):
        raise KeyError

    with pytest.raises(KeyError):
        stackinv.det(a, callback=stop)
