# SPDX-License-Identifier: BSD-3-Clause
"""`stackinv invert`: the stack in a file, or on standard input, inverted into another, piece by piece."""

import contextlib
import math
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

import stackinv
from stackinv import _arguments, _cgroup
from stackinv._npy import StackFile
from stackinv._output import replaced_when_done

# Stacks are inverted in pieces, so that they may be larger than memory. One of a C-ordered file stays in the cache, ...
_PIECE_BYTES = {"C": 8 << 20, "F": 1 << 20}
# ... one of a Fortran-ordered file lies in as many places of it as a matrix has numbers, and has so many bytes in each,
# as far as this share of memory, or so many bytes, allows.
_PLACE_BYTES = 16 << 10
_SHARE = 1 / 8
_LEAST_SHARE_BYTES = 64 << 20


class UsageError(Exception):
    """What the user gave cannot be worked on: exit status 2. Errors of the work itself end with 1."""


def invert(stack: Path, output: Path | None, *, on_singular: str, **how: Any) -> None:
    """Invert the stack in a file, and print what came of it; `how` are keywords of `stackinv.inv_ex`."""
    with _opened(stack) as file:
        target = output or _default_output(stack)
        try:
            source = StackFile.open(file, str(stack))
            result_type = _arguments.types(source.dtype, how["dtype"])[1]
        except (TypeError, ValueError, SyntaxError) as error:
            raise UsageError(f"{stack}: {error}") from None
        start = time.perf_counter()
        with _output(target) as part:
            outcome = _invert_pieces(source, StackFile.create(part, str(target), source, result_type), how)
            if outcome.singular and on_singular == "raise":
                indefinite = " or not positive definite" if how["assume_a"] == "pos" else ""
                raise np.linalg.LinAlgError(
                    f"{stack}: Singular matrix{indefinite} ({outcome.singular} of {source.count} in the stack, "
                    f"first at index {outcome.first_singular}); nothing was written. --on-singular nan inverts the "
                    "others"
                )
        seconds = time.perf_counter() - start
    print(
        _summary(f"{stack} -> {target}", source, result_type, outcome, seconds),
        file=sys.stderr if target == _STANDARD else sys.stdout,
    )


_STANDARD = Path("-")


def _default_output(stack: Path) -> Path:
    if stack == _STANDARD:
        return _STANDARD
    return stack.with_name(stack.name.removesuffix(".npy") + ".inv.npy")


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The file, or a copy, without a name, of what comes through a pipe."""
    try:
        with contextlib.ExitStack() as files:
            if path == _STANDARD:
                if sys.stdin is None:
                    raise UsageError("-: standard input is closed")
                given = sys.stdin.buffer
            else:
                given = files.enter_context(path.open("rb"))
            if not stat.S_ISREG(os.fstat(given.fileno()).st_mode) or path == _STANDARD:
                given = files.enter_context(_copied(given))
            close = files.pop_all()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    with close:
        yield given


def _copied(given: BinaryIO) -> BinaryIO:
    """Open, and gone when it is closed."""
    try:
        with contextlib.ExitStack() as files:
            copy: BinaryIO = files.enter_context(tempfile.TemporaryFile())
            shutil.copyfileobj(given, copy, 1 << 20)
            copy.seek(0)
            files.pop_all()
            return copy
    except OSError as error:
        raise RuntimeError(f"{tempfile.gettempdir()}, for a copy of the input: {error.strerror}") from None


@contextlib.contextmanager
def _output(target: Path) -> Iterator[BinaryIO]:
    """A file whose content goes to the target if all goes well, else nothing does."""
    if target == _STANDARD:
        if sys.stdout is None or sys.stdout.isatty():
            raise UsageError("-: standard output is " + ("closed" if sys.stdout is None else "a terminal"))
        with tempfile.TemporaryFile() as file:
            yield file
            file.seek(0)
            shutil.copyfileobj(file, sys.stdout.buffer, 1 << 20)
            sys.stdout.buffer.flush()
        return
    if target.exists() and not target.is_file():
        raise UsageError(f"{target}: not a regular file")
    with replaced_when_done(target) as file:
        yield file


@dataclass
class _Outcome:
    """What came of the matrices, by their indices in the stack."""

    singular: int = 0
    first_singular: tuple[int, ...] = ()
    not_finite: int = 0
    first_not_finite: tuple[int, ...] = ()
    worst: tuple[float, tuple[int, ...]] | None = None


def _summary(title: str, source: StackFile, dtype: np.dtype[Any], outcome: _Outcome, seconds: float) -> str:
    singular = f", first at index {outcome.first_singular}, filled with NaN" if outcome.singular else ""
    lines = [
        title,
        f"  stack     {source.shape} {source.dtype} -> {dtype}",
        f"  time      {seconds:.3g} s, {source.count / seconds:.4g} matrices/s",
        f"  singular  {outcome.singular}{singular}",
    ]
    if outcome.not_finite:
        lines.append(
            f"  useless   {outcome.not_finite} with NaN or infinity, first at index {outcome.first_not_finite}"
        )
    worst = outcome.worst
    lines.append(f"  rcond     {'-' if worst is None else f'{worst[0]:.3g} at worst, at index {worst[1]}'}")
    return "\n".join(lines)


def _piece(source: StackFile, itemsize: int) -> int:
    """How many matrices are worked on at a time."""
    matrix_bytes = max(1, source.shape[-1] ** 2 * itemsize)
    most = _PIECE_BYTES[source.order] // matrix_bytes
    if source.order == "F":
        allowed = max(_LEAST_SHARE_BYTES, int(_SHARE * _memory())) // matrix_bytes
        most = min(allowed, max(most, _PLACE_BYTES // itemsize))
    return max(1, most)


def _memory() -> float:
    """Bytes that this process may hope for: the machine's, its control group's limit or its own; 0 if unknown."""
    limits = [_cgroup.memory()]
    with contextlib.suppress(AttributeError, OSError, ValueError):  # a system that does not tell
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with contextlib.suppress(ImportError):
        import resource

        own, _ = resource.getrlimit(resource.RLIMIT_AS)
        if own != resource.RLIM_INFINITY:
            limits.append(own)
    return min(limits) if min(limits) < math.inf else 0


def _invert_pieces(source: StackFile, target: StackFile, how: dict[str, Any]) -> _Outcome:
    outcome = _Outcome()
    singular, not_finite, worst, worst_at = _First(source), _First(source), np.inf, -1
    most = _piece(source, max(source.dtype.itemsize, target.dtype.itemsize))
    with _progress(source.count) as advance:
        piece = source.empty(min(most, source.count))
        result = piece if source.dtype == target.dtype else target.empty(len(piece))
        for begin in range(0, source.count if source.bytes else 0, most):
            count = min(most, source.count - begin)
            source.read(begin, piece[:count])
            inverse, info, rcond = stackinv.inv_ex(
                piece[:count],
                out=result[:count],
                callback=lambda n, _, before=begin: advance(before + n),  # type: ignore[misc]
                **how,
            )
            target.write(begin, inverse)
            singular.add(begin + np.flatnonzero(info))
            useless = np.flatnonzero((info == 0) & ~(rcond > 0))  # or the norms overflowed and nothing else
            useless = useless[[not np.isfinite(inverse[k]).all() for k in useless]] if useless.size else useless
            not_finite.add(begin + useless)
            rcond[useless] = -1
            rcond[info != 0] = np.inf
            if rcond.min() < worst:
                worst, worst_at = float(rcond.min()), int(source.ranks(begin + rcond.argmin()))
    outcome.singular, outcome.first_singular = singular.count, singular.index()
    outcome.not_finite, outcome.first_not_finite = not_finite.count, not_finite.index()
    if worst < np.inf:
        outcome.worst = (np.nan if worst < 0 else worst, _index(worst_at, source.shape))
    return outcome


class _First:
    """How many matrices were added, and the first of them in the order of the stack."""

    def __init__(self, source: StackFile) -> None:
        self.count, self._least, self._source = 0, sys.maxsize, source

    def add(self, numbers: np.ndarray[Any, Any]) -> None:
        if numbers.size:
            self.count += numbers.size
            self._least = min(self._least, int(self._source.ranks(numbers).min()))

    def index(self) -> tuple[int, ...]:
        return _index(self._least, self._source.shape) if self.count else ()


def _index(rank: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(map(int, np.unravel_index(rank, shape[:-2]))) if len(shape) > 2 else ()


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Any]:
    """A function of the number done, which draws a bar on a terminal."""
    try:
        from tqdm import tqdm
    except ImportError:
        yield lambda done: None
        return
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda done: None
        return
    with tqdm(total=total, unit=" matrices", leave=False) as bar:
        yield lambda done: bar.update(done - bar.n)
