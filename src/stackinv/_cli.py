# SPDX-License-Identifier: BSD-3-Clause
"""The command line: `stackinv invert`, `stackinv run`, `stackinv compare`, `stackinv info`."""

import argparse
import contextlib
import io
import json
import math
import os
import shutil
import signal
import stat
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO, NoReturn

import numpy as np

import stackinv
from stackinv import _arguments, _cgroup, _compare, _program, _workers
from stackinv._npy import StackFile
from stackinv._output import replaced_when_done

# A stack is worked on in pieces, so that one larger than memory passes through it: such as stay in the cache, ...
_PIECE_BYTES = {"C": 8 << 20, "F": 1 << 20}
# ... and, where a piece lies in as many places of a Fortran-ordered file as a matrix has numbers, such as have so much
# in each of them, as far as this share of memory, or so many bytes, allows.
_PLACE_BYTES = 16 << 10
_SHARE = 1 / 8
_LEAST_SHARE_BYTES = 64 << 20


class _UsageError(Exception):
    """What the user gave cannot be worked on: exit status 2. Errors of the work itself end with 1."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name may not fit the terminal's encoding
    _open_closed_streams()
    arguments, program = _program_apart(sys.argv[1:] if arguments is None else list(arguments))
    options = _parser().parse_args(arguments, argparse.Namespace(program=program))
    try:
        with _signals_as_interrupt():
            options.run(options)
    except _UsageError as error:
        return _fail(error, 2)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except MemoryError as error:
        return _fail(str(error) or "out of memory", 1)
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}" if error.filename else error, 1)
    except (np.linalg.LinAlgError, RuntimeError) as error:
        return _fail(error, 1)
    return 0


def _fail(error: object, status: int) -> int:
    if sys.stderr is not None:
        print(f"stackinv: error: {' '.join(str(error).split())}", file=sys.stderr)
    return status


def _open_closed_streams() -> None:
    """A file of ours must not become the standard error that somebody closed."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest that is free


@contextlib.contextmanager
def _signals_as_interrupt() -> Iterator[None]:
    """A polite kill and a terminal that is closed clean up as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        for number in numbers:
            if before[number] != signal.SIG_IGN:  # as nohup has it
                signal.signal(number, interrupt)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        sys.exit(_fail(f"{message} (see {self.prog} --help)", 2))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="stackinv", description="The inverses of stacks of matrices, as fast as the hardware allows.")
    parser.add_argument("--version", action="version", version=f"stackinv {stackinv.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    invert = commands.add_parser("invert", help="invert the stack in a .npy file, also one larger than memory")
    invert.add_argument(
        "stack", type=Path, metavar="STACK.npy", help="array of shape (..., M, M); - reads it from standard input"
    )
    invert.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="INVERSE.npy",
        help="where the result goes (default: STACK.inv.npy); - writes it to standard output, the default with -",
    )
    invert.add_argument("--workers", type=_worker_count, metavar="N", help="threads; -1 is all cores (the default)")
    invert.add_argument(
        "--on-singular",
        choices=("raise", "nan"),
        default="raise",
        help="end with an error and no result (the default), or fill singular matrices with NaN",
    )
    invert.add_argument(
        "--dtype", metavar="T", help="type of calculation and result: float32, float64, complex64 or complex128"
    )
    invert.add_argument(
        "--assume-a",
        choices=_arguments.STRUCTURES,
        default="gen",
        metavar="S",
        help="what is known of the matrices, and not checked: gen (the default), pos, sym, her, 'upper triangular', "
        "'lower triangular' or diagonal",
    )
    _add_engine(invert)
    invert.set_defaults(run=_invert)

    run = commands.add_parser(
        "run",
        help="run a Python program with numpy.linalg.inv replaced",
        usage="stackinv run [-h] [--report] [--engine E] (SCRIPT.py | -m MODULE | -c CODE) [ARGUMENT ...]",
        description="Run a Python program, and all Python processes that it starts, with numpy.linalg.inv replaced by "
        "stackinv.inv. All else is as if python itself had been called.",
    )
    run.add_argument(
        "--report",
        action="store_true",
        help="print at exit how many calls and matrices there were, by M, and the time that they took, to stderr",
    )
    _add_engine(run)
    run.set_defaults(run=_run)

    compare = commands.add_parser("compare", help="time stackinv against NumPy, SciPy, PyTorch and JAX on this machine")
    compare.add_argument(
        "--m", type=_orders, default=_orders("2,3,4,8,16,32,64,128,256,512"), metavar="M,M,...", help="orders"
    )
    compare.add_argument(
        "--stack-bytes", type=_positive, default=64 << 20, metavar="N", help="size of each stack (default: 64 MiB)"
    )
    compare.add_argument("--workers", type=_worker_count, metavar="N", help="threads for each contender")
    compare.add_argument(
        "--timeout", type=_positive, default=60, metavar="S", help="seconds until a contender counts as hung (60)"
    )
    compare.add_argument(
        "--assume-a",
        choices=_arguments.STRUCTURES,
        default="gen",
        metavar="S",
        help="structure of the matrices, as for invert",
    )
    compare.add_argument(
        "--dtype",
        choices=("float32", "float64", "complex64", "complex128"),
        default="float64",
        metavar="T",
        help="type of the matrices: float32, float64 (the default), complex64 or complex128",
    )
    compare.add_argument("--json", type=Path, metavar="FILE.json", help="write the times, the versions and the machine")
    compare.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw the times (needs matplotlib)")
    compare.set_defaults(run=_run_compare)

    info = commands.add_parser("info", help="versions, BLAS and the default number of workers")
    info.set_defaults(run=lambda options: stackinv.show_config())
    return parser


def _add_engine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--engine",
        choices=_arguments.ENGINES,
        default=_arguments.default_engine(),
        metavar="E",
        help="what calculates: auto (the default), or lapack, SciPy's routines for each matrix",
    )


def _program_apart(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The arguments for this command line, and those for Python: all of `stackinv run` from its first foreign word."""
    if arguments[:1] != ["run"]:
        return arguments, []
    own = 1
    while arguments[own : own + 1]:
        word = arguments[own]
        if word == "--engine":
            own += 1
        elif word not in ("--report", "-h", "--help") and not word.startswith("--engine="):
            break
        own += 1
    return arguments[:own], arguments[own:]


def _worker_count(text: str) -> int:
    try:
        return _workers.resolve(int(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def _orders(text: str) -> list[int]:
    return sorted({_positive(part.strip()) for part in text.split(",")})


def _run_compare(options: argparse.Namespace) -> None:
    if options.plot:
        _compare.check_plot(options.plot)
    if options.json:
        _compare.check_file(options.json)
    workers = _workers.get_workers() if options.workers is None else options.workers
    sizes = _compare.sizes(options.m, options.stack_bytes, options.dtype)
    result = _compare.compare(sizes, workers, options.timeout, options.dtype, options.assume_a)
    print(_compare.table(result))
    if options.json:
        options.json.write_text(json.dumps(result.as_dict(), indent=1) + "\n")
        print(f"\nWritten to {options.json}")
    if options.plot:
        _compare.plot(result, options.plot)
        print(f"\nDrawn in {options.plot}")


def _run(options: argparse.Namespace) -> None:
    program = options.program
    first = program[0] if program else "-h"
    if first.startswith("-") and first != "-" and (first[:2] not in ("-m", "-c") or program in (["-m"], ["-c"])):
        given = f", not {first}" if program else ""
        raise _UsageError(f"run: expected SCRIPT.py, -m MODULE or -c CODE{given} (see stackinv run --help)")
    if options.report:
        _program.run_and_report(program, options.engine)
    _program.become(program, options.engine)


def _invert(options: argparse.Namespace) -> None:
    with _opened(options.stack) as file:
        target = options.output or _default_output(options.stack)
        try:
            source = StackFile.open(file, str(options.stack))
            result_type = _arguments.types(source.dtype, options.dtype)[1]
        except (TypeError, ValueError, SyntaxError) as error:
            raise _UsageError(f"{options.stack}: {error}") from None
        start = time.perf_counter()
        with _output(target) as part:
            outcome = _invert_pieces(source, StackFile.create(part, str(target), source, result_type), options)
            if outcome.singular and options.on_singular == "raise":
                indefinite = " or not positive definite" if options.assume_a == "pos" else ""
                raise np.linalg.LinAlgError(
                    f"{options.stack}: Singular matrix{indefinite} ({outcome.singular} of {source.count} in the stack, "
                    f"first at index {outcome.first_singular}); nothing was written. --on-singular nan inverts the "
                    "others"
                )
        seconds = time.perf_counter() - start
    print(
        _summary(f"{options.stack} -> {target}", source, result_type, outcome, seconds),
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
                    raise _UsageError("-: standard input is closed")
                given = sys.stdin.buffer
            else:
                given = files.enter_context(path.open("rb"))
            if not stat.S_ISREG(os.fstat(given.fileno()).st_mode) or path == _STANDARD:
                given = files.enter_context(_copied(given))
            close = files.pop_all()
    except OSError as error:
        raise _UsageError(f"{path}: {error.strerror}") from None
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
            raise _UsageError("-: standard output is " + ("closed" if sys.stdout is None else "a terminal"))
        with tempfile.TemporaryFile() as file:
            yield file
            file.seek(0)
            shutil.copyfileobj(file, sys.stdout.buffer, 1 << 20)
            sys.stdout.buffer.flush()
        return
    if target.exists() and not target.is_file():
        raise _UsageError(f"{target}: not a regular file")
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


def _invert_pieces(source: StackFile, target: StackFile, options: argparse.Namespace) -> _Outcome:
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
                dtype=options.dtype,
                assume_a=options.assume_a,
                engine=options.engine,
                workers=options.workers,
                callback=lambda n, _, before=begin: advance(before + n),  # type: ignore[misc]
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
