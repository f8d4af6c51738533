"""Other libraries with threads of their own in the same process, imported before and after: right results, no hang."""

import importlib.util
import subprocess
import sys

import pytest
from conftest import or_nightly

# What each does on all cores, whether its result was right, and numpy.linalg.inv called by its own ways.
NEIGHBOURS = {
    "sklearn": """
from sklearn.cluster import KMeans
from sklearn.covariance import EmpiricalCovariance
rng = np.random.default_rng(0)
points = np.concatenate([rng.standard_normal((3000, 4)) + 10 * k for k in range(3)])

def theirs():
    labels = KMeans(3, n_init=1, random_state=0).fit(points).labels_
    return len(set(labels[:3000])) == len(set(labels[3000:6000])) == 1 and len(set(labels)) == 3
""",
    "numba": """
import numba

@numba.njit(parallel=True)
def total(a):
    sums = np.zeros(a.shape[0])
    for i in numba.prange(a.shape[0]):
        sums[i] = np.sum(np.linalg.inv(a[i]))
    return sums

matrices = np.arange(1, 2001.0)[:, None, None] * np.eye(3)

def theirs():
    return np.allclose(total(matrices), 3 / np.arange(1, 2001))
""",
    "torch": """
import torch
wide = torch.ones(700, 700, dtype=torch.float64)

def theirs():
    return bool((wide @ wide == 700).all()) and bool((torch.linalg.inv(2 * torch.eye(40)) == torch.eye(40) / 2).all())
""",
}
OURS = """
import os, threading
from concurrent.futures import ThreadPoolExecutor

stacks = [np.random.default_rng(0).standard_normal((n, m, m)) + 2 * m * np.eye(m)
          for n, m in ((1, 3), (200_000, 3), (2000, 20), (50, 70), (3, 200))]
expected = [np.linalg.inv(a) for a in stacks]

def ours():
    return all(np.allclose(stackinv.inv(a, workers=workers), x, rtol=1e-10)
               for a, x in zip(stacks, expected) for workers in (None, 1, 2))

def alternately(times):
    return all([theirs() and ours() for _ in range(times)])

assert alternately(3)
with stackinv.patch_numpy():
    assert alternately(2)
lock = threading.Lock()  # not every neighbour can be called from two threads

def work(k):
    if k % 3:
        return ours()
    with lock:
        return theirs()

with ThreadPoolExecutor(3) as pool:
    assert all(pool.map(work, range(12)))
if (child := os.fork()) == 0:
    os._exit(0 if ours() else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert alternately(1)
print("done")
"""


@pytest.mark.parametrize("order", or_nightly(["before", "after"], ["after"]))
@pytest.mark.parametrize("name", [name for name in NEIGHBOURS if importlib.util.find_spec(name)])
def test_alternately_at_once_and_after_a_fork(name, order):
    imports = ["import numpy as np", NEIGHBOURS[name], "import stackinv"]
    code = "\n".join([*(imports if order == "before" else [imports[0], *imports[:0:-1]]), OURS])
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=300, check=False
    )
    assert process.stdout == "done\n", process.stderr
