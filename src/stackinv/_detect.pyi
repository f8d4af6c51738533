# SPDX-License-Identifier: BSD-3-Clause
from typing import Any

import numpy as np
import numpy.typing as npt

NAMES: tuple[str, ...]

def structures(a: npt.NDArray[Any], tridiagonal: bool) -> npt.NDArray[np.int8]: ...
