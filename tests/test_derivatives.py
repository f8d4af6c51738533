# SPDX-License-Identifier: BSD-3-Clause
"""What gradients are calculated from: -X B X and -Xᴴ B Xᴴ, as close as products of that order are."""

import numpy as np
import pytest
from conftest import BUILDS, well_conditioned

from stackinv import _engines, _native

EXACT = {"f": "d", "d": "g", "F": "D", "D": "G"}


@pytest.fixture(params=BUILDS)
def build(request):
    _engines.use_build(request.param)
    yield request.param
    _engines.use_build(None)


def operands(m, dtype, length=11):
    """More than there are lanes, and not filling the last tile; numbers that one would see if they were mixed up."""
    stack = well_conditioned((2 * length, m, m), dtype) * np.arange(1, 2 * length + 1, dtype=dtype)[:, None, None]
    return stack[:length], stack[length:]


def calculated(x, b, what, out=None, workers=1):
    result = np.full(x.shape, np.nan, x.dtype) if out is None else out
    outputs = _engines.Outputs(right=b, solution=result)
    assert _native.calculate(x, outputs, x.dtype.char, what, workers, None) == 0
    return result


def assert_close(actual, x, b, what):
    """Componentwise, by the bound of two products (Higham, section 3.5), of four roundings for complex numbers."""
    exact = EXACT[actual.dtype.char]
    factor, middle = x.astype(exact), b.astype(exact)
    if what == "gradient":
        factor = factor.conj().swapaxes(-1, -2)
    expected = -(factor @ middle @ factor)
    bound = 8 * (x.shape[-1] + 1) * np.finfo(actual.dtype).eps * (abs(factor) @ abs(middle) @ abs(factor))
    assert (abs(actual - expected) <= bound).all()


@pytest.mark.parametrize("what", ["derivative", "gradient"])
@pytest.mark.parametrize("dtype", EXACT)
@pytest.mark.parametrize("m", [*range(1, 15), 16, 17, 24, 25])
def test_products_of_each_order(m, dtype, what, build):
    x, b = operands(m, dtype)
    assert_close(calculated(x, b, what), x, b, what)


LAYOUTS = {
    "columns first": lambda a: np.ascontiguousarray(a.swapaxes(-1, -2)).swapaxes(-1, -2),
    "side by side": lambda a: np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 0, -1)), -1, 0),
    "backwards": lambda a: np.ascontiguousarray(a[::-1, ::-1, ::-1])[::-1, ::-1, ::-1],
    "with gaps": lambda a: np.repeat(np.repeat(a, 3, -1), 2, 0)[::2, :, ::3],
}


@pytest.mark.parametrize("what", ["derivative", "gradient"])
@pytest.mark.parametrize("dtype", EXACT)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("m", [2, 3, 7])
def test_layouts_do_not_matter(m, layout, dtype, what, build):
    x, b = operands(m, dtype)
    expected = calculated(x, b, what)
    other = LAYOUTS[layout]
    for one, two, out in [(other(x), b, None), (x, other(b), None), (x, b, other(np.full_like(x, np.nan)))]:
        np.testing.assert_array_equal(calculated(one, two, what, out), expected)


@pytest.mark.parametrize("what", ["derivative", "gradient"])
def test_one_matrix_for_all_and_one_number_for_all(what):
    """Gradients are often such: of a sum, or of what was broadcast."""
    x, b = operands(3, "d")
    same, ones = np.broadcast_to(b[:1], b.shape), np.broadcast_to(np.ones((1, 1, 1)), b.shape)
    np.testing.assert_array_equal(calculated(x, same, what), calculated(x, same.copy(), what))
    np.testing.assert_array_equal(calculated(x, ones, what), calculated(x, ones.copy(), what))


@pytest.mark.parametrize("what", ["derivative", "gradient"])
@pytest.mark.parametrize("m", [3, 12])
def test_threads_and_several_axes(m, what):
    x, b = operands(m, "d", 30_000 // m)
    expected = calculated(x, b, what)
    np.testing.assert_array_equal(calculated(x, b, what, workers=4), expected)
    x, b, expected = (array[: len(array) // 6 * 6].reshape(-1, 3, 2, m, m)[:, 1:] for array in (x, b, expected))
    np.testing.assert_array_equal(calculated(x, b, what), expected)


@pytest.mark.parametrize("m", [3, 9])
def test_nan_and_infinity_stay_in_their_matrix(m):
    x, b = operands(m, "d")
    expected = calculated(x, b, "gradient")
    x[4, 0, 0], b[6, 1, 1] = np.inf, np.nan
    result = calculated(x, b, "gradient")
    others = [k for k in range(len(x)) if k not in (4, 6)]
    np.testing.assert_array_equal(result[others], expected[others])
    assert np.isnan(result[6]).all()
    assert not np.isfinite(result[4, 0]).any()
