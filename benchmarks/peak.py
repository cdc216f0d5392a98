"""The most memory that a process has had."""

from __future__ import annotations

from pathlib import Path


def read_peak() -> int:
    """Read the peak of this process in MB; Linux alone tells it.

    `resource.getrusage` would tell that of the process which started it, if that is higher.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024
