# SPDX-License-Identifier: BSD-3-Clause
"""A stack in a .npy file, a piece at a time.

Files are read and written, not mapped: one that another program cuts short, or a disk that fails, is then an error
instead of the end of the process.
"""

import contextlib
import errno
import math
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt

Array = np.ndarray[Any, Any]

_VERSIONS = ((1, 0), (2, 0), (3, 0))  # in 3.0 names are wider, but numbers have none
_MOST_AXES = 64  # NumPy's
_MOVED_BYTES = 64 << 20  # at once, between which Python looks at signals
_MOST_PARTS = 1024  # of memory, at once: Linux takes no more
# Rows of a Fortran-ordered file that are so long have gaps between them in memory: a power of two apart they would fall
# into the same few sets of the cache.
_LEAST_ROW_BYTES = 4096
_GAP_BYTES = 64


class StackFile:
    """An open file, by the name that the user knows it by, for its matrices, which are numbered in its order.

    A Fortran-ordered one begins with the first element of all matrices. In a stack of vectors these are matrices of one
    column.
    """

    def __init__(
        self,
        file: BinaryIO,
        name: str,
        begin: int,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        order: str,
        vectors: bool = False,
    ) -> None:
        self.shape, self.dtype, self.order, self._begin = shape, dtype, order, begin
        self.stack, self.matrix = (shape[:-1], (shape[-1], 1)) if vectors else (shape[:-2], shape[-2:])
        self.count = math.prod(self.stack)
        self.bytes = math.prod(shape) * dtype.itemsize
        self._file, self._name = file, name

    @classmethod
    def open(cls, file: BinaryIO, name: str, *, square: bool = True) -> Self:
        """The stack in a file, or ValueError if there is none, with what is wrong; or else one of any matrices."""
        magic = file.read(6)
        if magic[:2] == b"PK":
            raise ValueError("an archive of arrays; expected a .npy file with one")
        if magic != b"\x93NUMPY":
            raise ValueError("not a .npy file")
        file.seek(0)
        try:
            version = np.lib.format.read_magic(file)
            read_header = np.lib.format.read_array_header_1_0
            if version != (1, 0):
                read_header = np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read_header(file)
        except Exception as error:  # a damaged header can raise nearly anything
            raise ValueError(f"not a .npy file of numbers ({error})") from None
        begin, size = file.tell(), file.seek(0, os.SEEK_END)
        if version not in _VERSIONS:
            raise ValueError(f"a .npy file of version {version[0]}.{version[1]}, expected 1.0, 2.0 or 3.0")
        if dtype.hasobject:
            raise ValueError("not a .npy file of numbers (pickled objects are not read)")
        if any(type(length) is not int or length < 0 for length in shape):
            raise ValueError(f"shape {shape}, expected whole numbers from 0 on")
        if len(shape) > _MOST_AXES:
            raise ValueError(f"{len(shape)} axes, expected at most {_MOST_AXES}")
        if square and (len(shape) < 2 or shape[-1] != shape[-2]):
            raise ValueError(f"shape {shape}, expected (..., M, M)")
        if not shape:
            raise ValueError("one number, expected (M,) or (..., M, K)")
        if math.prod(max(1, length) for length in shape) * dtype.itemsize > sys.maxsize:
            raise ValueError(f"shape {shape}, more numbers than there are addresses")
        if size < begin + math.prod(shape) * dtype.itemsize:
            needed = f"{math.prod(shape) * dtype.itemsize} bytes for shape {shape} of {dtype}"
            raise ValueError(f"{size - begin} bytes of numbers, expected {needed}")
        return cls(file, name, begin, shape, dtype, "F" if fortran else "C", len(shape) == 1)

    @classmethod
    def create(
        cls, file: BinaryIO, name: str, like: "StackFile", dtype: np.dtype[Any], core: tuple[int, ...] | None = None
    ) -> Self:
        """A stack as long and in the same order in a new file, of matrices or vectors of the shape `core`.

        Its room on the disk is taken at once, so that a full disk is an error before the work.
        """
        core = like.matrix if core is None else core
        self = cls(file, name, 0, like.stack + core, dtype, like.order, len(core) == 1)
        descr = np.lib.format.dtype_to_descr(dtype)
        header = {"descr": descr, "fortran_order": self.order == "F", "shape": self.shape}
        with self._named():
            np.lib.format.write_array_header_1_0(file, header)
            file.flush()
            self._begin = file.tell()
            if self.bytes and hasattr(os, "posix_fallocate"):
                try:
                    os.posix_fallocate(file.fileno(), 0, self._begin + self.bytes)
                except OSError as error:
                    if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # of a file system that cannot
                        raise
        return self

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """An error of the disk says which file it was."""
        try:
            yield
        except OSError as error:
            error.filename = self._name
            raise

    def empty(self, count: int) -> Array:
        """Memory for so many matrices, count first, in which they lie as in the file, perhaps with gaps."""
        if self.order == "C":
            return np.empty((count, *self.matrix), self.dtype)
        gap = _GAP_BYTES // self.dtype.itemsize if count * self.dtype.itemsize >= _LEAST_ROW_BYTES else 0
        return np.empty((*self.matrix[::-1], count + gap), self.dtype)[..., :count].T

    def read(self, first: int, matrices: Array) -> None:
        """Matrices from `first` on, into memory of `empty`."""
        self._move(_read_at, first, matrices)

    def write(self, first: int, matrices: Array) -> None:
        """Put matrices, in memory of `empty`, to where those from `first` on are."""
        self._move(_write_at, first, matrices)

    def _move(self, move: Callable[[int, list[memoryview], int], int], first: int, matrices: Array) -> None:
        with self._named():
            for begin, parts in self._together(first, matrices):
                at = self._begin + begin * self.dtype.itemsize
                while parts:
                    done = move(self._file.fileno(), parts, at)
                    if done == 0:
                        raise RuntimeError(f"{self._name}: became shorter while it was read")
                    at += done
                    while parts and done >= len(parts[0]):
                        done -= len(parts.pop(0))
                    if done:
                        parts[0] = parts[0][done:]

    def _together(self, first: int, matrices: Array) -> Iterator[tuple[int, list[memoryview]]]:
        """What follows each other in the file, not too much at once, and the number it begins at."""
        whole = matrices if self.order == "C" else matrices.T
        if whole.flags.c_contiguous and (self.order == "C" or len(matrices) == self.count):
            numbers = whole.reshape(-1)
            step = _MOVED_BYTES // self.dtype.itemsize
            for k in range(0, numbers.size, step):
                yield first * math.prod(self.matrix) + k, [_bytes(numbers[k : k + step])]
            return
        rows = whole.reshape(-1, len(matrices))  # one for each number of the matrices
        step = 1 if len(matrices) < self.count else max(1, min(_MOST_PARTS, _MOVED_BYTES // max(1, rows[0].nbytes)))
        for k in range(0, len(rows), step):
            yield k * self.count + first, [_bytes(row) for row in rows[k : k + step]]

    def ranks(self, numbers: npt.ArrayLike) -> npt.NDArray[np.intp]:
        """The places in C order of the matrices with these numbers."""
        if self.order == "C" or len(self.stack) < 2:
            return np.asarray(numbers)
        return np.ravel_multi_index(np.unravel_index(np.asarray(numbers), self.stack, order="F"), self.stack)


def _bytes(numbers: Array) -> memoryview:
    return numbers.view(np.uint8).data


def _read_at(descriptor: int, parts: list[memoryview], at: int) -> int:
    if hasattr(os, "preadv"):
        return os.preadv(descriptor, parts, at)
    os.lseek(descriptor, at, os.SEEK_SET)
    read = os.read(descriptor, len(parts[0]))
    parts[0][: len(read)] = read
    return len(read)


def _write_at(descriptor: int, parts: list[memoryview], at: int) -> int:
    if hasattr(os, "pwritev"):
        return os.pwritev(descriptor, parts, at)
    os.lseek(descriptor, at, os.SEEK_SET)
    return os.write(descriptor, parts[0])
