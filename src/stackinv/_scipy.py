# SPDX-License-Identifier: BSD-3-Clause
"""What `scipy.linalg.inv` and `solve` calculate by while they are patched: in place of `scipy.linalg._batched_linalg`.

All before and after it remains SciPy's own code: what arguments may be and become, what is returned, errors, warnings.
"""

import importlib
import sys
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from stackinv import _detect, _engines
from stackinv._arguments import Array, default_lapack
from stackinv._results import singular_ones
from stackinv._stack import blocks, calculate

_MODULE = "_batched_linalg"

# By SciPy's numbers, what is calculated here. None: each matrix is looked at.
_STRUCTURES = {
    -1: None,
    0: "gen",
    11: "diagonal",
    21: "upper triangular",
    22: "lower triangular",
    101: "pos",
    201: "sym",
    211: "her",
}
_TRANSPOSED = {"upper triangular": "lower triangular", "lower triangular": "upper triangular"}

# What SciPy's own takes less time for: stacks of fewer rows, counted through all matrices; and of `solve` few matrices,
# or large ones, since the inverse, which the condition is known from here, takes longer than SciPy's estimate of it.
least = {"rows to invert": 100, "rows to solve": 300, "systems": 8}
_MOST_SOLVED_M = 256

# Inverses of which only the condition is wanted go through a buffer of this size.
_BUFFER_BYTES = 16 << 20

_FINE = {"is_singular": False, "lapack_info": 0, "is_ill_conditioned": False, "rcond": 1.0}

_Calculated = tuple[Array, list[dict[str, Any]]]  # and what is wrong with matrices
_Parts = list[tuple[str, Any]]  # structures, and indices of the matrices that have them


def code_for(function: FunctionType) -> CodeType:
    """The code of SciPy's function with this module in the place of its own, or an error."""
    code = function.__code__
    if _MODULE not in code.co_names:
        version = importlib.import_module("scipy").__version__
        raise RuntimeError(
            f"patch_scipy needs SciPy 1.17 or newer, where inv and solve calculate stacks, not {version}"
        )
    function.__globals__["_stackinv"] = sys.modules[__name__]
    return code.replace(co_names=tuple("_stackinv" if name == _MODULE else name for name in code.co_names))


def is_worth_inverting(a: Array) -> bool:
    """Whether there is so much of it that it takes SciPy longer."""
    return bool(a.size >= a.shape[-1] * least["rows to invert"])


def is_worth_solving(a: Array) -> bool:
    """The same of systems."""
    m = a.shape[-1]
    return bool(m <= _MOST_SOLVED_M and a.size >= max(m * least["rows to solve"], m * m * least["systems"]))


def _scipys() -> Any:
    return sys.modules[f"scipy.linalg.{_MODULE}"]


# As SciPy's, by name and arguments.
def _inv(a: Array, structure: int, overwrite_a: bool, lower: bool) -> _Calculated:
    if structure in _STRUCTURES and is_worth_inverting(a):
        out = _writeable(a) if overwrite_a else None
        return inv(a, assume_a=_STRUCTURES[structure], lower=lower or structure == -1, out=out)
    its: _Calculated = _scipys()._inv(a, structure, overwrite_a, lower)
    return its


def _solve(
    a: Array, b: Array, structure: int, lower: bool, transposed: bool, overwrite_a: bool, overwrite_b: bool
) -> _Calculated:
    if structure in _STRUCTURES and is_worth_solving(a) and not (transposed and a.dtype.kind == "c"):
        assume_a, matrices, left = _STRUCTURES[structure], a, lower
        if transposed:
            assume_a, matrices, left = _TRANSPOSED.get(assume_a or "", assume_a), a.mT, not lower
        parts = _parts(matrices, assume_a, tridiagonal=True)
        if all(part != "tridiagonal" for part, _ in parts):
            scratch = _writeable(matrices) if overwrite_a else None
            out = _writeable(b) if overwrite_b else None
            left = left or structure == -1
            return solve(matrices, b, assume_a=assume_a, parts=parts, lower=left, scratch=scratch, out=out)
    its: _Calculated = _scipys()._solve(a, b, structure, lower, transposed, overwrite_a, overwrite_b)
    return its


def inv(a: Array, *, assume_a: str | None, lower: bool, out: Array | None) -> _Calculated:
    """The inverses; `out` may be `a`."""
    inverse = np.empty(a.shape, _type(a)) if out is None else out

    def invert(structure: str, where: Any) -> tuple[Array, Array]:
        matrices = a[where]
        goal = inverse if where is ... else np.empty(matrices.shape, inverse.dtype)
        outputs = _inverted(matrices, structure, lower, goal)
        if where is not ...:
            inverse[where] = goal
        return outputs.info, outputs.rcond

    return inverse, _problems(a, assume_a, _parts(a, assume_a, tridiagonal=False), out is None, invert)


def solve(
    a: Array, b: Array, *, assume_a: str | None, parts: _Parts, lower: bool, scratch: Array | None, out: Array | None
) -> _Calculated:
    """The solutions; `out` may be `b`. Inverses, of which only the condition is wanted, may go to `scratch`, or `a`."""
    solution = np.empty(b.shape, _type(b))

    def solve_some(structure: str, where: Any) -> tuple[Array, Array]:
        matrices, right = a[where], b[where]
        goal = solution if where is ... else np.empty(right.shape, solution.dtype)
        turned = _turned(structure, lower)
        conjugated = turned and structure != "sym" and right.dtype.kind == "c"
        outputs, _ = calculate(
            matrices.mT if turned else matrices,
            ("info",),
            goal,
            goal.dtype,
            structure,
            default_lapack,
            None,
            None,
            right.conj() if conjugated else right,
        )
        if conjugated:
            np.conj(goal, out=goal)
        if where is not ...:
            solution[where] = goal
        return outputs.info, _conditions(matrices, structure, lower, scratch)

    problems = _problems(a, assume_a, parts, scratch is None, solve_some)
    if out is not None:
        out[...] = solution
        return out, problems
    return solution, problems


def _type(array: Array) -> np.dtype[Any]:
    return array.dtype.newbyteorder("=")


def _writeable(array: Array) -> Array | None:
    """The same memory to be written to, unless it must not be."""
    view = array.view()
    try:
        view.flags.writeable = True  # SciPy has broadcast it
    except ValueError:
        return None
    return view


def _once(a: Array) -> Array:
    """Without the repetitions of matrices that were broadcast."""
    return a[tuple(slice(None) if stride else slice(1) for stride in a.strides[:-2])]


def _parts(a: Array, assume_a: str | None, *, tridiagonal: bool) -> _Parts:
    if assume_a is not None:
        return [(assume_a, ...)]
    once = _once(a)
    matrices = once.reshape(-1, *a.shape[-2:])
    if not (matrices.dtype.isnative and matrices.flags.aligned):
        matrices = matrices.astype(_type(a))
    kinds = _detect.structures(matrices, tridiagonal)
    if (kinds == kinds[0]).all():
        return [(_detect.NAMES[kinds[0]], ...)]
    present = np.unique(kinds)
    kinds = np.broadcast_to(kinds.reshape(once.shape[:-2]), a.shape[:-2])
    return [(_detect.NAMES[kind], kinds == kind) for kind in present]


def _turned(structure: str, lower: bool) -> bool:
    """Whether the upper triangle is meant; the engines read the lower one."""
    return structure in ("pos", "sym", "her") and not lower


def _inverted(matrices: Array, structure: str, lower: bool, inverse: Array) -> _engines.Outputs:
    if _turned(structure, lower):
        matrices, inverse = matrices.mT, inverse.mT
    asked = ("inverse", "info", "rcond")
    return calculate(matrices, asked, inverse, inverse.dtype, structure, default_lapack, None, None)[0]


def _conditions(matrices: Array, structure: str, lower: bool, scratch: Array | None) -> Array:
    """The rcond of each matrix, or an array to be broadcast to that."""
    if scratch is not None:
        return _inverted(matrices, structure, lower, scratch).rcond  # type: ignore[no-any-return]
    matrices = _once(matrices)
    most = max(1, _BUFFER_BYTES // (matrices.shape[-1] ** 2 * matrices.itemsize))
    buffer = np.empty(min(matrices.size, most * matrices.shape[-1] ** 2), _type(matrices))
    result = np.empty(matrices.shape[:-2])
    for block, _ in blocks(result.shape, most):
        some = matrices[block]
        result[block] = _inverted(some, structure, lower, buffer[: some.size].reshape(some.shape)).rcond
    return result


def _problems(
    a: Array,
    assume_a: str | None,
    parts: _Parts,
    repeatable: bool,
    calculate_some: Callable[[str, Any], tuple[Array, Array]],
) -> list[dict[str, Any]]:
    """Calculate part by part, symmetric matrices that were found as positive definite ones first, as SciPy does."""
    info, rcond = np.zeros(a.shape[:-2], np.intc), np.empty(a.shape[:-2])
    for structure, where in parts:
        definite = assume_a is None and repeatable and structure == ("her" if a.dtype.kind == "c" else "sym")
        info[where], rcond[where] = calculate_some("pos" if definite else structure, where)
        failed = info != 0 if where is ... else (info != 0) & where
        if definite and failed.any():
            info[failed], rcond[failed] = calculate_some(structure, failed)
    if info.any():
        number = int(np.flatnonzero(info)[0])
        text = f"A singular matrix detected: slice(s) [{number}] are singular."
        raise singular_ones(info, assume_a or "gen", text)
    ill = ~(rcond >= np.finfo(a.dtype).eps)
    if not ill.any():
        return []
    # A row for each, since SciPy counts rows and calls that the number of the matrix.
    return [
        _FINE | {"is_ill_conditioned": True, "rcond": value} if bad else _FINE
        for value, bad in zip(rcond.ravel().tolist(), ill.ravel().tolist(), strict=True)
    ]
