# SPDX-License-Identifier: BSD-3-Clause
"""How much goes through `inv` in a program that `stackinv run --report` runs, in all its processes.

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

_FIELDS = 4  # M, calls, matrices, nanoseconds
_ROWS = 1024
_OTHERS = sys.maxsize  # the M of the last row, if there are more orders than rows
_ALL = -1

_directory = os.environ.get("STACKINV_REPORT")  # read now: the program may change its environment


class _Counts:
    """The counts of this process, in a file from the first on."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.lock = threading.RLock()  # a signal's handler may come back to it
        self.rows: dict[int, int] = {}
        self.table: memoryview | None = None
        self.waiting: list[tuple[int, int, int]] = []
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

    def add(self, m: int, matrices: int, nanoseconds: int) -> None:
        with self.lock:
            self.waiting.append((m, matrices, nanoseconds))
            while self.waiting and not self.busy:  # busy: interrupted by a signal's handler, and goes on with this one
                self.busy = True
                try:
                    if self.table is None:
                        self.table = memoryview(self._mapping(_ROWS * _FIELDS * 8)).cast("q", (_ROWS, _FIELDS))
                    while self.waiting:
                        self._write(self.table, *self.waiting.pop(0))
                finally:
                    self.busy = False

    def _write(self, table: memoryview, m: int, matrices: int, nanoseconds: int) -> None:
        row = self.rows.setdefault(m, min(len(self.rows), _ROWS - 1))
        table[row, 0] = m if row < _ROWS - 1 else _OTHERS
        table[row, 1] += 1
        table[row, 2] += matrices
        table[row, 3] += nanoseconds


def count(stackinv: ModuleType) -> None:
    """Count the calls of its functions from now on, and those of each child process apart."""
    counts = _Counts()
    os.register_at_fork(after_in_child=counts.begin)
    for name in ("inv", "inv_ex"):
        setattr(stackinv, name, _counted(getattr(stackinv, name), counts, stackinv))


def _counted(function: Callable[..., Any], counts: _Counts, stackinv: ModuleType) -> Callable[..., Any]:
    import numpy as np

    def add(a: Any, start: int, axes: Any) -> None:
        nanoseconds = time.perf_counter_ns() - start
        if not (
            stackinv._arguments.is_lazy(a) or stackinv._arguments.is_foreign(a)
        ):  # whose chunks, or values, are counted
            *stack, m, _ = np.shape(a) if axes is None else np.moveaxis(a, axes[0], (-2, -1)).shape
            counts.add(m, int(np.prod(stack, dtype=np.int64)), nanoseconds)

    @functools.wraps(function)
    def inv(a: Any, *args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter_ns()
        try:
            result = function(a, *args, **kwargs)
        except stackinv.SingularMatrixError:
            add(a, start, kwargs.get("axes"))
            raise
        add(a, start, kwargs.get("axes"))
        return result

    return inv


def text(directory: str) -> str:
    """The report on what was counted into this directory."""
    sums: dict[int, list[int]] = {}
    processes = 0
    for path in Path(directory).iterdir():
        content = path.read_bytes()
        table = memoryview(content[: len(content) // 8 * 8]).cast("q").tolist()
        rows = [table[i : i + _FIELDS] for i in range(0, len(table), _FIELDS)]
        processes += any(calls for _, calls, _, _ in rows)
        for m, *values in rows:
            if values[0]:
                sums[m] = [a + b for a, b in zip(sums.get(m, (0, 0, 0)), values, strict=True)]
    if not sums:
        return "stackinv: no matrix was inverted"
    lines = [
        f"stackinv: matrices inverted in {processes} process{'es' if processes > 1 else ''}",
        f"{'M':>7} {'calls':>13} {'matrices':>15} {'seconds':>10} {'µs a matrix':>12}",
    ]
    total = [sum(column) for column in zip(*sums.values(), strict=True)]
    names = {_OTHERS: "others", _ALL: "all"}
    for m, (calls, matrices, nanoseconds) in [*sorted(sums.items()), (_ALL, total)]:
        name = names.get(m, m)
        each = f"{nanoseconds / 1e3 / matrices:.4g}" if matrices else "-"
        lines.append(f"{name:>7} {calls:>13,} {matrices:>15,} {nanoseconds / 1e9:>10.3g} {each:>12}")
    return "\n".join(lines)
