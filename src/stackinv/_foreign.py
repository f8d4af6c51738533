# SPDX-License-Identifier: BSD-3-Clause
"""Arrays of classes that say themselves what NumPy's functions make of them (`__array_function__`)."""

from collections.abc import Callable
from typing import Any

import numpy as np

from stackinv import _patch
from stackinv._arguments import Array, is_foreign
from stackinv._stack import cast, checked_out


def asked(
    name: str, arguments: tuple[Any, ...], calculate: Callable[..., tuple[Any, ...]], *, once: bool
) -> tuple[Any, tuple[Any, ...]]:
    """What the class of arguments makes of NumPy's function with this calculation in it, and what else that gave."""
    others: list[tuple[Any, ...]] = []

    def calculated(*arrays: Array) -> Any:
        result, *rest = calculate(*arrays)
        others.append(tuple(rest))
        return result

    result = _patch.call_numpys(name, arguments, calculated)
    if once and len(others) != 1:
        what = {"inv": "the inverse", "solve": "the solution"}.get(name, "the determinant")
        kind = next(type(argument) for argument in arguments if is_foreign(argument))
        raise TypeError(
            f"{kind.__name__} has {what} calculated {len(others)} times by numpy.linalg.{name}, expected once: "
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
