# SPDX-License-Identifier: BSD-3-Clause
"""The keyword `axes`: NumPy's generalized ufuncs are the oracle."""

import itertools

import numpy as np
import pytest
from conftest import assert_inverses, run, well_conditioned

import stackinv

GUFUNC = np.linalg._umath_linalg.inv
PAIRS = [(0, 1), (1, 0), (-1, 0), (0, 2), (2, -4), (-2, -1)]


def stack(given, m=3, dtype="f8"):
    """A stack of four axes whose matrices have these axes, in memory as they are written."""
    return np.ascontiguousarray(np.moveaxis(well_conditioned((4, 5, m, m), dtype), (-2, -1), given))


@pytest.mark.parametrize(("given", "goal"), list(itertools.product(PAIRS, PAIRS)))
def test_same_as_a_generalized_ufunc(given, goal):
    a = stack(given)
    expected = GUFUNC(a, axes=[given, goal])
    assert_inverses(stackinv.inv(a, axes=[given, goal]), a, expected)
    inverse, info, rcond = stackinv.inv_ex(a, axes=(axes := [given, goal]))
    assert_inverses(inverse, a, expected)
    assert info.shape == rcond.shape == (4, 5)
    assert axes == [given, goal]


@pytest.mark.parametrize("function", [stackinv.inv, lambda *args, **kw: stackinv.inv_ex(*args, **kw).inverse])
@pytest.mark.parametrize("goal", PAIRS)
def test_out(function, goal):
    a = stack((0, 1))
    expected = GUFUNC(a, axes=[(0, 1), goal])
    out = np.full_like(expected, np.nan)
    assert function(a, out=out, axes=[(0, 1), goal]) is out
    assert_inverses(out, a, expected)
    view = np.full(tuple(2 * n for n in expected.shape), np.nan)[::2, ::2, ::-2, ::2]
    assert function(a, out=view, axes=[(0, 1), goal]) is view
    assert_inverses(view, a, expected)


def test_in_place():
    a = stack((0, 1))
    expected = GUFUNC(a, axes=[(0, 1), (0, 1)])
    assert stackinv.inv(a, out=a, axes=[(0, 1), (0, 1)]) is a
    assert_inverses(a, a, expected)


@pytest.mark.parametrize(
    "axes",
    [
        (0, 1),
        "ab",
        [],
        [(0, 1)],
        [(0, 1), ()],
        [(0, 1)] * 3,
        [0, 1],
        [[0, 1], [0, 1]],
        [("a", 1), (0, 1)],
        [(0.0, 1), (0, 1)],
        [(0, 1, 2), (0, 1)],
        [(0, 0), (0, 1)],
        [(0, 1), (1, 1)],
        [(0, 5), (0, 1)],
        [(0, 1), (-1, -5)],
    ],
    ids=str,
)
def test_wrong_axes_are_numpys_errors(axes):
    a = np.zeros((3, 3, 4))
    with pytest.raises(Exception) as expected:  # noqa: PT011
        GUFUNC(a, axes=axes)
    for function in (stackinv.inv, stackinv.inv_ex):
        with pytest.raises(type(expected.value)) as error:
            function(a, axes=axes)
        assert str(error.value) == str(expected.value)


def test_other_errors_are_those_without_axes():
    with pytest.raises(np.linalg.LinAlgError, match="1-dimensional array given"):
        stackinv.inv(np.ones(3), axes=[(0, 1), (0, 1)])
    with pytest.raises(np.linalg.LinAlgError, match="square"):
        stackinv.inv(np.ones((3, 4, 4)), axes=[(0, 1), (0, 1)])
    a = stack((0, 1))
    with pytest.raises(ValueError, match="out has shape"):
        stackinv.inv(a, out=np.empty((4, 5, 3, 3)), axes=[(0, 1), (0, 1)])
    with pytest.raises(ValueError, match="out has shape"):
        stackinv.inv(a, out=np.empty(3), axes=[(0, 1), (0, 1)])
    with pytest.raises(TypeError, match=r"out must be a numpy\.ndarray"):
        stackinv.inv(a, out=3, axes=[(0, 1), (0, 1)])


def test_indices_of_singular_matrices_are_in_the_stack():
    a = stack((1, 2))
    a[2, :, :, 3] = 0
    with pytest.raises(stackinv.SingularMatrixError) as error:
        stackinv.inv(a, axes=[(1, 2), (0, 1)])
    assert [index.tolist() for index in error.value.indices] == [[2], [3]]


@pytest.mark.parametrize("dtype", ["i8", "f4", ">f8", "c16"])
@pytest.mark.parametrize("assume_a", ["gen", "upper triangular"])
def test_types_structures_and_lists(dtype, assume_a):
    a = np.moveaxis(np.triu(well_conditioned((4, 3, 3)).real + 9 * np.eye(3)).astype(dtype), (1, 2), (0, 1))
    expected = GUFUNC(a, axes=[(0, 1), (0, 1)])
    for given in (a, a.tolist()):
        x = stackinv.inv(given, axes=[(0, 1), (0, 1)], assume_a=assume_a)
        np.testing.assert_allclose(x, expected, rtol=1e-5, atol=1e-5)


def test_one_matrix_turned():
    a = well_conditioned((3, 3))
    assert_inverses(stackinv.inv(a, axes=[(1, 0), (0, 1)]), a, np.linalg.inv(a.T))


def test_quantities_keep_their_unit():
    units = pytest.importorskip("astropy.units")
    a = stack((0, 1)) * units.m
    x = stackinv.inv(a, axes=[(0, 1), (0, 1)])
    assert x.unit == 1 / units.m
    np.testing.assert_allclose(x.value, GUFUNC(a.value, axes=[(0, 1), (0, 1)]))


@pytest.mark.parametrize("function", [stackinv.inv, lambda *args, **kw: stackinv.inv_ex(*args, **kw).inverse])
def test_other_classes_are_arrays_first(function):
    """Their own `transpose` may have other arguments than NumPy's."""
    xarray = pytest.importorskip("xarray")
    a = stack((0, 1))
    x = function(xarray.DataArray(a, dims=["i", "j", "k", "l"]), axes=[(0, 1), (0, 1)])
    assert isinstance(x, xarray.DataArray)
    assert x.dims == ("i", "j", "k", "l")
    np.testing.assert_allclose(x.values, GUFUNC(a, axes=[(0, 1), (0, 1)]))


def test_dask_arrays_stay_lazy():
    da = pytest.importorskip("dask.array")
    a = stack((0, 1))
    lazy = da.from_array(a, chunks=(3, 3, 2, 5))
    x = stackinv.inv(lazy, axes=[(0, 1), (1, 0)])
    assert isinstance(x, da.Array)
    assert_inverses(x.compute(), a, GUFUNC(a, axes=[(0, 1), (1, 0)]))
    with pytest.raises(TypeError, match="not a dask array"):
        stackinv.inv(lazy, out=x, axes=[(0, 1), (0, 1)])


def test_the_report_counts_the_order():
    code = """
    import subprocess, sys
    program = "import numpy as np, stackinv; a = np.linalg.inv(np.eye(2)); b = np.eye(3)[..., None] * np.ones(7);"
    program += "stackinv.inv(b, axes=[(0, 1), (0, 1)])"
    command = [sys.executable, "-m", "stackinv", "run", "--report", "-c", program]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    print([line.split()[:3] for line in process.stderr.splitlines()[2:4]])
    """
    assert run(code) == "[['2', '1', '1'], ['3', '1', '7']]\n"
