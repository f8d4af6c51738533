"""One matrix at a time from compiled code: Cython by pointers, numba, against LAPACK's pointers and numba's own.

python bench/compiled.py [--kernels BUILD]

Each contender has a process of its own; rounds alternate, and medians of them count, in bench/figures/compiled.json. It
needs a C compiler, Cython and numba. With ``--kernels``, a folder that ``meson setup BUILD -Donly_kernels=true`` and
``meson compile -C BUILD`` made, also what the kernel itself takes for one matrix.
"""

import argparse
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from importlib.metadata import version
from pathlib import Path

import figures
import tables

HERE = Path(__file__).parent / "compiled"
N = 1_000_000
ROUNDS = 5

# A million matrices of order 4 in Cython, one of order 3 in numba; microseconds a matrix.
CONTENDERS = {
    "cython-stackinv": (4, "loops", "loops.by_stackinv(a, x)"),
    "cython-lapack": (4, "loops", "loops.by_lapack(a, x)"),
    "numba-stackinv": (3, "numba", "each_stackinv(a, x)"),
    "numba-numpy": (3, "numba", "each_numpy(a, x)"),
    "numba-stack": (3, "numba", "whole(a)"),
    "stackinv": (3, "stackinv", "stackinv.inv(a)"),
}
PRELUDE = {
    "loops": "import loops",
    "stackinv": "import stackinv",
    "numba": """
import numba, stackinv

@numba.njit(parallel=True)
def each_stackinv(a, x):
    for i in numba.prange(len(a)):
        x[i] = stackinv.inv(a[i])

@numba.njit(parallel=True)
def each_numpy(a, x):
    for i in numba.prange(len(a)):
        x[i] = np.linalg.inv(a[i])

@numba.njit
def whole(a):
    return stackinv.inv(a)
""",
}


def program(name: str) -> str:
    m, prelude, call = CONTENDERS[name]
    return f"""
import time
import numpy as np
{PRELUDE[prelude]}
a = np.random.default_rng(0).standard_normal(({N}, {m}, {m})) + {m} * np.eye({m})
x = np.empty_like(a)
{call}  # compiled, and memory in place
times = []
for _ in range(5):
    start = time.perf_counter()
    {call}
    times.append(time.perf_counter() - start)
print(1e6 * min(times) / {N})
"""


def compile_loops(folder: Path) -> None:
    c = folder / "loops.c"
    subprocess.run([sys.executable, "-m", "cython", "-3", HERE / "loops.pyx", "-o", c], check=True)
    target = folder / ("loops" + sysconfig.get_config_var("EXT_SUFFIX"))
    include = f"-I{sysconfig.get_path('include')}"
    subprocess.run(["cc", "-O3", "-shared", "-fPIC", include, c, "-o", target], check=True)


def compile_kernel(folder: Path, build: Path) -> None:
    """Against the libraries of a build with -Donly_kernels=true."""
    native = Path(__file__).parents[1] / "src" / "stackinv" / "native"
    libraries = sorted((build / "src" / "stackinv" / "native").rglob("*.a"))
    group = ["-Wl,--start-group", *libraries, "-Wl,--end-group", "-lm", "-lpthread"]
    include = [f"-I{native}", f"-I{native / 'kernels'}"]
    subprocess.run(
        ["cc", "-O2", "-D_GNU_SOURCE", *include, HERE / "kernel.c", *group, "-o", folder / "kernel"], check=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernels", type=Path, metavar="BUILD", help="a folder of meson's")
    arguments = parser.parse_args()
    times: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compile_loops(folder)
        commands = {contender: [sys.executable, "-c", program(contender)] for contender in CONTENDERS}
        if arguments.kernels:
            compile_kernel(folder, arguments.kernels)
            times = {"kernel": [], **times}
            commands["kernel"] = ["./kernel", "4"]
        for _ in range(ROUNDS):
            for contender in times:
                run = subprocess.run(commands[contender], cwd=folder, capture_output=True, text=True, check=True)
                times[contender].append(float(run.stdout) / (1000 if contender == "kernel" else 1))
    medians = {contender: statistics.median(values) for contender, values in times.items()}
    for contender, median in medians.items():
        print(f"{contender:16} {1000 * median:8.1f} ns a matrix")
    records = [{"contender": name, "microseconds": median} for name, median in medians.items()]
    titles = {name: f"{name} {version(name)}" for name in ("stackinv", "numba", "cython", "scipy")}
    figures.save("compiled", titles, records)
    tables.write()


if __name__ == "__main__":
    main()
