"""Folders that commands write into: never among the things of somebody else."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from emonet.errors import OptionError
from facecrop.folders import SYSTEM_FILES

PHOTOS_MARK = ".emonet-photos"  # what else is in the folder are results of photos that were given one by one
FACES_MARK = ".emonet-faces"  # what else is in the folder are crops and drawings of faces


def hash_place(folder: Path) -> str:
    """Return what tells a folder from others, and not where it is: what is written may be given away."""
    return hashlib.blake2b(os.fsencode(folder.resolve()), digest_size=8).hexdigest()


def check_own(folder: Path, what: str, marks: Iterable[str], advice: str = "choose another folder with -o") -> None:
    """Refuse to write into a folder that holds other things than what is written there.

    Args:
        folder: The folder, which need not exist. Hidden files in it, and those of the system, do not count.
        what: What is written, such as "an album".
        marks: Names of files of which a folder of that kind has one.
        advice: What to do else.

    Raises:
        OptionError: It is a file, or it holds something, and none of the marks.
    """
    if folder.exists() and not folder.is_dir():
        raise OptionError(f"{folder} is a file: give a folder to write into")
    if not folder.exists() or any((folder / name).exists() for name in marks):
        return
    for path in folder.iterdir():
        if not path.name.startswith(".") and path.name.lower() not in SYSTEM_FILES:
            raise OptionError(f"{folder} holds other things than {what}, such as {path.name!r}: {advice}")
