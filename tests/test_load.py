"""Many callers at once: right results, nothing left changed, memory as before. `--load-seconds` makes it longer."""

import sys

import pytest
from conftest import run


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("engine", ["best", "lapack"])
def test_python_threads_beside_numpy_and_scipy(engine, request):
    seconds = request.config.getoption("--load-seconds")
    output = run(
        f"""
    import os, resource, threading, time
    import numpy as np, scipy.linalg, stackinv
    from threadpoolctl import ThreadpoolController

    stackinv._engines.use_engine(None if "{engine}" == "best" else "lapack")
    counts = lambda: [lib.num_threads for lib in ThreadpoolController().select(user_api="blas").lib_controllers]
    before = counts()
    rng = np.random.default_rng(0)
    work = []
    for m in (1, 2, 3, 5, 8, 13, 21, 40, 64, 100, 150, 300):
        for dtype in "fdFD":
            a = rng.standard_normal((max(1, 40_000 // m**2), m, m)) + 1j * rng.standard_normal((m, m))
            a = (a if dtype in "FD" else a.real).astype(dtype) + 3 * m * np.eye(m, dtype=dtype)
            work.append((a, np.linalg.inv(a), np.linalg.inv(a @ a.swapaxes(1, 2).conj())))
    wide = rng.standard_normal((200, 200))
    product, solution = wide @ wide, scipy.linalg.solve(wide, wide[0])
    calls, wrong = [0] * 16, []
    all_there = threading.Barrier(16)

    def close(x, y):
        return np.abs(x - y).max() <= (1e-4 if x.dtype.char in "fF" else 1e-9) * np.abs(y).max()

    def caller(k):
        rng = np.random.default_rng(k)
        before = calls[k]
        all_there.wait()
        end = time.monotonic() + {seconds} / 2
        while calls[k] == before or time.monotonic() < end:
            a, inverse, of_square = work[rng.integers(len(work))]
            workers = [None, 1, 2, 64][rng.integers(4)]
            what = rng.integers(9)
            if what == 0:
                right = close(wide @ wide, product)
            elif what == 1:
                right = close(scipy.linalg.solve(wide, wide[0]), solution)
            elif what == 2:
                with_singular = a.copy()
                with_singular[-1] = 0
                try:
                    stackinv.inv(with_singular, workers=workers)
                except stackinv.SingularMatrixError as error:
                    right = error.indices[0].tolist() == [len(a) - 1]
            elif what == 3:
                try:
                    stackinv.inv(a, out=np.empty(3))
                except ValueError:
                    right = True
            elif what == 4:
                x, info, rcond = stackinv.inv_ex(a, workers=workers)
                right = close(x, inverse) and not info.any() and (rcond > 0).all()
            elif what == 5:
                square = a @ a.swapaxes(1, 2).conj()
                right = close(stackinv.inv(square, assume_a="pos", workers=workers, out=square), of_square)
            else:
                right = close(stackinv.inv(a[::-1], workers=workers), inverse[::-1])
            calls[k] += 1
            if not right:
                wrong.append((k, what, a.shape, a.dtype))

    def resident():
        return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

    sizes = []
    for part in range(2):  # the first one brings all caches to their size
        threads = [threading.Thread(target=caller, args=(k,)) for k in range(16)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        sizes.append(resident())
    print(sum(calls), len(wrong), counts() == before, (sizes[1] - sizes[0]) / 2**20, wrong[:3])
    """,
        timeout=120 + 3 * seconds,
    )
    print(output)
    calls, wrong, blas_as_before, growth = output.split()[:4]
    assert int(calls) >= 2 * 16  # each of them has to end, for the program to
    assert (wrong, blas_as_before) == ("0", "True"), output
    assert float(growth) < 64


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts on affinity")
def test_more_workers_and_callers_than_openblas_has_buffers():
    """Its wheels are built for 64 threads, with memory for twice as many."""
    output = run("""
    import threading
    import numpy as np, stackinv
    stackinv._workers.available_cpus = lambda: 300
    stackinv._engines.use_engine("lapack")
    a = np.random.default_rng(0).standard_normal((3000, 70, 70)) + 70 * np.eye(70)
    expected = np.linalg.inv(a)
    print(np.allclose(stackinv.inv(a, workers=300), expected))
    right = []
    barrier = threading.Barrier(150)
    def call():
        barrier.wait()
        right.append(np.allclose(stackinv.inv(a[:100], workers=3), expected[:100]))
    threads = [threading.Thread(target=call) for _ in range(150)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    print(len(right), all(right))
    """)
    assert output.split() == ["True", "150", "True"]
