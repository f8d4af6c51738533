# SPDX-License-Identifier: BSD-3-Clause
"""The command line: `stackinv invert`, `solve`, `slogdet`, `run`, `compare` and `info`."""

import argparse
import contextlib
import io
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import numpy as np

import stackinv
from stackinv import _arguments, _compare, _files, _program, _workers


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
    except _files.UsageError as error:
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
    parser = _Parser(prog="stackinv", description="Inverses, solutions and determinants of stacks of matrices.")
    parser.add_argument("--version", action="version", version=f"stackinv {stackinv.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    invert = commands.add_parser("invert", help="invert the stack in a .npy file, also one larger than memory")
    _add_stack(invert, "INVERSE.npy", "STACK.inv.npy")
    _add_on_singular(invert)
    _add_calculation(invert)
    invert.set_defaults(run=_invert)

    solve = commands.add_parser("solve", help="solve the systems of a stack for right-hand sides in another .npy file")
    _add_stack(solve, "SOLUTION.npy", "RIGHT.solution.npy")
    solve.add_argument(
        "right", type=Path, metavar="RIGHT.npy", help="array of shape (M,), (M, K) or (..., M, K), the stack's own axes"
    )
    _add_on_singular(solve)
    _add_calculation(solve)
    solve.set_defaults(run=_solve)

    slogdet = commands.add_parser("slogdet", help="signs and logarithms of determinants of the stack in a .npy file")
    _add_stack(slogdet, "DETERMINANTS.npz", "STACK.slogdet.npz")
    _add_calculation(slogdet)
    slogdet.set_defaults(run=_slogdet)

    run = commands.add_parser(
        "run",
        help="run a Python program with numpy.linalg.inv, solve, det and slogdet replaced",
        usage="stackinv run [-h] [--scipy] [--report] [--engine E] (SCRIPT.py | -m MODULE | -c CODE) [ARGUMENT ...]",
        description="Run a Python program, and all Python processes that it starts, with numpy.linalg.inv, solve, det "
        "and slogdet replaced by those of stackinv. All else is as if python itself had been called.",
    )
    run.add_argument("--scipy", action="store_true", help="replace scipy.linalg.inv and solve, too")
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


def _add_stack(parser: argparse.ArgumentParser, output: str, default: str) -> None:
    parser.add_argument(
        "stack", type=Path, metavar="STACK.npy", help="array of shape (..., M, M); - reads it from standard input"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar=output,
        help=f"where the result goes (default: {default}); - writes it to standard output, the default with -",
    )


def _add_on_singular(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--on-singular",
        choices=("raise", "nan"),
        default="raise",
        help="end with an error and no result (the default), or fill what singular matrices have for a result with NaN",
    )


def _add_calculation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", type=_worker_count, metavar="N", help="threads; -1 is all cores (the default)")
    parser.add_argument(
        "--dtype", metavar="T", help="type of calculation and result: float32, float64, complex64 or complex128"
    )
    parser.add_argument(
        "--assume-a",
        choices=_arguments.STRUCTURES,
        default="gen",
        metavar="S",
        help="what is known of the matrices, and not checked: gen (the default), pos, sym, her, 'upper triangular', "
        "'lower triangular' or diagonal",
    )
    _add_engine(parser)


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
        elif word not in ("--scipy", "--report", "-h", "--help") and not word.startswith("--engine="):
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
        raise _files.UsageError(f"run: expected SCRIPT.py, -m MODULE or -c CODE{given} (see stackinv run --help)")
    if options.report:
        _program.run_and_report(program, options.engine, options.scipy)
    _program.become(program, options.engine, options.scipy)


def _calculation(options: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(options, name) for name in ("dtype", "assume_a", "engine", "workers")}


def _invert(options: argparse.Namespace) -> None:
    _files.invert(options.stack, options.output, on_singular=options.on_singular, **_calculation(options))


def _solve(options: argparse.Namespace) -> None:
    how = _calculation(options)
    _files.solve(options.stack, options.right, options.output, on_singular=options.on_singular, **how)


def _slogdet(options: argparse.Namespace) -> None:
    _files.slogdet(options.stack, options.output, **_calculation(options))
