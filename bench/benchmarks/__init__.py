"""What asv times, on any commit: only the public functions are called.

Libraries read the number of threads when they are imported, and asv imports NumPy before this file. So it has to be in
the environment, where `asv.conf.json` puts it.
"""

import os

THREADS = 2

given = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
if given["OMP_NUM_THREADS"] is None or any(value not in (None, str(THREADS)) for value in given.values()):
    raise RuntimeError(f"set OMP_NUM_THREADS={THREADS} in the environment, and no others differently; got {given}")
