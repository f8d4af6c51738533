"""`stackinv run`: a Python program, and all Python processes that it starts, with `numpy.linalg.inv` replaced."""

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


def become(program: Sequence[str], engine: str) -> NoReturn:
    """Become the Python that runs the program."""
    environment = os.environ | _environment(engine)
    os.execve(sys.executable, [sys.executable, *program], environment)


def run_and_report(program: Sequence[str], engine: str) -> None:
    """Run the program and print what went through `inv`; then end as it did, by a signal if that was so."""
    directory = tempfile.mkdtemp(prefix="stackinv-")
    try:
        status = _run(program, os.environ | _environment(engine) | {"STACKINV_REPORT": directory})
        try:
            report = _stackinv_report.text(directory)
        except OSError as error:
            report = f"stackinv: no report: {error}"
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if sys.stderr is not None:
        print(report, file=sys.stderr, flush=True)
    if status < 0:
        with contextlib.suppress(OSError, ValueError):  # one that cannot be changed, as SIGKILL
            signal.signal(-status, signal.SIG_DFL)
        with contextlib.suppress(ImportError):
            import resource

            resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))  # one is enough
        os.kill(os.getpid(), -status)
    sys.exit(status)


def _environment(engine: str) -> dict[str, str]:
    if os.pathsep in _DIRECTORY:
        if sys.stderr is not None:
            print(
                f"stackinv: numpy.linalg.inv is not replaced: {_DIRECTORY} has a {os.pathsep!r} in its name, which "
                "PYTHONPATH cannot hold",
                file=sys.stderr,
            )
        return {}
    path = [_DIRECTORY, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(path)} | (
        {"STACKINV_ENGINE": engine} if engine != _arguments.default_engine() else {}
    )


_PASSED_ON = {
    getattr(signal, name)
    for name in ("SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
}


def _run(program: Sequence[str], environment: dict[str, str]) -> int:
    """The exit status, or that of `subprocess` for a signal. Signals that somebody sends to this process are for it."""
    command = [sys.executable, *program]
    if not hasattr(signal, "sigwaitinfo"):
        with subprocess.Popen(command, env=environment) as process:
            while True:
                with contextlib.suppress(KeyboardInterrupt):  # which the program has got, too
                    return process.wait()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON | {signal.SIGCHLD})
    process = subprocess.Popen(
        command,
        env=environment,
        close_fds=False,  # as `become`
        restore_signals=False,
        preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, before),  # noqa: PLW1509  # a single thread
    )
    while process.poll() is None:
        received = signal.sigwaitinfo(_PASSED_ON | {signal.SIGCHLD})
        if received.si_signo != signal.SIGCHLD and received.si_code <= 0:  # else from the terminal, to both
            process.send_signal(received.si_signo)
    while signal.sigtimedwait(_PASSED_ON, 0):  # what came last was for the program, too
        pass
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return process.returncode
