# SPDX-License-Identifier: BSD-3-Clause
"""The inverses of stacks of matrices: `numpy.linalg.inv`, as fast as the hardware allows, on all cores."""

from stackinv._config import show_config
from stackinv._inv import inv, inv_ex
from stackinv._native import version as __version__
from stackinv._patch import patch_numpy, unpatch_numpy
from stackinv._results import InvExResult, SingularMatrixError
from stackinv._workers import get_workers, set_workers

__all__ = [
    "InvExResult",
    "SingularMatrixError",
    "__version__",
    "get_workers",
    "inv",
    "inv_ex",
    "patch_numpy",
    "set_workers",
    "show_config",
    "unpatch_numpy",
]

for _name in __all__:
    if hasattr(_public := globals()[_name], "__module__"):
        _public.__module__ = __name__
del _name, _public
