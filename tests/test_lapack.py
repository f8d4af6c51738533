"""The LAPACK engine, asked for: by argument, environment and command line; SciPy is not imported before."""

import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import NATIVE, STRUCTURES, assert_inverses, run, structured, well_conditioned
from scipy.linalg import get_lapack_funcs

import stackinv
from stackinv import _cli, _lapack, _native


@pytest.fixture
def calls(monkeypatch):
    """The orders that the LAPACK engine was called with."""
    seen = []

    def calculate(a, *arguments):
        seen.append(a.shape[-1])
        return original(a, *arguments)

    original = _lapack.calculate
    monkeypatch.setattr(_lapack, "calculate", calculate)
    return seen


@pytest.mark.parametrize("dtype", NATIVE)
@pytest.mark.parametrize("m", [1, 2, 16, 40, 100])
def test_results_are_those_of_getrf_and_getri(calls, dtype, m):
    a = well_conditioned((5, m, m), dtype)
    result = stackinv.inv(a, dtype=dtype, engine="lapack")
    assert calls == [m]
    getrf, getri = get_lapack_funcs(("getrf", "getri"), dtype=a.dtype)
    for matrix, inverse in zip(a, result, strict=True):
        lu, pivots, info = getrf(matrix)
        assert info == 0
        np.testing.assert_allclose(inverse, getri(lu, pivots)[0], rtol=200 * np.finfo(dtype).eps, atol=1e-6)


@pytest.mark.parametrize("structure", ["gen", *STRUCTURES])
def test_every_structure(calls, structure):
    a = structured((4, 9, 9), structure)
    a[2] = 0
    auto = stackinv.inv_ex(a, assume_a=structure)
    assert calls == []
    result = stackinv.inv_ex(a, assume_a=structure, engine="lapack")
    assert calls == ([] if structure == "diagonal" else [9])
    np.testing.assert_allclose(result.inverse, auto.inverse, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(result.info, auto.info)
    np.testing.assert_allclose(result.rcond, auto.rcond)
    with pytest.raises(stackinv.SingularMatrixError):
        stackinv.inv(a, assume_a=structure, engine="lapack")


def test_small_ones_lists_integers_and_converted_types_too(calls):
    for a in (np.eye(2), [[2, 0], [0, 4]], np.eye(3, dtype=int), np.eye(3, dtype=">f8"), np.eye(3, dtype="f4")):
        assert_inverses(stackinv.inv(a, engine="lapack"), np.asarray(a))
    assert calls == [2, 2, 3, 3, 3]
    stackinv.inv(np.eye(2), engine="auto")
    stackinv.inv(np.eye(2))
    assert len(calls) == 5


def test_dask_too(calls):
    da = pytest.importorskip("dask.array")
    x = da.from_array(well_conditioned((6, 4, 4)), chunks=(3, 4, 4))
    stackinv.inv(x, engine="lapack").compute()
    stackinv.inv_ex(x, engine="lapack")[0].compute()
    assert calls == [4] * 4


def test_other_engines_are_refused():
    for function in (stackinv.inv, stackinv.inv_ex):
        with pytest.raises(ValueError, match="engine must be 'auto' or 'lapack', not 'lanes'"):
            function(np.eye(2), engine="lanes")


@pytest.mark.parametrize(("text", "expected"), [("lapack", "lapack"), ("auto", "auto"), ("", "auto"), ("mkl", "auto")])
def test_environment(text, expected):
    code = "import sys, stackinv; stackinv.inv([[1.0]]); print('scipy' in sys.modules);"
    code += "print(stackinv.show_config('dicts')['Engine']['default'])"
    process = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"STACKINV_ENGINE": text},
        capture_output=True,
        text=True,
        check=True,
    )
    needed = expected == "lapack" or _native.needs_lapack()
    assert process.stdout == f"{needed}\n{expected}\n"
    assert process.stderr.count("STACKINV_ENGINE='mkl' is ignored: expected 'auto' or 'lapack'") == (text == "mkl")


def test_command_line(calls, tmp_path, capsys):
    a = well_conditioned((7, 4, 4))
    np.save(tmp_path / "a.npy", a)
    assert _cli.main(["invert", str(tmp_path / "a.npy"), "--engine", "lapack"]) == 0
    assert calls == [4]
    assert_inverses(np.load(tmp_path / "a.inv.npy"), a)
    for engine in (["--engine", "lapack"], ["--engine=lapack"]):
        code = "import os, numpy as np; print(os.environ['STACKINV_ENGINE'], np.linalg.inv([[2.0]]))"
        process = subprocess.run(
            [sys.executable, "-m", "stackinv", "run", *engine, "-c", code],
            capture_output=True,
            text=True,
            check=True,
        )
        assert process.stdout == "lapack [[0.5]]\n"
    with pytest.raises(SystemExit):
        _cli.main(["invert", "a.npy", "--engine", "blocked"])
    assert "--engine: invalid choice: 'blocked'" in capsys.readouterr().err


def test_threads_do_not_matter_and_children_of_a_fork_have_one():
    code = """
import os
import numpy as np, stackinv
stackinv._workers.available_cpus = lambda: 3
a = np.random.default_rng(0).standard_normal((300, 70, 70))
expected = stackinv.inv(a, engine="lapack", workers=1)
for workers in (2, 3):
    assert np.array_equal(stackinv.inv(a, engine="lapack", workers=workers), expected)
for _ in range(3):
    if (child := os.fork()) == 0:
        with stackinv.set_workers(3):
            os._exit(not np.array_equal(stackinv.inv(a, engine="lapack"), expected))
    assert os.waitpid(child, 0)[1] == 0
print("done")
"""
    if hasattr(os, "fork"):
        assert run(code) == "done\n"


def test_scipy_is_not_imported_before():
    """Nor anything else that NumPy does not import, but a few small modules."""
    if _native.needs_lapack():
        return
    code = """
import sys
import numpy as np
before = set(sys.modules)
import stackinv
stackinv.inv(np.eye(2)), stackinv.inv_ex(np.ones((100, 30, 30)) + 9 * np.eye(30))
new = {name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)
print(*sorted(new))
"""
    new = {name for name in run(code).split() if not name.startswith(("_cython", "cython"))}
    assert new - {"numpy"} == {"stackinv", "threadpoolctl"}
