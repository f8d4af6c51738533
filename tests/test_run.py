"""`stackinv run`: as if python itself had been called, but for numpy.linalg.inv."""

import os
import re
import subprocess
import sys
import tempfile
import zipapp
from pathlib import Path

import pytest

PYTHON = [sys.executable]
RUN = [sys.executable, "-m", "stackinv", "run"]


@pytest.fixture
def call(tmp_path):
    """A function that runs a command in a directory of its own; what it returned and printed."""

    def call(*command, **environment):
        return subprocess.run(
            list(map(str, command)),
            cwd=tmp_path,
            input="import sys; print(__name__, sys.argv)",
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return call


def outcome(process):
    return process.returncode, process.stdout, process.stderr


LOOK = """
import sys, os
print(__name__, __file__ if "__file__" in dir() else None, __spec__ and __spec__.name, __package__)
print(sys.argv, sys.path, sys.executable, sys.flags, sys.warnoptions)
print(sorted(dir()))
"""

PROGRAMS = {
    "arguments": (LOOK, ["-m", "--report", "-h", "ä", ""]),
    "status": ("import sys; sys.exit(7)", []),
    "message": ("import sys; sys.exit('that was all')", []),
    "traceback": ("def f(): return 1 / 0\nprint('before', flush=True)\nf()", []),
    "traceback with numpy": ("import numpy as np\nnp.linalg.cholesky(-np.eye(2))", []),
    "syntax": ("def f(:", []),
    "signal": ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", []),
    "interrupt": ("import os, signal; os.kill(os.getpid(), signal.SIGINT)", []),
    "broken pipe": ("import signal; print(signal.getsignal(signal.SIGPIPE), signal.getsignal(signal.SIGTERM))", []),
    "pickle": ("import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))), A.__module__)", []),
    "exit functions": ("import atexit; atexit.register(print, 'last'); print('first')", []),
    "environment before numpy": (
        """
import os, sys
assert "numpy" not in sys.modules
os.environ["OPENBLAS_NUM_THREADS"] = "1"
import numpy
from threadpoolctl import threadpool_info
print({lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"})
""",
        [],
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_script(name, tmp_path, call):
    code, arguments = PROGRAMS[name]
    (tmp_path / "script.py").write_text(code)
    expected = call(*PYTHON, "script.py", *arguments)
    assert outcome(call(*RUN, "script.py", *arguments)) == outcome(expected)


@pytest.mark.parametrize(
    "program",
    [
        ["missing.py"],
        ["-m", "missing"],
        ["-m", "package"],
        ["-m", "package.module", "a", "--report"],
        ["-mpackage.module"],
        ["directory", "x"],
        ["program.pyz", "x"],
        ["directory/__main__.py"],
        ["-", "x"],
        ["-c", LOOK, "x"],
        ["-m", "json.tool", "--help"],
    ],
    ids=lambda program: program[-2] if len(program) > 1 else program[0],
)
def test_other_programs(program, tmp_path, call):
    for name in ("package", "directory"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__main__.py").write_text(LOOK)
    (tmp_path / "package" / "module.py").write_text(LOOK)
    zipapp.create_archive(tmp_path / "directory", tmp_path / "program.pyz")
    assert outcome(call(*RUN, *program)) == outcome(call(*PYTHON, *program))


def test_python_can_be_told_by_the_environment(tmp_path, call):
    (tmp_path / "script.py").write_text(LOOK)
    (tmp_path / "more").mkdir()
    environment = {"PYTHONPATH": str(tmp_path / "more"), "PYTHONWARNINGS": "error", "PYTHONOPTIMIZE": "1"}
    expected = call(*PYTHON, "script.py", **environment)
    assert str(tmp_path / "more") in expected.stdout
    assert outcome(call(*RUN, "script.py", **environment)) == outcome(expected)


@pytest.mark.parametrize("broken", [False, True])
def test_a_sitecustomize_of_the_users_own(tmp_path, call, broken):
    (tmp_path / "sitecustomize.py").write_text("print('customized')\n" + "1 / 0\n" * broken)
    (tmp_path / "script.py").write_text("import sitecustomize; print(sitecustomize.__file__)")
    environment = {"PYTHONPATH": str(tmp_path)}
    expected = call(*PYTHON, "script.py", **environment)
    assert expected.stdout.startswith("customized\n")
    isolated = [sys.executable, "-I", *RUN[1:]]  # which sees no PYTHONPATH; the Python that it becomes does
    assert outcome(call(*isolated, "script.py", **environment)) == outcome(expected)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], r"expected SCRIPT.py, -m MODULE or -c CODE \("),
        (["--report"], r"expected SCRIPT.py, -m MODULE or -c CODE \("),
        (["-x", "script.py"], r"expected SCRIPT.py, -m MODULE or -c CODE, not -x \("),
        (["--reprot", "script.py"], r"expected SCRIPT.py, -m MODULE or -c CODE, not --reprot \("),
        (["--report", "-m"], r"expected SCRIPT.py, -m MODULE or -c CODE, not -m \("),
    ],
)
def test_nothing_to_run(arguments, text, call):
    process = call(*RUN, *arguments)
    assert process.returncode == 2
    assert re.match("stackinv: error: run: " + text, process.stderr)
    assert process.stderr.count("\n") == 1


WORK = """
import os, subprocess, sys
import numpy as np
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

def name(_):
    try:
        np.linalg.inv(np.zeros((5, 2, 2)))
    except np.linalg.LinAlgError as error:
        return type(error).__name__

if __name__ == "__main__":
    a = np.random.default_rng(0).random((10, 3, 3)) + np.eye(3)
    assert np.allclose(np.linalg.inv(a) @ a, np.eye(3))
    print(name(0))
    for method in ("fork", "spawn", "forkserver"):
        with ProcessPoolExecutor(1, mp_context=get_context(method)) as pool:
            print(*pool.map(name, range(2)))
    if len(sys.argv) == 1:
        print(subprocess.run([sys.executable, __file__, "child"], capture_output=True, text=True).stdout, end="")
"""


def test_numpy_is_patched_in_all_processes(tmp_path, call):
    (tmp_path / "script.py").write_text(WORK)
    process = call(*RUN, "script.py")
    assert process.stdout.split() == ["SingularMatrixError"] * 14, process.stderr
    assert call(*PYTHON, "script.py").stdout.split() == ["LinAlgError"] * 14


NAME = """
print(type(np.linalg.inv).__name__)
try:
    np.linalg.inv(np.zeros((2, 2)))
except np.linalg.LinAlgError as error:
    print(type(error).__name__)
"""
WAYS = {
    "looked for before": "import importlib.util\nimportlib.util.find_spec('numpy')\nimport numpy as np\n",
    "stackinv looked for before": "import importlib.util\nimportlib.util.find_spec('stackinv')\nimport numpy as np\n",
    "stackinv first": "import stackinv\nimport numpy as np\n",
    "a part of it first": "from numpy.linalg import norm\nimport numpy as np\n",
    "through SciPy": "import scipy.linalg\nimport numpy as np\n",
    "failed before": """
import sys
sys.path.insert(0, "broken")
try:
    import numpy
except RuntimeError:
    del sys.path[0]
import numpy as np
""",
}


@pytest.mark.parametrize("way", WAYS)
def test_numpy_is_patched_however_it_is_imported(way, tmp_path, call):
    (tmp_path / "broken" / "numpy").mkdir(parents=True)
    (tmp_path / "broken" / "numpy" / "__init__.py").write_text("raise RuntimeError")
    (tmp_path / "script.py").write_text(WAYS[way] + NAME)
    process = call(*RUN, "script.py")
    assert process.stdout.split() == ["_ArrayFunctionDispatcher", "SingularMatrixError"], process.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&-"])
def test_closed_streams(closed, call):
    for options in ("", "--report"):
        command = f"exec {sys.executable} -m stackinv run {options} -c 'import numpy' {closed}"
        assert call("sh", "-c", command).returncode == 0


def test_a_python_without_stackinv_runs_unpatched(tmp_path, call):
    (tmp_path / "script.py").write_text("""
import sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name == "stackinv":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(1, Without())
import numpy as np
np.linalg.inv(np.zeros((2, 2)))
""")
    expected = call(*PYTHON, "script.py")
    assert "LinAlgError: Singular matrix\n" in expected.stderr
    assert outcome(call(*RUN, "script.py")) == outcome(expected)


def rows(process):
    """The lines of the table in the report: calls and matrices by M."""
    lines = process.stderr[process.stderr.index("stackinv: matrices inverted") :].splitlines()
    table = {line.split()[0]: line.replace(",", "").split()[1:] for line in lines[2:]}
    assert all(float(seconds) >= 0 for _, _, seconds, _ in table.values())
    assert {each == "-" or float(each) > 0 for *_, each in table.values()} == {True}
    return lines[0], {m: (int(calls), int(matrices)) for m, (calls, matrices, *_) in table.items()}


def test_report_counts_all_processes(tmp_path, call):
    (tmp_path / "script.py").write_text(WORK)
    with tempfile.TemporaryDirectory() as directory:  # its name is short enough for the sockets of "forkserver"
        process = call(*RUN, "--report", "script.py", TMPDIR=directory)
        assert not list(Path(directory).glob("stackinv-*"))
    assert process.stdout.split() == ["SingularMatrixError"] * 14, process.stderr
    head, table = rows(process)
    assert head == "stackinv: matrices inverted in 8 processes"
    assert table == {"2": (14, 70), "3": (2, 20), "all": (16, 90)}


def test_report_counts_every_way_and_order(tmp_path, call):
    (tmp_path / "script.py").write_text("""
import os, sys, threading
import numpy as np, stackinv
for m in range(1100):
    np.linalg.inv(np.empty((2, 0, m, m)))
stackinv.inv(np.eye(7))
stackinv.inv_ex(a=[[1, 2], [3, 4]])
for wrong in (3, [[1, 2], [3]], np.eye(2)[:1], "x"):
    try:
        stackinv.inv(wrong)
    except ValueError:
        pass
threads = [threading.Thread(target=lambda: [np.linalg.inv(np.eye(1)) for _ in range(1000)]) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
if (child := os.fork()) == 0:
    np.linalg.inv(np.ones((1, 1)))
    os._exit(0)
os.waitpid(child, 0)
sys.exit("the end")
""")
    # Python from 3.12 on warns of a fork beside threads, and may count one that has been joined a moment ago.
    process = call(*RUN, "--report", "script.py", PYTHONWARNINGS="ignore::DeprecationWarning")
    assert process.returncode == 1
    assert process.stderr.startswith("the end\nstackinv: matrices inverted in 2 processes\n")
    _, table = rows(process)
    assert list(table)[:3] == ["0", "1", "2"]
    assert list(table)[-2:] == ["others", "all"]
    assert len(table) == 1023 + 2
    assert (table["1"], table["2"], table["7"]) == ((4002, 4001), (2, 1), (2, 1))
    assert table["all"] == (1100 + 2 + 4001, 2 + 4001)


def test_report_with_a_signal_handler_that_inverts_too(call):
    code = """
import signal, time
import numpy as np
a = np.eye(3)
signal.signal(signal.SIGALRM, lambda *_: np.linalg.inv(a))
signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
end = time.monotonic() + 1
while time.monotonic() < end:
    np.linalg.inv(a)
signal.setitimer(signal.ITIMER_REAL, 0)
"""
    assert rows(call(*RUN, "--report", "-c", code))[1]["3"][0] > 1000


def test_report_of_which_nothing_is_left(tmp_path, call):
    code = "import glob, shutil, numpy; [shutil.rmtree(name) for name in glob.glob('stackinv-*')]"
    process = call(*RUN, "--report", "-c", code, TMPDIR=str(tmp_path))
    assert process.returncode == 0
    assert process.stderr.startswith("stackinv: no report: ")
    assert process.stderr.count("\n") == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX limits")
def test_report_without_room_for_it_does_no_harm(call):
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); import signal;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "import numpy as np; print(np.linalg.inv([[2.0]]))"
    )
    process = call(*RUN, "--report", "-c", code)
    assert (process.returncode, process.stdout) == (0, "[[0.5]]\n"), process.stderr
    assert process.stderr == "stackinv: no matrix was inverted\n"


@pytest.mark.parametrize("code", ["print(1)", "import numpy as np; print(1)", "import stackinv; print(1)"])
def test_report_of_nothing(code, tmp_path, call):
    process = call(*RUN, "--report", "-c", code, TMPDIR=str(tmp_path))
    assert outcome(process) == (0, "1\n", "stackinv: no matrix was inverted\n")
    assert not list(tmp_path.glob("stackinv-*"))


def test_a_dask_array_is_counted_by_its_chunks(call):
    code = """
import dask.array as da, numpy as np, stackinv
x = da.from_array(np.eye(3) + np.zeros((12, 3, 3)), chunks=(5, 3, 3))
stackinv.inv(x).compute(scheduler="threads")
"""
    assert rows(call(*RUN, "--report", "-c", code))[1] == {"3": (3, 12), "all": (3, 12)}
