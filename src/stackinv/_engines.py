# SPDX-License-Identifier: BSD-3-Clause
"""Which engine calculates: one of our own, in native/, or LAPACK's; and with which kernels."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple, SupportsIndex

import numpy.typing as npt

from stackinv import _native
from stackinv._arguments import default_lapack

_lapack: ModuleType | None = None


def import_lapack() -> ModuleType:
    """The LAPACK engine, and with it SciPy's LAPACK, which takes longer to import than all else."""
    global _lapack
    if _lapack is None:
        # The package first: else, with another thread that imports it, each would wait for what the other has begun.
        import scipy.linalg  # noqa: F401

        from stackinv import _lapack as module

        _lapack = module
    return _lapack


class Outputs(NamedTuple):
    """What is asked of a stack: arrays for it, in the order of `enum array` in native/loop.h; None is not asked.

    With the solutions also what they solve for: the right-hand sides.
    """

    inverse: Any = None
    info: Any = None
    rcond: Any = None
    sign: Any = None
    logarithm: Any = None
    determinant: Any = None
    right: Any = None
    solution: Any = None

    def block(self, index: tuple[Any, ...]) -> Outputs:
        """Those of a part of the stack."""
        return Outputs(*(None if array is None else array[index] for array in self))


def calculate(
    a: npt.NDArray[Any],
    outputs: Outputs,
    calculation: str,
    structure: str,
    lapack: bool,
    workers: SupportsIndex | None,
    callback: Callable[[int, int], object] | None,
) -> int:
    """As `_native.calculate`; LAPACK's engine does it if it is asked for, or if there is no other."""
    singular = -1
    only_diagonal = structure == "diagonal" or (
        "triangular" in structure and outputs.inverse is None and outputs.solution is None
    )
    if not lapack or only_diagonal:  # for which LAPACK has nothing
        singular = _native.calculate(a, outputs, calculation, structure, workers, callback)
    if singular < 0:
        singular = import_lapack().calculate(a, outputs, calculation, structure, workers, callback)
    return singular


def use_engine(name: str | None) -> None:
    """Use this engine from now on, "lanes", "blocked" or "lapack", or None for the best one for each stack."""
    if name == "lapack":
        import_lapack()
    _native.use_engine(name)


def use_build(name: str | None) -> None:
    """Calculate with the kernels of this name from now on; None: the best that run here and are not disabled."""
    if name is None:
        name = _best_build()
    _native.use_build(name)


def _best_build() -> str:
    disabled = set(os.environ.get("STACKINV_DISABLE_CPU_FEATURES", "").replace(",", " ").split())
    builds = _native.builds()
    known = {feature for _, features, _ in builds for feature in features}
    if disabled - known:
        warnings.warn(
            f"STACKINV_DISABLE_CPU_FEATURES: {', '.join(sorted(disabled - known))} not known; this build knows "
            f"{', '.join(sorted(known)) or 'none'}",
            ImportWarning,
            stacklevel=2,
        )
    return next(name for name, features, runs in builds if runs and not disabled.intersection(features))


use_build(None)
if default_lapack or _native.needs_lapack():  # at the end of the interpreter nothing can be imported any more
    import_lapack()
