"""Find what kills the process that works on it, in a process of its own: `python -m` runs this module.

A decoder that crashes, or an image that takes all memory, ends the Python process of an executor. Spark tries such a
task again; when it was killed twice, its pieces are tried one after the other, and those that kill are left out.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from emonet.spark.packing import pack, unpack

SUSPICIOUS = 2  # attempts at a task that failed before its pieces are tried
TRIES = 2  # at a piece: a process may be killed for what another has done
KILLED = "the process that read it was killed, each time it was tried"

Piece = TypeVar("Piece")


def is_suspicious() -> bool:
    """Tell whether the task that this process works on has failed so often that its pieces are to be tried."""
    from pyspark import TaskContext

    context = TaskContext.get()
    return context is not None and context.attemptNumber() >= SUSPICIOUS


def find_killers(work: Callable[[Piece], object], pieces: Sequence[Piece]) -> set[int]:
    """Find the places of the pieces that kill the process which works on them.

    Args:
        work: Works on a piece; a function of a module, or a `functools.partial` of one. What it raises does not matter.
        pieces: Can be pickled.
    """
    killers: set[int] = set()
    first = tried = 0
    while first < len(pieces):
        done = _try(work, pieces[first:])
        tried = 1 if done else tried + 1
        first += done
        if first < len(pieces) and tried == TRIES:
            killers.add(first)
            first, tried = first + 1, 0
    return killers


def _try(work: Callable[[Any], object], pieces: Sequence[Any]) -> int:
    """Work on pieces in another process; return how many it did before it was killed."""
    packed = pack((work, pieces))
    ended = subprocess.run([sys.executable, "-m", __name__], input=packed, capture_output=True, check=False)
    return ended.stdout.count(b"done\n")


def _main(packed: bytes) -> None:
    work, pieces = unpack(packed)
    for piece in pieces:
        try:
            work(piece)
        except Exception as error:  # noqa: BLE001  (whoever works on it in earnest will raise it)
            sys.stderr.write(f"{error}\n")
        sys.stdout.write("done\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _main(sys.stdin.buffer.read())
