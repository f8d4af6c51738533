"""Killed, forked, cut short, out of room: no wrong result, no half-written file, no hang."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import or_nightly, run, well_conditioned

from stackinv import _cli, _files

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="POSIX, and /proc")


@pytest.mark.parametrize("engine", or_nightly(["lanes", "blocked"], ["blocked"]))
def test_fork_at_random_moments(engine):
    """Of threads that start, share out work, wait and end; the child calls with threads of its own.

    OpenBLAS, where it has several threads at one matrix, does not survive this.
    """
    output = run(
        """
    import os, random, threading, time, warnings
    import numpy as np, stackinv
    stackinv._engines.use_engine("ENGINE")
    warnings.simplefilter("ignore", DeprecationWarning)  # of fork beside threads
    stackinv._workers.available_cpus = lambda: 4
    stacks = [np.random.default_rng(0).standard_normal((n, m, m)) + 2 * m * np.eye(m)
              for n, m in ((1, 3), (3000, 3), (2000, 20), (40, 64), (1, 400))]
    expected = [stackinv.inv(a) for a in stacks]
    done = threading.Event()

    def right(k):
        return np.array_equal(stackinv.inv(stacks[k], workers=4), expected[k])

    def calls():
        while not done.is_set():
            assert right(random.randrange(5))

    callers = [threading.Thread(target=calls) for _ in range(3)]
    for thread in callers: thread.start()
    survived = 0
    for k in range(100):
        time.sleep(random.random() * 2e-3)
        if (child := os.fork()) == 0:
            os._exit(0 if right(k % 5) and right(2) else 1)
        survived += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    done.set()
    for thread in callers: thread.join()
    print(survived, all(right(k) for k in range(5)))
    """.replace("ENGINE", engine)
    )
    assert output == "100 True\n"


def test_fork_in_a_callback():
    output = run("""
    import os
    import numpy as np, stackinv
    a = np.random.default_rng(0).standard_normal((60_000, 8, 8)) + 20 * np.eye(8)
    expected = stackinv.inv(a)
    out, codes = np.zeros_like(a), []

    def fork(done, total):
        if (child := os.fork()) == 0:
            os._exit(0 if np.array_equal(stackinv.inv(a, workers=2), expected) else 1)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    stackinv.inv(a, out=out, workers=2, callback=fork)
    print(len(codes) > 0, any(codes), np.array_equal(out, expected))
    """)
    assert output == "True False True\n"


def test_killed_at_random_moments_a_file_is_whole_or_not_there(tmp_path):
    a = well_conditioned((150_000, 6, 6))
    np.save(tmp_path / "a.npy", a)
    expected = None
    rng = np.random.default_rng(0)
    command = [sys.executable, "-m", "stackinv", "invert", tmp_path / "a.npy"]
    whole = 0
    for k in range(12):
        (tmp_path / "a.inv.npy").unlink(missing_ok=True)
        left = set(tmp_path.glob(".stackinv-*"))
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        if k < 10:
            while process.poll() is None and not set(tmp_path.glob(".stackinv-*")) - left:
                time.sleep(0.001)
            time.sleep(rng.uniform(0, 0.2))
            process.kill()
        process.wait()
        if (tmp_path / "a.inv.npy").exists():
            whole += 1
            result = np.load(tmp_path / "a.inv.npy")
            expected = result if expected is None else expected
            np.testing.assert_array_equal(result, expected)
    assert whole >= 2
    np.testing.assert_allclose(expected[:100] @ a[:100], np.broadcast_to(np.eye(6), (100, 6, 6)), atol=1e-12)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.inv.npy", "a.npy"]


@pytest.mark.parametrize("order", ["C", "F"])
def test_input_cut_short_while_it_is_read(order, tmp_path, capsys, monkeypatch):
    """A mapped file would end the process (SIGBUS)."""
    path = tmp_path / "a.npy"
    np.save(path, np.asarray(well_conditioned((4000, 6, 6)), order=order))
    monkeypatch.setattr(_files, "_PIECE_BYTES", {order: 1 << 18})

    class Progress:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def __call__(self, done):
            os.truncate(path, 50_000)

    monkeypatch.setattr(_files, "_progress", lambda total: Progress())
    assert _cli.main(["invert", str(path)]) == 1
    assert capsys.readouterr().err == f"stackinv: error: {path}: became shorter while it was read\n"
    assert [file.name for file in tmp_path.iterdir()] == ["a.npy"]


@pytest.mark.parametrize("at_once", [True, False], ids=["before the work", "while writing"])
def test_no_room_for_the_output(at_once, tmp_path):
    """A limit on file sizes stands for the full disk; file systems without fallocate notice it when they write."""
    np.save(tmp_path / "a.npy", well_conditioned((40_000, 6, 6)))
    code = """
    import os, resource, signal, sys
    from stackinv import _cli, _files
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))
    sys.exit(_cli.main(["invert", "a.npy"]))
    """.replace("from stackinv", "from stackinv" if at_once else "del os.posix_fallocate\n    from stackinv")
    with pytest.raises(AssertionError, match=r"exit status 1") as failure:
        run(code, cwd=tmp_path)
    assert "stackinv: error: a.inv.npy: File too large\n" in str(failure.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


def test_invert_without_memory(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((2, 3000, 3000)))
    code = """
    import resource, sys
    from stackinv import _cli, _files
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (80 << 20), used + (80 << 20)))
    sys.exit(_cli.main(["invert", "a.npy"]))
    """
    with pytest.raises(AssertionError, match=r"exit status 1") as failure:
        run(code, cwd=tmp_path)
    assert "stackinv: error: Unable to allocate" in str(failure.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


HEADER = "{'descr': %s, 'fortran_order': %s, 'shape': %s, }"
DAMAGED = "not a .npy file of numbers ("
LIES = {  # and what the error says
    "longer than the file": (
        HEADER % ("'<f8'", False, (10**7, 3, 3)),
        "1440 bytes of numbers, expected 720000000 bytes",
    ),
    "longer than any memory": (HEADER % ("'<f8'", False, (10**15, 3, 3)), "1440 bytes of numbers, expected 72000"),
    "of no length that exists": (HEADER % ("'<f8'", False, (10**30, 3, 3)), "more numbers than there are addresses"),
    "negative": (HEADER % ("'<f8'", False, (-3, 3, 3)), "shape (-3, 3, 3), expected whole numbers from 0 on"),
    "wider numbers": (HEADER % ("'<c16'", True, (20, 3, 3)), "expected 2880 bytes for shape (20, 3, 3) of complex128"),
    "objects": (HEADER % ("'|O'", False, (2, 3, 3)), DAMAGED),
    "structures": (HEADER % ("[('a', '<f8')]", False, (20, 3, 3)), "Cannot cast"),
    "code": (HEADER % ("__import__('os').abort()", False, (20, 3, 3)), DAMAGED),
    "no shape": ("{'descr': '<f8', 'fortran_order': False}", DAMAGED),
    "no dictionary": ("[]", DAMAGED),
    "no Python": (HEADER % ("'<f8'", False, "((((, "), DAMAGED),
    "no type": (HEADER % ("'f8,('", False, (2, 2)), DAMAGED),
}


@pytest.mark.parametrize("lie", LIES)
def test_headers_that_lie_are_refused(lie, tmp_path, capsys):
    path = tmp_path / "a.npy"
    text, expected = LIES[lie]
    header = text.encode().ljust(127) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + np.eye(3).tobytes() * 20)
    assert _cli.main(["invert", str(path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"stackinv: error: {path}: ")
    assert expected in error
    assert error.count("\n") == 1
    assert [file.name for file in tmp_path.iterdir()] == ["a.npy"]


def test_pickles_are_refused(tmp_path, capsys):
    class Trap:
        def __reduce__(self):
            return os.abort, ()

    path = tmp_path / "a.npy"
    np.save(path, np.array([[Trap()]], object), allow_pickle=True)
    assert _cli.main(["invert", str(path)]) == 2
    assert "not a .npy file of numbers" in capsys.readouterr().err
