"""Child processes, by whatever means they are started: right results, no hang."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from conftest import assert_inverses, or_nightly, run, well_conditioned

import stackinv

FORK = """
    import multiprocessing, os, sys, warnings
    import numpy as np, stackinv
    warnings.simplefilter("ignore", DeprecationWarning)  # of fork beside threads

    def task(seed):
        results = []
        for n, m in ((1, 3), (2000, 20), (50, 64), (3, 200)):
            a = np.random.default_rng(seed).standard_normal((n, m, m)) + 2 * m * np.eye(m)
            results.append(np.allclose(stackinv.inv(a) @ a, np.eye(m)))
            results.append(np.allclose(stackinv.inv(a, workers=2) @ a, np.eye(m)))
        return all(results)
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(method, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(FORK)
        + textwrap.dedent(f"""
        if __name__ == "__main__":
            assert task(0)
            with multiprocessing.get_context("{method}").Pool(3) as pool:
                assert all(pool.map(task, range(6)))
            assert task(1)
            print("done")
        """)
    )
    process = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=False)
    assert process.stdout == "done\n", process.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_forked_child_is_serial_unless_told_otherwise_and_its_children_too():
    assert (
        run(
            FORK
            + """
    assert task(0)
    if (child := os.fork()) == 0:
        assert stackinv.get_workers() == 1
        with stackinv.set_workers(2):
            assert stackinv.get_workers() == 2
            assert task(1)
        if (grandchild := os.fork()) == 0:
            os._exit(0 if task(2) else 1)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert task(3)
    print("done")
    """
        )
        == "done\n"
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_forked_child_has_threads_of_its_own_and_they_are_used_again():
    output = run("""
    import os
    import numpy as np, stackinv
    stackinv._workers.available_cpus = lambda: 4
    a = np.broadcast_to(3 * np.eye(20), (3000, 20, 20))

    def threads():
        before = len(os.listdir("/proc/self/task"))
        for _ in range(20):
            assert (stackinv.inv(a, workers=4) == np.eye(20) / 3).all()
        return len(os.listdir("/proc/self/task")) - before

    print(threads(), flush=True)
    if (child := os.fork()) == 0:
        print(threads(), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    print(threads())
    """)
    assert output.split() == ["3", "3", "0"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_first_imported_in_a_forked_child():
    output = run("""
    import os
    import numpy as np
    from sklearn.cluster import KMeans
    KMeans(2, n_init=1, random_state=0).fit(np.random.default_rng(0).random((5000, 2)))  # OpenMP's threads
    if (child := os.fork()) == 0:
        import stackinv
        a = np.random.default_rng(0).standard_normal((2000, 20, 20)) + 40 * np.eye(20)
        os._exit(0 if np.allclose(stackinv.inv(a, workers=2) @ a, np.eye(20)) else 1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """)
    assert output == "0\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_fork_after_an_import_that_failed_and_was_tried_again():
    output = run(
        """
    import os, warnings
    warnings.simplefilter("error")
    try:
        import stackinv
    except Warning as error:
        print("failed")
    warnings.simplefilter("ignore")
    import stackinv
    if (child := os.fork()) == 0:
        os._exit(3)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """,
        env=os.environ | {"STACKINV_DISABLE_CPU_FEATURES": "nonsense"},
    )
    assert output == "failed\n3\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_fork_while_another_thread_is_inside():
    assert (
        run(
            FORK
            + """
    import threading
    from threadpoolctl import ThreadpoolController
    stackinv._engines.use_engine("lapack")
    a = np.random.default_rng(0).standard_normal((4000, 64, 64))
    counts = lambda: [lib.num_threads for lib in ThreadpoolController().select(user_api="blas").lib_controllers]
    before = counts()
    started = threading.Event()
    thread = threading.Thread(target=lambda: stackinv.inv(a, workers=2, callback=lambda *_: started.set()))
    thread.start()
    started.wait()
    for _ in range(5):
        if (child := os.fork()) == 0:
            os._exit(0 if task(1) and counts() == before else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    thread.join()
    assert counts() == before
    print("done")
    """
        )
        == "done\n"
    )


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_joblib(backend):
    stacks = [well_conditioned((50, 30, 30), seed=seed) for seed in range(6)]
    joblib = pytest.importorskip("joblib")
    results = joblib.Parallel(n_jobs=2, backend=backend)(joblib.delayed(stackinv.inv)(a) for a in stacks)
    for a, result in zip(stacks, results, strict=True):
        assert_inverses(result, a)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("environment", [{}, {"STACKINV_NUM_THREADS": "2"}], ids=["by default", "told otherwise"])
@pytest.mark.parametrize("kind", or_nightly(["pool", "executor", "loky", "dask"], ["executor", "loky"]))
@pytest.mark.parametrize("method", or_nightly(["fork", "forkserver", "spawn"], ["fork", "forkserver"]))
def test_each_process_of_a_pool_uses_one_thread_unless_told_otherwise(kind, method, environment):
    script = Path(__file__).with_name("pools.py")
    output = subprocess.check_output([sys.executable, script, kind, method], env=os.environ | environment, timeout=120)
    *children, own = output.decode().splitlines()
    if environment:
        assert all(child.startswith("workers: 2,") for child in children)
    else:
        assert set(children) == {"workers: 1, threads: 1"}
    assert own.startswith("workers: 2," if environment else "workers: 4,")
