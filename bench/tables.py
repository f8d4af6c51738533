"""The tables and single figures in the README and the documentation, written between their marks.

    python bench/tables.py           # write them
    python bench/tables.py --check   # or only say whether they are what was measured

A table stands between `<!-- table: NAME -->` and `<!-- end -->`, a figure in a sentence between `<!-- figure: NAME -->`
and `<!-- end -->`; the names are those of `TABLES` and `figures` here.
"""

import math
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from results import (
    ALL,
    LIBRARIES,
    accuracy,
    bandwidth,
    by_kernels,
    calls,
    copying,
    dgemm,
    examples,
    functions,
    kernels_dgemm,
    load,
    rate,
    times,
    title,
    wild,
)

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MARKS = re.compile(r"<!-- (table|figure): ([^>]+?) -->.*?<!-- end -->", re.DOTALL)
SMALL = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
LARGE = (96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 4096)
EXAMPLES = {
    "mahalanobis_outliers": "Which digits do not look like their class?",
    "kalman_bank": "How noisy are macroeconomic series?",
    "visual_odometry": "Where did the car drive?",
    "structure_tensor": "How precisely can a point be found again?",
    "heated_bar": "How does heat spread in a twisted bar?",
}
WILD = {  # the job, and what else takes its time, or why there is not more to gain
    "optical_flow": ("optical flow", "filters, and pictures warped"),
    "trajectories": ("smoothing 2,000 tracks", "products of small matrices"),
    "brain_areas": ("directed transfer function", "Fourier transforms, products over trials"),
    "posterior": ("likelihoods by draws of a posterior", "products"),
    "antenna_feed": ("a feed of 16 antennas", "the circuit put together"),
    "one_vehicle": ("smoothing one track", "one matrix at a time"),
    "rolling_regression": ("rolling regressions", "one matrix at a time"),
    "motor_imagery": ("nearest log-det means", "its `solve` is not `numpy.linalg`'s"),
}


def number(value: float) -> str:
    """Three digits that mean something, or nothing for NaN."""
    if math.isnan(value):
        return ""
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 100 else f"{value:.3g}"


def share(value: float) -> str:
    return f"{100 * value:.0f} %"


def markdown(head: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    head = list(head)
    lines = [head, ["-:"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def headline() -> str:
    own = times("orders", "stackinv")
    head = ["M", "stackinv, µs a matrix", *(f"× {title('orders', name)}" for name in LIBRARIES), "residual, × NumPy's"]
    residuals = {name: accuracy(name, "residual") for name in ("stackinv", "numpy")}
    return markdown(
        head,
        (
            [
                str(m),
                number(own[m]),
                *(number(times("orders", name)[m] / own[m]) for name in LIBRARIES),
                f"{residuals['stackinv'][m] / residuals['numpy'][m]:.2f}",
            ]
            for m in residuals["stackinv"]
        ),
    )


def accuracies() -> str:
    head = ["M", "error, stackinv", "NumPy", "residual, stackinv", "NumPy"]
    columns = [accuracy(name, what) for what in ("error", "residual") for name in ("stackinv", "numpy")]
    return markdown(head, ([str(m), *(number(column[m]) for column in columns)] for m in columns[0]))


def orders() -> str:
    columns = {"stackinv": "stackinv", "stackinv-out": "with `out=`"}
    columns |= {name: title("orders", name) for name in ALL[1:]}
    return markdown(
        ["M", *columns.values()],
        ([str(m), *(number(times("orders", name)[m]) for name in columns)] for m in times("orders", "stackinv")),
    )


def limits() -> str:
    own, ceiling = times("orders", "stackinv-out"), dgemm()
    copy = f"copying at {bandwidth():.0f} GB/s"
    head = ["M", "stackinv, `out=`", copy, "copying takes", "GFLOP/s", f"of dgemm's {ceiling:.0f}"]
    return markdown(
        head,
        (
            [
                str(m),
                number(own[m]),
                number(copying(m)),
                share(copying(m) / own[m]),
                number(rate(m, own[m])),
                share(rate(m, own[m]) / ceiling),
            ]
            for m in own
        ),
    )


def small() -> str:
    numpys = times("orders", "numpy")
    rows = []
    for m in SMALL:
        row = [str(m), number(numpys[m])]
        for name in ("stackinv", "stackinv-out"):
            for workers in (1, 2):
                time = times("orders", name, workers)[m]
                row += [number(time), number(numpys[m] / time)]
        rows.append(row)
    head = ["M", "NumPy", "1 worker", "×", "2 workers", "×", "1 worker, `out=`", "×", "2 workers, `out=`", "×"]
    return markdown(head, rows)


def large() -> str:
    own, ceiling = times("orders", "stackinv-out"), dgemm()
    rows = []
    for m in LARGE:
        row = [str(m), number(own[m]), number(rate(m, own[m])), share(rate(m, own[m]) / ceiling)]
        for name in ("numpy", "scipy", "torch"):
            theirs = times("orders", name)[m]
            row += [number(theirs), number(theirs / own[m])]
        rows.append(row)
    return markdown(
        [
            "M",
            "stackinv, `out=`, µs",
            "GFLOP/s",
            f"of dgemm's {ceiling:.0f}",
            "NumPy",
            "×",
            "SciPy",
            "×",
            "PyTorch",
            "×",
        ],
        rows,
    )


MACHINES = (
    "compiled",
    "accuracy",
    "kernels",
    "peers",
    "determinants",
    "solutions",
    "examples",
    "cliffs",
    "layouts",
    "wild",
)  # that may not be that of `orders`
KERNELS = {"AVX512": "AVX-512", "AVX2": "AVX2", "baseline": "SSE2"}


def kernels(workers: int = 2, *, alone: bool = False) -> str:
    head, rows = ["M"], []
    for build, name in KERNELS.items():
        head += [f"{name}, µs", f"of dgemm's {kernels_dgemm(build, workers):.0f}", "× NumPy", "× PyTorch"]
    for m in by_kernels("stackinv-out", "baseline", workers, alone=alone):
        row = [str(m)]
        for build in KERNELS:
            own = by_kernels("stackinv-out", build, workers, alone=alone)[m]
            row += [number(own), share(rate(m, own) / kernels_dgemm(build, workers))]
            row += [number(by_kernels(name, build, workers, alone=alone)[m] / own) for name in ("numpy", "torch")]
        rows.append(row)
    return markdown(head, rows)


def peers(*names: str) -> str:
    """How many times as fast as each of them."""
    own = times("peers", "stackinv-out")
    return markdown(
        ["M", "`out=`, µs", *(f"× {title('peers', name)}" for name in names)],
        ([str(m), number(own[m]), *(number(times("peers", name)[m] / own[m]) for name in names)] for m in own),
    )


def memory() -> str:
    """What a stack takes with memory that is there, with new memory, and to be copied."""
    own, new, copied = (times("peers", name) for name in ("stackinv-out", "stackinv", "copy"))
    head = ["M", "`out=`, µs", "new memory, µs", "of `out=`", "copying, µs", "of `out=`"]
    return markdown(
        head,
        (
            [
                str(m),
                number(own[m]),
                *(cell for one in (new, copied) for cell in (number(one[m]), share(one[m] / own[m]))),
            ]
            for m in copied
        ),
    )


def determinants(build: str) -> str:
    others = ("numpy-slogdet", "torch-slogdet", "jax-slogdet", "scipy-det")
    head = ["M", "`slogdet`, µs", *(f"× {title('determinants', name)}" for name in others), "`inv_slogdet` over `inv`"]
    rows = []
    for m, own in functions("determinants", "stackinv-slogdet", build).items():
        both, inverse = (functions("determinants", f"stackinv-{name}", build)[m] for name in ("inv_slogdet", "inv"))
        compared = [number(functions("determinants", name, build)[m] / own) for name in others]
        rows.append([str(m), number(own), *compared, f"{both / inverse:.2f}"])
    return markdown(head, rows)


def solutions(build: str) -> str:
    libraries = {f"{library}-solve-1": title("orders", library).split()[0] for library in LIBRARIES}
    compared = {"1": {"stackinv-inv-1": "`inv(a) @ b`"} | libraries}
    compared["M"] = {"stackinv-inv-M": "`inv(a) @ b`", "numpy-solve-M": "NumPy"}
    head, rows = ["M"], []
    for columns, others in compared.items():
        head += [f"K = {columns}, µs", *(f"× {text}" for text in others.values())]
    for m in functions("solutions", "stackinv-solve-1", build):
        row = [str(m)]
        for columns, others in compared.items():
            own = functions("solutions", f"stackinv-solve-{columns}", build)[m]
            row += [number(own), *(number(functions("solutions", name, build)[m] / own) for name in others)]
        rows.append(row)
    return markdown(head, rows)


def lengths() -> str:
    names = ("stackinv", *LIBRARIES)
    return markdown(
        ["M", "matrices", *(f"{title('lengths', name)}, µs" for name in names)],
        (
            [str(m), f"{length:,}", *(number(calls(name, m)[length]) for name in names)]
            for m in (3, 32)
            for length in calls("stackinv", m)
        ),
    )


def alone() -> str:
    names = ("stackinv", *LIBRARIES)
    one = sorted({record["m"] for record in load("lengths")["records"] if record["length"] == 1})
    return markdown(
        ["M", *(f"{title('lengths', name)}, µs" for name in names)],
        ([str(m), *(number(calls(name, m)[1]) for name in names)] for m in one),
    )


def types() -> str:
    head = ["M", "float32, in single", "× PyTorch", "float32", "× NumPy"]
    head += [text for dtype in ("float64", "complex64", "complex128") for text in (dtype, "× NumPy")]
    rows = []
    for m in times("types", "stackinv-out"):
        single = times("types", "stackinv-native", dtype="float32")[m]
        row = [str(m), number(single), number(times("types", "torch", dtype="float32")[m] / single)]
        for dtype in ("float32", "float64", "complex64", "complex128"):
            own = times("types", "stackinv-out", dtype=dtype)[m]
            row += [number(own), number(times("types", "numpy", dtype=dtype)[m] / own)]
        rows.append(row)
    return markdown(head, rows)


def structures() -> str:
    gen = times("structures", "stackinv-out")
    head = ["M", "`gen`", "`pos`", "of `gen`", "× SciPy", "× PyTorch"]
    others = ("sym", "upper triangular", "lower triangular", "diagonal")
    head += [text for name in others for text in (f"`{name}`", "× SciPy")]
    rows = []
    for m in gen:
        pos = times("structures", "stackinv-out", assume_a="pos")[m]
        row = [str(m), number(gen[m]), number(pos), f"{pos / gen[m]:.2f}"]
        row += [number(times("structures", name, assume_a="pos")[m] / pos) for name in ("scipy", "torch")]
        for name in others:
            own = times("structures", "stackinv-out", assume_a=name)[m]
            row += [number(own), number(times("structures", "scipy", assume_a=name)[m] / own)]
        rows.append(row)
    return markdown(head, rows)


def example_times(prefix: str) -> Callable[[], str]:
    def table() -> str:
        rows = []
        for name, text in EXAMPLES.items():
            one = examples()[name]
            took = one["milliseconds"]
            rows.append(
                [
                    f"[{text}]({prefix}{name}.md)",
                    f"{one['matrices']:,} of {one['m']} × {one['m']}",
                    f"{number(took['numpy'])} ms",
                    f"{number(took['stackinv'])} ms",
                    f"{took['numpy'] / took['stackinv']:.0f} ×",
                ]
            )
        lines = markdown(["Example", "Matrices", "NumPy", "stackinv", "faster"], rows).splitlines()
        lines[1] = "| -- | -: | -: | -: | -: |"
        return "\n".join(lines)

    return table


def layouts() -> str:
    records = load("layouts")["records"]
    ways = {record["way"]: record["title"] for record in records}
    by = {(record["way"], record["m"]): record["microseconds"] for record in records}
    return markdown(
        ["M", *ways.values()],
        (
            [str(m), *(number(by.get((way, m), math.nan)) for way in ways)]
            for m in sorted({record["m"] for record in records})
        ),
    )


def jobs() -> str:
    """Of `bench/wild`, what can gain most first."""
    head = [
        "Job",
        "calls",
        "M",
        "matrices a call",
        "NumPy",
        "replaced",
        "`stackinv run`",
        "replaced",
        "faster",
        "the rest",
    ]
    rows = []
    for name, one in sorted(wild().items(), key=lambda item: item[1]["share"]["numpy"], reverse=True):
        (text, rest), took, part = WILD[name], one["seconds"], one["share"]
        rows.append(
            [
                f"[{title('wild', one['library'])}](../bench/wild/{name}.py): {text}",
                ", ".join(f"`{function}`" for function in one["functions"]),
                ", ".join(map(str, one["orders"])),
                number(one["matrices"] / one["calls"]),
                *(cell for who in took for cell in (f"{number(took[who])} s", share(part[who]))),
                f"{took['numpy'] / took['stackinv']:.2f} ×",
                rest,
            ]
        )
    lines = markdown(head, rows).splitlines()
    lines[1] = "| -- | -- | -: | -: | -: | -: | -: | -: | -: | -- |"
    return "\n".join(lines)


COMPILED = {
    "kernel": "the kernel alone",
    "cython-stackinv": "Cython: `dinv`",
    "cython-lapack": "Cython: `cython_lapack`'s getrf and getri",
    "numba-stackinv": "numba, `prange`: `stackinv.inv` of each",
    "numba-numpy": "numba, `prange`: its `numpy.linalg.inv` of each",
    "numba-stack": "numba: `stackinv.inv` of all",
    "stackinv": "Python: `stackinv.inv` of all",
}


def compiled() -> str:
    took = {one["contender"]: one["microseconds"] for one in load("compiled")["records"]}
    orders = {name: 3 if "numba" in name or name == "stackinv" else 4 for name in COMPILED}
    rows = [[text, str(orders[name]), number(1e3 * took[name])] for name, text in COMPILED.items()]
    return markdown(["From", "M", "ns a matrix"], rows).replace("| -: |", "| -- |", 1)


TABLES: dict[str, Callable[[], str]] = {
    **{
        one.__name__: one
        for one in (
            headline,
            accuracies,
            orders,
            limits,
            small,
            large,
            memory,
            lengths,
            alone,
            types,
            structures,
            layouts,
            jobs,
            compiled,
        )
    },
    "peers": lambda: peers(*LIBRARIES, "tensorflow", "numba"),
    "peers, compiled": lambda: peers("mkl-batch", "mkl-compact", "eigen", "cofactors"),
    "determinants": lambda: determinants("AVX512"),
    "determinants, AVX2": lambda: determinants("AVX2"),
    "solutions": lambda: solutions("AVX512"),
    "solutions, AVX2": lambda: solutions("AVX2"),
    "kernels": kernels,
    "kernels, one worker": lambda: kernels(1),
    "kernels, one matrix": lambda: kernels(alone=True),
    "examples": example_times("examples/"),
    "examples here": example_times(""),
}


def machine(measurement: str = "orders") -> str:
    one = load(measurement)["machine"]
    kernels = {"AVX512": "AVX-512"}.get(one["instruction set"], one["instruction set"])
    where = f"{one['processor']} with {kernels} ({one['system']}, Python {one['Python']})"
    return f"two of the {one['cores']} cores of an {where}" if one["cores"] > 2 else f"two cores of an {where}"


def figures() -> dict[str, str]:
    """Those in sentences."""
    gen = times("structures", "stackinv-out")
    shares = {
        f"share {name}": ", ".join(
            f"{times('structures', 'stackinv-out', assume_a=name)[m] / gen[m]:.2f}" for m in (3, 8, 32, 128)
        )
        for name in ("pos", "sym", "upper triangular", "diagonal")
    }
    took = {
        f"{name} {who}": f"{number(time)} ms"
        for name, one in examples().items()
        for who, time in one["milliseconds"].items()
    }
    alone = {f"alone {m} {name}": f"{number(calls(name, m)[1])} µs" for m in (3, 8) for name in ("stackinv", "numpy")}
    machines = {f"machine of {name}": machine(name) for name in MACHINES}
    libraries = [title("solutions", f"{name}-solve-1").replace(".solve", "") for name in LIBRARIES]
    machines["libraries of solutions"] = ", ".join(libraries)
    jobs = {"wild difference": f"{max(one['difference'] for one in wild().values()):.0e}"}
    return {"machine": machine(), "dgemm": f"{dgemm():.0f}"} | machines | shares | took | alone | jobs


def renewed(text: str) -> str:
    sentences = figures()

    def replace(match: re.Match[str]) -> str:
        kind, name = match.groups()
        content = f"\n\n{TABLES[name]()}\n\n" if kind == "table" else sentences[name]
        return f"<!-- {kind}: {name} -->{content}<!-- end -->"

    return MARKS.sub(replace, text)


def stale() -> list[Path]:
    """Pages whose tables are not those of `bench/figures`."""
    return [page for page in PAGES if renewed(page.read_text()) != page.read_text()]


def write() -> None:
    for page in stale():
        page.write_text(renewed(page.read_text()))
        print(f"written: {page}")


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit("\n".join(f"not what was measured: {page}" for page in stale()) or 0)
    write()
