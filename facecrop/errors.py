"""The errors that facecrop and emonet raise on purpose; `emonet/errors.py` draws the whole tree."""

from __future__ import annotations

import os
from pathlib import Path

from facecrop.text import printable


class EmonetError(Exception):
    """The base of every error that this distribution raises on purpose: its message says what to do."""


class OptionError(EmonetError, ValueError):
    """An argument or option has a value that cannot be used."""


class MissingFileError(EmonetError, FileNotFoundError):
    """A file or folder that was named does not exist."""


class MachineError(EmonetError, OSError):
    """The machine cannot do it: no room on the disk, too little memory, no network."""


class MissingPackageError(EmonetError, ImportError):
    """A feature was asked for, and its package is not installed; the message says what to `pip install`."""


class ImageError(EmonetError, ValueError):
    """An image cannot be read.

    Attributes:
        path: The file; None for bytes and arrays.
        reason: What is wrong with it.

    Examples:
        >>> from facecrop import ImageError, read_image
        >>> try:
        ...     read_image(b"")
        ... except ImageError as error:
        ...     print(error)
        image: the file is empty
    """

    def __init__(self, path: str | os.PathLike[str] | None, reason: str) -> None:
        self.path = None if path is None else Path(path)
        self.reason = reason
        super().__init__(f"{'image' if path is None else printable(path)}: {reason}")

    def __reduce__(self) -> tuple[type[ImageError], tuple[Path | None, str]]:
        return ImageError, (self.path, self.reason)
