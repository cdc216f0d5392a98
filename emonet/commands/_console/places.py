"""The photos and folders that a command is given: paths, and patterns that the shell did not fill in."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path

from emonet.errors import MissingFileError, OptionError
from facecrop._sources import find_url

MAGIC = ("*", "?", "[")


def expand_places(given: Iterable[Path]) -> list[Path]:
    """Return the photos and folders that are meant, each once, in the order in which they were given.

    Raises:
        MissingFileError: A path does not exist, or nothing fits a pattern.
        OptionError: A path is a URL.
    """
    return list(dict.fromkeys(place for one in given for place in _expand(one)))


def _expand(place: Path) -> list[Path]:
    if place.exists():
        return [place]
    if scheme := find_url(place):
        raise OptionError(f"{scheme}... is a URL; nothing is read over the network: download the photo first")
    if not any(char in str(place) for char in MAGIC):
        raise MissingFileError(f"no such photo or folder: {place}")
    found = [Path(name) for name in sorted(glob.glob(str(place), recursive=True))]
    if not found:
        raise MissingFileError(f"no photo or folder fits {place}")
    return found
