"""assume_a: what is read, what comes out, what counts as singular; against NumPy, SciPy and LAPACK."""

import inspect
import pickle

import numpy as np
import pytest
import scipy.linalg
from conftest import (
    NATIVE,
    STRUCTURES,
    assert_inverses,
    has_structure,
    hide_unread,
    structured,
    well_conditioned,
)
from scipy.spatial.distance import mahalanobis
from test_parity import VIEWS

import stackinv
from stackinv import _engines, _native, _workers

# Around the sizes of vectors, blocks, panels and tiles.
ORDERS = {
    "lanes": [*range(1, 36), 47, 48, 49, *range(63, 68)],
    "blocked": [*range(1, 27), *range(31, 35), 47, 48, 49, 63, 64, 65, 66, 95, 96, 97, 127, 128, 129, 193],
    "lapack": [1, 2, 3, 10, 40, 100],
}


def lapack_info(a, structure):
    """What LAPACK's own routine says of a matrix."""
    routines = {"pos": "potrf", "upper triangular": "trtri", "lower triangular": "trtri"}
    (routine,) = scipy.linalg.get_lapack_funcs((routines[structure],), (a,))
    return routine(a, lower=structure != "upper triangular")[1]


@pytest.mark.parametrize("dtype", NATIVE)
@pytest.mark.parametrize("structure", STRUCTURES)
def test_every_order(structure, dtype, any_engine):
    """Against NumPy; what is not read does not matter; exactly structured; the same bits wherever a matrix is."""
    for m in ORDERS[any_engine]:
        a = structured((33 if any_engine == "lanes" and m < 36 else 3, m, m), structure, dtype)
        result = stackinv.inv(hide_unread(a, structure), assume_a=structure, dtype=dtype)
        assert_inverses(result, a)
        assert has_structure(result, structure)
        assert not np.any(np.signbit(result.real) & (result.real == 0))
        for n in {1, len(a) // 2, len(a) - 1}:
            np.testing.assert_array_equal(stackinv.inv(a[:n], assume_a=structure, dtype=dtype), result[:n])
        if any_engine != "lapack":  # whose result may depend on the address of a matrix
            backwards = stackinv.inv(a[::-1], assume_a=structure, dtype=dtype)
            np.testing.assert_array_equal(backwards[::-1], result)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_scipys_result(structure):
    if "assume_a" not in inspect.signature(scipy.linalg.inv).parameters:
        pytest.skip("SciPy before 1.17 has no assume_a")
    for dtype in NATIVE:
        for m in (1, 2, 5, 20, 130):
            a = structured((3, m, m), structure, dtype)
            lower = {"lower": True} if structure in ("pos", "sym", "her") else {}
            expected = scipy.linalg.inv(a, assume_a=structure, **lower)
            result = stackinv.inv(a, assume_a=structure)
            assert result.dtype == expected.dtype
            tolerance = 1e-4 if dtype in ("f4", "c8") else 1e-11
            np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def test_symmetric_and_hermitian_are_different_things():
    for m in (3, 10, 40, 150):
        symmetric, hermitian = structured((2, m, m), "sym", "c16"), structured((2, m, m), "her", "c16")
        for a, structure, other in ((symmetric, "sym", "her"), (hermitian, "her", "sym")):
            assert_inverses(stackinv.inv(a, assume_a=structure), a)
            assert not np.allclose(stackinv.inv(a, assume_a=other), np.linalg.inv(a))
    real = structured((2, 10, 10), "sym")
    np.testing.assert_array_equal(stackinv.inv(real, assume_a="sym"), stackinv.inv(real, assume_a="her"))


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("view", VIEWS)
def test_strides_of_input_and_output(view, structure, any_engine):
    for dtype in ("f8", "c8"):
        for m in (1, 3, 9, 33, 70):
            a = VIEWS[view](structured((4, 3, m, m), structure, dtype))
            result = stackinv.inv(a, assume_a=structure)
            assert_inverses(result, a)
            if "broadcast" in view or not a.flags.writeable:
                continue
            out = VIEWS[view](np.full_like(a, 7))
            out = out if out.flags.writeable else out.copy()
            np.testing.assert_array_equal(stackinv.inv(a, assume_a=structure, out=out), result)
            np.testing.assert_array_equal(stackinv.inv(a, assume_a=structure, out=a), result)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_types_and_precisions(structure, any_engine):
    for m in (3, 20, 70):
        a = structured((9, m, m), structure)
        exact = np.linalg.inv(a)
        for given in ("f4", "f8", ">f8"):
            for calculation in (None, "f4", "f8"):
                for result in ("f4", "f8", ">f4", "c16"):
                    out = np.empty(a.shape, result)
                    returned = stackinv.inv(a.astype(given), assume_a=structure, dtype=calculation, out=out)
                    assert returned is out
                    single = "f4" in (given, calculation, result) or result == ">f4"
                    np.testing.assert_allclose(out, exact, atol=1e-4 if single else 1e-12)
                    assert has_structure(out, structure)
    integers = np.array([[4, 1, 0], [1, 3, 0], [0, 0, 2]]) * np.eye(3, dtype=int)
    result = stackinv.inv(integers, assume_a=structure)
    assert result.dtype == np.float64
    np.testing.assert_allclose(result, np.diag([1 / 4, 1 / 3, 1 / 2]))


@pytest.mark.parametrize("structure", STRUCTURES)
def test_rcond(structure, any_engine):
    for dtype in NATIVE:
        for m in (1, 2, 9, 33, 67):
            a = structured((19, m, m), structure, dtype)
            expected = 1 / np.linalg.cond(a.astype("c16"), 1)
            hidden = hide_unread(a, structure)
            np.testing.assert_allclose(stackinv.inv_ex(hidden, assume_a=structure).rcond, expected, rtol=1e-10)
            single = stackinv.inv_ex(hidden, assume_a=structure, dtype=dtype)
            np.testing.assert_allclose(single.rcond, expected, rtol=2e-4)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_singular_matrices(structure, any_engine):
    for dtype in NATIVE:
        for m in (1, 2, 5, 20, 70):
            a = structured((20, m, m), structure, dtype)
            good = stackinv.inv(a, assume_a=structure, dtype=dtype)
            expected = np.zeros(20, int)
            for i in range(0, 20, 3):
                k = i % m
                a[i, k, :] = a[i, :, k] = 0
                expected[i] = k + 1
            for i in (7, 13):
                if structure == "pos":  # a negative minor, of which LAPACK tells the order
                    a[i, m // 2, m // 2] = -5
                    expected[i] = lapack_info(a[i], structure)
                elif structure in ("upper triangular", "lower triangular", "diagonal"):  # two zeros: the first counts
                    a[i, [m // 3, m // 2], [m // 3, m // 2]] = 0
                    expected[i] = m // 3 + 1
            inverse, info, rcond = stackinv.inv_ex(hide_unread(a, structure), assume_a=structure, dtype=dtype)
            singular = expected > 0
            np.testing.assert_array_equal(info > 0, singular)
            if structure not in ("sym", "her"):  # whose pivots are not on the diagonal
                np.testing.assert_array_equal(info, expected)
            assert np.isnan(inverse[singular]).all()
            assert np.all(rcond[singular] == 0)
            np.testing.assert_array_equal(inverse[~singular], good[~singular])


def test_infos_are_lapacks():
    """On symmetric positive definite matrices with one negative element on the diagonal, and triangular ones."""
    for m in (1, 4, 8, 30, 100, 200):
        for structure in ("pos", "upper triangular", "lower triangular"):
            a = structured((m, m, m), structure)
            if structure == "pos":
                a[range(m), range(m), range(m)] = -0.1
            else:
                a[range(m), range(m), range(m)] = 0
            infos = [lapack_info(matrix, structure) for matrix in a]
            assert min(infos) == 1
            np.testing.assert_array_equal(stackinv.inv_ex(a, assume_a=structure).info, infos)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_nan_and_infinity_are_no_error_and_stay_in_their_matrix(structure, any_engine):
    for dtype in ("f8", "c8"):
        for m in (1, 2, 5, 20, 70):
            a = structured((20, m, m), structure, dtype)
            good = stackinv.inv(a, assume_a=structure)
            lower = structure != "upper triangular"
            corner = (-1, 0) if lower and structure != "diagonal" else (0, -1) if not lower else (0, 0)
            a[3][corner], a[4][corner] = np.nan, np.inf
            a[5, m // 2, m // 2], a[6, m // 2, m // 2] = np.nan, np.inf
            a[7] = np.nan
            inverse, info, rcond = stackinv.inv_ex(a, assume_a=structure)
            special = [3, 4, 5, 6, 7]
            assert not info[[3, 5, 7]].any()
            assert np.isnan(inverse[[3, 5, 7]]).any(axis=(1, 2)).all()
            assert np.isnan(rcond[[3, 5, 7]]).all()
            others = np.delete(np.arange(20), special)
            np.testing.assert_array_equal(inverse[others], good[others])
            assert not info[others].any()


def test_error_says_what_is_not_positive_definite():
    a = np.broadcast_to(np.eye(3), (2, 5, 3, 3)).copy()
    a[1, 2, 1, 1] = -1
    a[1, 4, 0, 0] = 0
    with pytest.raises(stackinv.SingularMatrixError) as raised:
        stackinv.inv(a, assume_a="pos")
    for error in (raised.value, pickle.loads(pickle.dumps(raised.value))):
        assert str(error) == "Singular matrix"
        (note,) = error.__notes__
        place, _, why = note.partition(": ")
        assert place == "2 of 10 in the stack, first at index (1, 2)"
        assert why == "not positive definite, the leading minor of order 2 is not positive"
        assert error.minor == 2
        np.testing.assert_equal(error.indices, ([1, 1], [2, 4]))
    with pytest.raises(
        np.linalg.LinAlgError, match=r"^Singular matrix\nnot positive definite, the leading minor of order 3 "
    ):
        stackinv.inv(np.diag([1, 1, -1]), assume_a="pos")
    with pytest.raises(np.linalg.LinAlgError, match=r"^Singular matrix$"):
        stackinv.inv(np.diag([1, 1, 0]), assume_a="diagonal")
    result = stackinv.inv(a, assume_a="pos", on_singular="nan")
    assert np.isnan(result[[1, 1], [2, 4]]).all()
    assert np.isfinite(result).sum() == 8 * 9


@pytest.mark.parametrize("structure", STRUCTURES)
def test_one_matrix_alone(structure):
    """The short way of a small matrix, and the long one."""
    for m in (1, 2, 9, 16, 17, 100):
        for dtype in [*NATIVE, "i4"]:
            a = structured((m, m), structure, dtype) if dtype != "i4" else np.diag(np.arange(1, m + 1))
            assert_inverses(stackinv.inv(a, assume_a=structure), a)
            with pytest.raises(np.linalg.LinAlgError, match=r"^Singular matrix"):
                stackinv.inv(np.zeros_like(a), assume_a=structure)


def test_an_empty_stack_has_any_structure():
    for structure in STRUCTURES:
        for shape in ((0, 3, 3), (2, 0, 0)):
            assert stackinv.inv(np.ones(shape), assume_a=structure).shape == shape


@pytest.mark.parametrize("structure", STRUCTURES)
def test_workers_do_not_matter(structure):
    for m, n in ((2, 100_003), (5, 20_001), (17, 2_003), (150, 9)):
        a = structured((n, m, m), structure)
        one = stackinv.inv(a, assume_a=structure, workers=1)
        for workers in (2, 3):
            np.testing.assert_array_equal(stackinv.inv(a, assume_a=structure, workers=workers), one)


@pytest.mark.parametrize("dtype", NATIVE)
@pytest.mark.parametrize("structure", ["pos", "sym", "her", "upper triangular", "lower triangular"])
def test_threads_that_share_a_matrix(structure, dtype, monkeypatch):
    monkeypatch.setattr(_workers, "available_cpus", lambda: 7)
    sharing = _native.override_sharing(0)
    try:
        _engines.use_engine("blocked")
        for m in (1, 20, 65, 129, 300):
            a = structured((3, m, m), structure, dtype)
            alone = stackinv.inv_ex(a, assume_a=structure, workers=1)
            a[1, m // 2, :] = a[1, :, m // 2] = 0  # singular
            for n in (1, 2, 3):
                for workers in (2, 3, 7):
                    result = stackinv.inv_ex(a[:n], assume_a=structure, workers=workers)
                    for i in {0, 2} & set(range(n)):
                        np.testing.assert_array_equal(result.inverse[i], alone.inverse[i])
                        assert result.rcond[i] == alone.rcond[i]
                    assert result.info[1:2].all()
                    assert np.isnan(result.inverse[1:2]).all()
    finally:
        _engines.use_engine(None)
        _native.override_sharing(sharing)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_results_that_go_past_the_caches(structure):
    """Large ones, with a last tile that is not full, and singular matrices among them."""
    for m in (3, 8, 40):
        n = (34 << 20) // (m * m * 8) + 5
        a = np.broadcast_to(structured((1, m, m), structure), (n, m, m)).copy()
        singular = [0, 77, n - 1]
        a[singular] = 0
        result = stackinv.inv(a, assume_a=structure, on_singular="nan", workers=2)
        assert np.isnan(result[singular]).all()
        good = np.delete(result, singular, axis=0)
        np.testing.assert_array_equal(good, np.broadcast_to(good[:1], good.shape))
        assert_inverses(good[:1], a[1:2])


@pytest.mark.parametrize("name", ["digits", "wine"])
def test_mahalanobis_distances_of_real_data(name):
    """From the covariances of each class and of random subsets, as SciPy calculates them one by one."""
    datasets = pytest.importorskip("sklearn.datasets")
    x, classes = getattr(datasets, f"load_{name}")(return_X_y=True)
    rng = np.random.default_rng(0)
    groups = [np.flatnonzero(classes == c) for c in np.unique(classes)]
    groups += [rng.choice(len(x), 100, replace=False) for _ in range(60)]
    covariances = np.stack([np.cov(x[rows].T) for rows in groups])
    if name == "digits":  # integers: the variance of their rounding, without which pixels that are always 0 have none
        covariances += np.eye(x.shape[1]) / 12
    inverses = stackinv.inv(covariances, assume_a="pos")
    assert has_structure(inverses, "pos")
    rcond = stackinv.inv_ex(covariances, assume_a="pos").rcond
    for rows, covariance, inverse, condition in zip(groups, covariances, inverses, 1 / rcond, strict=True):
        mean = x[rows].mean(axis=0)
        expected = [mahalanobis(point, mean, np.linalg.inv(covariance)) for point in x[:50]]
        distances = np.sqrt(np.einsum("ki,ij,kj->k", x[:50] - mean, inverse, x[:50] - mean))
        np.testing.assert_allclose(distances, expected, rtol=1e-16 * condition)


def test_what_is_said_is_not_checked():
    """A general matrix is taken for what it is said to be, of which only a part is read."""
    a = well_conditioned((3, 5, 5))
    np.testing.assert_array_equal(
        stackinv.inv(a, assume_a="diagonal"), stackinv.inv(a * np.eye(5), assume_a="diagonal")
    )
    np.testing.assert_allclose(stackinv.inv(a, assume_a="upper triangular"), np.linalg.inv(np.triu(a)))
