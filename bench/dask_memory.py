"""What memory a dask cluster takes to invert a stack from disk to disk.

    python bench/dask_memory.py [GB]      # 2 by default

Four workers of one thread each, chunks of 64 MB, zarr without compression; needs the `dask` extra. The peak is that of
the proportional set sizes of all worker processes together, sampled every 20 ms.
"""

import math
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import dask.array as da
import numpy as np
from distributed import Client, LocalCluster

import stackinv

M = 32


def resident(pids: list[int]) -> int:
    """Bytes that these processes hold in memory, shared pages shared out."""
    total = 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
    return total


def main() -> None:
    size = float(sys.argv[1]) if len(sys.argv) > 1 else 2
    chunk = 64_000_000 // (8 * M * M)
    n = math.ceil(size * 1e9 / 64e6) * chunk
    with (
        tempfile.TemporaryDirectory() as directory,
        LocalCluster(n_workers=4, threads_per_worker=1, memory_limit="1GB", dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        source, target = (str(Path(directory) / name) for name in ("stack.zarr", "inverse.zarr"))
        store = {"compressors": None}
        x = da.random.default_rng(0).standard_normal((n, M, M), chunks=(chunk, M, M)) + 10 * np.eye(M)
        x.to_zarr(source, **store)
        client.restart()
        client.run(stackinv.get_workers)  # so that all have it imported
        time.sleep(1)
        pids = list(client.run(os.getpid).values())
        idle = peak = resident(pids)
        done = threading.Event()

        def watch() -> None:
            nonlocal peak
            while not done.wait(0.02):
                peak = max(peak, resident(pids))

        watcher = threading.Thread(target=watch)
        watcher.start()
        start = time.perf_counter()
        stackinv.inv(da.from_zarr(source)).to_zarr(target, **store)
        seconds = time.perf_counter() - start
        done.set()
        watcher.join()
        block = slice(n - 100, n)
        a, inverse = da.from_zarr(source)[block].compute(), da.from_zarr(target)[block].compute()
        assert np.allclose(a @ inverse, np.eye(M))
        print(f"{n * M * M * 8 / 1e9:.2f} GB in chunks of {chunk * M * M * 8 / 1e6:.0f} MB: {seconds:.1f} s")
        print(f"idle cluster {idle / 1e6:.0f} MB, at most {(peak - idle) / 1e6:.0f} MB more at work")


if __name__ == "__main__":
    main()
