"""What several test modules share."""

import numpy as np
import pytest

from stackinv import _core

NATIVE = ["f4", "f8", "c8", "c16"]
BUILDS = [name for name, _, runs_here in _core.builds() if runs_here]
INTEGERS = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]


def well_conditioned(shape, dtype="f8", seed=0):
    """A stack of random matrices with a dominant diagonal in a random order of rows, so that pivoting matters."""
    rng = np.random.default_rng([seed, *shape])
    dtype = np.dtype(dtype)
    m = shape[-1]
    a = rng.standard_normal(shape)
    if dtype.kind == "c":
        a = a + 1j * rng.standard_normal(shape)
    a = a + 2 * m**0.5 * np.eye(m)
    if dtype.kind in "iu":
        a = rng.integers(0 if dtype.kind == "u" else -1, 2, shape) + (m + 1) * np.eye(m)
    elif dtype.kind == "b":
        a = np.broadcast_to(np.tri(m), shape)
    return np.take(a, rng.permutation(m), axis=-2).astype(dtype)


def assert_inverses(actual, a, expected=None):
    """`actual` has NumPy's shape and type, and equals NumPy's inverses of `a` to rounding."""
    expected = np.linalg.inv(a) if expected is None else expected
    assert type(actual) is type(expected)
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    tolerance = 1e-4 if actual.dtype.char in "fF" else 1e-9
    actual, expected = np.asarray(actual), np.asarray(expected)
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * np.max(np.abs(expected), initial=0))


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    """Tests of the default number of workers see this machine alone."""
    for name in ("STACKINV_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def lapack_engine():
    """Stacks of any kind go to LAPACK, for which there are better engines where there are vectors."""
    _core.use_engine("lapack")
    yield
    _core.use_engine(None)
    _core.use_build(None)


@pytest.fixture(params=[(name, build) for name in ("lanes", "blocked") for build in BUILDS], ids="-".join)
def engine(request):
    """Each engine of our own calculates everything, with the kernels of each instruction set; its name."""
    name, build = request.param
    _core.use_engine(name)
    _core.use_build(build)
    yield name
    _core.use_engine(None)
    _core.use_build(None)


@pytest.fixture
def blas_threads():
    """A function that tells how many threads each BLAS of the process would use."""
    from threadpoolctl import ThreadpoolController

    import stackinv

    stackinv.inv(np.eye(300)[None])
    controller = ThreadpoolController()
    return lambda: {lib.filepath: lib.get_num_threads() for lib in controller.select(user_api="blas").lib_controllers}
