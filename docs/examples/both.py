"""What the examples share: their inversions by NumPy and by stackinv, timed and compared."""

import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

import stackinv

Result = TypeVar("Result")


def run(task: Callable[[Callable[[np.ndarray], np.ndarray]], Result], rounds: int = 5) -> Result:
    """What `task` returns with `numpy.linalg.inv` patched; prints how long its inversions took with and without.

    `task` is called with the function that it is to invert by, `rounds` times each way, of which the fastest counts.
    """
    inverses: list[list[np.ndarray]] = [[], []]
    seconds = [np.inf, np.inf]

    def inv(a: np.ndarray) -> np.ndarray:
        nonlocal spent
        start = time.perf_counter()
        inverse = np.linalg.inv(a)
        spent += time.perf_counter() - start
        inverses[patched].append(inverse)
        return inverse

    for patched in (False, True):
        for _ in range(rounds):
            spent, inverses[patched] = 0.0, []
            if patched:
                with stackinv.patch_numpy():
                    result = task(inv)
            else:
                result = task(inv)
            seconds[patched] = min(seconds[patched], spent)

    for expected, actual in zip(*inverses, strict=True):
        assert np.allclose(actual, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())
    m = inverses[0][0].shape[-1]
    count = sum(inverse.size // m**2 for inverse in inverses[0])
    numpys, ours = (f"{1e3 * least:.3g} ms" for least in seconds)
    print(f"{count:,} inverses of {m} by {m}, equal to rounding:")
    print(f"NumPy {numpys}, stackinv {ours}, {seconds[0] / seconds[1]:.0f} times as fast")
    return result
