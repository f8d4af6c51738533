"""The command line: `stackinv invert`, `stackinv run`, `stackinv compare`, `stackinv info`."""

import argparse
import contextlib
import io
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import numpy as np

import stackinv
from stackinv import _compare, _inv, _workers
from stackinv._npy import StackFile

# A stack is worked on in pieces, so that one larger than memory passes through it: such as stay in the cache, larger
# where a piece lies in as many places of the file as a matrix has numbers.
_PIECE_BYTES = {"C": 8 << 20, "F": 64 << 20}


class _UsageError(Exception):
    """What the user gave cannot be worked on: exit status 2. Errors of the work itself end with 1."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name may not fit the terminal's encoding
    arguments, program = _program_apart(sys.argv[1:] if arguments is None else list(arguments))
    options = _parser().parse_args(arguments, argparse.Namespace(program=program))
    try:
        with _sigterm_as_interrupt():
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
    except ValueError as error:  # from the environment
        return _fail(error, 2)
    return 0


def _fail(error: object, status: int) -> int:
    print(f"stackinv: error: {' '.join(str(error).split())}", file=sys.stderr)
    return status


@contextlib.contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """A polite kill cleans up as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        sys.exit(_fail(f"{message} (see {self.prog} --help)", 2))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="stackinv", description="The inverses of stacks of matrices, as fast as the hardware allows.")
    parser.add_argument("--version", action="version", version=f"stackinv {stackinv.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    invert = commands.add_parser("invert", help="invert the stack in a .npy file, also one larger than memory")
    invert.add_argument("stack", type=Path, metavar="STACK.npy", help="array of shape (..., M, M)")
    invert.add_argument(
        "-o", "--output", type=Path, metavar="INVERSE.npy", help="where the result goes (default: STACK.inv.npy)"
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
        choices=_inv.STRUCTURES,
        default="gen",
        metavar="S",
        help="what is known of the matrices, and not checked: gen (the default), pos, sym, her, 'upper triangular', "
        "'lower triangular' or diagonal",
    )
    invert.set_defaults(run=_invert)

    run = commands.add_parser(
        "run",
        help="run a Python program with numpy.linalg.inv replaced",
        usage="stackinv run [-h] [--report] (SCRIPT.py | -m MODULE | -c CODE) [ARGUMENT ...]",
        description="Run a Python program, and all Python processes that it starts, with numpy.linalg.inv replaced by "
        "stackinv.inv. All else is as if python itself had been called.",
    )
    run.add_argument(
        "--report",
        action="store_true",
        help="print at exit how many calls and matrices there were, by M, and the time that they took, to stderr",
    )
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
        choices=_inv.STRUCTURES,
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


def _program_apart(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The arguments for this command line, and those for Python: all of `stackinv run` from its first foreign word."""
    if arguments[:1] != ["run"]:
        return arguments, []
    own = 1
    while arguments[own : own + 1] and arguments[own] in ("--report", "-h", "--help"):
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


def _run(options: argparse.Namespace) -> NoReturn:
    """Become the Python that runs the program.

    It finds the module `sitecustomize` of stackinv first, and so does every Python that it starts.
    """
    program = options.program
    first = program[0] if program else "-h"
    if first.startswith("-") and first != "-" and (first[:2] not in ("-m", "-c") or program in (["-m"], ["-c"])):
        given = f", not {first}" if program else ""
        raise _UsageError(f"run: expected SCRIPT.py, -m MODULE or -c CODE{given} (see stackinv run --help)")
    path = [str(Path(__file__).with_name("_run")), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path)}
    if options.report:
        environment["STACKINV_REPORT"] = f"{os.getpid()}:{tempfile.mkdtemp(prefix='stackinv-')}"
    try:
        os.execve(sys.executable, [sys.executable, *program], environment)
    finally:
        if options.report:
            shutil.rmtree(environment["STACKINV_REPORT"].partition(":")[2])


def _invert(options: argparse.Namespace) -> None:
    with _opened(options.stack) as source:
        try:
            result_type = _inv.types(source.dtype, options.dtype)[1]
        except (TypeError, ValueError, SyntaxError) as error:
            raise _UsageError(f"{options.stack}: {error}") from None
        target = options.output or options.stack.with_suffix(".inv.npy")
        if target.exists() and not target.is_file():
            raise _UsageError(f"{target}: not a regular file")
        start = time.perf_counter()
        with _replaced_when_done(target.resolve()) as part:  # a link stays, what it points to is replaced
            singular, first, worst = _invert_pieces(source, part, result_type, options)
            if singular and options.on_singular == "raise":
                indefinite = " or not positive definite" if options.assume_a == "pos" else ""
                raise np.linalg.LinAlgError(
                    f"{options.stack}: Singular matrix{indefinite} ({singular} of {source.count} in the stack, first "
                    f"at index {first}); nothing was written. --on-singular nan inverts the others"
                )
        seconds = time.perf_counter() - start
    print(f"{options.stack} -> {target}")
    print(f"  stack     {source.shape} {source.dtype} -> {result_type}")
    print(f"  time      {seconds:.3g} s, {source.count / seconds:.4g} matrices/s")
    print(f"  singular  {singular}" + (f", first at index {first}, filled with NaN" if singular else ""))
    print(f"  rcond     {'-' if worst is None else f'{worst[0]:.3g} at worst, at index {worst[1]}'}")


def _opened(path: Path) -> StackFile:
    try:
        return StackFile.open(path)
    except OSError as error:
        raise _UsageError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise _UsageError(f"{path}: {error}") from None


@contextlib.contextmanager
def _replaced_when_done(target: Path) -> Iterator[Path]:
    """A file beside `target` that becomes `target` if all goes well and else leaves no trace.

    Its name is always the same, so that what a killed run has left is written over by the next; a lock keeps two runs
    apart that write to one target.
    """
    part = target.with_name(f".{target.name}.part")
    try:
        with part.open("ab") as lock:
            if not _locked(lock.fileno(), part):
                raise RuntimeError(f"{target}: another process is writing this file")
            yield part
            with part.open("rb") as file:
                os.fsync(file.fileno())
            part.replace(target)
    except BaseException:
        with contextlib.suppress(OSError), part.open("rb") as file:
            if _locked(file.fileno(), part):  # and so not in use by another process
                part.unlink()
        raise


def _locked(descriptor: int, path: Path) -> bool:
    """Whether this process has the file to itself, and the file is still the one of that name."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):  # a system or a file system without locks
        return True
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _invert_pieces(
    source: StackFile, part: Path, dtype: np.dtype[Any], options: argparse.Namespace
) -> tuple[int, tuple[int, ...] | None, tuple[float, tuple[int, ...]] | None]:
    """How many are singular, the first of them, and the worst rcond of the others with its place."""
    singular, first, worst, worst_at = 0, -1, np.inf, -1
    matrix_bytes = source.shape[-1] ** 2 * dtype.itemsize
    most = max(1, _PIECE_BYTES[source.order] // max(1, matrix_bytes))
    with StackFile.create(part, source, dtype) as target, _progress(source.count) as advance:
        piece, result = source.empty(min(most, source.count)), target.empty(min(most, source.count))
        for begin in range(0, source.count if matrix_bytes else 0, most):
            count = min(most, source.count - begin)
            source.read(begin, piece[:count])
            inverse, info, rcond = stackinv.inv_ex(
                piece[:count],
                out=result[:count],
                dtype=options.dtype,
                assume_a=options.assume_a,
                workers=options.workers,
                callback=lambda n, _, before=begin: advance(before + n),  # type: ignore[misc]
            )
            target.write(begin, inverse)
            bad = begin + np.flatnonzero(info)
            if bad.size:
                least = int(source.ranks(bad).min())
                first = min(first, least) if singular else least
                singular += bad.size
            good = np.where((info != 0) | np.isnan(rcond), np.inf, rcond)
            if good.min() < worst:
                worst, worst_at = float(good.min()), int(source.ranks(begin + good.argmin()))
    return (
        singular,
        _index(first, source.shape) if singular else None,
        (worst, _index(worst_at, source.shape)) if worst < np.inf else None,
    )


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
    with tqdm(total=total, unit=" matrices", unit_scale=True, disable=None, leave=False) as bar:
        yield lambda done: bar.update(done - bar.n)
