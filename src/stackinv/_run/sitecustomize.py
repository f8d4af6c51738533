"""What a Python that `stackinv run` starts finds first, and every Python that it starts: NumPy is patched on import.

It must do no harm in whatever environment a child process may be.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  # pathlib would be imported for this alone


class _AfterImport:
    """Finds modules as Python does, and has something done once one has been imported."""

    def __init__(self, steps: dict[str, Callable[[], None]]) -> None:
        self.steps = steps

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in self.steps:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None:
                self._extend(spec.loader, name)
                return spec
        return None

    def _extend(self, loader: Any, name: str) -> None:
        execute = loader.exec_module

        def execute_and_step(module: ModuleType) -> None:
            del loader.exec_module
            execute(module)
            self.imported(name)

        loader.exec_module = execute_and_step

    def imported(self, name: str) -> None:
        step = self.steps.pop(name, None)
        if step is not None:
            with contextlib.suppress(Exception):  # a Python without stackinv, or with one that does not work there
                step()


def _import_stackinv() -> None:
    importlib.import_module("stackinv")


def _patch() -> None:
    import stackinv

    stackinv.patch_numpy()
    if _report is not None:
        _report.count(stackinv)


def _import_the_next() -> None:
    """The one that Python would have found."""
    this = sys.modules.pop("sitecustomize")
    try:
        importlib.import_module("sitecustomize")
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        sys.modules.setdefault("sitecustomize", this)


_report = None
if "STACKINV_REPORT" in os.environ:
    with contextlib.suppress(Exception):  # a Python too old for it
        _report = importlib.import_module("_stackinv_report")
sys.path[:] = [entry for entry in sys.path if entry != _HERE]
_finder = _AfterImport({"numpy": _import_stackinv, "stackinv": _patch})
sys.meta_path.insert(0, _finder)
if "numpy" in sys.modules:  # by a .pth file
    _finder.imported("numpy")
_import_the_next()
