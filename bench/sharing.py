"""What the sharing of work between threads is decided by, measured.

python bench/sharing.py
"""

import statistics
import time

import numpy as np

import stackinv
from stackinv import _blas, _engines, _lapack, _native


def microseconds(n: int, m: int, workers: int | None, rest: float) -> float:
    """Median time of a call, each after so many seconds of rest."""
    a = np.random.default_rng(0).standard_normal((n, m, m))
    out = np.empty_like(a)
    stackinv.inv(a, out=out, workers=workers)
    times = []
    for _ in range(41 if n * m**3 < 1e7 else 7):
        time.sleep(rest)
        start = time.perf_counter()
        stackinv.inv(a, out=out, workers=workers)
        times.append(time.perf_counter() - start)
    return 1e6 * statistics.median(times)


def break_even() -> None:
    print("Two workers over one with LAPACK, whatever the size (the threshold is where the last column exceeds 1):")
    print("   M    n   1 worker (us)   in a loop   after 20 ms of rest")
    _engines.use_engine("lapack")
    before = _lapack.override_sharing(1, 0)
    for m in (4, 8, 16, 32, 64):
        for n in (2, 8, 32, 128):
            loop, rested = ([microseconds(n, m, workers, rest) for workers in (1, 2)] for rest in (0, 0.02))
            print(f"{m:4d} {n:4d} {loop[0]:15.1f} {loop[0] / loop[1]:11.2f} {rested[0] / rested[1]:21.2f}")
    _lapack.override_sharing(*before)
    _engines.use_engine(None)


def one_matrix() -> None:
    print("\nTwo threads over one at one matrix, by the blocked engine (SERIAL_ROWS) and by BLAS (blas_speedup):")
    before = _native.override_sharing(0), _lapack.override_sharing(1, 0)
    for m in (64, 96, 128, 192, 256, 384, 512, 1024, 2048):
        ratios = []
        for engine in ("blocked", "lapack"):
            _engines.use_engine(engine)
            ratios.append(microseconds(1, m, 1, 0) / microseconds(1, m, 2, 0))
        print(f"{m:5d} {ratios[0]:6.2f} {ratios[1]:6.2f}", flush=True)
    _native.override_sharing(before[0])
    _lapack.override_sharing(*before[1])
    _engines.use_engine(None)


def few_large() -> None:
    print("\nTwo workers over one for n matrices of M = 1024:")
    for n in (1, 2, 3, 5):
        print(f"{n:3d} {microseconds(n, 1024, 1, 0) / microseconds(n, 1024, 2, 0):6.2f}", flush=True)


def default_over_one() -> None:
    print("\nThe default over one worker (never below 1 but for noise):")
    print("   M " + "".join(f"  n={n:<5d}" for n in (1, 2, 3, 5, 10, 100, 1000)) + " in a loop; after 20 ms of rest")
    for m in (2, 4, 8, 16, 24, 32, 64, 128, 256, 512):
        cells = []
        for n in (1, 2, 3, 5, 10, 100, 1000):
            if n * m**3 > 2e9:
                cells.append("        ")
                continue
            ratios = [microseconds(n, m, 1, rest) / microseconds(n, m, None, rest) for rest in (0, 0.02)]
            cells.append(f"{ratios[0]:4.2f};{ratios[1]:4.2f}")
        print(f"{m:4d} " + "".join(cell.rjust(9) for cell in cells), flush=True)


if __name__ == "__main__":
    print(f"BLAS: {[lib.info()['filepath'].rsplit('/', 1)[-1] for lib in _blas.libraries()]}\n")
    break_even()
    one_matrix()
    few_large()
    default_over_one()
