# SPDX-License-Identifier: BSD-3-Clause
"""Arrays of classes that say themselves what NumPy's functions make of them (`__array_function__`)."""

from collections.abc import Callable
from typing import Any

import numpy as np

from stackinv import _patch
from stackinv._arguments import Array
from stackinv._stack import cast, checked_out


def asked(
    name: str, a: Any, calculate: Callable[[Array], tuple[Any, ...]], *, once: bool
) -> tuple[Any, tuple[Any, ...]]:
    """What the class of `a` makes of NumPy's function with this calculation in it, and what else that gave."""
    others: list[tuple[Any, ...]] = []

    def calculated(array: Array) -> Any:
        result, *rest = calculate(array)
        others.append(tuple(rest))
        return result

    result = _patch.call_numpys(name, a, calculated)
    if once and len(others) != 1:
        what = {"inv": "the inverse"}.get(name, "the determinant")
        raise TypeError(
            f"{type(a).__name__} has {what} calculated {len(others)} times by numpy.linalg.{name}, expected once: "
            f"only {name} without keywords can be had of it"
        )
    return result, others[0] if others else ()


def into(out: Array | None, inverse: Any) -> Any:
    """The values of a foreign array copied into `out`, if that is given."""
    if out is None:
        return inverse
    values = np.asarray(inverse)
    cast(checked_out(out, values.shape, values.dtype), values)
    return out
