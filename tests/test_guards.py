"""No byte beyond input and output is read or written: memory that must not be touched lies right before and behind.

`--all-guards` takes every order up to 70 with every number of matrices that a tile may have, and one more.
"""

import sys

import pytest
from conftest import run

from stackinv import _native

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="calls mprotect")

GUARDED = """
import ctypes, mmap, sys
import numpy as np, stackinv
from stackinv import _engines, _native
protect = ctypes.CDLL(None, use_errno=True).mprotect
keep = []

def guarded(size):
    page = mmap.PAGESIZE
    inner = -(-size // page) * page
    whole = mmap.mmap(-1, inner + 2 * page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(whole))
    for edge in (start, start + page + inner):
        assert protect(ctypes.c_void_p(edge), ctypes.c_size_t(page), 0) == 0
    keep.append(whole)
    return np.frombuffer(whole, np.uint8, inner, page)

# How a stack of n matrices of order m lies in memory: the numbers from its first to its last, and the view.
LAYOUTS = {
    "by rows": lambda n, m: (n * m * m, lambda x: x.reshape(n, m, m)),
    "by columns": lambda n, m: (n * m * m, lambda x: x.reshape(n, m, m).swapaxes(1, 2)),
    "matrix last": lambda n, m: (n * m * m, lambda x: x.reshape(m, m, n).transpose(2, 0, 1)),
    "padded": lambda n, m: (n * m * (m + 3) - 3, lambda x: strided(x, n, m, m * (m + 3), m + 3, 1)),
    "spaced": lambda n, m: (n * m * m * 2 - 1, lambda x: strided(x, n, m, m * m * 2, m * 2, 2)),
    "backwards": lambda n, m: (n * m * m, lambda x: x.reshape(n, m, m)[::-1, ::-1, ::-1]),
}
UNTOUCHED = 0xA5

def strided(x, n, m, *steps):
    return np.lib.stride_tricks.as_strided(x, (n, m, m), [x.itemsize * step for step in steps])

def matrices_of(structure, n, m, dtype, rng):
    a = rng.standard_normal((n, m, m)).astype(dtype)
    mirrored = np.swapaxes(a, 1, 2)
    a = a + (mirrored if structure == "sym" else mirrored.conj()) + 9 * m * np.eye(m, dtype=dtype)
    return {"upper triangular": np.triu, "lower triangular": np.tril, "diagonal": lambda a: a * np.eye(m)}.get(
        structure, lambda a: a)(a).astype(dtype)
"""
STRUCTURES = ["gen", "pos", "sym", "her", "upper triangular", "lower triangular", "diagonal"]


def test_every_layout(engine, request):
    full = request.config.getoption("--all-guards")
    orders = list(range(1, 71)) if full else [*range(1, 21), 33]
    lengths = [*range(1, 18), 33] if full else [1, 2, 7, 9, 17, 33]
    output = run(
        GUARDED
        + f"""
_engines.use_engine("{engine}")
_engines.use_build("{_native.build_used()}")
orders, lengths = {orders}, {lengths}
if "{engine}" == "blocked" and len(orders) == 70:
    lengths = [1, 2, 7, 33]  # it knows no tiles of matrices
structures = {STRUCTURES}
most = max(lengths) * max(orders) * (max(orders) + 3) * 32
memory, out_memory = guarded(most), guarded(most)
rng = np.random.default_rng(0)
calls = 0
for dtype in "fdFD":
    for m in orders:
        for n in lengths:
            for number, structure in enumerate(structures):
                a = matrices_of(structure, n, m, dtype, rng)
                expected = np.linalg.inv(a)
                for layout in LAYOUTS:
                    # All structures by rows and by columns, in turn in the other layouts.
                    if not layout.startswith("by ") and (m + n - number) % len(structures):
                        continue
                    other = dict(zip("fdFD", "dfDF"))[dtype] if calls // 2 % 5 == 0 else dtype
                    numbers, view = LAYOUTS[layout](n, m)
                    size, out_size = numbers * a.itemsize, numbers * np.dtype(other).itemsize
                    for end in (False, True):
                        part = slice(len(memory) - size, None) if end else slice(0, size)
                        out_part = slice(len(memory) - out_size, None) if end else slice(0, out_size)
                        given = view(memory[part].view(dtype))
                        out_memory[out_part] = UNTOUCHED
                        out = view(out_memory[out_part].view(other))
                        given[...] = a
                        stackinv.inv(given, out=out, dtype=dtype, assume_a=structure)
                        calls += 1
                        assert np.abs(out - expected).max() < 1e-4, (dtype, m, n, layout, structure)
                        out[...] = 0
                        gaps = (out_memory[out_part] == UNTOUCHED).sum()
                        assert gaps == (numbers - n * m * m) * out.itemsize, (dtype, m, n, layout, structure)
print(calls)
""",
        timeout=3000,
    )
    assert int(output) > 100


def test_results_that_go_past_the_caches():
    output = run(
        GUARDED
        + """
for dtype in "fdFD":
    for m in (3, 8):
        n = (34 << 20) // (m * m * np.dtype(dtype).itemsize) + 5
        size = n * m * m * np.dtype(dtype).itemsize
        memory, out_memory = guarded(size), guarded(size)
        for structure in ("gen", "diagonal"):
            for part in (slice(0, size), slice(len(memory) - size, None)):
                a, out = (x[part].view(dtype).reshape(n, m, m) for x in (memory, out_memory))
                a[...] = 4 * np.eye(m)
                stackinv.inv(a, out=out, assume_a=structure)
                assert (out == np.eye(m) / 4).all()
        del memory, out_memory, a, out
        keep.clear()
print("done")
""",
        timeout=300,
    )
    assert output == "done\n"
