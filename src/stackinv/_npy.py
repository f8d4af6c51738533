"""A stack in a .npy file, a piece at a time.

Files are read and written, not mapped: one that another program cuts short, or a disk that fails, is then an error
instead of the end of the process.
"""

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Array = np.ndarray[Any, Any]


class StackFile:
    """A file open for its matrices, which are numbered in its order.

    A Fortran-ordered one begins with the first element of all matrices.
    """

    def __init__(
        self, path: Path, mode: str, begin: int, shape: tuple[int, ...], dtype: np.dtype[Any], order: str
    ) -> None:
        self.shape, self.dtype, self.order, self._begin = shape, dtype, order, begin
        self.count, self._m = math.prod(shape[:-2]), shape[-1]
        # Rows of the file, and how many numbers of a matrix are in each.
        self._rows, self._numbers = (self._m**2, 1) if order == "F" else (1, self._m**2)
        self._file = path.open(mode)

    @classmethod
    def open(cls, path: Path) -> Self:
        """The file of a stack, or ValueError if it is none, with what is wrong."""
        with path.open("rb") as file:
            magic = file.read(6)
            if magic[:2] == b"PK":
                raise ValueError("an archive of arrays; expected a .npy file with one")
            if magic != b"\x93NUMPY":
                raise ValueError("not a .npy file")
            file.seek(0)
            try:
                version = np.lib.format.read_magic(file)
                read_header = np.lib.format.read_array_header_1_0
                if version != (1, 0):  # in 3.0 names are wider, but numbers have none
                    read_header = np.lib.format.read_array_header_2_0
                shape, fortran, dtype = read_header(file)
            except Exception as error:  # a damaged header can raise nearly anything
                raise ValueError(f"not a .npy file of numbers ({error})") from None
            begin, size = file.tell(), file.seek(0, os.SEEK_END)
        if dtype.hasobject:
            raise ValueError("not a .npy file of numbers (pickled objects are not read)")
        if len(shape) < 2 or shape[-1] != shape[-2] or min(shape) < 0:
            raise ValueError(f"shape {shape}, expected (..., M, M)")
        if size < begin + math.prod(shape) * dtype.itemsize:
            needed = f"{math.prod(shape) * dtype.itemsize} bytes for shape {shape} of {dtype}"
            raise ValueError(f"{size - begin} bytes of numbers, expected {needed}")
        return cls(path, "rb", begin, shape, dtype, "F" if fortran else "C")

    @classmethod
    def create(cls, path: Path, like: "StackFile", dtype: np.dtype[Any]) -> Self:
        """A new file for a stack of the same shape and order.

        Its room on the disk is taken at once, so that a full disk is an error before the work.
        """
        self = cls(path, "wb", 0, like.shape, dtype, like.order)
        descr = np.lib.format.dtype_to_descr(dtype)
        header = {"descr": descr, "fortran_order": self.order == "F", "shape": like.shape}
        try:
            with self._named():
                np.lib.format.write_array_header_1_0(self._file, header)
                self._begin = self._file.tell()
                size = math.prod(like.shape) * dtype.itemsize
                if size and hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(self._file.fileno(), 0, self._begin + size)
        except BaseException:
            self._file.close()
            raise
        return self

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """An error of the disk says which file it was."""
        try:
            yield
        except OSError as error:
            error.filename = error.filename or self._file.name
            raise

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the file."""
        with self._named():
            self._file.close()

    def empty(self, count: int) -> Array:
        """Memory for so many matrices, of shape (count, M, M), in which they lie as in the file."""
        if self.order == "F":
            return np.empty((self._m, self._m, count), self.dtype).T
        return np.empty((count, self._m, self._m), self.dtype)

    def read(self, first: int, matrices: Array) -> None:
        """Matrices from `first` on, into memory of `empty`."""
        with self._named():
            for row in self._seek(first, matrices):
                if self._file.readinto(row) < len(row):  # type: ignore[attr-defined]
                    raise RuntimeError(f"{self._file.name}: became shorter while it was read")

    def write(self, first: int, matrices: Array) -> None:
        """Put matrices, in memory of `empty`, to where those from `first` on are."""
        with self._named():
            for row in self._seek(first, matrices):
                self._file.write(row)

    def _seek(self, first: int, matrices: Array) -> Iterator[memoryview]:
        """The bytes of one row of the file after the other, each when the file is where they begin."""
        rows = (matrices.T if self.order == "F" else matrices).reshape(self._rows, len(matrices) * self._numbers)
        for k, row in enumerate(rows):
            self._file.seek(self._begin + (k * self.count + first) * self._numbers * self.dtype.itemsize)
            yield row.view(np.uint8).data

    def ranks(self, numbers: npt.ArrayLike) -> npt.NDArray[np.intp]:
        """The places in C order of the matrices with these numbers."""
        stack = self.shape[:-2]
        if self.order == "C" or len(stack) < 2:
            return np.asarray(numbers)
        return np.ravel_multi_index(np.unravel_index(np.asarray(numbers), stack, order="F"), stack)
