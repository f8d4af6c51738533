"""A stand-in for SciPy's cython_lapack with 64-bit integers, from the LAPACK of scipy-openblas64.

    python make_stub.py DIRECTORY

The directory is for PYTHONPATH while stackinv is built, for Cython to find the stand-in there in place of SciPy. In
this Python's site-packages, `stackinv_ilp64.pth` shows it to stackinv alone from then on; the rest of SciPy keeps its
own.
"""

import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import scipy
import scipy_openblas64

HOOK = """
import importlib.util, sys
from importlib.machinery import PathFinder


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        core = PathFinder.find_spec(name, path, target) if name == "stackinv._lapack" else None
        if core:
            core.loader.exec_module = lambda module, own=core.loader.exec_module: execute(module, own)
        return core


def execute(module, exec_module):
    import scipy.linalg.cython_lapack as lapack

    stub = importlib.util.spec_from_file_location(lapack.__name__, {path!r})
    sys.modules[lapack.__name__] = importlib.util.module_from_spec(stub)
    try:
        stub.loader.exec_module(sys.modules[lapack.__name__])
        exec_module(module)
    finally:
        sys.modules[lapack.__name__] = lapack
    assert module.blas_int_bits == 64


sys.meta_path.insert(0, Finder)
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
    linalg = directory / "scipy" / "linalg"
    linalg.mkdir(parents=True, exist_ok=True)
    for package in (linalg, linalg.parent):
        (package / "__init__.py").touch()

    core = (Path(__file__).parents[2] / "src" / "stackinv" / "_native.pyx").read_text()
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
    packages = Path(sysconfig.get_paths()["purelib"])
    (packages / "stackinv_ilp64.py").write_text(HOOK.format(path=str(binary)))
    (packages / "stackinv_ilp64.pth").write_text("import stackinv_ilp64\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
