# SPDX-License-Identifier: BSD-3-Clause
"""`stackinv run`: a Python program, and all Python processes that it starts, with NumPy, or SciPy too, patched."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from stackinv import _arguments
from stackinv._run import _stackinv_report

# Found by each Python first: with a module `sitecustomize`.
_DIRECTORY = str(Path(__file__).with_name("_run"))


def become(program: Sequence[str], engine: str, scipy: bool) -> NoReturn:
    """Become the Python that runs the program."""
    environment = os.environ | _environment(engine, scipy)
    if os.name == "nt":  # which would begin a new process, and end this one while that still runs
        _end_as(_run(program, environment))
    os.execve(sys.executable, [sys.executable, *program], environment)


def run_and_report(program: Sequence[str], engine: str, scipy: bool) -> None:
    """Run the program and print what went through `inv`; then end as it did, by a signal if that was so."""
    directory = tempfile.mkdtemp(prefix="stackinv-")
    try:
        status = _run(program, os.environ | _environment(engine, scipy) | {"STACKINV_REPORT": directory})
        try:
            report = _stackinv_report.text(directory)
        except OSError as error:
            report = f"stackinv: no report: {error}"
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if sys.stderr is not None:
        with contextlib.suppress(OSError):  # the program's own end is what counts
            print(report, file=sys.stderr, flush=True)
    _end_as(status)


def _end_as(status: int) -> NoReturn:
    """End with the exit status, or by the signal, that a program ended with."""
    if status < 0:
        with contextlib.suppress(OSError, ValueError):  # one that cannot be changed, as SIGKILL
            signal.signal(-status, signal.SIG_DFL)
        with contextlib.suppress(ImportError):
            import resource

            resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))  # one is enough
        os.kill(os.getpid(), -status)
    sys.exit(status - (1 << 32) if status >= 1 << 31 else status)  # Windows has such numbers, and exit() has not


def _environment(engine: str, scipy: bool) -> dict[str, str]:
    if os.pathsep in _DIRECTORY:
        if sys.stderr is not None:
            print(
                f"stackinv: numpy.linalg.inv is not replaced: {_DIRECTORY} has a {os.pathsep!r} in its name, which "
                "PYTHONPATH cannot hold",
                file=sys.stderr,
            )
        return {}
    path = [_DIRECTORY, *filter(None, [os.environ.get("PYTHONPATH")])]
    return (
        {"PYTHONPATH": os.pathsep.join(path)}
        | ({"STACKINV_ENGINE": engine} if engine != _arguments.default_engine() else {})
        | ({"STACKINV_SCIPY": "1"} if scipy else {})
    )


_PASSED_ON = {
    getattr(signal, name)
    for name in ("SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
}


def _run(program: Sequence[str], environment: dict[str, str]) -> int:
    """The exit status, or that of `subprocess` for a signal. Signals that somebody sends to this process are for it."""
    command = [sys.executable, *program]
    if not hasattr(signal, "sigtimedwait"):
        return _run_with_handlers(command, environment)
    ignored = signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN  # then the exit status would be lost
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON | {signal.SIGCHLD})

    def as_before() -> None:
        if ignored:
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    process = subprocess.Popen(
        command,
        env=environment,
        close_fds=False,  # as `become`
        restore_signals=False,
        preexec_fn=as_before,  # noqa: PLW1509  # nothing that it does takes a lock
    )
    while process.poll() is None:
        received = signal.sigtimedwait(_PASSED_ON | {signal.SIGCHLD}, 1)  # another thread may have got the last
        if received and received.si_signo != signal.SIGCHLD and received.si_code <= 0:  # else the terminal's, to both
            process.send_signal(received.si_signo)
    while signal.sigtimedwait(_PASSED_ON, 0):  # what came last was for the program, too
        pass
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return process.returncode


def _run_with_handlers(command: Sequence[str], environment: dict[str, str]) -> int:
    """The same where signals cannot be waited for."""
    with subprocess.Popen(command, env=environment) as process:
        for number in _PASSED_ON - {
            signal.SIGINT,
            getattr(signal, "SIGQUIT", None),
        }:  # which the terminal sends to both
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, lambda number, _: process.send_signal(number))
        while True:
            with contextlib.suppress(KeyboardInterrupt):
                return process.wait()
