"""One job of `bench/wild` in a process of its own: how long it takes, as JSON.

    python bench/wild_job.py JOB RESULT [--count]

RESULT is a file for what it calculates. With --count also what went through the functions that stackinv replaces; these
take longer then, by a microsecond or two a call.
"""

import argparse
import functools
import importlib
import json
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

REPLACED = ("inv", "solve", "det", "slogdet")


def count():
    """By function and order: calls, matrices and seconds, from now on."""
    counts = defaultdict(lambda: [0, 0, 0.0])

    def counted(name):
        function = getattr(np.linalg, name)

        @functools.wraps(function)  # by which `stackinv run` finds NumPy's own
        def counting(a, *others):
            start = time.perf_counter()
            result = function(a, *others)
            seconds = time.perf_counter() - start
            *stack, m, _ = np.shape(a)
            entry = counts[name, m]
            for i, more in enumerate((1, int(np.prod(stack)), seconds)):
                entry[i] += more
            return result

        return counting

    for name in REPLACED:
        setattr(np.linalg, name, counted(name))
    return counts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("job")
    parser.add_argument("result")
    parser.add_argument("--count", action="store_true")
    arguments = parser.parse_args()
    counts = count() if arguments.count else {}
    sys.path.insert(0, str(Path(__file__).with_name("wild")))
    job = importlib.import_module(arguments.job).job
    np.linalg.inv(np.eye(2))  # with `stackinv run` the first call imports it
    counts.clear()
    start = time.perf_counter()
    result = job()
    seconds = time.perf_counter() - start
    np.save(arguments.result, result)
    keys = ("function", "m", "calls", "matrices", "seconds")
    counted = [dict(zip(keys, (*key, *entry), strict=True)) for key, entry in counts.items()]
    print(json.dumps({"seconds": seconds, "counts": counted}))


if __name__ == "__main__":
    main()
