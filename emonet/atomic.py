"""Write files that are complete or not there: under another name first, and renamed when every byte is on the disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SUFFIX = ".emonet-part"


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Write a file atomically.

    Yields the name to write to. After the block the file is renamed to `path`; after an error nothing is left.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp()) / "figures.json"
        >>> with write_atomically(path) as temporary:
        ...     _ = temporary.write_text("{}")
        ...     path.exists()
        False
        >>> path.read_text()
        '{}'
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}{SUFFIX}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def find_leftovers(folder: Path) -> list[Path]:
    """List the files that writers left in a folder when they were killed."""
    return list(folder.glob(f"*.*{SUFFIX}"))
