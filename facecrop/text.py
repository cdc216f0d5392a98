"""Write file names as text: on most systems a name is bytes, and these need not be UTF-8."""

from __future__ import annotations

import os


def as_text(source: str | os.PathLike[str] | int) -> str:
    r"""Write a path as text that any file and database takes: bytes that are no UTF-8 become \xff; numbers stay."""
    return str(source) if isinstance(source, int) else os.fsencode(source).decode("utf-8", "backslashreplace")


def printable(path: str | os.PathLike[str]) -> str:
    """Write a path on one line that any terminal and any JSON reader takes, whatever bytes its name holds."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in as_text(path))
