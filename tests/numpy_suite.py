"""Run NumPy's own tests of numpy.linalg with numpy.linalg.inv replaced by stackinv.inv.

python tests/numpy_suite.py [pytest options]
"""

import os
import sys

import numpy as np
import pytest

import stackinv


def main() -> int:
    """Replace, run, tell how often the replacement was called."""
    calls = 0

    def inv(*args: object, **kwargs: object) -> object:
        nonlocal calls
        calls += 1
        return stackinv.inv(*args, **kwargs)  # type: ignore[arg-type]

    np.linalg.inv = np.linalg._linalg.inv = inv  # type: ignore[attr-defined, assignment]
    options = ["-c", os.devnull, "-p", "no:cacheprovider", "-q", "--pyargs", "numpy.linalg.tests.test_linalg"]
    status = int(pytest.main([*options, *sys.argv[1:]]))
    print(f"stackinv.inv was called {calls} times")
    return status or (0 if calls else 1)


if __name__ == "__main__":
    sys.exit(main())
