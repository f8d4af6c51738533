"""Run the tests that compare with NumPy or LAPACK under each kernel of OpenBLAS and each instruction set of ours.

`python tests/oracles.py [--brief] [pytest's options]` prints a table, and fails if anything in it has. With --brief,
for each change: without the kernel that the BLAS chooses by itself, which all other tests have, and with the tests of
behaviour for each kernel and for each instruction set, but not for all pairs.
"""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import groupby, product
from pathlib import Path

from stackinv import _native

HERE = Path(__file__).parent
KERNELS = ["Nehalem", "Sandybridge", "Haswell", "Zen", "SkylakeX"]
BUILDS = [name for name, _, runs_here in _native.builds() if runs_here]
FEATURES = {name: set(features) for name, features, _ in _native.builds()}
# What of a module does not go through all instruction sets by itself: nothing, or pytest's expression for it.
LOOPS = {
    "test_accuracy.py": None,
    "test_structures.py": "not (lanes or blocked or lapack)",
    "test_singular.py": "not flags",
    "test_parity.py": "",
}

# What NumPy's and SciPy's BLAS really use, once they have done something: a processor may not have the instructions.
USED = """
import json, numpy, scipy.linalg, threadpoolctl
a = numpy.eye(300) + numpy.ones((300, 300))
numpy.linalg.inv(a), scipy.linalg.inv(a)
print(json.dumps([lib.get("architecture") for lib in threadpoolctl.threadpool_info() if lib["user_api"] == "blas"]))
"""


def python(arguments, kernel, without=""):
    environment = os.environ | {"STACKINV_DISABLE_CPU_FEATURES": without, "OPENBLAS_NUM_THREADS": "1"}
    if kernel:
        environment["OPENBLAS_CORETYPE"] = kernel
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)


def disabled(build):
    """Features without which these kernels are the best, of those that were compiled."""
    better = list(FEATURES)[: list(FEATURES).index(build)]
    return " ".join(sorted({feature for name in better for feature in FEATURES[name]} - FEATURES[build]))


def used(kernel):
    """The kernels in use where this one is asked for; none if it cannot run here."""
    process = python(["-c", USED], kernel)
    return set(json.loads(process.stdout)) - {None} if process.returncode == 0 else set()


def runnable(brief):
    """The kernels that run here, each once; without OpenBLAS the BLAS as it is."""
    found = {}
    own = used(None) if brief else set()
    for kernel in KERNELS:
        names = used(kernel)
        if names == {kernel} and names == own:
            print(f"{kernel}: the one of all other tests")
        elif names == {kernel}:
            found[kernel] = kernel
        else:
            print(f"{kernel}: {'is ' + ', '.join(names) + ' here' if names else 'does not run here'}")
    return found or {"": "as it is"}


def run_tests(job, options, first):
    """What the table says of a module of tests, and the output if one failed."""
    (kernel, _), build, name = job
    expression = "" if build == BUILDS[0] else LOOPS[name]
    if expression is None:
        return "all above", ""
    if (
        build != BUILDS[0] and kernel != first and name == "test_parity.py"
    ):  # of behaviour, which hangs on one or the other
        return "as for the first", ""
    arguments = [
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--oracles",
        str(HERE / name),
        "-k",
        expression,
        *options,
    ]
    process = python(arguments, kernel, disabled(build))
    counts = dict.fromkeys(("passed", "failed", "error"), 0)
    counts |= {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|error)", process.stdout)}
    failed = max(counts["failed"] + counts["error"], int(process.returncode != 0))
    return f"{counts['passed']}/{failed}", (process.stdout + process.stderr if failed else "")


def main(options):
    brief = "--brief" in options
    options = [option for option in options if option != "--brief"]
    kernels = runnable(brief)
    jobs = list(product(kernels.items(), BUILDS, LOOPS))
    print("OpenBLAS, stackinv: passed/failed", *LOOPS, sep=" | ", flush=True)
    outputs = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(partial(run_tests, options=options, first=next(iter(kernels)) if brief else None), jobs)
        for ((_, title), build), row in groupby(zip(jobs, results, strict=True), lambda pair: pair[0][:2]):
            cells, found = zip(*(result for _, result in row), strict=True)
            print(f"{title}, {build}", *cells, sep=" | ", flush=True)
            outputs += filter(None, found)
    print(*outputs, sep="\n")
    return bool(outputs)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
