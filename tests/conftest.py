"""What several test modules share."""

import importlib.util
import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from stackinv import _engines, _native

NATIVE = ["f4", "f8", "c8", "c16"]
BUILDS = [name for name, _, runs_here in _native.builds() if runs_here]
for name, usual in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
    # Ignored in the background of a shell, or by nohup, which child processes would inherit.
    if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is signal.SIG_IGN:
        signal.signal(getattr(signal, name), usual)

settings.register_profile("default", max_examples=500, deadline=None)
settings.register_profile("long", max_examples=20_000, deadline=None)
settings.load_profile("default")


def pytest_addoption(parser):
    parser.addoption("--load-seconds", type=float, default=2, help="how long many threads call at once")
    parser.addoption("--all-guards", action="store_true", help="guard pages for every order up to 70 and remainder")
    parser.addoption("--seed", type=int, default=0, help="other matrices for the tests of accuracy")
    parser.addoption("--oracles", action="store_true", help="also what tests/oracles.py runs for each change")
    parser.addoption("--nightly", action="store_true", help="also what takes too long for each change")


def pytest_collection_modifyitems(config, items):
    """Leave out what is marked nightly, unless it is asked for; what is marked oracles too is for each change there."""
    if config.getoption("--nightly"):
        return

    def left_out(item):
        asked = item.get_closest_marker("oracles") and config.getoption("--oracles")
        return item.get_closest_marker("nightly") and not asked

    config.hook.pytest_deselected(items=[item for item in items if left_out(item)])
    items[:] = [item for item in items if not left_out(item)]


def missing(code, beside=Path(__file__).parent):
    """The libraries that this code imports or looks for and that are not installed, nor modules in this directory."""
    found = re.findall(r"""^\s*(?:import|from)\s+([\w.]+)|find_spec\("(\w+)""", code, re.MULTILINE)
    names = {(imported or looked_for).partition(".")[0] for imported, looked_for in found}
    return sorted(
        name for name in names if importlib.util.find_spec(name) is None and not (beside / f"{name}.py").exists()
    )


def or_nightly(values, now):
    """Parameters of a test, all but those in `now` only at night."""
    return [value if value in now else pytest.param(value, marks=pytest.mark.nightly) for value in values]


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


STRUCTURES = ["pos", "sym", "her", "upper triangular", "lower triangular", "diagonal"]


def structured(shape, structure, dtype="f8", seed=0):
    """A stack of random well-conditioned matrices of this structure."""
    rng = np.random.default_rng([seed, *shape])
    m = shape[-1]
    a = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        a = a + 1j * rng.standard_normal(shape)
    if structure == "pos":
        a = a @ adjoint(a) / max(1, m) + np.eye(m)
    elif structure in ("sym", "her"):  # with a zero first on the diagonal, so that it has to be pivoted
        a = a + (adjoint(a) if structure == "her" else np.swapaxes(a, -1, -2))
        a = a / 2 + 2 * m**0.5 * np.diag((-1.0) ** np.arange(m))
        if m > 1:
            a[..., 0, 0], a[..., 0, 1], a[..., 1, 0] = 0, 2 * m**0.5, 2 * m**0.5
    elif "triangular" in structure:
        a = triangle(a, structure) / m**0.5 + 2 * np.eye(m)
    elif structure == "diagonal":
        a = (a + 3) * np.eye(m)
    return a.astype(dtype)


def adjoint(a):
    return np.conj(np.swapaxes(a, -1, -2))


def triangle(a, structure):
    return np.triu(a) if structure == "upper triangular" else np.tril(a)


def hide_unread(a, structure):
    """The same matrices with NaN wherever it should not be read."""
    m = a.shape[-1]
    if structure == "diagonal":
        read = np.eye(m, dtype=bool)
    else:
        read = triangle(np.ones((m, m), bool), structure)
    hidden = np.where(read, a, np.nan).astype(a.dtype)
    if a.dtype.kind == "c" and structure in ("pos", "her"):
        np.einsum("...ii->...i", hidden).imag = np.nan
    return hidden


def has_structure(x, structure):
    """Exactly, element by element."""
    mirrors = {"pos": adjoint(x), "her": adjoint(x), "sym": np.swapaxes(x, -1, -2), "diagonal": x * np.eye(x.shape[-1])}
    other = triangle(x, structure) if "triangular" in structure else mirrors[structure]
    return np.array_equal(x, other, equal_nan=True)


def assert_inverses(actual, a, expected=None):
    """`actual` has NumPy's shape and type, and equals NumPy's inverses of `a` to rounding."""
    expected = np.linalg.inv(a) if expected is None else expected
    assert type(actual) is type(expected)
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    tolerance = 1e-4 if actual.dtype.char in "fF" else 1e-9
    actual, expected = np.asarray(actual), np.asarray(expected)
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * np.max(np.abs(expected), initial=0))


def run(code, timeout=120, **keywords):
    """Run a script in a new process; its output. A hang is a failure."""
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        **keywords,
    )
    assert process.returncode == 0, f"exit status {process.returncode}:\n{process.stderr}"
    return process.stdout


@pytest.fixture
def own_engines():
    """No LAPACK, which a build without vectors has for larger matrices from Python, and from no other compiled code."""
    if _native.needs_lapack():
        _engines.use_engine("lanes")
    yield
    _engines.use_engine(None)


@pytest.fixture(autouse=True)
def _no_settings_from_outside():
    """Tests of the default number of workers see this machine alone."""
    for name in ("STACKINV_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.pop(name, None)


@pytest.fixture
def lapack_engine():
    """Stacks of any kind go to LAPACK, for which there are better engines where there are vectors."""
    _engines.use_engine("lapack")
    yield
    _engines.use_engine(None)
    _engines.use_build(None)


OUR_ENGINES = [(name, build) for name in ("lanes", "blocked") for build in BUILDS]


def forced(engine):
    """The body of a fixture: this engine calculates everything, with the kernels of this instruction set; its name."""
    name, build = engine
    _engines.use_engine(name)
    _engines.use_build(build)
    yield name
    _engines.use_engine(None)
    _engines.use_build(None)


@pytest.fixture(params=OUR_ENGINES, ids="-".join)
def engine(request):
    """Each engine of our own."""
    yield from forced(request.param)


@pytest.fixture(params=[("lapack", BUILDS[0]), *OUR_ENGINES], ids="-".join)
def any_engine(request):
    """Each engine."""
    yield from forced(request.param)


@pytest.fixture
def blas_threads():
    """A function that tells how many threads each BLAS of the process would use."""
    from threadpoolctl import ThreadpoolController

    import stackinv

    stackinv.inv(np.eye(300), engine="lapack")  # which loads SciPy's BLAS
    controller = ThreadpoolController()
    return lambda: {lib.filepath: lib.get_num_threads() for lib in controller.select(user_api="blas").lib_controllers}
