# SPDX-License-Identifier: BSD-3-Clause
"""`stackinv invert`, `solve` and `slogdet`: the stack in a file, or on standard input, piece by piece into another."""

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
from stackinv import _arguments, _axes, _cgroup
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
    with _source(stack) as source:
        with _usage(stack):
            result_type = _arguments.types(source.dtype, how["dtype"])[1]
        target = output or _beside(stack, ".inv.npy")
        start = time.perf_counter()
        with _output(target) as part:
            outcome = _invert_pieces(source, StackFile.create(part, str(target), source, result_type), how)
            _refuse_singular(stack, source, outcome, on_singular, how["assume_a"], "inverts the others")
        seconds = time.perf_counter() - start
    rcond = "-" if outcome.worst is None else f"{outcome.worst[0]:.3g} at worst, at index {outcome.worst[1]}"
    _print_summary(stack, target, source, str(result_type), outcome, seconds, {"rcond": rcond})


def solve(stack: Path, right: Path, output: Path | None, *, on_singular: str, **how: Any) -> None:
    """Solve the systems of a stack for the right-hand sides in another file; `how` are keywords of `stackinv.solve`."""
    if right == _STANDARD:
        raise UsageError("-: right-hand sides come from a file, only the matrices from standard input")
    with _source(stack) as source, _opened(right) as file:
        with _usage(right):
            given = StackFile.open(file, str(right), square=False)
            shape = _axes.shape_of_solution(source.shape, given.shape)
            core = given.shape if len(given.shape) == 1 else given.shape[-2:]
            if shape != source.stack + core:
                raise ValueError(f"shape {given.shape}, expected as many right-hand sides as {stack} has matrices")
            result_type = _arguments.types_of_system(source.dtype, given.dtype, how["dtype"], "solve")[1]
        target = output or (_STANDARD if stack == _STANDARD else _beside(right, ".solution.npy"))
        start = time.perf_counter()
        with _output(target) as part:
            solutions = StackFile.create(part, str(target), source, result_type, core)
            outcome = _solve_pieces(source, _RightSides(source, given), solutions, how)
            _refuse_singular(stack, source, outcome, on_singular, how["assume_a"], "solves the others")
        seconds = time.perf_counter() - start
    _print_summary(stack, target, source, str(result_type), outcome, seconds, {})


def slogdet(stack: Path, output: Path | None, **how: Any) -> None:
    """Signs and logarithms of the determinants of a stack into an archive; `how` are keywords of `stackinv.slogdet`."""
    with _source(stack) as source:
        with _usage(stack):
            result_type = _arguments.types(source.dtype, how["dtype"])[1]
        target = output or _beside(stack, ".slogdet.npz")
        start = time.perf_counter()
        with _output(target) as part:
            sign = np.empty(source.count, result_type)
            logabsdet = np.empty(source.count, result_type.type(0).real.dtype)
            for begin, piece, callback in _pieces(source, source.dtype.itemsize):
                places = source.ranks(np.arange(begin, begin + len(piece)))
                try:
                    sign[places], logabsdet[places] = stackinv.slogdet(piece, callback=callback, **how)
                except stackinv.SingularMatrixError as error:
                    first = _index(int(places[error.indices[0]].min()), source.stack)
                    wrong = f"Singular matrix or not positive definite (first at index {first})"
                    raise np.linalg.LinAlgError(f"{stack}: {wrong}; nothing was written") from None
            if source.bytes == 0:
                sign[:], logabsdet[:] = 1, 0
            np.savez(part, sign=sign.reshape(source.stack), logabsdet=logabsdet.reshape(source.stack))
        seconds = time.perf_counter() - start
    outcome, singular = _Outcome(), np.flatnonzero(sign == 0)
    if singular.size:
        outcome.singular, outcome.first_singular = singular.size, _index(int(singular[0]), source.stack)
    finite = logabsdet[np.isfinite(logabsdet)]
    logarithms = f"{finite.min():.6g} to {finite.max():.6g}" if finite.size else "-"
    _print_summary(stack, target, source, str(result_type), outcome, seconds, {"log det": logarithms}, filled="")


@contextlib.contextmanager
def _source(stack: Path) -> Iterator[StackFile]:
    with _opened(stack) as file:
        with _usage(stack):
            source = StackFile.open(file, str(stack))
        yield source


@contextlib.contextmanager
def _usage(path: Path) -> Iterator[None]:
    """What is wrong with the content of a file is what the user gave."""
    try:
        yield
    except (TypeError, ValueError, SyntaxError) as error:
        raise UsageError(f"{path}: {error}") from None


def _refuse_singular(
    stack: Path, source: StackFile, outcome: "_Outcome", on_singular: str, assume_a: str, remedy: str
) -> None:
    if outcome.singular and on_singular == "raise":
        indefinite = " or not positive definite" if assume_a == "pos" else ""
        raise np.linalg.LinAlgError(
            f"{stack}: Singular matrix{indefinite} ({outcome.singular} of {source.count} in the stack, "
            f"first at index {outcome.first_singular}); nothing was written. --on-singular nan {remedy}"
        )


_STANDARD = Path("-")


def _beside(path: Path, ending: str) -> Path:
    """Where a result goes by default."""
    if path == _STANDARD:
        return _STANDARD
    return path.with_name(path.name.removesuffix(".npy") + ending)


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


def _print_summary(
    stack: Path,
    target: Path,
    source: StackFile,
    dtype: str,
    outcome: _Outcome,
    seconds: float,
    others: dict[str, str],
    filled: str = ", filled with NaN",
) -> None:
    singular = f", first at index {outcome.first_singular}{filled}" if outcome.singular else ""
    lines = {
        "stack": f"{source.shape} {source.dtype} -> {dtype}",
        "time": f"{seconds:.3g} s, {source.count / seconds:.4g} matrices/s",
        "singular": f"{outcome.singular}{singular}",
    }
    if outcome.not_finite:
        lines["useless"] = f"{outcome.not_finite} with NaN or infinity, first at index {outcome.first_not_finite}"
    print(
        f"{stack} -> {target}",
        *(f"  {title:8}  {text}" for title, text in (lines | others).items()),
        sep="\n",
        file=sys.stderr if target == _STANDARD else sys.stdout,
    )


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


def _pieces(source: StackFile, itemsize: int) -> Iterator[tuple[int, Any, Any]]:
    """The stack, some matrices after the others: the number of the first, they, a callback that shows the progress."""
    most = _piece(source, itemsize)
    with _progress(source.count) as advance:
        memory = source.empty(min(most, source.count))
        for begin in range(0, source.count if source.bytes else 0, most):
            matrices = memory[: min(most, source.count - begin)]
            source.read(begin, matrices)
            yield begin, matrices, lambda n, _, before=begin: advance(before + n)


def _invert_pieces(source: StackFile, target: StackFile, how: dict[str, Any]) -> _Outcome:
    outcome = _Outcome()
    singular, not_finite, worst, worst_at = _First(source), _First(source), np.inf, -1
    result = None
    for begin, piece, callback in _pieces(source, max(source.dtype.itemsize, target.dtype.itemsize)):
        if result is None:
            result = piece if source.dtype == target.dtype else target.empty(len(piece))
        inverse, info, rcond = stackinv.inv_ex(piece, out=result[: len(piece)], callback=callback, **how)
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
        outcome.worst = (np.nan if worst < 0 else worst, _index(worst_at, source.stack))
    return outcome


class _RightSides:
    """Those of the matrices in a file: as many in another file, in the same order or any, or one for all."""

    def __init__(self, source: StackFile, given: StackFile) -> None:
        self._source, self._given = source, given
        self._all: Any = None
        if given.stack != source.stack or given.order != source.order:  # which cannot be read a piece at a time
            memory = given.empty(given.count)
            given.read(0, memory)
            shape = (*given.stack, *given.matrix)
            matrices = memory.reshape(shape) if given.order == "C" else memory.T.reshape(shape[::-1]).T
            self._all = np.broadcast_to(matrices, (*source.stack, *given.matrix))

    def of(self, begin: int, count: int) -> Any:
        """Those of so many matrices, in the order of their file, from this number on."""
        if self._all is None:
            given = self._given.empty(count)
            self._given.read(begin, given)
            return given
        ranks = self._source.ranks(np.arange(begin, begin + count))
        return self._all[np.unravel_index(ranks, self._source.stack)] if self._source.stack else self._all[None]


def _solve_pieces(source: StackFile, right: _RightSides, target: StackFile, how: dict[str, Any]) -> _Outcome:
    outcome = _Outcome()
    singular, not_finite = _First(source), _First(source)
    for begin, piece, callback in _pieces(source, source.dtype.itemsize):
        solution = target.empty(len(piece))
        given = right.of(begin, len(piece))
        try:
            stackinv.solve(piece, given, out=solution, callback=callback, **how)
            wrong = np.empty(0, np.intp)
        except stackinv.SingularMatrixError as error:
            (wrong,) = error.indices
        target.write(begin, solution)
        singular.add(begin + wrong)
        useless = np.flatnonzero(~np.isfinite(solution).all(axis=(1, 2)))
        not_finite.add(begin + np.setdiff1d(useless, wrong))
    outcome.singular, outcome.first_singular = singular.count, singular.index()
    outcome.not_finite, outcome.first_not_finite = not_finite.count, not_finite.index()
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
        return _index(self._least, self._source.stack) if self.count else ()


def _index(rank: int, stack: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(map(int, np.unravel_index(rank, stack))) if stack else ()


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
