"""Times determinants and solutions, and inverses beside them, as `_contender.py` times inverses.

    python functions.py LIBRARY-FUNCTION[-COLUMNS] THREADS DTYPE ASSUME_A M:LENGTH [M:LENGTH ...]

such as numpy-slogdet, torch-slogdet, jax-slogdet, scipy-det, stackinv-slogdet, stackinv-inv_slogdet, stackinv-inv; with
COLUMNS, 1 or M, of right-hand sides numpy-solve-1, stackinv-solve-M, and stackinv-inv-1, the inverse times those.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

spec = importlib.util.find_spec("stackinv")
assert spec is not None
assert spec.origin is not None
sys.path.insert(0, str(Path(spec.origin).parent))  # without importing the package
import _contender  # noqa: E402

sys.path.pop(0)  # whose modules for other libraries have those libraries' names


def right_sides(a: Any, columns: str) -> Any:
    import numpy as np

    k = a.shape[-1] if columns == "M" else int(columns)
    return np.random.default_rng(1).standard_normal((*a.shape[:-1], k)).astype(a.dtype)


def call(name: str, assume_a: str, a: Any) -> Callable[[], object]:
    library, function, *columns = name.split("-")
    module: Any = importlib.import_module({"scipy": "scipy.linalg"}.get(library, library))
    arrays = [a, *(right_sides(a, k) for k in columns)]
    if library == "stackinv":
        if function == "inv" and columns:
            return lambda: module.inv(a, assume_a=assume_a) @ arrays[1]
        return lambda: getattr(module, function)(*arrays, assume_a=assume_a)
    if library == "torch":
        tensors = [module.from_numpy(array) for array in arrays]
        return lambda: getattr(module.linalg, function)(*tensors)
    if library == "jax":
        module.config.update("jax_enable_x64", True)
        compiled = module.jit(getattr(module.numpy.linalg, function))
        tensors = [module.numpy.asarray(array) for array in arrays]
        return lambda: module.block_until_ready(compiled(*tensors))
    if library == "scipy":
        return lambda: getattr(module, function)(*arrays, check_finite=False)
    return lambda: getattr(module.linalg, function)(*arrays)


if __name__ == "__main__":
    _contender.main(call)
