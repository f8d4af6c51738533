"""How many threads a call uses: argument, set_workers, environment, affinity, cgroup quota."""

import math
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import stackinv
from stackinv import _cgroup, _workers


def default_in_new_process(environment=None, code="import stackinv; print(stackinv.get_workers())"):
    process = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **(environment or {})},
        check=False,
    )
    return process.stdout.strip() or process.stderr.strip().splitlines()[-1]


@pytest.fixture
def cpus():
    return _workers.available_cpus()


def test_default_is_every_core_that_this_process_may_use(cpus):
    assert stackinv.get_workers() == cpus


def test_negative_counts_back_from_all(cpus):
    with stackinv.set_workers(-1):
        assert stackinv.get_workers() == cpus
    with stackinv.set_workers(-cpus):
        assert stackinv.get_workers() == 1
    text = f"workers value out of range; got {-cpus - 1}, must not be less than {-cpus}"
    with pytest.raises(ValueError, match=text), stackinv.set_workers(-cpus - 1):
        pass


def test_set_workers_nests_and_is_undone_after_an_error():
    before = stackinv.get_workers()
    with stackinv.set_workers(3):
        assert stackinv.get_workers() == 3
        with stackinv.set_workers(5):
            assert stackinv.get_workers() == 5
        with pytest.raises(KeyError), stackinv.set_workers(7):
            raise KeyError
        assert stackinv.get_workers() == 3
    assert stackinv.get_workers() == before


def test_set_workers_refuses_nonsense():
    for workers, error in ((0, ValueError), (1.5, TypeError), ("2", TypeError), (None, TypeError)):
        with pytest.raises(error), stackinv.set_workers(workers):
            pass


def test_set_workers_belongs_to_its_thread():
    before = stackinv.get_workers()
    inside, outside = threading.Event(), []

    def other():
        inside.wait()
        outside.append(stackinv.get_workers())

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(other)
        with stackinv.set_workers(before + 9):
            inside.set()
            future.result()
    assert outside == [before]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"STACKINV_NUM_THREADS": "3"}, "3"),
        ({"STACKINV_NUM_THREADS": "3", "OMP_NUM_THREADS": "1"}, "3"),
        ({"STACKINV_NUM_THREADS": "", "OMP_NUM_THREADS": "1"}, "1"),
        ({"OMP_NUM_THREADS": "1"}, "1"),
        ({"OMP_NUM_THREADS": "7"}, "7"),
        ({"OMP_NUM_THREADS": " 5, 2"}, "5"),
        ({"OMP_NUM_THREADS": "many"}, str(_workers.available_cpus())),
        ({"OMP_NUM_THREADS": "0"}, str(_workers.available_cpus())),
        ({"STACKINV_NUM_THREADS": "0"}, str(_workers.available_cpus())),
        ({"STACKINV_NUM_THREADS": "two"}, str(_workers.available_cpus())),
        ({"STACKINV_NUM_THREADS": "two", "OMP_NUM_THREADS": "7"}, "7"),
    ],
)
def test_environment(environment, expected):
    assert default_in_new_process(environment).startswith(expected)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity masks on this system")
def test_affinity():
    code = (
        "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]);"
        "import stackinv; print(stackinv.get_workers())"
    )
    assert default_in_new_process(code=code) == "1"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity masks on this system")
def test_threads_keep_to_the_processors_of_their_caller():
    code = """
import os
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # whose threads are not ours
import numpy as np, stackinv
stackinv._workers.available_cpus = lambda: 4
a = np.broadcast_to(3 * np.eye(20), (30000, 20, 20))
every = os.sched_getaffinity(0)
for allowed in (every, {min(every)}, every, {max(every)}):
    os.sched_setaffinity(0, allowed)
    threads = [int(name) for name in os.listdir("/proc/self/task")]
    for _ in range(1000):  # until each has worked once
        stackinv.inv(a, workers=4)
        if kept := all(os.sched_getaffinity(thread) <= allowed for thread in threads):
            break
    print(kept)
"""
    assert default_in_new_process(code=code).split() == ["True"] * 4


def test_threadpoolctl_limits_the_default(monkeypatch):
    monkeypatch.setattr(_workers, "available_cpus", lambda: 6)
    before = stackinv.get_workers()
    for keywords in ({}, {"user_api": "stackinv"}):
        with threadpool_limits(1, **keywords):
            assert stackinv.get_workers() == 1
            with threadpool_limits(3):
                assert stackinv.get_workers() == 3
            with stackinv.set_workers(2):
                assert stackinv.get_workers() == 2
            assert stackinv.get_workers() == 1
        with threadpool_limits(1, user_api="blas"):
            assert stackinv.get_workers() == before
    assert stackinv.get_workers() == before
    monkeypatch.setattr(_workers, "available_cpus", lambda: 9)
    assert stackinv.get_workers() == before + 3
    (shown,) = (lib for lib in threadpool_info() if lib["internal_api"] == "stackinv")
    assert (shown["num_threads"], shown["version"]) == (before + 3, stackinv.__version__)


def control_groups(folder, membership, files):
    """What /proc/self/cgroup and /sys/fs/cgroup would be."""
    root = folder / "cgroup"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    if membership is not None:
        (folder / "self").write_text(membership)
    return folder / "self", root


@pytest.mark.parametrize(
    ("membership", "files", "cores"),
    [
        ("0::/\n", {}, math.inf),
        ("0::/\n", {"cpu.max": "max 100000"}, math.inf),
        ("0::/\n", {"cpu.max": "150000 100000"}, 1.5),
        ("0::/a/b\n", {"cpu.max": "max 100000", "a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000"}, 3),
        ("0::/a/b\n", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "50000 100000"}, 0.5),
        ("0::/gone\n", {"cpu.max": "400000 100000"}, 4),
        (
            "5:cpu,cpuacct:/docker\n1:memory:/x\n",
            {"cpu,cpuacct/docker/cpu.cfs_quota_us": "250000", "cpu,cpuacct/docker/cpu.cfs_period_us": "100000"},
            2.5,
        ),
        ("5:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, math.inf),
        ("0::/\n", {"cpu.max": "nonsense"}, math.inf),
        (None, {}, math.inf),
    ],
)
def test_cgroup_quota(tmp_path, membership, files, cores):
    assert _cgroup.cores(*control_groups(tmp_path, membership, files)) == cores


@pytest.mark.parametrize(
    ("membership", "files", "limit"),
    [
        ("0::/\n", {}, math.inf),
        ("0::/a/b\n", {"a/memory.max": "3000", "a/b/memory.max": "max"}, 3000),
        ("5:memory:/x\n", {"memory/x/memory.limit_in_bytes": "5000"}, 5000),
        (None, {}, math.inf),
    ],
)
def test_cgroup_memory(tmp_path, membership, files, limit):
    assert _cgroup.memory(*control_groups(tmp_path, membership, files)) == limit


def test_a_mistake_in_the_environment_is_told_at_import(tmp_path):
    for text in ("0", "two", "-1000"):
        process = subprocess.run(
            [sys.executable, "-c", "import stackinv; stackinv.inv([[1.0]]); print(stackinv.get_workers())"],
            env={**os.environ, "STACKINV_NUM_THREADS": text},
            capture_output=True,
            text=True,
            check=True,
        )
        assert int(process.stdout) == _workers.available_cpus()
        assert process.stderr.count(f"STACKINV_NUM_THREADS={text!r} is ignored: expected an integer other than 0") == 1


def test_more_workers_than_any_machine_has():
    a = np.broadcast_to(2 * np.eye(20), (500, 20, 20))
    for workers in (1000, 1 << 20, 10**30):
        np.testing.assert_array_equal(stackinv.inv(a, workers=workers), a / 4)
