# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Callable
from typing import Any, SupportsIndex

import numpy.typing as npt

openmp: bool
blas_int_bits: int

def override_sharing(least_m: int, least_seconds: float) -> tuple[int, float]: ...
def calculate(
    a: npt.NDArray[Any],
    outputs: tuple[npt.NDArray[Any] | None, ...],
    calculation: str,
    structure: str,
    workers: SupportsIndex | None,
    callback: Callable[[int, int], object] | None,
) -> int: ...
