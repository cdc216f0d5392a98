"""Files that are whole or not there: written under another name, and given theirs when every byte is on the disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SUFFIX = ".emonet-part"


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Yields the name to write under; after the block the file has its own. On an error nothing stays."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}{SUFFIX}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def parts(folder: Path) -> list[Path]:
    """What writers left in a folder that were killed."""
    return list(folder.glob(f"*.*{SUFFIX}"))
