"""`stackinv run`: as if python itself had been called, but for numpy.linalg.inv."""

import ast
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import zipapp
from pathlib import Path

import pytest

import stackinv

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


WITHOUT = """
import sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name == "stackinv":
            raise ModuleNotFoundError("No module named 'stackinv'")
sys.meta_path.insert(1, Without())
import numpy as np
"""


def test_a_python_without_stackinv_says_so_once_when_it_inverts(tmp_path, call):
    (tmp_path / "script.py").write_text(WITHOUT)
    assert outcome(call(*RUN, "script.py")) == (0, "", "")
    (tmp_path / "script.py").write_text(WITHOUT + 3 * "print(np.linalg.inv(np.eye(1)))\n")
    process = call(*RUN, "script.py")
    assert (process.returncode, process.stdout) == (0, "[[1.]]\n" * 3)
    assert re.fullmatch(
        r"stackinv: numpy.linalg.inv is NumPy's own in process \d+: ModuleNotFoundError: No module named 'stackinv'\n",
        process.stderr,
    )


def test_nothing_is_imported_before_the_first_call(call):
    look = "print('stackinv' in sys.modules);"
    code = f"import sys, numpy as np; {look} np.linalg.inv(np.eye(2)); {look}"
    assert outcome(call(*RUN, "-c", code)) == (0, "False\nTrue\n", "")


def test_two_threads_that_import_at_once(tmp_path, call):
    (tmp_path / "script.py").write_text(
        """
import threading
def numpy(): import numpy
def scipy(): import scipy.linalg
def stackinv(): import stackinv
threads = [threading.Thread(target=f) for f in (numpy, scipy, stackinv)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
import numpy as np
"""
        + NAME
    )
    for _ in range(3):
        process = call(*RUN, "script.py")
        assert process.stdout.split()[-1] == "SingularMatrixError", process.stderr
        assert process.stderr == ""


def test_two_threads_that_call_first_at_once(call):
    code = """
import threading
import numpy as np
names = []
barrier = threading.Barrier(8)
def first():
    barrier.wait()
    try:
        np.linalg.inv(np.zeros((2, 2)))
    except np.linalg.LinAlgError as error:
        names.append(type(error).__name__)
threads = [threading.Thread(target=first) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(*names)
"""
    process = call(*RUN, "--report", "-c", code)
    assert process.stdout.split() == ["SingularMatrixError"] * 8, process.stderr
    assert rows(process)[1]["2"] == (8, 8)


def test_finders_of_the_old_protocol(call):
    code = """
import sys
class Old:
    def find_module(self, name, path=None):
        return None
sys.meta_path.insert(0, Old())
sys.meta_path.append(Old())
import numpy as np
"""
    process = call(*RUN, "-c", code + NAME, PYTHONWARNINGS="ignore")
    assert process.stdout.split()[-1] == "SingularMatrixError", process.stderr


def test_the_first_call_at_the_end_of_the_interpreter(call):
    code = """
import numpy as np
class Last:
    def __del__(self, inv=np.linalg.inv, a=np.full((1, 1), 4.0)):
        print(inv(a).item())
last = Last()
"""
    assert outcome(call(*RUN, "-c", code)) == (0, "0.25\n", "")


def test_a_path_that_pythonpath_cannot_hold_is_told(tmp_path, call):
    package = Path(stackinv.__file__).parent
    (tmp_path / "a:b").mkdir()
    shutil.copytree(package, tmp_path / "a:b" / "stackinv")
    code = f"import sys; sys.path.insert(0, {str(tmp_path / 'a:b')!r});"
    code += "from stackinv import _cli; _cli.main(['run', '-c', 'print(1)'])"
    process = call(*PYTHON, "-c", code)
    assert (process.returncode, process.stdout) == (0, "1\n")
    assert re.match("stackinv: numpy.linalg.inv is not replaced: .*, which PYTHONPATH cannot hold", process.stderr)


def other_pythons():
    """One of each version that is here."""
    found = {}
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for path in [*root.glob("versions/*/bin/python"), *Path("/usr/bin").glob("python[23]*[0-9]")]:
        answer = subprocess.run(
            [path, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, check=False
        )
        found.setdefault(answer.stdout, str(path))
    return [path for version, path in found.items() if version]


def test_children_of_another_python_keep_what_is_theirs(tmp_path, call):
    """Their own sitecustomize, and a standard error without a word of ours."""
    ast.parse((Path(stackinv.__file__).parent / "_run" / "sitecustomize.py").read_text(), feature_version=(3, 4))
    (tmp_path / "sitecustomize.py").write_text("print('customized')\n")
    for other in [sys.executable, *other_pythons()]:
        code = f"import subprocess; print(subprocess.check_output([{other!r}, '-c', 'print(1)'], stderr=-2).decode())"
        process = call(*RUN, "-c", code, PYTHONPATH=str(tmp_path))
        assert outcome(process) == (0, "customized\n" * 3 + "1\n\n", ""), other


def rows(process):
    """The lines of the table in the report: calls and matrices by M."""
    return table_of(process.stderr[process.stderr.index("stackinv: matrices inverted") :].splitlines())


def table_of(lines):
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


def test_report_tells_functions_apart(call):
    code = """
import os
import numpy as np, stackinv
np.linalg.slogdet(np.zeros((7, 3, 3)))
np.linalg.det(np.eye(4))
np.linalg.solve(np.eye(6), np.ones(6))
np.linalg.solve(a=np.ones((3, 1, 2, 2)) + np.eye(2), b=np.ones((5, 2, 1)))
stackinv.solve(np.ones((2, 2, 7)), np.ones((2, 7)), axes=[(0, 1), (0,), 0], on_singular="nan")
stackinv.inv_slogdet(np.eye(5)[None])
if os.fork() == 0:
    np.linalg.det(np.ones((2, 4, 4)))
    os._exit(0)
os.wait()
"""
    process = call(*RUN, "--report", "-c", code)
    lines = process.stderr.splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith("stackinv: ")] + [len(lines)]
    assert [table_of(lines[i:j]) for i, j in itertools.pairwise(starts)] == [
        ("stackinv: matrices inverted in 1 process", {"5": (1, 1), "all": (1, 1)}),
        ("stackinv: systems solved in 1 process", {"2": (2, 22), "6": (1, 1), "all": (3, 23)}),
        ("stackinv: determinants of matrices in 2 processes", {"4": (2, 3), "all": (2, 3)}),
        ("stackinv: logarithms of determinants of matrices in 1 process", {"3": (1, 7), "all": (1, 7)}),
    ]


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
    assert len(table) == 1020 + 2
    assert (table["1"], table["2"], table["7"]) == ((4002, 4001), (2, 1), (2, 1))
    assert table["all"] == (1100 + 2 + 4001, 2 + 4001)


@pytest.mark.skipif(not hasattr(signal, "sigwaitinfo"), reason="POSIX signals")
@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("os._exit(3)", 3),
        ("os.abort()", -signal.SIGABRT),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("os.kill(os.getppid(), signal.SIGTERM); time.sleep(60)", -signal.SIGTERM),
        ("os.kill(os.getppid(), signal.SIGINT); time.sleep(60)", -signal.SIGINT),
        (
            """signal.signal(signal.SIGUSR1, lambda *_: sys.exit(4))
os.kill(os.getppid(), signal.SIGUSR1)
time.sleep(60)""",
            4,
        ),
    ],
)
def test_report_however_the_program_ends(end, status, tmp_path, call):
    code = f"import os, signal, sys, time; import numpy as np; np.linalg.inv(np.eye(3)); {end}"
    process = call(*RUN, "--report", "-c", code, TMPDIR=str(tmp_path))
    assert process.returncode == status
    assert rows(process)[1]["3"] == (1, 1)
    assert not list(tmp_path.glob("stackinv-*"))


def test_report_of_a_program_that_clears_its_environment_and_forks(call):
    code = """
import os
os.environ.clear()
import numpy as np
np.linalg.inv(np.zeros((2, 0, 3, 3)))
np.linalg.inv(np.eye(3))
if (child := os.fork()) == 0:
    np.linalg.inv(np.stack([np.eye(5)] * 7))
    os._exit(0)
os.waitpid(child, 0)
if os.fork() == 0:
    os._exit(0)
np.linalg.inv(np.eye(3))
"""
    process = call(*RUN, "--report", "-c", code, PYTHONWARNINGS="ignore")
    head, table = rows(process)
    assert head == "stackinv: matrices inverted in 2 processes"
    assert table == {"3": (3, 2), "5": (1, 7), "all": (4, 9)}


@pytest.mark.skipif(not hasattr(signal, "SIGCHLD"), reason="POSIX signals")
@pytest.mark.parametrize("waited", ["sigtimedwait", "none"])
def test_report_where_children_are_ignored_or_signals_cannot_be_waited_for(waited, call):
    code = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN);"
    code += (
        "" if waited == "sigtimedwait" else "del signal.sigtimedwait; signal.signal(signal.SIGCHLD, signal.SIG_DFL);"
    )
    code += "from stackinv import _cli; _cli.main(['run', '--report', '-c', 'import sys; sys.exit(7)'])"
    process = call(*PYTHON, "-c", code)
    assert (process.returncode, process.stderr) == (7, "stackinv: no matrix was inverted\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux")
def test_report_that_cannot_be_printed_leaves_the_exit_status(call):
    command = f"{sys.executable} -m stackinv run --report -c 'import sys; sys.exit(7)' 2>/dev/full"
    assert call("sh", "-c", command).returncode == 7


def test_report_with_a_signal_handler_that_inverts_too(call):
    """None is lost or counted twice, wherever the handler interrupts the report."""
    code = """
import random, signal
import numpy as np
a = np.eye(3)
np.linalg.inv(a)
calls = 1
handled = []
signal.signal(signal.SIGALRM, lambda *_: handled.append(np.linalg.inv(a)))
while len(handled) < 300:
    signal.setitimer(signal.ITIMER_REAL, random.random() * 3e-4 + 1e-6)
    np.linalg.inv(a)
    calls += 1
signal.setitimer(signal.ITIMER_REAL, 0)
print(calls + len(handled))
"""
    process = call(*RUN, "--report", "-c", code)
    assert rows(process)[1]["3"][0] == int(process.stdout)


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


SCIPY = """
import sys
import numpy as np
import scipy.linalg
assert "stackinv" not in sys.modules
a = np.random.default_rng(0).random((200, 3, 3)) + 9 * np.eye(3)
a[::2] += a[::2].swapaxes(-1, -2)  # of two kinds
"""


def patches_scipy():
    scipy = pytest.importorskip("scipy")
    return tuple(map(int, scipy.__version__.split(".")[:2])) >= (1, 17)


@pytest.mark.skipif(not patches_scipy(), reason="SciPy before 1.17 is left alone")
def test_scipy_is_patched_in_all_processes_and_counted_once(tmp_path, call):
    work = """
import inspect, os, subprocess
def kind():
    try:
        scipy.linalg.inv(np.zeros((50, 2, 2)))
    except np.linalg.LinAlgError as error:
        return type(error).__name__
signature = str(inspect.signature(scipy.linalg.inv))
print(kind(), str(inspect.signature(scipy.linalg.inv)) == signature)
if len(sys.argv) == 1:
    scipy.linalg.inv(a)
    scipy.linalg.solve(a, np.ones(3))
    np.linalg.inv(a)
    scipy.linalg.inv(np.eye(2))  # left to SciPy
    child = subprocess.run([sys.executable, __file__, "child"], capture_output=True, text=True)
    print(child.stdout, end="", flush=True)
    if os.fork() == 0:
        print(kind(), True, flush=True)
        os._exit(0)
    os.wait()
"""
    (tmp_path / "script.py").write_text(SCIPY + work)
    process = call(*RUN, "--scipy", "--report", "script.py", PYTHONWARNINGS="ignore::DeprecationWarning")
    assert process.stdout == "SingularMatrixError True\n" * 3, process.stderr
    head, table = table_of(process.stderr.splitlines()[:5])
    assert head == "stackinv: matrices inverted in 3 processes"
    assert table == {"2": (3, 150), "3": (2, 400), "all": (5, 550)}
    head, table = table_of(process.stderr.splitlines()[5:])
    assert (head, table["3"]) == ("stackinv: systems solved in 1 process", (1, 200))
    (tmp_path / "script.py").write_text(SCIPY + work)
    assert call(*RUN, "script.py").stdout == "LinAlgError True\n" * 3


@pytest.mark.skipif(not patches_scipy(), reason="SciPy before 1.17 is left alone")
@pytest.mark.parametrize(
    "first", ["import stackinv", "import scipy.linalg, stackinv", "import numpy; numpy.linalg.inv([[1]])", ""]
)
def test_scipy_is_patched_whatever_is_imported_first(first, call):
    code = f"""
{first}
import scipy.linalg
from scipy.linalg import solve
import numpy as np
def kind():
    try:
        solve(np.zeros((200, 2, 2)), np.ones(2))
    except np.linalg.LinAlgError as error:
        return type(error).__name__
print(kind(), end=" ")
import stackinv
stackinv.unpatch_scipy()
print(kind(), stackinv.is_patched("scipy.linalg.solve"), stackinv.is_patched())
"""
    process = call(*RUN, "--scipy", "-c", code)
    assert outcome(process) == (0, "SingularMatrixError LinAlgError False True\n", "")


@pytest.mark.skipif(not patches_scipy(), reason="SciPy before 1.17 is left alone")
def test_two_threads_that_call_scipy_first_at_once(call):
    code = """
import threading
names = []
barrier = threading.Barrier(8)
def first(k):
    barrier.wait()
    try:
        (np.linalg.inv if k % 2 else scipy.linalg.inv)(np.zeros((50, 2, 2)))
    except np.linalg.LinAlgError as error:
        names.append(type(error).__name__)
threads = [threading.Thread(target=first, args=[k]) for k in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(*names)
"""
    process = call(*RUN, "--scipy", "--report", "-c", SCIPY + code)
    assert process.stdout.split() == ["SingularMatrixError"] * 8, process.stderr
    assert rows(process)[1]["2"] == (8, 400)


def test_a_scipy_that_cannot_be_patched_is_told(tmp_path, call):
    for where in ("scipy", "scipy/linalg"):
        (tmp_path / where).mkdir()
        (tmp_path / where / "__init__.py").write_text("__version__ = '1.16.0'\ndef inv(a): return 1\nsolve = inv\n")
    code = "import numpy as np, scipy.linalg; print(scipy.linalg.inv(2), np.linalg.inv([[2.0]]))"
    process = call(*RUN, "--scipy", "-c", code, PYTHONPATH=str(tmp_path))
    assert (process.returncode, process.stdout) == (0, "1 [[0.5]]\n")
    assert re.fullmatch(
        r"stackinv: scipy.linalg.inv is SciPy's own in process \d+: RuntimeError: stackinv needs SciPy 1.17 or newer\n",
        process.stderr,
    )
    code = "import stackinv\ntry: stackinv.patch_scipy()\nexcept RuntimeError as error: print(error)"
    assert call(*PYTHON, "-c", code, PYTHONPATH=str(tmp_path)).stdout == (
        "patch_scipy needs SciPy 1.17 or newer, where inv and solve calculate stacks, not 1.16.0\n"
    )


@pytest.mark.skipif(not patches_scipy(), reason="SciPy before 1.17 is left alone")
def test_without_stackinv_scipy_says_so_once(call):
    code = WITHOUT.replace("import numpy as np", SCIPY)
    code += 2 * "print(scipy.linalg.inv([[2.0]]), scipy.linalg.solve([[2.0]], [1.0]))\n"
    process = call(*RUN, "--scipy", "-c", code)
    assert (process.returncode, process.stdout) == (0, "[[0.5]] [0.5]\n" * 2)
    assert re.fullmatch(
        r"stackinv: scipy.linalg.inv is SciPy's own in process \d+: ModuleNotFoundError: No module named 'stackinv'\n",
        process.stderr,
    )


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
