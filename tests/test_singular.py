"""Singular matrices in a stack: the error, its indices, NaN, info and rcond."""

import copy
import functools
import pickle
import traceback

import numpy as np
import pytest
from conftest import BUILDS, NATIVE, STRUCTURES, assert_inverses, forced, well_conditioned
from threadpoolctl import threadpool_info

import stackinv


def with_singular(shape, indices, dtype="f8"):
    a = well_conditioned(shape, dtype)
    for index in indices:
        a[index] = 0
    return a


@pytest.mark.parametrize(
    ("shape", "indices", "notes"),
    [
        ((3, 3), [()], []),
        ((40, 40), [()], []),
        ((1, 3, 3), [(0,)], ["1 of 1 in the stack, first at index (0,)"]),
        ((10, 3, 3), [(7,)], ["1 of 10 in the stack, first at index (7,)"]),
        (
            (50, 20, 3, 3),
            [(0, 17), (3, 3), (49, 19)],
            ["3 of 1000 in the stack, first at index (0, 17)"],
        ),
    ],
)
@pytest.mark.parametrize("structure", ["gen", "pos", "diagonal"])
def test_error_has_numpys_text_and_names_the_singular_matrices(shape, indices, notes, structure):
    a = with_singular(shape, indices)
    if structure == "pos":
        a = a @ a.swapaxes(-1, -2)
        rest = "not positive definite, the leading minor of order 1 is not positive"
        notes = [f"{notes[0]}: {rest}" if notes else rest]
    with pytest.raises(np.linalg.LinAlgError) as numpys:
        np.linalg.inv(a)
    with pytest.raises(stackinv.SingularMatrixError) as raised:
        stackinv.inv(a, assume_a=structure)
    error = raised.value
    assert (str(error), error.args) == (str(numpys.value), numpys.value.args) == ("Singular matrix", error.args)
    assert isinstance(error, np.linalg.LinAlgError)
    assert getattr(error, "__notes__", []) == notes
    assert list(zip(*error.indices, strict=True)) == (indices if shape[:-2] else [])
    assert not np.any(a[error.indices])
    assert error.total == np.prod(shape[:-2])
    assert error.minor == (1 if structure == "pos" else None)


def test_what_the_error_knows_is_shown_and_survives_pickle_and_copy():
    with pytest.raises(stackinv.SingularMatrixError) as raised:
        stackinv.inv(with_singular((3, 2, 2), [(1,)]))
    error = raised.value
    error.add_note("a note of the user's")
    for other in (error, pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(error)))), copy.deepcopy(error)):
        assert traceback.format_exception_only(other) == [
            "stackinv.SingularMatrixError: Singular matrix\n",
            "1 of 3 in the stack, first at index (1,)\n",
            "a note of the user's\n",
        ]
        assert (other.total, other.minor, other.args) == (3, None, ("Singular matrix",))
        np.testing.assert_equal(other.indices, error.indices)


@pytest.mark.parametrize("dtype", [*NATIVE, "i8", ">f8"])
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("m", [1, 2, 5, 30])
def test_all_others_are_inverted(m, workers, dtype):
    a = with_singular((200, m, m), [3, 77, 199], dtype)
    good = np.delete(np.arange(200), [3, 77, 199])
    expected = np.linalg.inv(a[good])
    result = stackinv.inv(a, on_singular="nan", workers=workers)
    assert_inverses(result[good], a[good], expected)
    assert np.isnan(result[[3, 77, 199]]).all()
    if result.dtype.kind == "c":
        assert np.isnan(result[3].imag).all()
    out = np.zeros_like(result)
    with pytest.raises(stackinv.SingularMatrixError):
        stackinv.inv(a, out=out, workers=workers)
    np.testing.assert_array_equal(out, result)


@pytest.mark.parametrize("dtype", [*NATIVE, "i8"])
def test_info_is_lapacks(dtype):
    a = np.zeros((4, 3, 3), dtype)
    a[0] = np.eye(3)
    a[1] = np.diag([1, 0, 1])
    a[2] = np.diag([1, 1, 0])
    inverse, info, rcond = stackinv.inv_ex(a)
    assert info.tolist() == [0, 2, 3, 1]
    assert rcond.tolist() == [1, 0, 0, 0]
    assert np.isnan(inverse[1:]).all()
    np.testing.assert_array_equal(inverse[0], np.eye(3))


def test_one_matrix_gives_scalars_as_numpy_does():
    inverse, info, rcond = stackinv.inv_ex(np.eye(2))
    assert inverse.shape == (2, 2)
    assert isinstance(info, np.integer)
    assert isinstance(rcond, np.float64)


@pytest.mark.parametrize("dtype", NATIVE)
@pytest.mark.parametrize("m", [1, 2, 7, 40])
def test_rcond_is_the_exact_one_of_the_1_norm(dtype, m):
    a = well_conditioned((6, m, m), dtype)
    expected = 1 / np.linalg.cond(a.astype("c16"), 1)
    np.testing.assert_allclose(stackinv.inv_ex(a).rcond, expected, rtol=1e-10)


def test_rcond_does_not_overflow_or_hide_a_nan():
    a = np.array([np.diag([1e200, 1e200]), np.diag([1e-200, 1e-200]), np.diag([1e200, 1e-200]), np.diag([1, np.nan])])
    rcond = stackinv.inv_ex(a).rcond
    assert rcond[:2].tolist() == [1, 1]
    assert rcond[2] == 0
    assert np.isnan(rcond[3])


def with_large_sums(m, structure):
    """A matrix whose columns have sums many times its largest element, and its inverse."""
    lower = np.tril(np.ones((m, m)))
    inverse = np.eye(m) - np.eye(m, k=-1)
    if structure in ("pos", "sym", "her"):
        return lower @ lower.T, inverse.T @ inverse
    if structure == "upper triangular":
        return lower.T, inverse.T
    return lower, inverse


@pytest.mark.parametrize("m", [4, 40])
@pytest.mark.parametrize("structure", ["gen", "pos", "sym", "her", "upper triangular", "lower triangular"])
@pytest.mark.parametrize("dtype", NATIVE)
def test_rcond_where_a_norm_is_beyond_the_largest_number(dtype, structure, m, any_engine):
    info = np.finfo(dtype)
    a, inverse = with_large_sums(m, structure)
    unit = 1 if structure in ("pos", "her") or np.dtype(dtype).kind != "c" else 1 + 1j
    expected = 1 / (np.linalg.norm(a, 1) * np.linalg.norm(inverse, 1))
    largest = 2.0 ** (info.maxexp - 2)
    for x, y in ((a, inverse), (inverse, a)):
        for scale in (largest / np.max(np.abs(x)), np.max(np.abs(y)) / largest, 1):
            _, flag, rcond = stackinv.inv_ex((x * unit * scale).astype(dtype), dtype=dtype, assume_a=structure)
            assert flag == 0
            np.testing.assert_allclose(rcond, expected, rtol=1e-9 if info.bits == 64 else 0.03)  # of subnormal sums


@pytest.mark.parametrize("structure", ["gen", *STRUCTURES])
@pytest.mark.parametrize("dtype", NATIVE)
def test_rcond_is_never_above_1(dtype, structure, any_engine):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((3000, 1, 1)).astype(dtype)
    if a.dtype.kind == "c" and structure not in ("pos", "her"):
        a = a + 1j * rng.standard_normal(a.shape).astype(a.real.dtype)
    if structure == "pos":
        a = np.abs(a).astype(dtype)
    rcond = stackinv.inv_ex(a, dtype=dtype, assume_a=structure).rcond
    assert rcond.max() <= 1
    assert rcond.min() > 1 - 10 * np.finfo(dtype).eps
    a[:] = np.finfo(dtype).max / 2  # the inverse may underflow
    assert stackinv.inv_ex(a, dtype=dtype, assume_a=structure).rcond.max() <= 1
    a[:] = np.finfo(dtype).tiny / 2**10  # and here it overflows
    assert not np.any(stackinv.inv_ex(a, dtype=dtype, assume_a=structure).rcond > 0)


def singular_families(m, dtype):
    """Integers with a row that is a combination of the others, two equal rows, two equal columns."""
    rng = np.random.default_rng(m)
    count = 2000

    def numbers(draw, *shape):
        x = draw(shape)
        return x + 1j * draw(shape) if dtype == "c16" else x

    def integers(limit):
        return lambda shape: rng.integers(-limit, limit + 1, shape).astype("f8")

    combined = numbers(integers(9), count, m, m)
    combined[:, -1] = np.einsum("ni,nij->nj", numbers(integers(2), count, m - 1), combined[:, :-1])
    twice = numbers(rng.standard_normal, 2 * count, m, m)
    i = rng.integers(0, m, 2 * count)
    j = (i + rng.integers(1, m, 2 * count)) % m
    twice[np.arange(2 * count), i] = twice[np.arange(2 * count), j]
    twice[count:] = twice[count:].swapaxes(1, 2).copy()
    return np.concatenate([combined, twice])


@functools.cache
def numpys_flags(m, dtype):
    def is_singular(matrix):
        try:
            np.linalg.inv(matrix)
        except np.linalg.LinAlgError:
            return True
        return False

    return np.array([is_singular(matrix) for matrix in singular_families(m, dtype)])


def openblas_of_numpy():
    """The processor whose kernels NumPy uses, in OpenBLAS's name; `OPENBLAS_CORETYPE` chooses another."""
    np.linalg.inv(np.eye(2))
    found = threadpool_info()
    return {lib["architecture"] for lib in found if lib["internal_api"] == "openblas" and "numpy" in lib["filepath"]}


# The processors on whose kernels NumPy finds the same small matrices singular, and up to which order.
SAME_FLAGS = {"AVX512": {"SkylakeX"}, "AVX2": {"Haswell", "Zen"}, "baseline": {"Haswell", "Zen"}}
MOST_M = {("baseline", "c16"): 4}


@pytest.fixture(params=BUILDS)
def lanes_build(request):
    """The lanes engine with the kernels of each instruction set."""
    for _ in forced(("lanes", request.param)):
        yield request.param


@pytest.mark.parametrize("dtype", ["f8", "c16"])
@pytest.mark.parametrize("m", [2, 3, 4, 5, 6, 7, 8, 12, 16])
def test_flags_agree_with_numpys(m, dtype, lanes_build):
    """Rounding hides a singularity or not: the order of sums decides, and whether products are rounded before them.

    Small matrices are rounded as OpenBLAS does on processors with the same vectors. Elsewhere it is a matter of chance,
    which must not hide more here: three standard deviations of a fair coin, tossed for each matrix that differs.
    """
    ours, numpys = stackinv.inv_ex(singular_families(m, dtype)).info > 0, numpys_flags(m, dtype)
    if m <= MOST_M.get((lanes_build, dtype), 5) and SAME_FLAGS[lanes_build] & openblas_of_numpy():
        np.testing.assert_array_equal(ours, numpys)
    hidden, found = np.sum(numpys & ~ours), np.sum(ours & ~numpys)
    assert hidden - found <= 3 * (hidden + found) ** 0.5
