"""What do programs that use other libraries gain from `stackinv run`, without a change?

    python bench/wild.py [JOB ...]      # by default all of bench/wild
    python bench/wild.py --rounds 1     # a first look

Each job runs in a process of its own, as it is and by `stackinv run`, in turn, in several rounds; the medians of its
time, without imports and data, end up in `bench/figures/wild.json` and the documentation. One more round counts what
goes through the functions that are replaced. Results that differ by more than rounding are an error, and so are
libraries that are not installed. `nox -s wild` installs them, with the versions in the jobs, in an environment of its
own.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import figures
import numpy as np
import tables

JOB = Path(__file__).with_name("wild_job.py")
JOBS = {path.stem: path for path in sorted(JOB.with_name("wild").glob("*.py"))}
LAUNCHERS = {"numpy": [], "stackinv": ["-m", "stackinv", "run"]}


def library(job: str) -> str:
    """What the job needs besides NumPy, SciPy and stackinv."""
    return re.search(r'^# dependencies = \["(.+)==.+"\]$', JOBS[job].read_text(), re.MULTILINE)[1]


def run(job: str, launcher: list[str], result: Path, *options: str) -> dict[str, Any]:
    command = [sys.executable, *launcher, JOB, job, result, *options]
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if process.returncode:
        sys.exit(f"{job}: {' '.join(map(str, command))} ended with {process.returncode}\n{process.stderr[-2000:]}")
    return json.loads(process.stdout.splitlines()[-1])


def difference(job: str, results: dict[str, Path]) -> float:
    """The largest, as a part of the largest number; NaN where the other is."""
    plain, other = (np.load(results[who]) for who in LAUNCHERS)
    same = np.array_equal(np.isnan(plain), np.isnan(other))
    relative = float(np.nanmax(np.abs(other - plain)) / np.nanmax(np.abs(plain)))
    if not same or not relative <= np.finfo(plain.dtype).eps ** 0.5:
        sys.exit(f"{job}: results differ by {relative:.2g} of the largest number, or in what is NaN")
    return relative


def measured(job: str, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory:
        results = {who: Path(directory, f"{who}.npy") for who in LAUNCHERS}
        times = [{who: run(job, LAUNCHERS[who], results[who])["seconds"] for who in LAUNCHERS} for _ in range(rounds)]
        differ = difference(job, results)
        counted = {who: run(job, LAUNCHERS[who], results[who], "--count") for who in LAUNCHERS}
    counts = counted["numpy"]["counts"]
    return {
        "job": job,
        "library": library(job),
        "seconds": {who: float(f"{statistics.median(time[who] for time in times):.4g}") for who in LAUNCHERS},
        "share": {
            who: round(sum(one["seconds"] for one in counted[who]["counts"]) / counted[who]["seconds"], 4)
            for who in LAUNCHERS
        },
        "calls": sum(one["calls"] for one in counts),
        "matrices": sum(one["matrices"] for one in counts),
        "orders": sorted({one["m"] for one in counts}),
        "functions": sorted({one["function"] for one in counts}),
        "difference": float(f"{differ:.2g}"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Time jobs of other libraries, as they are and by `stackinv run`.")
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=", ".join(JOBS))
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if unknown := set(arguments.jobs) - set(JOBS):
        parser.error(f"no such job: {', '.join(unknown)} (there are {', '.join(JOBS)})")
    titles, records, absent = figures.versions(), [], []
    for job in arguments.jobs or JOBS:
        name = library(job)
        try:
            titles[name] = f"{name} {version(name)}"
        except PackageNotFoundError:
            absent.append(f"{job}: {name} is not installed")
            continue
        records.append(measured(job, arguments.rounds))
        took, part = records[-1]["seconds"], records[-1]["share"]
        print(
            f"{job:20} {took['numpy']:8.3f} s, {part['numpy']:4.0%} in what is replaced; by stackinv run "
            f"{took['stackinv']:8.3f} s, {part['stackinv']:4.0%}: {took['numpy'] / took['stackinv']:.2f} x as fast",
            flush=True,
        )
    if not arguments.jobs:
        figures.save("wild", titles, records)
        tables.write()
    sys.exit("\n".join(absent) or 0)


if __name__ == "__main__":
    main()
