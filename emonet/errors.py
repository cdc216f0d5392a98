"""Every error that emonet raises on purpose.

    EmonetError                 catch this one for all of them
    ├── OptionError             an argument or option has a value that cannot be used (also a ValueError)
    ├── MissingFileError        a file or folder that was named does not exist (also a FileNotFoundError)
    ├── MissingPackageError     a feature needs a package that is not installed (also an ImportError)
    ├── MachineError            no room on the disk, too little memory, no network (also an OSError)
    ├── ImageError              an image cannot be read (also a ValueError)
    ├── DatasetError            data that cannot be used as they are (also a ValueError)
    ├── VideoError              a film cannot be read, or not to its end (also a ValueError)
    ├── CheckpointError         a model file that cannot be used (also a ValueError)
    └── TrainingError           a training that cannot go on (also a ValueError)

Messages name options as Python does, in backticks, such as `all_train`; commands show them as they are typed.

The console writes one line for these and for what the system refuses, and a traceback for everything else, which is a
bug.
"""

from __future__ import annotations

import os
from pathlib import Path

from facecrop.errors import EmonetError, ImageError, MachineError, MissingFileError, MissingPackageError, OptionError
from facecrop.text import printable

__all__ = [
    "CheckpointError",
    "DatasetError",
    "EmonetError",
    "ImageError",
    "MachineError",
    "MissingFileError",
    "MissingPackageError",
    "OptionError",
    "TrainingError",
    "VideoError",
]


class DatasetError(EmonetError, ValueError):
    """Data cannot be used as they are.

    Attributes:
        path: The file or folder.
        reason: What is wrong.
        row: The row of the file, where there is one.
    """

    def __init__(self, path: str | os.PathLike[str], reason: str, row: int | None = None) -> None:
        self.path = Path(path)
        self.reason = reason
        self.row = row
        super().__init__(f"{printable(path)}{'' if row is None else f', row {row}'}: {reason}")

    def __reduce__(self) -> tuple[type[DatasetError], tuple[Path, str, int | None]]:
        return DatasetError, (self.path, self.reason, self.row)


class CheckpointError(EmonetError, ValueError):
    """A model file cannot be used.

    Attributes:
        path: The file.
        reason: What is wrong with it, or what differs.
    """

    def __init__(self, path: str | os.PathLike[str], reason: str) -> None:
        self.path = Path(path)
        self.reason = reason
        super().__init__(f"{printable(path)}: {reason}")

    def __reduce__(self) -> tuple[type[CheckpointError], tuple[Path, str]]:
        return CheckpointError, (self.path, self.reason)


class TrainingError(EmonetError, ValueError):
    """A training cannot go on: the message says at which step, and with which images."""


class VideoError(EmonetError, ValueError):
    """A film or a camera cannot be read, or not to its end.

    Attributes:
        path: The file; None for a camera.
        reason: What is wrong with it.
    """

    def __init__(self, path: str | os.PathLike[str] | None, reason: str) -> None:
        self.path = None if path is None else Path(path)
        self.reason = reason
        super().__init__(reason if path is None else f"{printable(path)}: {reason}")

    def __reduce__(self) -> tuple[type[VideoError], tuple[Path | None, str]]:
        return VideoError, (self.path, self.reason)
