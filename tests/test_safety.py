"""Threads, signals and memory: nothing hangs, crashes or is left changed."""

import os
import platform
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import NATIVE, STRUCTURES, assert_inverses, run, structured, well_conditioned
from threadpoolctl import threadpool_limits

import stackinv
from stackinv import _engines, _native, _workers


@pytest.mark.parametrize("dtype", NATIVE)
@pytest.mark.parametrize("m", [1, 3, 8, 16, 33, 70])
def test_result_does_not_depend_on_workers_or_neighbours(m, dtype, monkeypatch):
    monkeypatch.setattr(_workers, "available_cpus", lambda: 64)  # more threads than cores, for once
    a = well_conditioned((60, m, m), dtype)
    expected = stackinv.inv(a, workers=1)
    for workers in (2, 3, 7, 64, -1, None):
        np.testing.assert_array_equal(stackinv.inv(a, workers=workers), expected)
    order = np.random.default_rng(0).permutation(60)
    np.testing.assert_array_equal(stackinv.inv(a[order], workers=2), expected[order])
    if m <= 16:
        for i in (0, 31, 59):
            np.testing.assert_array_equal(stackinv.inv(a[i], workers=1), expected[i])


@pytest.mark.parametrize("dtype", NATIVE)
@pytest.mark.parametrize("m", [1, 3, 16, 33, 70])
def test_lapack_gives_a_matrix_alone_the_result_that_it_has_in_a_stack(m, dtype, lapack_engine):
    a = well_conditioned((60, m, m), dtype)
    expected = stackinv.inv(a)
    for i in (0, 31, 59):
        np.testing.assert_array_equal(stackinv.inv(a[i], workers=1), expected[i])


@pytest.mark.parametrize("name", [None, "lapack"])
@pytest.mark.parametrize("m", [130, 300])
@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_few_large_matrices_on_any_number_of_workers(n, m, name, lapack_engine):
    _engines.use_engine(name)
    a = well_conditioned((n, m, m))
    for workers in (1, 2, 3, 4):
        assert_inverses(stackinv.inv(a, workers=workers), a)


def test_python_threads_with_different_work_at_once(blas_threads):
    before = blas_threads()
    sizes = ((300, 3), (90, 20), (30, 70), (2, 70), (2, 300))
    stacks = [well_conditioned((n, m, m), dtype) for n, m in sizes for dtype in NATIVE]
    expected = [np.linalg.inv(a) for a in stacks]
    singular = np.zeros((5, 40, 40))

    def work(k):
        if k % 7 == 0:
            with pytest.raises(stackinv.SingularMatrixError):
                stackinv.inv(singular)
        a = stacks[k % len(stacks)]
        assert_inverses(stackinv.inv(a, workers=1 + k % 3), a, expected[k % len(stacks)])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(160)))
    assert blas_threads() == before


def test_blas_threads_are_what_they_were(blas_threads, lapack_engine):
    a = well_conditioned((40, 64, 64))

    def fail(done, total):
        raise KeyError(done)

    for outer in (None, 1, 2):
        with threadpool_limits(outer, user_api="blas"):
            before = blas_threads()
            stackinv.inv(a)
            assert blas_threads() == before
            stackinv.inv(well_conditioned((3, 160, 160)), workers=2)
            assert blas_threads() == before
            with pytest.raises(KeyError):
                stackinv.inv(a, callback=fail)
            assert blas_threads() == before
            with pytest.raises(stackinv.SingularMatrixError):
                stackinv.inv(np.zeros((4, 64, 64)))
            assert blas_threads() == before


def test_blas_is_limited_while_the_stack_is_shared_out(blas_threads, lapack_engine):
    from stackinv import _blas

    own = {lib.filepath for lib in _blas.libraries()}
    before = blas_threads()
    seen = []

    def inner(done, total):
        seen.append(max(count for path, count in blas_threads().items() if path in own))

    def outer(done, total):
        stackinv.inv(well_conditioned((4, 64, 64)), workers=2, callback=inner)
        inner(done, total)

    stackinv.inv(well_conditioned((40, 64, 64)), workers=2, callback=outer)
    assert own
    assert set(seen) == {1}
    assert blas_threads() == before


@pytest.mark.parametrize("structure", ["pos", "sym", "her", "upper triangular", "lower triangular"])
def test_blas_is_limited_for_structures_of_any_order(blas_threads, lapack_engine, structure):
    from stackinv import _blas

    own = {lib.filepath for lib in _blas.libraries()}
    before = blas_threads()
    seen = []

    def look(done, total):
        seen.extend(count for path, count in blas_threads().items() if path in own)

    stackinv.inv(structured((3, 5, 5), structure), assume_a=structure, workers=1, callback=look)
    assert set(seen) == {1}
    assert blas_threads() == before


def test_blas_is_limited_in_any_thread_and_restored_whoever_leaves_last(blas_threads, lapack_engine):
    from stackinv import _blas

    own = {lib.filepath for lib in _blas.libraries()}
    a = well_conditioned((3, 70, 70))
    before = blas_threads()
    stackinv.inv(a)
    seen, inside, go = [], threading.Event(), threading.Event()

    def look(done, total):
        seen.append(max(count for path, count in blas_threads().items() if path in own))
        inside.set()
        go.wait()

    thread = threading.Thread(target=lambda: stackinv.inv(a, workers=1, callback=look))

    def start(done, total):
        if not inside.is_set():
            thread.start()
            inside.wait()

    stackinv.inv(a, workers=1, callback=start)
    go.set()
    thread.join()
    assert set(seen) == {1}
    assert blas_threads() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX signals")
def test_a_signal_handler_may_call_too():
    output = run("""
    import random, signal
    import numpy as np, stackinv
    from threadpoolctl import ThreadpoolController
    counts = lambda: [lib.num_threads for lib in ThreadpoolController().select(user_api="blas").lib_controllers]
    before = counts()
    a = np.random.default_rng(0).standard_normal((1, 70, 70))
    expected, handled = stackinv.inv(a), []
    signal.signal(signal.SIGALRM, lambda *_: handled.append(stackinv.inv(a)))
    while len(handled) < 2000:
        signal.setitimer(signal.ITIMER_REAL, random.random() * 3e-4 + 1e-6)
        np.testing.assert_array_equal(stackinv.inv(a), expected)
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(all(np.array_equal(x, expected) for x in handled), counts() == before)
    """)
    assert output == "True True\n"


@pytest.mark.skipif(shutil.which("cc") is None, reason="no compiler")
def test_called_from_a_thread_of_another_openmp_team(tmp_path):
    """A caller's own parallel region, in which threads have numbers that are not ours."""
    (tmp_path / "team.c").write_text(
        "#include <omp.h>\nvoid team(void (*call)(void)) {\n#pragma omp parallel num_threads(4)\n{ call(); } }\n"
    )
    library = tmp_path / "team.so"
    subprocess.run(["cc", "-fopenmp", "-shared", "-fPIC", "team.c", "-o", library], cwd=tmp_path, check=True)
    output = run(f"""
    import ctypes
    import numpy as np, stackinv
    stacks = [np.random.default_rng(0).standard_normal((n, m, m)) for n, m in ((4, 3), (300, 40))]
    expected = [stackinv.inv(a) for a in stacks]
    right = []

    @ctypes.CFUNCTYPE(None)
    def call():
        for _ in range(50):
            for a, x in zip(stacks, expected):
                for workers in (1, 2):
                    right.append(np.array_equal(stackinv.inv(a, workers=workers), x))

    ctypes.CDLL({str(library)!r}).team(call)
    print(len(right), all(right))
    """)
    assert output == "800 True\n"


def test_callback_reports_progress_and_stops():
    a = well_conditioned((3, 400, 20, 20))
    for stack in (a, a.astype(">f8"), a[:1]):
        calls = []
        stackinv.inv(stack, callback=lambda done, total, calls=calls: calls.append((done, total)))
        done, totals = zip(*calls, strict=True)
        assert list(done) == sorted(set(done))
        assert done[-1] == totals[0] == stack.shape[0] * 400
        assert len(set(totals)) == 1
    threads = []
    stackinv.inv(a, callback=lambda done, total: threads.append(threading.current_thread()))
    assert set(threads) == {threading.current_thread()}


@pytest.fixture
def short_turns():
    """All threads leave off their work whenever they look at the time."""
    before = _native.override_turn(0)
    sharing = _native.override_sharing(0)
    yield
    _native.override_turn(before)
    _native.override_sharing(sharing)
    _engines.use_engine(None)


@pytest.mark.parametrize("structure", ["gen", *STRUCTURES])
@pytest.mark.parametrize("dtype", ["f8", "c8"])
def test_work_that_is_left_off_goes_on_where_it_was(structure, dtype, short_turns, monkeypatch):
    """In the midst of a matrix too, wherever that is, with the same bits and one singular matrix."""
    monkeypatch.setattr(_workers, "available_cpus", lambda: 3)
    for n, m, engine in (
        (40, 20, "lanes"),
        (30, 20, "blocked"),
        (3, 600, "blocked"),
        (20, 9, "lapack"),
        (2000, 3, None),
    ):
        a = structured((n, m, m), structure, dtype)
        if n > 10:
            a[7] = 0
        _engines.use_engine(engine)
        for workers in (1, 2, 3):
            calls = []
            _native.override_turn(3600)
            expected = stackinv.inv_ex(a, assume_a=structure, workers=workers)
            _native.override_turn(0)
            report = lambda done, total, calls=calls: calls.append(done)  # noqa: E731
            for stack in (a, a[:1]) if m == 600 else (a,):
                result = stackinv.inv_ex(stack, assume_a=structure, workers=workers, callback=report)
                for part, whole in zip(result, expected, strict=True):
                    np.testing.assert_array_equal(part, whole[: len(stack)])
            assert calls[-1] == len(stack)


def test_a_singular_matrix_of_which_a_part_is_done(short_turns):
    a = well_conditioned((2, 700, 700))
    a[:, :, 300] = 0
    _engines.use_engine("blocked")
    for workers in (1, 2):
        for stack in (a, a[:1]):
            inverse, info, rcond = stackinv.inv_ex(stack, workers=workers)
            assert np.isnan(inverse).all()
            assert set(info) == {301}
            assert not rcond.any()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to one process on Windows")
def test_ctrl_c_is_heard_between_the_pieces_of_one_matrix():
    """Not only when it is done, or one of its few tasks."""
    output = run("""
    import signal, numpy as np, stackinv
    heard = 0
    def ring(*_):
        global heard
        heard += 1
    signal.signal(signal.SIGALRM, ring)
    stackinv._native.override_turn(0)
    stackinv._engines.use_engine("blocked")
    a = np.random.default_rng(0).standard_normal((1500, 1500))
    expected = stackinv.inv(a)
    signal.setitimer(signal.ITIMER_REAL, 2e-4, 2e-4)
    for workers in (1, 2):
        before = heard
        result = stackinv.inv(a, workers=workers)
        print(heard - before >= 5, np.array_equal(result, expected))
    signal.setitimer(signal.ITIMER_REAL, 0)
    """)
    assert output == "True True\n" * 2


def test_threads_are_still_between_calls():
    output = run("""
    import time
    import numpy as np, stackinv
    a = np.broadcast_to(3 * np.eye(20), (3000, 20, 20))
    busy = 0
    for _ in range(20):
        stackinv.inv(a, workers=2)
        start = time.process_time()
        time.sleep(0.02)
        busy += time.process_time() - start
    print(busy)
    """)
    assert float(output) < 0.1, "of 0.4 s in which there was nothing to do"


ROUNDING_UP = {"x86_64": 0x800, "aarch64": 0x400000, "arm64": 0x400000}.get(platform.machine())


@pytest.mark.skipif(ROUNDING_UP is None, reason="the number of the rounding mode is not known here")
def test_the_callers_rounding_holds_in_all_threads_and_afterwards():
    output = run(f"""
    import ctypes, ctypes.util
    import numpy as np, stackinv
    libm = ctypes.CDLL(ctypes.util.find_library("m"))
    stackinv._workers.available_cpus = lambda: 4
    a = np.random.default_rng(0).standard_normal((5000, 20, 20)) + 40 * np.eye(20)
    to_nearest = stackinv.inv(a, workers=4)
    libm.fesetround({ROUNDING_UP})
    up = stackinv.inv(a, workers=4)
    kept = libm.fegetround()
    up_by_one = stackinv.inv(a, workers=1)
    libm.fesetround(0)
    print(kept == {ROUNDING_UP}, np.array_equal(up, up_by_one), np.array_equal(up, to_nearest))
    print(np.array_equal(stackinv.inv(a, workers=4), to_nearest))
    """)
    assert output.split() == ["True", "True", "False", "True"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_AS is not enforced elsewhere")
def test_no_threads_to_be_had():
    output = run("""
    import os, resource
    import numpy as np, stackinv
    stackinv._workers.available_cpus = lambda: 4
    a = np.broadcast_to(3 * np.eye(20), (3000, 20, 20))
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (2 << 20) + a.size * 8, used + (2 << 20) + a.size * 8))  # no stacks
    out = np.empty(a.shape)
    before = os.listdir("/proc/self/task")
    print((stackinv.inv(a, out=out, workers=4) == np.eye(20) / 3).all(), os.listdir("/proc/self/task") == before)
    """)
    assert output == "True True\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_threads_are_no_more_than_one_call_wants_and_let_faults_through():
    output = run("""
    import re, threading
    from pathlib import Path
    import numpy as np, stackinv
    stackinv._workers.available_cpus = lambda: 4
    a = np.broadcast_to(3 * np.eye(20), (3000, 20, 20))
    callers = [threading.Thread(target=lambda: [stackinv.inv(a, workers=4) for _ in range(12)]) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    masks, tasks = [], Path("/proc/self/task")
    while any((tasks / str(caller.native_id)).exists() for caller in callers):
        pass  # a thread that ends has all signals blocked
    for thread in tasks.iterdir():
        masks.append(int(re.search("SigBlk:(.*)", (thread / "status").read_text())[1], 16))
    segmentation_fault, interrupt = 1 << 11 - 1, 1 << 2 - 1
    print(sum(bool(mask & interrupt) for mask in masks), any(mask & segmentation_fault for mask in masks))
    """)
    assert output == "3 False\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_one_thread_where_each_has_a_blas_limit_of_its_own():
    output = run("""
    import os
    import numpy as np, stackinv
    from stackinv import _blas
    stackinv._engines.use_engine("lapack")
    a = np.broadcast_to(4 * np.eye(64), (200, 64, 64))
    before = os.listdir("/proc/self/task")
    for layer in ("openmp", "pthreads"):
        for lib in _blas.libraries():
            lib.threading_layer = layer
        print((stackinv.inv(a, workers=2) == a[0] / 16).all(), len(os.listdir("/proc/self/task")) - len(before))
    """)
    assert output.splitlines() == ["True 0", f"True {min(1, _workers.available_cpus() - 1)}"]


def test_thread_with_a_small_stack():
    assert (
        run("""
    import threading
    import numpy as np, stackinv
    threading.stack_size(512 * 1024)
    right = []

    def task():
        for n, m in ((1, 3), (1, 128), (3, 128), (1, 300), (5, 300), (1, 600)):
            a = np.random.default_rng(0).standard_normal((n, m, m)) + 2 * m * np.eye(m)
            for workers in (None, 1, 2):
                right.append(np.allclose(stackinv.inv(a, workers=workers) @ a, np.eye(m)))

    thread = threading.Thread(target=task)
    thread.start()
    thread.join()
    print(len(right), all(right))
    """)
        == "18 True\n"
    )


INTERRUPT = """
    import os, signal, threading, time
    import numpy as np, stackinv
    from threadpoolctl import ThreadpoolController

    counts = lambda: [lib.num_threads for lib in ThreadpoolController().select(user_api="blas").lib_controllers]
    stackinv._engines.use_engine("ENGINE")
    a = np.random.default_rng(0).standard_normal((500, 40, 40))
    expected = stackinv.inv(a)
    before = counts()
    work = np.broadcast_to(a[0], (10**8, 40, 40))  # hours
    out = np.broadcast_to(np.empty((40, 40)), work.shape)
    out.flags.writeable = True
"""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("engine", ["lanes", "blocked", "lapack"])
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to one process on Windows")
def test_ctrl_c_stops_hours_of_work_and_leaves_all_as_it_was(engine):
    output = run(
        INTERRUPT.replace("ENGINE", engine)
        + """
    rng = np.random.default_rng(1)
    for workers in (1, 2, None) * 3:
        threading.Timer(rng.uniform(0.05, 0.3), os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            stackinv._engines.calculate(work, stackinv._engines.Outputs(out), "d", "gen", False, workers, None)
        except KeyboardInterrupt:
            pass
        else:
            raise AssertionError("not interrupted")
        assert counts() == before
        np.testing.assert_array_equal(stackinv.inv(a), expected)
    print("done")
    """
    )
    assert output == "done\n"


@pytest.mark.parametrize("engine", ["lanes", "blocked", "lapack"])
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to one process on Windows")
def test_ctrl_c_at_random_moments_of_short_calls(engine):
    output = run(
        INTERRUPT.replace("ENGINE", engine)
        + """
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    rng = np.random.default_rng(2)
    caught = 0
    for _ in range(200):
        delay = rng.uniform(1e-4, 1e-2)
        try:
            signal.setitimer(signal.ITIMER_REAL, delay)
            while True:
                stackinv.inv(a[:40], workers=2)
        except KeyboardInterrupt:
            caught += 1
        assert counts() == before
    np.testing.assert_array_equal(stackinv.inv(a), expected)
    print(caught)
    """
    )
    assert output == "200\n"


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to one process on Windows")
def test_ctrl_c_stops_at_one_large_matrix():
    output = run(
        """
    import os, signal, threading
    import numpy as np, stackinv
    stackinv._engines.use_engine("blocked")
    a = np.random.default_rng(0).standard_normal((5000, 5000))
    for workers in (1, 2):
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            stackinv.inv(a, workers=workers)
        except KeyboardInterrupt:
            print("interrupted")
    """
    )
    assert output == "interrupted\n" * 2


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_AS is not enforced elsewhere")
def test_exhausted_memory_is_a_memory_error_and_harmless():
    output = run("""
    import resource
    import numpy as np, stackinv
    a = np.random.default_rng(0).standard_normal((2, 40, 40))
    expected = stackinv.inv(a)
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), used + (64 << 20)))
    large = np.broadcast_to(np.eye(40), (10**5, 40, 40))
    wide = np.broadcast_to(np.eye(1)[0], (5000, 5000))
    out = np.broadcast_to(np.zeros(1), wide.shape)
    out.flags.writeable = True
    for given, keywords in ((large, {}), (wide, {"out": out})):
        try:
            stackinv.inv(given, **keywords)
        except MemoryError as error:
            print(type(error).__name__, str(error)[:30])
    print(out.any(), np.array_equal(stackinv.inv(a), expected))
    """)
    lines = output.splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("MemoryError Unable to allocate")
    assert lines[2] == "False True"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("kind", ["contiguous", "strided", "float32", "int64", "out", "other byte order"])
@pytest.mark.parametrize("m", [3, 100])
def test_memory_grows_by_the_result_and_little_more(kind, m):
    growth = run(f"""
    import numpy as np, stackinv
    m, kind = {m}, "{kind}"
    n = 400_000_000 // (8 * m * m)
    types = dict([("float32", "f4"), ("int64", "i8"), ("other byte order", ">f8")])
    a = np.zeros((n, m, 2 * m if kind == "strided" else m), types.get(kind, "f8"))
    a = a[..., ::2] if kind == "strided" else a
    a[...] = np.eye(m) * 3 + np.tri(m)
    peak = lambda: next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) * 1024
    out = np.ones((n, m, m)) if kind == "out" else None
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    before = peak()
    result = stackinv.inv(a, out=out)
    print((peak() - before - (0 if kind == "out" else result.nbytes)) / 2**20)
    """)
    assert float(growth) <= 32


@pytest.mark.parametrize("engine", ["lanes", "blocked", "lapack"])
@pytest.mark.parametrize("patched", [False, True])
def test_called_while_the_interpreter_ends(engine, patched):
    """When nothing can be imported any more, as NumPy does in methods as max() and all()."""
    output = run(f"""
    import numpy as np, stackinv
    stackinv._engines.use_engine("{engine}")
    if {patched}:
        stackinv.patch_numpy()
    a = np.random.default_rng(0).standard_normal((300, 2, 40, 40)) + 20 * np.eye(40)
    if "{engine}" == "lapack":
        stackinv.inv(a)  # BLAS has to be found while files can still be opened
    singular = np.zeros((2, 20, 3, 3))
    class Last:
        def __del__(self):
            out = np.empty(a.shape)
            results = [
                np.linalg.inv(a), stackinv.inv(a, workers=2), stackinv.inv(a), stackinv.inv(a, out=out),
                stackinv.inv(a.copy(), callback=lambda done, total: None), stackinv.inv(a[::-1])[::-1],
                stackinv.inv(a.astype(">f8")), stackinv.inv(a.swapaxes(0, 1)).swapaxes(0, 1), stackinv.inv_ex(a)[0],
                stackinv.inv(a.tolist()), stackinv.inv(a.astype("c16")), stackinv.inv(a, dtype="f4"),
                stackinv.inv(a, assume_a="general"),
            ]
            in_place, shifted = a.copy(), a.copy()
            results += [stackinv.inv(in_place, out=in_place)]
            print(all(np.maximum.reduce(np.abs(x @ a - np.eye(40)), None) < 1e-3 for x in results), len(results))
            print(np.logical_and.reduce(stackinv.inv(shifted[1:], out=shifted[:-1]) == results[2][1:], None))
            for call in (
                lambda: stackinv.inv(singular), lambda: stackinv.inv(singular[0, 0]), lambda: np.linalg.inv(singular),
                lambda: stackinv.inv(singular, assume_a="pos"), lambda: stackinv.inv(singular, workers=0),
                lambda: stackinv.inv(singular[0, 0, 0]), lambda: stackinv.inv(singular, out=out),
            ):
                try:
                    call()
                except Exception as error:
                    print(type(error).__name__)
    last = Last()
    """)
    numpys = "SingularMatrixError" if patched else "LinAlgError"
    assert output.split() == [
        "True",
        "14",
        "True",
        "SingularMatrixError",
        "SingularMatrixError",
        numpys,
        "SingularMatrixError",
        "ValueError",
        "LinAlgError",
        "ValueError",
    ]


@pytest.mark.parametrize(
    ("which", "shape"),
    [
        *[
            (which, s)
            for which in (0, 1)
            for s in ((2, 3, 3, 3), (6, 9), (6, 3, 2), (6, 2, 2), (0, 3, 3), (6, 0, 0), (6,))
        ],
        *[(which, s) for which in (2, 3) for s in ((), (5,), (0,), (2, 3), (6, 1))],
    ],
)
def test_arrays_of_shapes_that_disagree_are_not_touched(which, shape):
    """Another thread may change the shape of one of them after it was looked at."""
    arrays = [np.ones((6, 3, 3)), np.ones((6, 3, 3)), np.ones(6, np.intc), np.ones(6)]
    arrays[which] = np.ones(shape, arrays[which].dtype)
    with pytest.raises(RuntimeError, match="an array changed its shape or type"):
        _engines.calculate(arrays[0], _engines.Outputs(*arrays[1:]), "d", "gen", False, None, None)
    assert all(np.all(array == 1) for array in arrays)


def test_arrays_of_another_kind_than_the_calculation_are_not_touched():
    for given, into, calculation in (("D", "d", "d"), ("d", "D", "d"), ("d", "d", "D"), ("i8", "d", "d")):
        outputs = _engines.Outputs(np.ones((3, 3), into))
        with pytest.raises(RuntimeError, match="an array changed its shape or type"):
            _engines.calculate(np.ones((3, 3), given), outputs, calculation, "gen", False, None, None)
