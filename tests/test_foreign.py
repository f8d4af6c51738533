"""Arrays of other libraries: type, unit and values are those that numpy.linalg.inv gives."""

import decimal
import importlib.util

import numpy as np
import pytest
from conftest import assert_inverses, well_conditioned

import stackinv

pd = pytest.importorskip("pandas")
pint = pytest.importorskip("pint")
units = pytest.importorskip("astropy.units")
unyt = pytest.importorskip("unyt")
xr = pytest.importorskip("xarray")

A = well_conditioned((4, 3, 3))
PINT = pint.UnitRegistry()


class Metres(np.ndarray):
    """A unit library in small: it keeps the power of the metre, and multiplies it on what NumPy gives back."""

    power = 1

    def __array_finalize__(self, other):
        self.power = getattr(other, "power", 1)

    def __array_function__(self, function, types, args, kwargs):
        result = super().__array_function__(function, types, args, kwargs)
        if function is np.linalg.inv:
            result.power -= 2 * self.power
        return result


class ByItself:
    """It inverts without NumPy, or the parts of it by NumPy."""

    def __init__(self, *parts):
        self.parts = parts

    def __array_function__(self, function, types, args, kwargs):
        return [function(part) for part in self.parts]


class Convertible:
    def __array__(self, dtype=None, copy=None):
        return A


class Interface:
    __array_interface__ = A.__array_interface__


def unit(x):
    return [str(getattr(x, name)) for name in ("unit", "units", "power", "dims", "mask") if hasattr(x, name)]


INPUTS = {
    "astropy": lambda: A * units.m,
    "astropy, single": lambda: A[0].astype("f4") * units.arcsec / units.pix,
    "astropy, dimensionless": lambda: A * units.one,
    "unyt": lambda: unyt.unyt_array(A, "psi"),
    "a class of units": lambda: A.view(Metres),
    "masked": lambda: np.ma.array(A, mask=A > 3),
    "matrix": lambda: np.matrix(A[0]),
    "memmap": lambda: np.memmap(__file__, "u1", "r", shape=(3, 3)) * np.arange(3) + 9999 * np.eye(3),
    "pandas": lambda: pd.DataFrame(A[0], index=list("xyz")),
    "xarray": lambda: xr.DataArray(A, dims=("site", "row", "column")),
    "__array__": Convertible,
    "__array_interface__": Interface,
    "lists": A.tolist,
}
if importlib.util.find_spec("torch"):
    import torch

    INPUTS["torch"] = lambda: torch.tensor(A)
if importlib.util.find_spec("jax"):
    import jax

    INPUTS["jax"] = lambda: jax.numpy.asarray(A)
FOREIGN = ["astropy", "astropy, single", "astropy, dimensionless", "unyt", "a class of units"]


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("name", INPUTS)
def test_type_unit_and_values_are_numpys(name):
    a = INPUTS[name]()
    expected = np.linalg.inv(a)
    results = [stackinv.inv(a), stackinv.inv(a, workers=1), stackinv.inv_ex(a).inverse]
    with stackinv.patch_numpy():
        results += [np.linalg.inv(a), stackinv.inv(a)]
    for result in results:
        assert type(result) is type(expected)
        assert unit(result) == unit(expected)
        assert_inverses(np.asarray(result), np.asarray(a), np.asarray(expected))


@pytest.mark.parametrize("name", FOREIGN)
def test_keywords_hold_for_foreign_arrays(name):
    a = INPUTS[name]()
    values = np.asarray(a)
    calls = []
    result = stackinv.inv(a, assume_a="diagonal", dtype=np.float32, callback=lambda *numbers: calls.append(numbers))
    np.testing.assert_array_equal(np.asarray(result), stackinv.inv(values, assume_a="diagonal", dtype=np.float32))
    assert calls
    assert unit(result) == unit(np.linalg.inv(a))
    assert result.dtype == np.float32
    out = np.zeros(a.shape)
    assert stackinv.inv(a, out=out) is out
    np.testing.assert_array_equal(out, stackinv.inv(values).astype(values.dtype))
    for actual, expected in zip(stackinv.inv_ex(a)[1:], stackinv.inv_ex(values)[1:], strict=True):
        np.testing.assert_array_equal(actual, expected)
    for given in (a, values):
        with pytest.raises(TypeError, match=r"out must be a plain numpy\.ndarray"):
            stackinv.inv(given, out=a.copy())
    singular = a.copy()
    singular[..., 0, :] = 0
    assert np.isnan(np.asarray(stackinv.inv(singular, on_singular="nan"))).all()
    with pytest.raises(stackinv.SingularMatrixError):
        stackinv.inv(singular)


def test_what_a_class_does_not_do_is_numpys_error():
    for function in (np.linalg.inv, stackinv.inv, stackinv.inv_ex):
        with pytest.raises(TypeError, match=r"no implementation found for 'numpy.linalg.inv' on types .*pint"):
            function(A * PINT.metre)


def test_keywords_that_cannot_be_heeded_are_refused():
    for parts in ((), (A, A)):
        assert len(stackinv.inv(ByItself(*parts))) == len(parts)
        for call in (lambda a: stackinv.inv(a, dtype=np.dtype("f8")), stackinv.inv_ex):
            with pytest.raises(TypeError, match=r"calculated . times by numpy\.linalg\.inv, expected once"):
                call(ByItself(*parts))


def test_a_callback_has_numpys_own_function_and_nothing_stays_exchanged():
    kinds = []

    def singular(*_):
        with pytest.raises(np.linalg.LinAlgError) as raised:
            np.linalg.inv(np.zeros((2, 2)))
        kinds.append(raised.type)

    stackinv.inv(A * units.m, on_singular="nan", callback=singular)
    singular()
    assert kinds == [np.linalg.LinAlgError] * 2


def test_decimal_is_numpys_error():
    for function in (np.linalg.inv, stackinv.inv):
        with pytest.raises(TypeError, match="Cannot cast ufunc 'inv' input from dtype"):
            function(np.array([[decimal.Decimal(1)]]))


if "torch" in INPUTS:

    def test_torch_that_requires_a_gradient_is_its_own_error():
        with pytest.raises(RuntimeError, match="Can't call numpy"):
            stackinv.inv(INPUTS["torch"]().requires_grad_())
