# SPDX-License-Identifier: BSD-3-Clause
"""How much goes through stackinv in a program that `stackinv run --report` runs, in all its processes.

Each process counts in a file of its own, mapped into memory, so that what it has counted is not lost however it ends.
The command that started the program adds all up. None of NumPy is needed for that.
"""

from __future__ import annotations

import functools
import mmap
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

_FIELDS = 5  # which of _KINDS, M, calls, matrices, nanoseconds
_ROWS = 1024
_OTHERS = sys.maxsize  # the M of the last row, if there are more orders than rows
_ALL = -1
# Of functions, and what is said of the matrices that went through them.
_KINDS = {
    ("inv", "inv_ex", "inv_slogdet"): "matrices inverted",
    ("solve",): "systems solved",
    ("det",): "determinants of matrices",
    ("slogdet",): "logarithms of determinants of matrices",
}

_directory = os.environ.get("STACKINV_REPORT")  # read now: the program may change its environment


class _Counts:
    """The counts of this process, in a file from the first on."""

    def __init__(self) -> None:
        self.begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.begin)

    def begin(self) -> None:
        self.lock = threading.RLock()  # a signal's handler may come back to it
        self.rows: dict[tuple[int, int], int] = {}
        self.table: memoryview | None = None
        self.waiting: list[tuple[int, int, int, int]] = []
        self.busy = False

    @staticmethod
    def _mapping(size: int) -> mmap.mmap:
        try:
            with tempfile.NamedTemporaryFile(dir=_directory, delete=False) as file:
                file.write(bytes(size))  # room on the disk: a full one is an error here, not a crash later
                file.flush()
                return mmap.mmap(file.fileno(), size)
        except OSError:  # a full disk, or the program has ended before: nobody will read it
            return mmap.mmap(-1, size)

    def add(self, kind: int, m: int, matrices: int, nanoseconds: int) -> None:
        with self.lock:
            self.waiting.append((kind, m, matrices, nanoseconds))
            while self.waiting and not self.busy:  # busy: interrupted by a signal's handler, and goes on with this one
                self.busy = True
                try:
                    if self.table is None:
                        self.table = memoryview(self._mapping(_ROWS * _FIELDS * 8)).cast("q", (_ROWS, _FIELDS))
                    while self.waiting:
                        self._write(self.table, *self.waiting.pop(0))
                finally:
                    self.busy = False

    def _write(self, table: memoryview, kind: int, m: int, matrices: int, nanoseconds: int) -> None:
        last = _ROWS - len(_KINDS)  # from there on, a row for the other orders of each kind
        row = self.rows.setdefault((kind, m), len(self.rows) if len(self.rows) < last else last + kind)
        table[row, 0] = kind
        table[row, 1] = m if row < last else _OTHERS
        table[row, 2] += 1
        table[row, 3] += matrices
        table[row, 4] += nanoseconds


_counts = _Counts()


def count(module: ModuleType) -> None:
    """Count the calls of its functions from now on, and those of each child process apart."""
    for kind, names in enumerate(_KINDS):
        for name in names:
            if hasattr(module, name):
                setattr(module, name, _counted(getattr(module, name), kind))


def _counted(function: Callable[..., Any], kind: int) -> Callable[..., Any]:
    import numpy as np

    import stackinv

    def stack(arrays: tuple[Any, ...], axes: Any, number: int) -> tuple[int, ...]:
        """The axes of the stack of one of the arrays, and M."""
        array = arrays[number]
        vector = number == 1 and (np.ndim(array) == 1 if axes is None else np.size(axes[1]) == 1)
        last = (-1,) if vector else (-2, -1)
        shape = np.shape(array) if axes is None else np.moveaxis(np.asarray(array), axes[number], last).shape
        return shape if vector else shape[:-1]

    def add(arrays: tuple[Any, ...], start: int, axes: Any) -> None:
        nanoseconds = time.perf_counter_ns() - start
        if not any(stackinv._arguments.is_lazy(x) or stackinv._arguments.is_foreign(x) for x in arrays):
            shape = np.broadcast_shapes(*(stack(arrays, axes, number) for number in range(len(arrays))))
            _counts.add(kind, shape[-1], int(np.prod(shape[:-1], dtype=np.int64)), nanoseconds)
        # else its chunks, or its values, are counted

    @functools.wraps(function)
    def counted(a: Any, *args: Any, **kwargs: Any) -> Any:
        arrays = (a, *args, *([kwargs["b"]] if "b" in kwargs else []))
        start = time.perf_counter_ns()
        try:
            result = function(a, *args, **kwargs)
        except stackinv.SingularMatrixError:
            add(arrays, start, kwargs.get("axes"))
            raise
        add(arrays, start, kwargs.get("axes"))
        return result

    return counted


def text(directory: str) -> str:
    """The report on what was counted into this directory."""
    sums: list[dict[int, list[int]]] = [{} for _ in _KINDS]
    processes = [0 for _ in _KINDS]
    for path in Path(directory).iterdir():
        content = path.read_bytes()
        numbers = memoryview(content[: len(content) // 8 * 8]).cast("q").tolist()
        table = [numbers[i : i + _FIELDS] for i in range(0, len(numbers), _FIELDS)]
        rows = [row for row in table if len(row) == _FIELDS and row[2]]  # calls
        for kind in {row[0] for row in rows}:
            processes[kind] += 1
        for kind, m, *values in rows:
            sums[kind][m] = [a + b for a, b in zip(sums[kind].get(m, (0, 0, 0)), values, strict=True)]
    tables = [_table(*one) for one in zip(_KINDS.values(), processes, sums, strict=True) if one[1]]
    return "\n".join(tables) or "stackinv: no matrix was inverted"


def _table(what: str, processes: int, sums: dict[int, list[int]]) -> str:
    lines = [
        f"stackinv: {what} in {processes} process{'es' if processes > 1 else ''}",
        f"{'M':>7} {'calls':>13} {'matrices':>15} {'seconds':>10} {'µs a matrix':>12}",
    ]
    total = [sum(column) for column in zip(*sums.values(), strict=True)]
    names = {_OTHERS: "others", _ALL: "all"}
    for m, (calls, matrices, nanoseconds) in [*sorted(sums.items()), (_ALL, total)]:
        name = names.get(m, m)
        each = f"{nanoseconds / 1e3 / matrices:.4g}" if matrices else "-"
        lines.append(f"{name:>7} {calls:>13,} {matrices:>15,} {nanoseconds / 1e9:>10.3g} {each:>12}")
    return "\n".join(lines)
