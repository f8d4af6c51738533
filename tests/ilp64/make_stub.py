"""A stand-in for SciPy's cython_lapack with 64-bit integers, from the LAPACK of scipy-openblas64.

    python make_stub.py DIRECTORY

Both its folders are for PYTHONPATH: `build` while stackinv is built, for Cython to find there in place of SciPy, and
`run` afterwards, with a `sitecustomize` that shows the stand-in to stackinv alone; the rest of SciPy keeps its own.
"""

import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import scipy
import scipy_openblas64

SITECUSTOMIZE = """
import importlib.util, sys
import scipy.linalg.cython_lapack as own
spec = importlib.util.spec_from_file_location(own.__name__, {path!r})
sys.modules[own.__name__] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
import stackinv
sys.modules[own.__name__] = own
assert stackinv._core.blas_int_bits == 64
"""
TYPES = """
from libc.stdint cimport int64_t
ctypedef int64_t blas_int
ctypedef float s
ctypedef double d
ctypedef float complex c
ctypedef double complex z
"""


def main(directory: Path) -> None:
    linalg = directory / "build" / "scipy" / "linalg"
    linalg.mkdir(parents=True, exist_ok=True)
    for package in (linalg, linalg.parent):
        (package / "__init__.py").touch()

    core = (Path(__file__).parents[2] / "src" / "stackinv" / "_core.pyx").read_text()
    names = re.findall(r"\w+", re.search(r"cython_lapack cimport \((.*?)\)", core, re.DOTALL)[1])
    own = (Path(scipy.__file__).parent / "linalg" / "cython_lapack.pxd").read_text()
    externs, declarations, bodies = [], [], []
    for name in names:
        arguments = re.search(rf"cdef \w+ {name}\((.*?)\)", own)[1].replace("int *", "blas_int *")
        passed = ", ".join(re.findall(r"\*\s*(\w+)", arguments))
        externs.append(f'    void _{name} "scipy_{name}_64_"({arguments}) noexcept nogil')
        declarations.append(f"cdef void {name}({arguments}) noexcept nogil")
        bodies.append(f"{declarations[-1]}:\n    _{name}({passed})")
    (linalg / "cython_lapack.pxd").write_text(TYPES + "\n".join(declarations) + "\n")
    (linalg / "cython_lapack.pyx").write_text("\n".join(["cdef extern from *:", *externs, *bodies, ""]))
    subprocess.run([sys.executable, "-m", "cython", "-3", "cython_lapack.pyx"], cwd=linalg, check=True)
    binary = linalg / ("cython_lapack" + sysconfig.get_config_var("EXT_SUFFIX"))
    library = scipy_openblas64.get_lib_dir()
    subprocess.run(
        [
            *("cc", "-shared", "-fPIC", "-w", "cython_lapack.c", "-o", binary, f"-I{sysconfig.get_paths()['include']}"),
            *(f"-L{library}", f"-Wl,-rpath,{library}", f"-l{scipy_openblas64.get_library()}"),
        ],
        cwd=linalg,
        check=True,
    )
    (directory / "run").mkdir(exist_ok=True)
    (directory / "run" / "sitecustomize.py").write_text(SITECUSTOMIZE.format(path=str(binary)))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
