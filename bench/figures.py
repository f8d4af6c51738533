"""Every figure, table and picture of the README and the documentation: measured, written down and drawn.

    python bench/figures.py                     # all of it; an hour on two cores
    python bench/figures.py orders lengths      # these measurements only, then all tables and pictures
    python bench/figures.py --draw              # tables and pictures from what was measured before

The measurements are those of `stackinv compare`, each contender in a process of its own, medians of rounds. They end up
in `bench/figures/*.json` with the machine and the versions beside the numbers. Contenders that are not installed are
left out; all are there after

    pip install '.[examples]' torch jax tensorflow-cpu numba mkl  # and a C++ compiler, and Eigen's headers:
                                                                  # Debian's libeigen3-dev
"""

import argparse
import datetime
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from stackinv import _compare, _native
from stackinv._compare import CONTENDERS, Contender

HERE = Path(__file__).parent
DATA = HERE / "figures"
EXAMPLES = HERE.parent / "docs" / "examples"
PEER = HERE / "peers" / "peer.py"
ROUNDS = 3
STACK_BYTES = 64 << 20  # more than the caches hold
MOST_BYTES = 512 << 20
TIMEOUT = 120

ORDERS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 4096)
TYPE_ORDERS = (2, 3, 4, 8, 16, 32, 64, 128, 256)
STRUCTURE_ORDERS = (2, 3, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512)
STRUCTURES = ("gen", "pos", "sym", "upper triangular", "lower triangular", "diagonal")
KERNEL_ORDERS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024, 2048)
KERNEL_ORDERS_ALONE = (128, 256, 384, 512, 1024, 2048)
KERNELS = {  # by the instruction set's name: stackinv's, OpenBLAS's and MKL's, of which each library brings its own
    "AVX512": ("", "SkylakeX", "AVX512"),
    "AVX2": ("AVX512", "Haswell", "AVX2"),
    "baseline": ("AVX512 AVX2", "Nehalem", "SSE4_2"),
}
KERNEL_VARIABLES = ("STACKINV_DISABLE_CPU_FEATURES", "OPENBLAS_CORETYPE", "MKL_ENABLE_INSTRUCTIONS")
PEER_ORDERS = (2, 3, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
LENGTH_ORDERS = (3, 8, 32, 128)
ALONE_ORDERS = (1, 2, 4, 16, 64, 192, 256, 512, 1024, 2048)  # besides

OWN = {
    "stackinv": CONTENDERS["stackinv"],
    "stackinv-out": Contender("stackinv", "stackinv"),
    "stackinv-native": Contender("stackinv", "stackinv"),
}
LIBRARIES = {name: contender for name, contender in CONTENDERS.items() if contender.distribution != "stackinv"}
MKL = {"mkl-compact": Contender("MKL compact", "mkl", PEER)}
PEERS = {
    "tensorflow": Contender("TensorFlow", "tensorflow-cpu", PEER),
    "numba": Contender("numba", "numba", PEER),
    "mkl-batch": Contender("MKL batch", "mkl", PEER),
}
COFACTORS = {"cofactors": Contender("cofactors in NumPy", None, PEER)}
COPY = {"copy": Contender("copy", None, PEER)}
DGEMM = {"dgemm": Contender("dgemm, SciPy", "scipy", PEER)}

Record = dict[str, Any]


def eigen() -> dict[str, Contender]:
    """If its headers and a compiler are there."""
    command = [sys.executable, PEER, "eigen-version", "1"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    return {} if process.returncode else {"eigen": Contender(f"Eigen {process.stdout.strip()}", None, PEER)}


def rounds(*comparisons: dict[str, Any]) -> tuple[dict[str, str], list[Record]]:
    """Titles, and medians of what `compare` finds when called so, in turn."""
    titles: dict[str, str] = {}
    times: dict[tuple[Any, ...], list[float]] = {}
    for i, arguments in itertools.product(range(ROUNDS), comparisons):
        what = ", ".join(f"{key} {value}" for key, value in arguments.items() if isinstance(value, (str, int)))
        print(f"round {i + 1} of {ROUNDS}: {what}", flush=True)
        result = _compare.compare(timeout=TIMEOUT, **arguments)
        titles |= result.titles
        for name, by_size in result.times.items():
            for (m, length), time in zip(result.sizes, by_size, strict=True):
                if isinstance(time, str):
                    print(f"  {result.titles[name]}, M = {m}: {time}")
                else:
                    key = (name, m, length, result.workers, result.dtype, result.assume_a)
                    times.setdefault(key, []).append(time)
    keys = ("contender", "m", "length", "workers", "dtype", "assume_a")
    return titles, [
        dict(zip(keys, key, strict=True)) | {"microseconds": float(f"{statistics.median(values):.4g}")}
        for key, values in times.items()
    ]


def pick(contenders: dict[str, Contender], *names: str) -> dict[str, Contender]:
    return {name: contenders[name] for name in names}


def orders() -> Any:
    """All contenders and the limits of the machine, by order, one worker and two."""
    all_orders = pick(OWN, "stackinv", "stackinv-out") | LIBRARIES | eigen() | COPY
    return rounds(
        *(
            {"sizes": sizes, "workers": workers, "contenders": contenders}
            for workers in (1, 2)
            for sizes, contenders in (
                (_compare.sizes(ORDERS, STACK_BYTES, at_least=2), all_orders),
                (_compare.sizes([m for m in ORDERS if m <= 256], STACK_BYTES), MKL),
                (_compare.sizes([256, 512, 1024, 2048, 4096], STACK_BYTES), DGEMM),
            )
        )
    )


def peers() -> Any:
    """Whoever else inverts stacks here, two workers, beside copying."""
    contenders = pick(OWN, "stackinv", "stackinv-out") | LIBRARIES | PEERS | eigen()
    every, some, few = (
        _compare.sizes([m for m in PEER_ORDERS if m <= most], STACK_BYTES, at_least=2) for most in (2048, 256, 3)
    )
    return rounds(
        *(
            {"sizes": sizes, "workers": 2, "contenders": which}
            for sizes, which in ((every, contenders), (some, MKL | COPY), (few, COFACTORS))
        )
    )


def functions(*names: str) -> Any:
    """Contenders of `peers/functions.py`, two workers, AVX-512 and AVX2."""
    libraries = {"stackinv": "stackinv", "numpy": "NumPy", "scipy": "SciPy", "torch": "PyTorch", "jax": "JAX"}
    titles: dict[str, str] = {}
    records = []
    contenders = {}
    for name in names:
        library, function, *_ = name.split("-")
        contenders[name] = Contender(f"{libraries[library]}.{function}", library, HERE / "peers" / "functions.py")
    for build, _, runs_here in _native.builds():
        if runs_here and build != "baseline":
            with mock.patch.dict(os.environ, zip(KERNEL_VARIABLES, KERNELS[build], strict=True)):
                some_titles, some = rounds(
                    {"sizes": _compare.sizes(TYPE_ORDERS, STACK_BYTES), "workers": 2, "contenders": contenders}
                )
            titles |= some_titles
            records += [record | {"kernels": build} for record in some]
    return titles, records


def determinants() -> Any:
    """Signs and logarithms of determinants, alone and with the inverse."""
    others = ("numpy-slogdet", "scipy-det", "torch-slogdet", "jax-slogdet")
    return functions("stackinv-slogdet", "stackinv-inv_slogdet", "stackinv-inv", *others)


def solutions() -> Any:
    """Systems of equations with one right-hand side and with M of them, by `solve` and by the inverse."""
    one = [f"{library}-solve-1" for library in ("stackinv", "numpy", "scipy", "torch", "jax")]
    many = [f"{library}-solve-M" for library in ("stackinv", "numpy")]
    return functions(*one, "stackinv-inv-1", *many, "stackinv-inv-M")


def lengths() -> Any:
    """How the time grows with the number of matrices."""
    sizes = [(m, 10**i) for m in LENGTH_ORDERS for i in range(7) if 8 * m**2 * 10**i <= MOST_BYTES]
    sizes += [(m, 1) for m in ALONE_ORDERS]
    contenders = pick(OWN, "stackinv") | LIBRARIES
    return rounds({"sizes": sizes, "workers": 2, "contenders": contenders})


def types() -> Any:
    """Single and double precision, real and complex."""
    contenders = pick(OWN, "stackinv-out", "stackinv-native") | pick(LIBRARIES, "numpy", "scipy", "torch")
    return rounds(
        *(
            {
                "sizes": _compare.sizes(TYPE_ORDERS, STACK_BYTES, dtype),
                "workers": 2,
                "dtype": dtype,
                "contenders": contenders,
            }
            for dtype in ("float32", "float64", "complex64", "complex128")
        )
    )


def structures() -> Any:
    """What `assume_a` brings, beside SciPy's and, for "pos", PyTorch's way."""
    return rounds(
        *(
            {
                "sizes": _compare.sizes(STRUCTURE_ORDERS, STACK_BYTES, at_least=2),
                "workers": 2,
                "assume_a": structure,
                "contenders": pick(OWN, "stackinv-out")
                | pick(LIBRARIES, *(["scipy", "torch"] if structure == "pos" else ["scipy"])),
            }
            for structure in STRUCTURES
        )
    )


def kernels() -> Any:
    """Each instruction set that runs here, by order, for stacks and single matrices, one worker and two."""
    contenders = pick(OWN, "stackinv-out") | pick(LIBRARIES, "numpy", "torch")
    stacks, alone = _compare.sizes(KERNEL_ORDERS, STACK_BYTES, at_least=2), [(m, 1) for m in KERNEL_ORDERS_ALONE]
    titles: dict[str, str] = {}
    records = []
    for build, _, runs_here in _native.builds():
        if not runs_here:
            continue
        with mock.patch.dict(os.environ, zip(KERNEL_VARIABLES, KERNELS[build], strict=True)):
            print(f"kernels for {build}", flush=True)
            some_titles, some = rounds(
                *(
                    {"sizes": sizes, "workers": workers, "contenders": which}
                    for workers in (1, 2)
                    for sizes, which in ((stacks + alone, contenders), (_compare.sizes([2048], STACK_BYTES), DGEMM))
                )
            )
        titles |= some_titles
        records += [record | {"kernels": build} for record in some]
    return titles, records


def script(name: str) -> Any:
    """What the script of this name measures and writes as JSON."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "result.json")
        subprocess.run([sys.executable, HERE / f"{name}.py", "--json", file], check=True)
        return versions(), json.loads(file.read_text())


def versions() -> dict[str, str]:
    """Of what takes part in one process."""
    return {name: f"{CONTENDERS[name].title} {CONTENDERS[name].version()}" for name in ("stackinv", "numpy", "scipy")}


def engines() -> Any:
    """By which `native/tuning.h` chooses."""
    return script("engines")


def cliffs() -> Any:
    """Every order, with the kernels of two instruction sets, if both run here."""
    records = []
    for build, _, runs_here in _native.builds():
        if runs_here and build != "baseline":
            with mock.patch.dict(os.environ, zip(KERNEL_VARIABLES, KERNELS[build], strict=True)):
                records += [record | {"kernels": build} for record in script("cliffs")[1]]
    return versions(), records


def accuracy() -> Any:
    """How far inverses are from the exact ones."""
    return script("accuracy")


def layouts() -> Any:
    """The same matrices in other layouts."""
    return script("layouts")


def examples() -> Any:
    """The examples on real data, which draw their pictures."""
    results = []
    for name, ending in EXAMPLE_PICTURES.items():
        picture = EXAMPLES.parent / "images" / f"{name}.{ending}"
        command = [sys.executable, EXAMPLES / f"{name}.py", picture]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        count, m, numpys, own = re.search(EXAMPLE_OUTPUT, output).groups()
        results.append(
            {
                "example": name,
                "matrices": int(count.replace(",", "")),
                "m": int(m),
                "milliseconds": {"numpy": float(numpys), "stackinv": float(own)},
            }
        )
    return versions(), results


EXAMPLE_PICTURES = {
    "mahalanobis_outliers": "png",
    "kalman_bank": "png",
    "visual_odometry": "png",
    "structure_tensor": "jpg",
    "heated_bar": "png",
}
EXAMPLE_OUTPUT = r"([\d,]+) inverses of (\d+) by .*\nNumPy (\S+) ms, stackinv (\S+) ms"

MEASUREMENTS = {
    one.__name__: one
    for one in (
        orders,
        kernels,
        peers,
        determinants,
        solutions,
        lengths,
        types,
        structures,
        engines,
        cliffs,
        accuracy,
        layouts,
        examples,
    )
}


def lines(value: Any) -> Iterator[str]:
    """JSON, a line for each record."""
    yield "{"
    for i, (key, part) in enumerate(value.items()):
        comma = "," if i + 1 < len(value) else ""
        if isinstance(part, list):
            yield f" {json.dumps(key)}: ["
            yield ",\n".join(f"  {json.dumps(record, ensure_ascii=False)}" for record in part)
            yield f" ]{comma}"
        else:
            yield f" {json.dumps(key)}: {json.dumps(part, ensure_ascii=False)}{comma}"
    yield "}\n"


def save(name: str, titles: dict[str, str], records: list[Record]) -> None:
    result = {
        "date": datetime.date.today().isoformat(),
        "machine": _compare.machine(),
        "contenders": titles,
        "records": records,
    }
    DATA.mkdir(exist_ok=True)
    (DATA / f"{name}.json").write_text("\n".join(lines(result)))


def measure(names: Iterable[str]) -> None:
    for name in names:
        print(f"\n{name}: {MEASUREMENTS[name].__doc__}", flush=True)
        save(name, *MEASUREMENTS[name]())


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure and draw what the documentation shows.")
    parser.add_argument("measurements", nargs="*", metavar="MEASUREMENT", help=", ".join(MEASUREMENTS))
    parser.add_argument("--draw", action="store_true", help="measure nothing")
    arguments = parser.parse_args()
    if unknown := set(arguments.measurements) - set(MEASUREMENTS):
        parser.error(f"no such measurement: {', '.join(unknown)} (there are {', '.join(MEASUREMENTS)})")
    if not arguments.draw:
        measure(arguments.measurements or MEASUREMENTS)
    import pictures
    import tables

    tables.write()
    pictures.draw()


if __name__ == "__main__":
    main()
