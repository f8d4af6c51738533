"""Times determinants, and inverses beside them, as `_contender.py` times inverses.

    python determinants.py LIBRARY-FUNCTION THREADS DTYPE ASSUME_A M:LENGTH [M:LENGTH ...]

such as numpy-slogdet, torch-slogdet, jax-slogdet, scipy-det, stackinv-slogdet, stackinv-inv_slogdet, stackinv-inv.
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


def determinant(name: str, assume_a: str, a: Any) -> Callable[[], object]:
    library, function = name.split("-")
    module: Any = importlib.import_module({"scipy": "scipy.linalg"}.get(library, library))
    if library == "stackinv":
        return lambda: getattr(module, function)(a, assume_a=assume_a)
    if library == "torch":
        tensor = module.from_numpy(a)
        return lambda: getattr(module.linalg, function)(tensor)
    if library == "jax":
        module.config.update("jax_enable_x64", True)
        compiled, array = module.jit(getattr(module.numpy.linalg, function)), module.numpy.asarray(a)
        return lambda: module.block_until_ready(compiled(array))
    if library == "scipy":
        return lambda: getattr(module, function)(a, check_finite=False)
    return lambda: getattr(module.linalg, function)(a)


if __name__ == "__main__":
    _contender.main(determinant)
