# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Callable
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

openmp: bool
blas_int_bits: int

def override_sharing(least_m: int, least_seconds: float) -> tuple[int, float]: ...
def invert(
    a: npt.NDArray[Any],
    out: npt.NDArray[Any],
    info: npt.NDArray[np.intc] | None,
    rcond: npt.NDArray[np.float64] | None,
    calculation: str,
    structure: str,
    workers: SupportsIndex | None,
    callback: Callable[[int, int], object] | None,
) -> int: ...
