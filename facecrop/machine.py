"""How many processors and how much memory this process may use, also in a container."""

from __future__ import annotations

import os
import sys
from math import ceil, inf
from pathlib import Path

GROUP = Path("/sys/fs/cgroup")  # of Linux: the limits of a container
MEMORY = Path("/proc/meminfo")
MOST_PROCESSES = 61 if sys.platform == "win32" else sys.maxsize  # that a pool may have


def count_processors() -> int:
    """Count the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), _read_quota())
    return os.cpu_count() or 1


def find_free_memory() -> float:
    """Return the memory that this process may still take, in bytes; infinite if the system does not say."""
    return min(_read_available(), _read_left())


def _read_quota() -> int:
    """Read how many processors a container may use; as many as there are where nothing limits them."""
    try:
        quota, period = (GROUP / "cpu.max").read_text().split()  # "200000 100000": microseconds of processor time
        return max(1, ceil(int(quota) / int(period)))
    except (OSError, ValueError):  # no such file, or "max 100000"
        return os.cpu_count() or 1


def _read_available() -> float:
    """Read how much memory is free, or would be if the system dropped what it keeps of files."""
    try:
        lines = dict(line.split(":", 1) for line in MEMORY.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024.0
    except (OSError, ValueError, KeyError):  # not Linux
        pass
    try:
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return inf


def _read_left() -> float:
    """Read how much memory a container may still take; infinite where nothing limits it."""
    try:
        most, used = (int((GROUP / name).read_text()) for name in ("memory.max", "memory.current"))
    except (OSError, ValueError):  # no such file, or "max"
        return inf
    return max(0.0, float(most - used))
