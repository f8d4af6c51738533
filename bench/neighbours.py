"""What other libraries with threads in the same process cost stackinv, and it them.

    python bench/neighbours.py

For scikit-learn, numba and PyTorch, as far as they are installed, imported before and after stackinv: the median time
of a call of stackinv right after work of the neighbour on all cores, over that after the same work on one core (which
leaves the caches as cold). And the time of the neighbour's work on all cores right after calls of stackinv on all
cores, over that after the same on one. Each in a process of its own, five rounds, the median of the ratios.
"""

import importlib.util
import json
import statistics
import subprocess
import sys

COMMON = """
import json, sys, time, statistics
import numpy as np
CORES = len(__import__('os').sched_getaffinity(0))
IMPORTS
stacks = [np.random.default_rng(0).standard_normal((n, m, m)) + 2 * m * np.eye(m)
          for n, m in ((1, 3), (2000, 3), (500_000, 3), (2000, 32), (60, 200))]
outs = [np.empty_like(a) for a in stacks]

def timed(function, *others):
    times = []
    for _ in range(31):
        for other in others:
            other()
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)

calls = [lambda workers, a=a, out=out: stackinv.inv(a, out=out, workers=workers) for a, out in zip(stacks, outs)]
alone = SIDE == "alone"
if alone:
    limit(1)
result = [timed(lambda: call(CORES), theirs) for call in calls]
limit(CORES)
for call in calls[2:]:
    result.append(timed(theirs, lambda: call(1 if alone else CORES)))
print(json.dumps(result))
"""
NEIGHBOURS = {
    "sklearn": """
from sklearn.cluster import KMeans
from threadpoolctl import ThreadpoolController
points = np.random.default_rng(0).standard_normal((20000, 8))
def theirs():
    KMeans(8, n_init=1, max_iter=10, tol=0, random_state=0).fit(points)
theirs()
own = [lib for lib in ThreadpoolController().lib_controllers if "scikit_learn.libs" in lib.filepath]
def limit(threads):
    for lib in own:
        lib.set_num_threads(threads)
""",
    "numba": """
import numba
@numba.njit(parallel=True)
def total(a):
    sums = np.zeros(a.shape[0])
    for i in numba.prange(a.shape[0]):
        sums[i] = np.sum(np.sin(a[i]))
    return sums
numbers = np.random.default_rng(0).standard_normal((1000, 1000))
def theirs():
    total(numbers)
theirs()
limit = numba.set_num_threads
""",
    "torch": """
import torch
wide = torch.ones(600, 600, dtype=torch.float64)
def theirs():
    wide @ wide
limit = torch.set_num_threads
""",
}
LABELS = ["one 3x3", "2000 of 3x3", "500,000 of 3x3", "2000 of 32x32", "60 of 200x200"]


def measure(imports: list[str], side: str) -> list[float]:
    code = COMMON.replace("IMPORTS", "\n".join(imports)).replace("SIDE", repr(side))
    process = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    if process.returncode:
        sys.exit(process.stderr)
    return json.loads(process.stdout)


def main() -> None:
    labels = [*LABELS, *(f"it, after {label}" for label in LABELS[2:])]
    print("slower by              " + "".join(f"{label:>{2 + max(15, len(label))}s}" for label in labels))
    for name, code in NEIGHBOURS.items():
        if not importlib.util.find_spec(name):
            continue
        for order in ("before", "after"):
            imports = [code, "import stackinv"] if order == "before" else ["import stackinv", code]
            rounds = [[measure(imports, side) for side in ("both", "alone")] for _ in range(5)]
            ratios = [[both / alone for both, alone in zip(*sides, strict=True)] for sides in rounds]
            medians = [statistics.median(column) for column in zip(*ratios, strict=True)]
            row = "".join(f"{r:{2 + max(15, len(label))}.2f}" for r, label in zip(medians, labels, strict=True))
            print(f"{name + ' imported ' + order:23s}{row}", flush=True)


if __name__ == "__main__":
    main()
