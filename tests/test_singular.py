"""Singular matrices in a stack: the error, its indices, NaN, info and rcond."""

import copy
import os
import pickle
import subprocess
import sys
import traceback

import numpy as np
import pytest
from conftest import BUILDS, NATIVE, assert_inverses, well_conditioned

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


FLAGS = """
import sys
import numpy as np, stackinv

def numpy_flags(a):
    try:
        np.linalg.inv(a)
    except np.linalg.LinAlgError:
        return True
    return False

m = int(sys.argv[1])
rng = np.random.default_rng(0)
a = rng.integers(-9, 10, (4000, m, m))
a[:, -1] = np.einsum("ni,nij->nj", rng.integers(-2, 3, (4000, m - 1)), a[:, :-1])
numpys = np.array([numpy_flags(matrix) for matrix in a])
ours = stackinv.inv_ex(a).info > 0
print(np.mean(ours == numpys), ours.mean(), numpys.mean())
"""


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("m", [2, 3, 4, 5, 8])
def test_flags_agree_with_numpys_on_singular_integer_matrices(m, build):
    """Whether rounding hides a singularity depends on whether sums of products are rounded once or twice.

    OpenBLAS's kernels for AVX-512 round once, as our kernels with FMA do, and those for older processors twice.
    """
    best = BUILDS[0]
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"}
    disabled = {"AVX512": "", "AVX2": "AVX512F", "baseline": "AVX2 AVX512F"}
    environment["STACKINV_DISABLE_CPU_FEATURES"] = disabled[build]
    output = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FLAGS, str(m)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    agreement, ours, numpys = map(float, output.stdout.split())
    if m <= 5 and best == "AVX512" and build != "baseline":
        assert agreement > 0.99
    if best == "AVX512" and build != "baseline":
        assert ours > numpys - 0.02
    assert ours > numpys - 0.06
