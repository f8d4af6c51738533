"""Draws what was measured into docs/images, as SVG that is readable on light and on dark pages and on phones.

    python bench/pictures.py

Text and lines take the colours of the page: an SVG in an `<img>` knows by `prefers-color-scheme` what that is.
"""

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import drawings
import matplotlib
from matplotlib import pyplot as plt
from matplotlib import ticker
from matplotlib.axes import Axes
from results import ALL, LIBRARIES, calls, copying, dgemm, load, rate, times, title

IMAGES = Path(__file__).parents[1] / "docs" / "images"
INK, GRID = "#010203", "#040506"  # stand for colours of the page, see drawings.PAGE
COLOURS = {
    "stackinv": "#e4572e",
    "stackinv-out": "#e4572e",
    "numpy": "#3f88d8",
    "scipy": "#2fa36b",
    "torch": "#a26bd6",
    "jax": "#c9971c",
    "eigen": "#7a8794",
    "mkl-compact": "#cf5f97",
}
INTO_MEMORY_THAT_IS_THERE = ("eigen", "mkl-compact")  # and so compared with out=
STRUCTURES = {
    "gen": INK,
    "pos": "#e4572e",
    "sym": "#3f88d8",
    "upper triangular": "#2fa36b",
    "lower triangular": "#a26bd6",
    "diagonal": "#c9971c",
}
TICKS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096]

matplotlib.use("agg")
plt.rcParams.update(
    {
        "svg.fonttype": "none",
        "svg.hashsalt": "stackinv",
        "font.family": "DejaVu Sans",  # as wide as any that the reader's machine may have
        "font.size": 10,
        "axes.titlesize": 11,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": GRID,
        "grid.linewidth": 0.7,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "legend.frameon": False,
        "legend.fontsize": 9,
        "lines.markersize": 3.5,
    }
)


def save(figure: Any, name: str) -> None:
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    plt.close(figure)
    text = file.getvalue().replace(INK, "var(--ink)").replace(GRID, "var(--grid)")
    text = text.replace("'DejaVu Sans'", drawings.FONTS).replace("<defs>", f"<style>{drawings.PAGE}</style><defs>", 1)
    (IMAGES / f"{name}.svg").write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n")


def panel(**settings: Any) -> tuple[Any, Axes]:
    """One picture: narrow, so that a phone does not shrink it much."""
    figure, axes = plt.subplots(figsize=(5.6, 4.2), layout="constrained")
    axes.set(**settings)
    return figure, axes


def by_order(axes: Axes, most: int = 4096, least: int = 1) -> None:
    ticks = [m for m in TICKS if least <= m <= most]
    axes.set(xlabel="M, order of the matrices", xscale="log", yscale="log")
    axes.set_xticks(ticks, [str(m) for m in ticks], rotation=60 if len(ticks) > 10 else 0)
    plain(axes.yaxis)
    axes.xaxis.minorticks_off()


def plain(axis: Any) -> None:
    """Numbers in full, and few of them."""
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}"))
    axis.set_minor_formatter(ticker.NullFormatter())


def line(axes: Axes, points: dict[int, float], colour: str, label: str | None, **style: Any) -> None:
    axes.plot(list(points), list(points.values()), **{"color": colour, "label": label, "marker": "o"} | style)


def contenders(axes: Axes, names: Iterable[str], value: Callable[[str], dict[int, float]]) -> None:
    for name in names:
        if not value(name):
            continue
        own = name.startswith("stackinv")
        label = title("orders", name) + (" (no pivoting)" if name == "mkl-compact" else "")
        line(axes, value(name), COLOURS[name], label, linewidth=2.6 if own else 1.4, zorder=3 if own else 2)


def time_a_matrix() -> None:
    figure, axes = panel(title="Time a matrix", ylabel="µs")
    contenders(axes, ALL, lambda name: times("orders", name))
    by_order(axes)
    axes.legend()
    save(figure, "times")


def speedups() -> None:
    figure, axes = panel(title="How many times as fast stackinv is", ylabel="×")

    def ratios(name: str) -> dict[int, float]:
        own = times("orders", "stackinv-out" if name in INTO_MEMORY_THAT_IS_THERE else "stackinv")
        return {m: time / own[m] for m, time in times("orders", name).items()}

    contenders(axes, ALL[1:], ratios)
    by_order(axes)
    axes.axhline(1, color=INK, linewidth=1)
    axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.legend()
    save(figure, "speedups")


def limits() -> None:
    figure, axes = panel(title="How near to what the machine can do", ylabel="GFLOP/s (2 M³ operations)")
    contenders(
        axes,
        ("stackinv-out", *LIBRARIES, "eigen", "mkl-compact"),
        lambda name: {m: rate(m, time) for m, time in times("orders", name).items()},
    )
    roof = {m: min(dgemm(), rate(m, copying(m))) for m in times("orders", "copy")}
    line(axes, roof, INK, "copying the stack, then dgemm", marker=None, linestyle="--", linewidth=1.2)
    axes.fill_between(list(roof), list(roof.values()), 2 * dgemm(), color=GRID, alpha=0.5, linewidth=0)
    by_order(axes)
    axes.set_ylim(0.01, 2 * dgemm())
    axes.legend(loc="lower right")
    save(figure, "limits")


def workers() -> None:
    figure, axes = panel(title="Two workers over one", ylabel="times as fast")
    for name, label in (("stackinv", "stackinv"), ("stackinv-out", "stackinv, out="), ("torch", None), ("eigen", None)):
        one, two = (times("orders", name, n) for n in (1, 2))
        ratios = {m: one[m] / two[m] for m in two if m in one}
        style = {"linestyle": "--"} if name == "stackinv" else {}
        line(axes, ratios, COLOURS[name], label or title("orders", name), linewidth=1.6, **style)
    by_order(axes)
    axes.set(yscale="linear", ylim=(0, 2.2))
    axes.legend()
    save(figure, "workers")


def lengths(m: int) -> None:
    figure, axes = panel(title=f"Time of a call with matrices of {m} × {m}", xlabel="matrices", ylabel="µs")
    contenders(axes, ("stackinv", *LIBRARIES), lambda name: calls(name, m))
    axes.set(xscale="log", yscale="log")
    plain(axes.xaxis)
    plain(axes.yaxis)
    axes.legend()
    save(figure, f"lengths_{m}")


def types() -> None:
    figure, axes = panel(title="Time a matrix, by type", ylabel="µs")
    shown = [
        ("stackinv-native", "float32", "float32, in single", "#e4572e"),
        ("stackinv-out", "float32", "float32", "#c9971c"),
        ("stackinv-out", "float64", "float64", "#3f88d8"),
        ("stackinv-native", "complex64", "complex64, in single", "#cf5f97"),
        ("stackinv-out", "complex64", "complex64", "#a26bd6"),
        ("stackinv-out", "complex128", "complex128", "#2fa36b"),
    ]
    for name, dtype, label, colour in shown:
        line(axes, times("types", name, dtype=dtype), colour, label, linewidth=1.6)
    by_order(axes, 256, 2)
    axes.legend()
    save(figure, "types")


def structures() -> None:
    figure, axes = panel(title="Time a matrix, by assume_a", ylabel="µs")
    for name, colour in STRUCTURES.items():
        line(axes, times("structures", "stackinv-out", assume_a=name), colour, name, linewidth=1.6)
    by_order(axes, 512, 2)
    axes.legend()
    save(figure, "structures")

    figure, axes = panel(title="How many times as fast stackinv is", ylabel="×")
    for name, colour in STRUCTURES.items():
        own = times("structures", "stackinv-out", assume_a=name)
        for other, style in (("scipy", "-"), ("torch", ":")):
            theirs = times("structures", other, assume_a=name)
            if theirs and name != "gen":
                label = f"{title('structures', other).split(' ')[0]}, {name}"
                ratios = {m: time / own[m] for m, time in theirs.items()}
                line(axes, ratios, colour, label, linestyle=style, linewidth=1.6)
    by_order(axes, 512, 2)
    axes.legend()
    save(figure, "structures_speedups")


def engines() -> None:
    figure, grid = plt.subplots(2, 2, figsize=(6.4, 5.4), layout="constrained", sharey=True)
    records = load("engines")["records"]
    colours = {"lanes": "#e4572e", "blocked": "#3f88d8", "lapack": "#7a8794"}
    for axes, dtype in zip(grid.flat, ("float32", "float64", "complex64", "complex128"), strict=True):
        mine = [record for record in records if record["dtype"] == dtype]
        for engine, colour in colours.items():
            points = {
                record["m"]: rate(record["m"], record["microseconds"]) * (4 if dtype.startswith("c") else 1)
                for record in mine
                if record["engine"] == engine
            }
            line(axes, points, colour, {"lapack": "LAPACK"}.get(engine, engine), linewidth=1.4)
        axes.axvline(mine[0]["most_lanes_m"], color=INK, linestyle=":", linewidth=1)
        axes.set(title=dtype, xscale="log")
        axes.set_xticks([4, 16, 64, 256], ["4", "16", "64", "256"])
        axes.xaxis.minorticks_off()
    for axes in grid[1]:
        axes.set(xlabel="M")
    for axes in grid[:, 0]:
        axes.set(ylabel="GFLOP/s, one worker")
    grid[0, 0].legend()
    save(figure, "engines")


def cliffs() -> None:
    figure, axes = panel(title="Every order", xlabel="M", ylabel="GFLOP/s (2 M³ operations)")
    for kernels, (name, colour) in {"AVX512": ("AVX-512", "stackinv"), "AVX2": ("AVX2", "numpy")}.items():
        records = [record for record in load("cliffs")["records"] if record["kernels"] == kernels]
        points = {record["m"]: rate(record["m"], record["microseconds"]) for record in records}
        line(axes, points, COLOURS[colour], name, marker=None, linewidth=1.1)
    axes.legend()
    save(figure, "cliffs")


def draw() -> None:
    time_a_matrix()
    speedups()
    limits()
    workers()
    for m in (3, 32):
        lengths(m)
    types()
    structures()
    engines()
    cliffs()
    drawings.draw(IMAGES)


if __name__ == "__main__":
    draw()
