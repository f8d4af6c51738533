# SPDX-License-Identifier: BSD-3-Clause
"""What the control groups of this process, and those above them, allow it."""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path

MEMBERSHIP = Path("/proc/self/cgroup")
ROOT = Path("/sys/fs/cgroup")


def _directories(controller: str, membership: Path, root: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        for line in membership.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and controller not in controllers.split(","):
                continue
            base = root / controllers if controllers else root
            group = base / path.lstrip("/")
            for directory in (group, *group.parents):
                yield directory
                if directory == base:
                    break


def cores(membership: Path = MEMBERSHIP, root: Path = ROOT) -> float:
    """The smallest CPU quota, in cores; infinity if there is none."""
    return min(map(_cores, _directories("cpu", membership, root)), default=math.inf)


def _cores(directory: Path) -> float:
    try:
        if (directory / "cpu.max").exists():
            quota, period = (directory / "cpu.max").read_text().split()
        else:
            quota = (directory / "cpu.cfs_quota_us").read_text()
            period = (directory / "cpu.cfs_period_us").read_text()
        return math.inf if quota == "max" or int(quota) <= 0 else int(quota) / int(period)
    except (OSError, ValueError):
        return math.inf


def memory(membership: Path = MEMBERSHIP, root: Path = ROOT) -> float:
    """The smallest limit of memory, in bytes; infinity if there is none."""
    return min(map(_memory, _directories("memory", membership, root)), default=math.inf)


def _memory(directory: Path) -> float:
    for name in ("memory.max", "memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):  # "max"
            return int((directory / name).read_text())
    return math.inf
