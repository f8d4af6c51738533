"""`inv`, `solve` and `slogdet` in functions that numba compiles: the same results, to the bit, and the same errors."""

import subprocess
import sys

import numpy as np
import pytest
from conftest import NATIVE, STRUCTURES, hide_unread, structured, well_conditioned

import stackinv

numba = pytest.importorskip("numba")


pytestmark = pytest.mark.usefixtures("own_engines")


@numba.njit
def inv(a):
    return stackinv.inv(a)


@numba.njit
def solve(a, b):
    return stackinv.solve(a, b)


@numba.njit
def slogdet(a):
    return stackinv.slogdet(a)


@numba.njit(parallel=True)
def inv_each(a):
    x = np.empty_like(a)
    for i in numba.prange(len(a)):
        x[i] = stackinv.inv(a[i])
    return x


def assert_equal(result, expected):
    if np.ndim(expected):  # numba makes Python's numbers of scalars
        assert result.dtype == expected.dtype
    np.testing.assert_array_equal(result, expected)


VIEWS = {
    "C": lambda a: a,
    "F": np.asfortranarray,
    "A": lambda a: np.repeat(a, 2, -1)[..., ::-2],
}


@pytest.mark.parametrize(
    ("dtype", "layout"), [*((dtype, "C") for dtype in [*NATIVE, "i4", "?"]), ("f8", "F"), ("f8", "A"), ("c8", "A")]
)
def test_arrays_of_all_types_and_layouts(dtype, layout):
    for shape in [(3, 3), (7, 5, 5), (30, 20, 20), (0, 4, 4)]:
        a = VIEWS[layout](well_conditioned(shape, dtype))
        b = VIEWS[layout](well_conditioned(shape, dtype, seed=1))[..., :2]
        assert_equal(inv(a), stackinv.inv(a))
        assert_equal(solve(a, b), stackinv.solve(a, b))
        for mine, expected in zip(slogdet(a), stackinv.slogdet(a), strict=True):
            assert_equal(mine, expected)


def test_systems_are_broadcast():
    a, b = well_conditioned((4, 3, 3)), well_conditioned((5, 1, 3, 3))[..., :2]
    assert_equal(solve(a, b), stackinv.solve(a, b))
    assert_equal(solve(a, b[0, 0]), stackinv.solve(a, b[0, 0]))
    assert_equal(solve(a, b[0, 0, :, 0]), stackinv.solve(a, b[0, 0, :, 0]))
    assert_equal(solve(a[0], b[0, 0, :, 0]), stackinv.solve(a[0], b[0, 0, :, 0]))
    assert_equal(
        solve(a[0].astype("f4"), b[0, 0].astype("c8")), stackinv.solve(a[0].astype("f4"), b[0, 0].astype("c8"))
    )


@pytest.mark.parametrize("structure", STRUCTURES)
def test_structures(structure):
    @numba.njit
    def all_three(a, b):
        x = stackinv.inv(a, assume_a=structure)
        return x, stackinv.solve(a, b, assume_a=structure), stackinv.slogdet(a, assume_a=structure)[1]

    a, b = hide_unread(structured((6, 5, 5), structure), structure), well_conditioned((6, 5, 5))
    x, solution, logarithm = all_three(a, b)
    assert_equal(x, stackinv.inv(a, assume_a=structure))
    assert_equal(solution, stackinv.solve(a, b, assume_a=structure))
    assert_equal(logarithm, stackinv.slogdet(a, assume_a=structure)[1])


def test_in_parallel():
    a = well_conditioned((500, 4, 4))
    assert_equal(inv_each(a), stackinv.inv(a))


def test_workers():
    @numba.njit
    def by(a, workers):
        return stackinv.inv(a, workers=workers)

    a = well_conditioned((20_000, 4, 4))
    for workers in (1, 2, -1):
        assert_equal(by(a, workers), stackinv.inv(a))
    for workers in (0, -2):
        with pytest.raises(ValueError, match="workers must be positive"):
            by(a, workers)


def test_singular_matrices():
    a = well_conditioned((4, 3, 3))
    a[2] = 0
    for call in (lambda: inv(a), lambda: inv(a[2]), lambda: solve(a, a), lambda: solve(a[2], a[0, 0])):
        with pytest.raises(stackinv.SingularMatrixError, match="Singular matrix"):
            call()
    assert_equal(slogdet(a)[1], stackinv.slogdet(a)[1])


def test_wrong_shapes():
    with pytest.raises(np.linalg.LinAlgError, match="Last 2 dimensions of the array must be square"):
        inv(np.ones((2, 3)))
    with pytest.raises(ValueError, match="different numbers of rows"):
        solve(np.eye(3), np.ones(2))
    with pytest.raises(ValueError, match="broadcast"):
        solve(well_conditioned((4, 3, 3)), np.ones((5, 3, 2)))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("stackinv.inv(a[0, 0])", "1-dimensional array given"),
        ("stackinv.inv(1.0)", "a must be an array, not"),
        ("stackinv.inv(a, assume_a='round')", "assume_a must be one of"),
        ("stackinv.inv(a, workers=1.5)", "workers must be an integer or None"),
        ("stackinv.inv(a.astype(np.float16))", "is unsupported in linalg"),
    ],
)
def test_what_cannot_be_compiled_says_why(code, message):
    names = {"stackinv": stackinv, "np": np}
    exec(f"def function(a): return {code}", names)
    with pytest.raises(numba.TypingError, match=message):
        numba.njit(names["function"])(np.ones((2, 3, 3)))


CACHED = """
import numba, numpy as np, stackinv

@numba.njit(cache=True)
def inverse(a):
    return stackinv.inv(a)

assert (inverse(2 * np.eye(3)) == np.eye(3) / 2).all()
print(sum(inverse.stats.cache_hits.values()))
"""


def test_a_cached_function_in_another_process(tmp_path):
    (tmp_path / "cached.py").write_text(CACHED)
    command = [sys.executable, "cached.py"]
    outputs = [subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True) for _ in range(2)]
    assert [output.stdout.strip() for output in outputs] == ["0", "1"]


def test_numba_is_not_imported_for_nothing():
    code = "import stackinv, sys; assert not {'numba', 'jax', 'torch', 'stackinv.cython_api'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
