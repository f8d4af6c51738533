"""How long inversions take."""

import numpy as np

import stackinv

from .stacks import WORKERS, stack

ORDERS = [3, 8, 32, 128, 512]
TYPES = ["float32", "float64", "complex64", "complex128"]


class Stack:
    """A stack of 64 MiB, into memory that is there."""

    param_names = ["m", "type", "assume_a", "workers"]
    params = [ORDERS, TYPES, ["gen", "pos", "upper triangular"], WORKERS]

    def setup(self, m, dtype, assume_a, workers):
        self.a = stack(m, dtype, assume_a)
        self.out = np.empty_like(self.a)

    def time_inv(self, m, dtype, assume_a, workers):
        stackinv.inv(self.a, out=self.out, assume_a=assume_a, workers=workers)


class StackByNumPy:
    """The same by NumPy."""

    param_names = ["m", "type"]
    params = [ORDERS, TYPES]

    def setup(self, m, dtype):
        self.a = stack(m, dtype)

    def time_inv(self, m, dtype):
        np.linalg.inv(self.a)


class OneMatrix:
    """A call with a small matrix: what it costs beside the arithmetic."""

    param_names = ["m"]
    params = [[1, 2, 3, 4, 8, 16, 32, 64]]

    def setup(self, m):
        self.a = stack(m, "float64")[0]

    def time_inv(self, m):
        stackinv.inv(self.a)

    def time_inv_ex(self, m):
        stackinv.inv_ex(self.a)

    def time_numpy_inv(self, m):
        np.linalg.inv(self.a)


class OneMatrixByPatchedNumPy:
    """The same through `numpy.linalg.inv` while it is patched."""

    param_names = ["m"]
    params = [[1, 2, 3, 4, 8, 16, 32, 64]]

    def setup(self, m):
        self.a = stack(m, "float64")[0]
        stackinv.patch_numpy()

    def teardown(self, m):
        stackinv.unpatch_numpy()

    def time_inv(self, m):
        np.linalg.inv(self.a)


def timeraw_import():
    return "import stackinv"


def timeraw_import_of_what_it_needs():
    return "import numpy, scipy.linalg.cython_lapack, threadpoolctl"
