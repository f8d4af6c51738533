"""What `bench/figures.py` measured, as its tables and pictures ask for it."""

import functools
import json
import math
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "figures"
LIBRARIES = ("numpy", "scipy", "torch", "jax")
ALL = ("stackinv", *LIBRARIES, "eigen", "mkl-compact")


@functools.cache
def load(measurement: str) -> dict[str, Any]:
    return json.loads((DATA / f"{measurement}.json").read_text())


def title(measurement: str, contender: str) -> str:
    """Name and version."""
    return load(measurement)["contenders"].get(contender, contender).split("+")[0]


class Times(dict[int, float]):
    """Microseconds; NaN where a contender was not there or did not come to an end."""

    def __missing__(self, key: int) -> float:
        return math.nan


@functools.cache
def _index(measurement: str) -> dict[tuple[Any, ...], Times]:
    index: dict[tuple[Any, ...], Times] = {}
    for record in load(measurement)["records"]:
        key = tuple(record[name] for name in ("contender", "workers", "dtype", "assume_a"))
        index.setdefault(key, Times())[record["m"]] = record["microseconds"]
    return index


def times(measurement: str, contender: str, workers: int = 2, dtype: str = "float64", assume_a: str = "gen") -> Times:
    """Microseconds a matrix by order, of a measurement with one length of stack for each order."""
    return _index(measurement).get((contender, workers, dtype, assume_a), Times())


def calls(contender: str, m: int) -> Times:
    """Microseconds a call by the number of matrices of order m."""
    return Times(
        (record["length"], record["microseconds"] * record["length"])
        for record in load("lengths")["records"]
        if (record["contender"], record["m"]) == (contender, m)
    )


def accuracy(contender: str, what: str) -> dict[int, float]:
    """The "error" or the "residual" by order, as multiples of the unit roundoff."""
    return {record["m"]: record[what] for record in load("accuracy")["records"] if record["contender"] == contender}


def by_kernels(contender: str, kernels: str, workers: int = 2, *, alone: bool = False) -> Times:
    """Microseconds a matrix by order, of stacks or of single matrices, with the kernels of an instruction set."""
    return Times(
        (record["m"], record["microseconds"])
        for record in load("kernels")["records"]
        if (record["contender"], record["kernels"], record["workers"]) == (contender, kernels, workers)
        and (record["length"] == 1) == alone
    )


def functions(measurement: str, contender: str, kernels: str) -> Times:
    """Microseconds a matrix by order, with the kernels of an instruction set."""
    return Times(
        (record["m"], record["microseconds"])
        for record in load(measurement)["records"]
        if (record["contender"], record["kernels"]) == (contender, kernels)
    )


def kernels_dgemm(kernels: str, workers: int = 2) -> float:
    """GFLOP/s of products of matrices of order 2048."""
    return max(rate(m, time) for m, time in by_kernels("dgemm", kernels, workers).items())


def bandwidth() -> float:
    """GB/s read and written by copying stacks, at its best, two threads."""
    return max(16e-3 * m * m / time for m, time in times("orders", "copy").items())


def copying(m: int) -> float:
    """Microseconds a matrix at that rate."""
    return 16e-3 * m * m / bandwidth()


def dgemm() -> float:
    """GFLOP/s of products of large matrices at their best, two threads."""
    return max(rate(m, time) for m, time in times("orders", "dgemm").items())


def rate(m: int, microseconds: float) -> float:
    """GFLOP/s."""
    return 2e-3 * m**3 / microseconds


def examples() -> dict[str, dict[str, Any]]:
    return {record["example"]: record for record in load("examples")["records"]}


def wild() -> dict[str, dict[str, Any]]:
    return {record["job"]: record for record in load("wild")["records"]}
