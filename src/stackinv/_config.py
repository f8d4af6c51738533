# SPDX-License-Identifier: BSD-3-Clause
"""What this build and this machine are, and where its header for C is."""

import os
import platform
import subprocess
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np

from stackinv import _arguments, _native, _workers


def get_include() -> str:
    """Directory of the header for C and C++, as `numpy.get_include`.

    Cython needs no header: ``from stackinv.cython_api cimport dinv``.

    Returns
    -------
    str
        For the compiler's option ``-I``: the header is ``stackinv/stackinv.h`` there.

    Examples
    --------
    >>> import pathlib, stackinv
    >>> pathlib.Path(stackinv.get_include(), "stackinv", "stackinv.h").exists()
    True
    """
    return str(Path(__file__).with_name("include"))


@overload
def show_config(mode: Literal["stdout"] = ...) -> None: ...
@overload
def show_config(mode: Literal["dicts"]) -> dict[str, Any]: ...
def show_config(mode: Literal["stdout", "dicts"] = "stdout") -> dict[str, Any] | None:
    """Show versions, the instruction set in use, the BLAS found and the default number of workers.

    Parameters
    ----------
    mode : {"stdout", "dicts"}, optional
        Whether to print the information, the default, or return it; as `numpy.show_config`.

    Returns
    -------
    dict or None
        With ``mode="dicts"`` the information, else None.

    Raises
    ------
    ValueError
        If `mode` is neither of the two.

    Examples
    --------
    >>> import stackinv
    >>> sorted(stackinv.show_config(mode="dicts"))
    ['BLAS', 'Engine', 'LAPACK', 'SIMD', 'Versions', 'Workers']
    """
    if mode not in ("stdout", "dicts"):
        raise ValueError(f"mode must be 'stdout' or 'dicts', not {mode!r}")
    import scipy

    from stackinv import _blas, _lapack

    bits = _native.vector_bits()
    config = {
        "Versions": {
            "stackinv": _native.version,
            "Python": platform.python_version(),
            "NumPy": np.__version__,
            "SciPy": scipy.__version__,
            "machine": f"{platform.system()} {platform.machine()}",
            "processor": processor(),
        },
        "Engine": {"default": _arguments.default_engine()},
        "SIMD": {
            "kernels": _native.build_used(),
            "vectors": f"{bits} bits" if bits > 64 else "none: built without vector extensions, which is slow",
            "built for": ", ".join(name for name, _, _ in _native.builds()),
            "run here": ", ".join(name for name, _, runs_here in _native.builds() if runs_here),
        },
        "BLAS": [{key: value for key, value in lib.info().items() if key in _BLAS_KEYS} for lib in _blas.libraries()]
        or "not recognised, and so not limited to one thread",
        "LAPACK": {
            "integers": f"{_lapack.blas_int_bits} bits",
            "threads": "OpenMP" if _lapack.openmp else "none, built without OpenMP",
        },
        "Workers": {
            "default": _workers.get_workers(),
            "cores": _workers.available_cpus(),
            **{name: os.environ[name] for name in _VARIABLES if name in os.environ},
        },
    }
    if mode == "dicts":
        return config
    for title, section in config.items():
        print(f"{title}:")
        for entry in section if isinstance(section, list) else [section]:
            if isinstance(entry, str):
                print(f"  {entry}")
                continue
            for key, value in entry.items():
                print(f"  {key}: {value}")
    return None


def processor() -> str:
    """The processor's name, as its maker gives it, where the system tells."""
    try:
        if platform.system() == "Darwin":
            command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except (OSError, subprocess.SubprocessError):
        pass
    return platform.processor() or "unknown"


_BLAS_KEYS = ("internal_api", "version", "architecture", "threading_layer", "num_threads", "filepath")
_VARIABLES = ("STACKINV_NUM_THREADS", "OMP_NUM_THREADS")
