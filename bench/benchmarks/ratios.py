"""Times over NumPy's, both measured in turn in one process: a machine that is busy is so for both."""

import statistics
import time

import numpy as np

import stackinv

from .stacks import WORKERS, some, stack

ROUNDS = 5
CALLS = 3


def seconds(call, *arguments, **keywords):
    """The shortest of some calls: the first may have to wait for threads of the other, which spin for a while."""
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        call(*arguments, **keywords)
        times.append(time.perf_counter() - start)
    return min(times)


class OverNumPy:
    param_names = ["m", "type", "workers"]
    params = [some([2, 3, 8, 32, 128]), some(["float32", "float64", "complex128"]), WORKERS]
    unit = "of NumPy's time"

    def setup(self, m, dtype, workers):
        self.a = stack(m, dtype, stack_bytes=4 << 20)
        stackinv.inv(self.a, workers=workers)
        np.linalg.inv(self.a[:100])

    def track_time(self, m, dtype, workers):
        return statistics.median(
            seconds(stackinv.inv, self.a, workers=workers) / seconds(np.linalg.inv, self.a) for _ in range(ROUNDS)
        )


class TwoWorkersOverOne:
    param_names = ["m"]
    params = [some([3, 8, 32, 128, 512])]
    unit = "of one worker's time"

    def setup(self, m):
        self.a = stack(m, "float64")
        self.out = np.empty_like(self.a)

    def track_time(self, m):
        keywords = {"out": self.out}
        stackinv.inv(self.a, workers=2, **keywords)
        return statistics.median(
            seconds(stackinv.inv, self.a, workers=2, **keywords) / seconds(stackinv.inv, self.a, workers=1, **keywords)
            for _ in range(ROUNDS)
        )
