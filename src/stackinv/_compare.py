"""`stackinv compare`: stackinv and its alternatives timed on this machine, each in a process of its own."""

import importlib.metadata
import json
import platform
import queue
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

CONTENDERS = {"stackinv": "stackinv", "numpy": "NumPy", "scipy": "SciPy", "torch": "PyTorch", "jax": "JAX"}


@dataclass
class Comparison:
    """Microseconds a matrix, or why there is no such figure, by contender and order."""

    lengths: dict[int, int]
    workers: int
    assume_a: str = "gen"
    times: dict[str, dict[int, float | str]] = field(default_factory=dict)

    def title(self, name: str) -> str:
        """The contender's name and version."""
        return f"{CONTENDERS[name]} {importlib.metadata.version(name)}"


def compare(orders: list[int], stack_bytes: int, workers: int, timeout: float, assume_a: str = "gen") -> Comparison:
    """Time every installed contender on float64 stacks of these orders, this size and this structure."""
    result = Comparison({m: max(1, stack_bytes // (8 * m * m)) for m in orders}, workers, assume_a)
    for name in CONTENDERS:
        if name == "stackinv" or _installed(name):
            result.times[name] = _time(name, result, timeout)
    return result


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _time(name: str, comparison: Comparison, timeout: float) -> dict[int, float | str]:
    """Times by order; a process that hangs or dies is started anew for the orders that remain."""
    times: dict[int, float | str] = {}
    waiting = sorted(comparison.lengths)
    script = str(Path(__file__).with_name("_contender.py"))
    while waiting:
        line: str | None = ""
        sizes = [f"{m}:{comparison.lengths[m]}" for m in waiting]
        command = [sys.executable, script, name, str(comparison.workers), comparison.assume_a, *sizes]
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
                    _report(name, waiting[0])
                    line = lines.get(timeout=timeout)
                    if line is None:
                        break
                    times[waiting.pop(0)] = float(json.loads(line)["microseconds"])
            except queue.Empty:
                times[waiting.pop(0)] = f"hung ({timeout:g} s)"
            finally:
                process.kill()
                for reader in readers:
                    reader.join()
        if waiting and line is None:
            why = errors[-1].strip() if errors else f"exit status {process.returncode}"
            times[waiting.pop(0)] = f"failed ({why})"
    _report(None, 0)
    return times


def _read(pipe: IO[str], lines: "queue.Queue[str | None]") -> None:
    for line in pipe:
        lines.put(line)
    lines.put(None)


def _report(name: str | None, m: int) -> None:
    if sys.stderr.isatty():
        text = f"timing {CONTENDERS[name]}, M = {m}" if name else ""
        print(f"\r{text:<40}" + ("" if name else "\r"), end="", file=sys.stderr, flush=True)


def table(result: Comparison) -> str:
    """The times, and in parentheses how many times stackinv is as fast."""
    rows = [["M", "matrices", *(result.title(name) for name in result.times)]]
    notes = []
    for m, length in result.lengths.items():
        row = [str(m), str(length)]
        own = result.times["stackinv"][m]
        for name, times in result.times.items():
            time = times[m]
            if isinstance(time, str):
                row.append(time.split(" ")[0])
                notes.append(f"{result.title(name)}, M = {m}: {time}")
            elif name == "stackinv" or isinstance(own, str):
                row.append(f"{time:.4g}")
            else:
                row.append(f"{time:.4g} ({time / own:.3g}x)")
        rows.append(row)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    head = (
        f"Microseconds a matrix (float64, {_kind(result)}{result.workers} threads, {platform.machine()}, Python "
        f"{platform.python_version()}); in parentheses, how many times as fast stackinv is"
    )
    return "\n".join([head, "", lines[0], "  ".join("-" * width for width in widths), *lines[1:], *notes])


def _kind(result: Comparison) -> str:
    return "" if result.assume_a == "gen" else f"assume_a={result.assume_a!r}, "


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
    if path.is_dir() or not path.parent.is_dir():
        raise RuntimeError(f"{path}: no file can be written there")


def plot(result: Comparison, path: Path) -> None:
    """Draw the times and the speed-ups into a file whose ending says the format."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt
    from matplotlib import ticker

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    own = {m: time for m, time in result.times["stackinv"].items() if isinstance(time, float)}
    for name, times in result.times.items():
        known = {m: time for m, time in times.items() if isinstance(time, float)}
        style: dict[str, Any] = {"marker": "o", "markersize": 4, "linewidth": 2.2 if name == "stackinv" else 1.3}
        left.plot(list(known), list(known.values()), label=result.title(name), **style)
        both = [m for m in known if m in own]
        right.plot(both, [known[m] / own[m] for m in both], **style)
    left.set(title="Time a matrix", ylabel="µs", yscale="log")
    right.set(title="Speed-up of stackinv over each", ylabel="×", yscale="log")
    right.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    right.yaxis.set_major_formatter("{x:g}")
    for axes in (left, right):
        axes.set(xlabel="M (order of the matrices)", xscale="log")
        axes.set_xticks(list(result.lengths), [str(m) for m in result.lengths], rotation=60, fontsize=8)
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    left.legend(frameon=False)
    figure.suptitle(f"Inverting stacks of float64 matrices, {_kind(result)}{result.workers} threads", fontsize=11)
    figure.savefig(path)
    plt.close(figure)
