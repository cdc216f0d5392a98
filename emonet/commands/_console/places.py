"""The photos and folders that a command is given: paths, and patterns that the shell did not fill in."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from emonet.errors import MissingFileError, OptionError
from facecrop._sources import find_url

if TYPE_CHECKING:
    from emonet.album import PhotoListing
    from emonet.album.photos import PhotoFile

MAGIC = ("*", "?", "[")


def expand_places(given: Iterable[Path]) -> list[Path]:
    """Return the photos and folders that are meant, each once, in the order in which they were given.

    Raises:
        MissingFileError: A path does not exist, or nothing fits a pattern.
        OptionError: A path is a URL.
    """
    return list(dict.fromkeys(place for one in given for place in _expand(one)))


def list_places(places: Sequence[Path]) -> PhotoListing:
    """List the photos of all places, each once; of several, each has the path by which it was given as its name.

    Of several places, those that runs wrote are passed over: a pattern such as * fits them, too.
    """
    from emonet.album import PhotoListing, list_photos
    from emonet.album.photos import is_written

    albums = [place for place in places if len(places) > 1 and is_written(place)]
    own = [place for place in places if not any(place.is_relative_to(album) for album in albums)]
    found = [list_photos(place) for place in own]
    once: dict[Path, PhotoFile] = {}
    for photo in (photo for one in found for photo in one.photos):
        once.setdefault(photo.path.resolve(), photo)
    photos = list(once.values())
    if len(places) != 1:
        photos = [replace(photo, name=str(photo.path)) for photo in photos]
    others = sum((one.others for one in found), Counter[str]())
    named = [str(album) for album in albums if not any(album.is_relative_to(place) for place in own)]
    return PhotoListing(photos, others, [*named, *(album for one in found for album in one.albums)])


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
