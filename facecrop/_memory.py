"""Give memory that is free back to the system, where the C library would keep it.

glibc takes large blocks from the system and gives them back when they are freed. Smaller ones stay with the thread that
had them, and which block is small rises up to 32 MB with what was freed. So each thread would keep parts of photos that
it has let go. A fixed limit (mallopt) helps as well, but it is for the whole process and for ever, and takes more of
the processor's time (docs/explanation/many-photos.md). Giving back after each large photo changes nothing else.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache


def give_back_memory() -> None:
    """Give the free memory of all threads back to the system; do nothing where the C library is not glibc."""
    if (trim := _find_trim()) is not None:
        trim(0)


@cache
def _find_trim() -> Callable[[int], int] | None:
    if sys.platform != "linux":
        return None
    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
    return found
