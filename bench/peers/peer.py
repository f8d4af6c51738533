"""Times what is no Python package, and the two limits of the machine, as `_contender.py` times libraries.

    python peer.py NAME THREADS DTYPE ASSUME_A M:LENGTH [M:LENGTH ...]

NAME is one of these, float64 and `gen` only:

eigen        needs a C++ compiler and Eigen's headers (Debian's libeigen3-dev); fixed sizes up to M = 32
mkl-compact  needs the package mkl; with packing and unpacking; does not pivot: its matrices get a dominant diagonal
mkl-batch    needs the package mkl: getrf and getri of a whole stack, with pivots, MKL's threads over the stack
tensorflow   tf.linalg.inv
numba        numpy.linalg.inv of one matrix after the other in a prange loop
cofactors    what people write in NumPy, without pivots; M = 2 and 3
copy         reads and writes the stack, in as many threads
dgemm        as many products of two matrices
"""

import ctypes
import functools
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

spec = importlib.util.find_spec("stackinv")
assert spec is not None
assert spec.origin is not None
sys.path.insert(0, str(Path(spec.origin).parent))  # without importing the package
import _contender  # noqa: E402

sys.path.pop(0)  # whose modules for other libraries have those libraries' names

THREADS = int(sys.argv[2])
_contender.fix_threads(THREADS)

import numpy as np  # noqa: E402

EIGEN_FLAGS = ["-O3", "-march=native", "-fopenmp", "-shared", "-fPIC", "-I/usr/include/eigen3"]


@functools.cache
def eigen() -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as directory:
        library = Path(directory, "eigen_inverse.so")
        source = Path(__file__).with_name("eigen_inverse.cpp")
        subprocess.run(["c++", *EIGEN_FLAGS, source, "-o", library], check=True)
        return ctypes.CDLL(str(library))


@functools.cache
def mkl() -> ctypes.CDLL:
    return ctypes.CDLL(str(next(Path(sys.prefix, "lib").glob("libmkl_rt.so*"))))


def pointer(x: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(x.ctypes.data)


def mkl_compact(a: np.ndarray, x: np.ndarray) -> Callable[[], None]:
    """Pack, factor without pivoting, invert, unpack; MKL threads each step itself."""
    length, m, _ = a.shape
    integer, form, column_major = ctypes.c_int, mkl().mkl_get_format_compact(), ctypes.c_int(102)
    order, count, form = integer(m), integer(length), integer(form)
    matrices, inverses = (
        (s.ctypes.data + np.arange(length, dtype=np.uintp) * m * m * 8).astype(np.uintp) for s in (a, x)
    )
    room = np.empty(mkl().mkl_dget_size_compact(order, order, form, count) // 8 + 16)
    packed = ctypes.c_void_p((room.ctypes.data + 63) // 64 * 64)
    work, info = np.empty(64 * m * m + 1000), integer(0)

    def call(keep_alive: object = (a, x, room)) -> None:
        lapack = mkl()
        lapack.mkl_dgepack_compact(column_major, order, order, pointer(matrices), order, packed, order, form, count)
        lapack.mkl_dgetrfnp_compact(column_major, order, order, packed, order, ctypes.byref(info), form, count)
        lapack.mkl_dgetrinp_compact(
            column_major, order, packed, order, pointer(work), integer(work.size), ctypes.byref(info), form, count
        )
        lapack.mkl_dgeunpack_compact(column_major, order, order, pointer(inverses), order, packed, order, form, count)

    return call


def mkl_batch(a: np.ndarray, x: np.ndarray) -> Callable[[], None]:
    """Factor a copy, which is overwritten, and invert: the transposes, as MKL sees them, to transposed inverses."""
    length, m, _ = a.shape
    order, stride, count = (ctypes.byref(ctypes.c_int(value)) for value in (m, m * m, length))
    factors, pivots, info = np.empty_like(a), np.empty((length, m), np.intc), np.empty(length, np.intc)

    def call() -> None:
        np.copyto(factors, a)
        lu, ipiv, inverse, infos = map(pointer, (factors, pivots, x, info))
        mkl().dgetrf_batch_strided(order, order, lu, order, stride, ipiv, order, count, infos)
        mkl().dgetri_oop_batch_strided(order, lu, order, stride, ipiv, order, inverse, order, stride, count, infos)

    return call


def tensorflow(a: np.ndarray, x: np.ndarray) -> Callable[[], object]:
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(THREADS)
    tensor = tensorflow.constant(a)
    x[:1000] = tensorflow.linalg.inv(tensor[:1000]).numpy()
    return lambda: tensorflow.linalg.inv(tensor)


def numba(a: np.ndarray, x: np.ndarray) -> Callable[[], object]:
    import numba

    @numba.njit(parallel=True)
    def invert(a: np.ndarray, x: np.ndarray) -> None:
        for i in numba.prange(len(a)):
            x[i] = np.linalg.inv(a[i])

    return lambda: invert(a, x)


def cofactors(a: np.ndarray, x: np.ndarray) -> Callable[[], object]:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from layouts import cofactors

    return lambda: cofactors(*(np.moveaxis(stack, 0, -1) for stack in (a, x)))


def copy(a: np.ndarray, x: np.ndarray) -> Callable[[], object]:
    pool = ThreadPoolExecutor(THREADS)
    parts = list(zip(np.array_split(x, THREADS), np.array_split(a, THREADS), strict=True))
    return lambda: list(pool.map(lambda part: np.copyto(*part), parts))


def dgemm(m: int, length: int) -> Callable[[], object]:
    """As many products as there are matrices."""
    from scipy.linalg import blas

    a, b, c = (np.ones((m, m), order="F") for _ in range(3))
    return lambda: [blas.dgemm(1.0, a, b, c=c, overwrite_c=True) for _ in range(length)]


WAYS = {
    "mkl-compact": mkl_compact,
    "mkl-batch": mkl_batch,
    "tensorflow": tensorflow,
    "numba": numba,
    "cofactors": cofactors,
}


def peer(name: str, assume_a: str, a: np.ndarray) -> Callable[[], object]:
    assert assume_a == "gen"
    assert a.dtype == np.float64
    length, m, _ = a.shape
    if name == "dgemm":
        return dgemm(m, length)
    x = np.empty_like(a)
    if name == "copy":
        return copy(a, x)
    if name == "mkl-compact":
        a += 2 * m * np.eye(m)
    if name in WAYS:
        call = WAYS[name](a, x)
    else:
        library = eigen()
        call = lambda: library.eigen_inverse(pointer(a), pointer(x), ctypes.c_long(length), m, THREADS)  # noqa: E731
    call()
    some = slice(0, 1000)
    inverses = np.linalg.inv(a[some])
    if not np.allclose(x[some], inverses, rtol=1e-6, atol=1e-6 * np.abs(inverses).max()):
        sys.exit(f"{name} is wrong at M = {m}")
    return call


if __name__ == "__main__":
    if sys.argv[1] == "eigen-version":  # of the headers
        number = eigen().eigen_version()
        print(f"{number // 10000}.{number // 100 % 100}.{number % 100}")
    else:
        _contender.main(peer)
