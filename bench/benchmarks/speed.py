"""How long inversions take."""

import functools
import inspect
import statistics
import timeit

import numpy as np

import stackinv

from .stacks import WORKERS, some, stack

ORDERS = some([3, 8, 32, 128, 512])
TYPES = some(["float32", "float64", "complex64", "complex128"])


@functools.cache
def prepared(*what):
    """A stack and room for its inverses, touched before: asv calls `setup` anew before each call that it times."""
    a = stack(*what)
    return a, a.copy()


@functools.cache
def laid_out(m, layout):
    a = prepared(m, "float64")[0]
    if layout == "columns first":
        return tuple(np.ascontiguousarray(a.swapaxes(-1, -2)).swapaxes(-1, -2) for _ in range(2))
    if layout == "C":
        return a, a.copy()
    length = len(a) // 4 * 4
    first = np.ascontiguousarray(np.moveaxis(a[:length], 0, -1))
    if layout == "(M, M, n)":
        return first, first.copy()
    rooms = tuple(np.empty((m, m, length // 4, 5))[..., :4] for _ in range(2))
    for room in rooms:
        room[...] = first.reshape(room.shape)
    return rooms


class Stack:
    """A stack of 64 MiB, into memory that is there."""

    param_names = ["m", "type", "assume_a", "workers"]
    params = [ORDERS, TYPES, ["gen", "pos", "upper triangular"], WORKERS]

    def setup(self, m, dtype, assume_a, workers):
        self.a, self.out = prepared(m, dtype, assume_a)

    def time_inv(self, m, dtype, assume_a, workers):
        stackinv.inv(self.a, out=self.out, assume_a=assume_a, workers=workers)


class StackByNumPy:
    """The same by NumPy."""

    param_names = ["m", "type"]
    params = [ORDERS, TYPES]

    def setup(self, m, dtype):
        self.a, _ = prepared(m, dtype)

    def time_inv(self, m, dtype):
        np.linalg.inv(self.a)


class StackByLapack:
    """The same by LAPACK, each matrix in a parallel loop: what the engines of our own bring over that."""

    param_names = ["m", "type", "workers"]
    params = [ORDERS, TYPES, WORKERS]

    def setup(self, m, dtype, workers):
        if "engine" not in inspect.signature(stackinv.inv).parameters:
            raise NotImplementedError("before there was a choice")
        self.a, self.out = prepared(m, dtype, "gen")

    def time_inv(self, m, dtype, workers):
        stackinv.inv(self.a, out=self.out, engine="lapack", workers=workers)


class StackByLayout:
    """The same matrices in other layouts, into memory of the same layout."""

    param_names = ["m", "layout"]
    params = [some([2, 3, 4, 8, 16, 32]), ["C", "columns first", "(M, M, n)", "(M, M, k, 4) of 5"]]

    def setup(self, m, layout):
        if layout.startswith("(") and "axes" not in inspect.signature(stackinv.inv).parameters:
            raise NotImplementedError("before there were axes")
        self.a, self.out = laid_out(m, layout)
        self.given = {"axes": [(0, 1), (0, 1)]} if layout.startswith("(") else {}

    def time_inv(self, m, layout):
        stackinv.inv(self.a, out=self.out, **self.given)


class Systems:
    """A stack of 64 MiB with one right-hand side or as many as there are rows, into memory that is there."""

    param_names = ["m", "columns"]
    params = [ORDERS, ["1", "M"]]

    def setup(self, m, columns):
        if not hasattr(stackinv, "solve"):
            raise NotImplementedError("before there were solutions")
        self.a, b = prepared(m, "float64")
        self.b = np.ascontiguousarray(b[..., : m if columns == "M" else 1])
        self.out = self.b.copy()

    def time_solve(self, m, columns):
        stackinv.solve(self.a, self.b, out=self.out)


class OneMatrix:
    """A call with one small matrix in a loop: what it costs beside the arithmetic."""

    param_names = ["m"]
    params = [some([1, 2, 3, 4, 8, 16, 32, 64])]
    unit = "µs"

    def setup(self, m):
        self.a = stack(m, "float64", stack_bytes=1)[0]

    def track_inv(self, m):
        return self.microseconds(stackinv.inv)

    def track_inv_ex(self, m):
        return self.microseconds(stackinv.inv_ex)

    def track_solve(self, m):
        if not hasattr(stackinv, "solve"):
            raise NotImplementedError("before there were solutions")
        b = self.a[0].copy()
        return self.microseconds(lambda a: stackinv.solve(a, b))

    def track_numpy_inv(self, m):
        return self.microseconds(np.linalg.inv)

    def track_patched_numpy_inv(self, m):
        with stackinv.patch_numpy():
            return self.microseconds(np.linalg.inv)

    def microseconds(self, inv, calls=1000, rounds=9):
        seconds = timeit.repeat(lambda: inv(self.a), number=calls, repeat=rounds)
        return 1e6 * statistics.median(seconds) / calls


def timeraw_import():
    return "import stackinv"


def timeraw_import_of_what_it_needs():
    return "import numpy, threadpoolctl"
