# SPDX-License-Identifier: BSD-3-Clause
"""Inverses, solutions and determinants of stacks of matrices, as fast as the hardware allows, on all cores."""

from stackinv._config import get_include, show_config
from stackinv._determinant import det, inv_slogdet, slogdet
from stackinv._inv import inv, inv_ex
from stackinv._native import version as __version__
from stackinv._patch import is_patched, patch_numpy, patch_scipy, unpatch_numpy, unpatch_scipy
from stackinv._results import InvExResult, InvSlogdetResult, SingularMatrixError
from stackinv._solve import solve
from stackinv._workers import get_workers, set_workers

__all__ = [
    "InvExResult",
    "InvSlogdetResult",
    "SingularMatrixError",
    "__version__",
    "det",
    "get_include",
    "get_workers",
    "inv",
    "inv_ex",
    "inv_slogdet",
    "is_patched",
    "patch_numpy",
    "patch_scipy",
    "set_workers",
    "show_config",
    "slogdet",
    "solve",
    "unpatch_numpy",
    "unpatch_scipy",
]

for _name in __all__:
    if hasattr(_public := globals()[_name], "__module__"):
        _public.__module__ = __name__
del _name, _public
