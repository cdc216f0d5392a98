"""The photos of a folder, each with the name it goes by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from emonet.errors import ImageError
from facecrop.folders import iter_files
from facecrop.images import is_picture
from facecrop.scanning import Read, read_ahead

Stamp = tuple[int, int]  # bytes, and when it was last changed, in nanoseconds


@dataclass(frozen=True, slots=True)
class Photo:
    """A file; of a folder that cannot be listed, `failure` says why."""

    path: Path
    name: str  # below the folder, with slashes, as the system has it
    failure: ImageError | None
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Found:
    """The photos of a folder in order, and how many other files lie there, by the endings of their names."""

    photos: list[Photo]
    others: Counter[str]


def list_photos(place: Path) -> Found:
    """All pictures below a folder, hidden ones aside, sorted; or the one file that is named, whatever it is.

    Films, texts and the like, which lie in every folder of photos, are counted and passed over.
    """
    if not place.is_dir():
        return Found([_photo(place, place.parent, None)], Counter())
    photos: list[Photo] = []
    others: Counter[str] = Counter()
    for path, failure in iter_files(place):
        if failure or is_picture(path):
            photos.append(_photo(path, place, failure))
        else:
            others[path.suffix.lower()] += 1
    return Found(photos, others)


def read_photos(photos: Iterable[Photo]) -> Iterator[Read[str]]:
    """Decoded by their names, in order, a few ahead of the one that is asked for."""
    return read_ahead((photo.name, photo.failure or photo.path) for photo in photos)


def _photo(path: Path, folder: Path, failure: ImageError | None) -> Photo:
    try:
        status = path.stat()
        stamp = (status.st_size, status.st_mtime_ns)
    except OSError:  # it went away, which reading it will say
        stamp = (0, 0)
    return Photo(path, path.relative_to(folder).as_posix(), failure, stamp)
