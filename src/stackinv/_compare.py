# SPDX-License-Identifier: BSD-3-Clause
"""`stackinv compare`: stackinv and its alternatives timed on this machine, each in a process of its own."""

import importlib.metadata
import json
import os
import platform
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from stackinv import _config

_SCRIPT = Path(__file__).with_name("_contender.py")


@dataclass(frozen=True)
class Contender:
    """What is timed: its title, whose version tells about it, and the script that times it (see `_contender.py`)."""

    title: str
    distribution: str | None
    script: Path = _SCRIPT

    def version(self) -> str | None:
        """The version of the distribution; None if it is not installed."""
        if self.distribution is None:
            return None
        try:
            return importlib.metadata.version(self.distribution)
        except importlib.metadata.PackageNotFoundError:
            return None


CONTENDERS = {
    "stackinv": Contender("stackinv", "stackinv"),
    "stackinv-lapack": Contender("its LAPACK engine", "stackinv"),
    "numpy": Contender("NumPy", "numpy"),
    "scipy": Contender("SciPy", "scipy"),
    "torch": Contender("PyTorch", "torch"),
    "jax": Contender("JAX", "jax"),
}


def installed(contenders: Mapping[str, Contender]) -> dict[str, Contender]:
    """Those that can be timed here."""
    return {
        name: contender
        for name, contender in contenders.items()
        if name.startswith("stackinv") or contender.distribution is None or contender.version()
    }


@dataclass
class Comparison:
    """Microseconds a matrix, or why there is no such figure, by contender and size."""

    sizes: list[tuple[int, int]]  # orders and lengths of the stacks
    workers: int
    dtype: str
    assume_a: str
    titles: dict[str, str]
    times: dict[str, list[float | str]]

    def kind(self) -> str:
        """What the stacks are made of."""
        return self.dtype if self.assume_a == "gen" else f"{self.dtype}, assume_a={self.assume_a!r}"

    def as_dict(self) -> dict[str, Any]:
        """For a file of JSON, with the machine and the versions beside the numbers."""
        return {
            "machine": machine(),
            "contenders": self.titles,
            "workers": self.workers,
            "dtype": self.dtype,
            "assume_a": self.assume_a,
            "m": [m for m, _ in self.sizes],
            "length": [length for _, length in self.sizes],
            "microseconds": self.times,
        }


def machine() -> dict[str, Any]:
    """What the times depend on besides the contenders."""
    config = _config.show_config(mode="dicts")
    versions = config["Versions"]
    blas = config["BLAS"]
    return {
        "processor": versions["processor"],
        "cores": config["Workers"]["cores"],
        "instruction set": config["SIMD"]["kernels"],
        "system": versions["machine"],
        "Python": versions["Python"],
        "BLAS": blas
        if isinstance(blas, str)
        else ", ".join(f"{library['internal_api']} {library['version']}" for library in blas),
    }


def sizes(orders: Sequence[int], stack_bytes: int, dtype: str = "float64", at_least: int = 1) -> list[tuple[int, int]]:
    """Stacks of these orders that have this many bytes, but no fewer matrices than `at_least`."""
    itemsize = np.dtype(dtype).itemsize
    return [(m, max(at_least, stack_bytes // (itemsize * m * m))) for m in orders]


def compare(
    sizes: list[tuple[int, int]],
    workers: int,
    timeout: float,
    dtype: str = "float64",
    assume_a: str = "gen",
    contenders: Mapping[str, Contender] = CONTENDERS,
) -> Comparison:
    """Time every installed contender on stacks of these sizes, this type and this structure."""
    here = installed(contenders)
    titles = {name: " ".join(filter(None, [one.title, one.version()])) for name, one in here.items()}
    result = Comparison(sizes, workers, dtype, assume_a, titles, {})
    for name, contender in here.items():
        result.times[name] = _time(name, contender, result, timeout)
    return result


def _time(name: str, contender: Contender, comparison: Comparison, timeout: float) -> list[float | str]:
    """Times by size; a process that hangs or dies is started anew for the sizes that remain."""
    times: list[float | str] = []
    waiting = list(comparison.sizes)
    what = [name, str(comparison.workers), comparison.dtype, comparison.assume_a]
    while waiting:
        line: str | None = ""
        # -P: beside the script there is torch.py, which is not PyTorch
        command = [sys.executable, "-P", str(contender.script), *what, *(f"{m}:{length}" for m, length in waiting)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            lines: queue.Queue[str | None] = queue.Queue()
            errors: list[str] = []
            readers = [
                threading.Thread(target=_read, args=(process.stdout, lines)),
                threading.Thread(target=errors.extend, args=(process.stderr,)),
            ]
            for reader in readers:
                reader.start()
            try:
                while waiting:
                    _report(f"timing {contender.title}, M = {waiting[0][0]}, {waiting[0][1]} matrices")
                    line = lines.get(timeout=min(timeout, threading.TIMEOUT_MAX / 2))
                    if line is None:
                        break
                    times.append(float(json.loads(line)["microseconds"]))
                    waiting.pop(0)
            except queue.Empty:
                times.append(f"hung ({timeout:g} s)")
                waiting.pop(0)
            finally:
                process.kill()
                for reader in readers:
                    reader.join()
        if waiting and line is None:
            why = errors[-1].strip() if errors else f"exit status {process.returncode}"
            times.append(f"failed ({why})")
            waiting.pop(0)
    _report("")
    return times


def _read(pipe: IO[str], lines: "queue.Queue[str | None]") -> None:
    for line in pipe:
        lines.put(line)
    lines.put(None)


def _report(text: str) -> None:
    if sys.stderr is not None and sys.stderr.isatty():
        print(f"\r{text:<60}" + ("" if text else "\r"), end="", file=sys.stderr, flush=True)


def table(result: Comparison) -> str:
    """The times, and in parentheses how many times stackinv is as fast."""
    rows = [["M", "matrices", *result.titles.values()]]
    notes = []
    for i, (m, length) in enumerate(result.sizes):
        row = [str(m), str(length)]
        own = result.times["stackinv"][i]
        for name, times in result.times.items():
            time = times[i]
            if isinstance(time, str):
                row.append(time.split(" ")[0])
                notes.append(f"{result.titles[name]}, M = {m}: {time}")
            elif name == "stackinv" or isinstance(own, str):
                row.append(f"{time:.4g}")
            else:
                row.append(f"{time:.4g} ({time / own:.3g}x)")
        rows.append(row)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    head = (
        f"Microseconds a matrix ({result.kind()}, {result.workers} threads, {platform.machine()}, Python "
        f"{platform.python_version()}); in parentheses, how many times as fast stackinv is"
    )
    return "\n".join([head, "", lines[0], "  ".join("-" * width for width in widths), *lines[1:], *notes])


def check_plot(path: Path) -> None:
    """Say before the timing whether a picture can be drawn into this file."""
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError:
        raise RuntimeError("--plot needs matplotlib: pip install 'stackinv[plot]'") from None
    known = FigureCanvasBase.get_supported_filetypes()
    if path.suffix[1:].lower() not in known:
        raise RuntimeError(
            f"{path}: the name of a picture ends in one of {', '.join(f'.{end}' for end in sorted(known))}"
        )
    check_file(path)


def check_file(path: Path) -> None:
    """Say before the timing whether a file can be written there."""
    there = path if path.exists() else path.parent
    if path.is_dir() or not path.parent.is_dir() or not os.access(there, os.W_OK):
        raise RuntimeError(f"{path}: no file can be written there")


def plot(result: Comparison, path: Path) -> None:
    """Draw the times and the speed-ups into a file whose ending says the format."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt
    from matplotlib import ticker

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    orders = [m for m, _ in result.sizes]
    own = {m: time for m, time in zip(orders, result.times["stackinv"], strict=True) if isinstance(time, float)}
    for name, times in result.times.items():
        known = {m: time for m, time in zip(orders, times, strict=True) if isinstance(time, float)}
        style: dict[str, Any] = {"marker": "o", "markersize": 4, "linewidth": 2.2 if name == "stackinv" else 1.3}
        left.plot(list(known), list(known.values()), label=result.titles[name], **style)
        both = [m for m in known if m in own]
        right.plot(both, [known[m] / own[m] for m in both], **style)
    left.set(title="Time a matrix", ylabel="µs", yscale="log")
    right.set(title="Speed-up of stackinv over each", ylabel="×", yscale="log")
    right.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    right.yaxis.set_major_formatter("{x:g}")
    for axes in (left, right):
        axes.set(xlabel="M (order of the matrices)", xscale="log")
        axes.set_xticks(orders, [str(m) for m in orders], rotation=60, fontsize=8)
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    left.legend(frameon=False)
    figure.suptitle(f"Inverting stacks of {result.kind()} matrices, {result.workers} threads", fontsize=11)
    figure.savefig(path)
    plt.close(figure)
