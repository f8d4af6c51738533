"""Inverses of other libraries' arrays by stackinv and by those libraries, alone and with their gradients.

    python bench/tensors.py [torch] [jax]

For each library that is installed: medians of several rounds, each contender in a process of its own in each of them.
"""

import math
import os
import statistics
import sys
from pathlib import Path

from stackinv import _compare

SCRIPT = Path(__file__).parent / "peers" / "tensors.py"
ROUNDS = 3
LONGEST = 60  # seconds
SIZES = [(3, 10**6), (8, 10**5), (32, 10**4)]
PAIRS = {  # by the distribution that both need
    "torch": ("stackinv.torch", "torch.linalg"),
    "jax": ("stackinv.jax", "jax.numpy.linalg"),
}
# JAX's own gradients (0.10) of more matrices, or numbers, never end, and those of fewer not always.
MOST_GRADIENTS = {"torch": (10**9, 10**9), "jax": (20_000, 1_300_000)}


def milliseconds(
    modules: tuple[str, str], library: str, what: str, sizes: list[tuple[int, int]], workers: int
) -> list[list[float]]:
    """Median time of a call, by module and size, of the rounds that came to an end; NaN if none did."""
    contenders = {f"{module}-{what}": _compare.Contender(module, library, SCRIPT) for module in modules}
    rounds = [_compare.compare(sizes, workers, LONGEST, contenders=contenders).times for _ in range(ROUNDS)]
    medians = []
    for name in contenders:
        by_size = zip(*(times[name] for times in rounds), strict=True)
        known = [[time for time in times if isinstance(time, float)] for times in by_size]
        medians.append([statistics.median(times or [math.nan]) for times in known])
    return [[time * length / 1e3 for time, (_, length) in zip(times, sizes, strict=True)] for times in medians]


def main() -> None:
    workers = len(os.sched_getaffinity(0))
    for library in sys.argv[1:] or PAIRS:
        modules = PAIRS[library]
        if _compare.Contender(library, library).version() is None:
            continue
        print(
            f"milliseconds, {workers} threads, float64      M  matrices " + "".join(f"{name:>16s}" for name in modules)
        )
        for what in ("forward", "backward"):
            sizes = SIZES
            if what == "backward":
                most, numbers = MOST_GRADIENTS[library]
                sizes = [(m, min(length, most, numbers // m**2)) for m, length in SIZES]
            times = milliseconds(modules, library, what, sizes, workers)
            for (m, length), own, theirs in zip(sizes, *times, strict=True):
                label = what if what == "forward" else "forward and backward"
                print(
                    f"{label:34s} {m:3d} {length:9d} {own:16.3g}{theirs:16.3g}   {theirs / own:.3g} times", flush=True
                )


if __name__ == "__main__":
    main()
