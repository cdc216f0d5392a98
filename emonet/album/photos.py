"""The photos below a folder, each with the name that it has in the album."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from emonet.database import holds_journal
from emonet.errors import ImageError
from emonet.folders import FACES_MARK, PHOTOS_MARK
from facecrop.folders import iter_files
from facecrop.images import is_image_file
from facecrop.text import as_text

Stamp = tuple[int, int]  # size in bytes, and time of the last change in nanoseconds


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """A photo on disk.

    Attributes:
        path: The file.
        name: The path below the folder of photos, with slashes, as the system has it.
        failure: Why there is no file: the path is a folder that cannot be listed.
        stamp: Tells whether the file has changed.
    """

    path: Path
    name: str
    failure: ImageError | None
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class PhotoListing:
    """The photos below a folder, in order, and what is passed over.

    Attributes:
        photos: In order.
        others: The number of other files by the endings of their names.
        albums: The folders that runs wrote, with slashes, below the folder of photos.
    """

    photos: list[PhotoFile]
    others: Counter[str]
    albums: list[str] = field(default_factory=list)


def is_written(folder: Path) -> bool:
    """Tell whether a run wrote a folder: what looks like photos in it are copies."""
    return holds_journal(folder) or any((folder / mark).is_file() for mark in (PHOTOS_MARK, FACES_MARK))


def list_photos(place: Path) -> PhotoListing:
    """List the photos below a folder, sorted; hidden files are left out.

    Films, texts and other files, which lie in every folder of photos, are counted and passed over. So are folders that
    an earlier run wrote: they hold copies of photos.

    Args:
        place: The folder, or a single file, which is listed whatever it is.
    """
    if not place.is_dir():
        return PhotoListing([_describe(place, place.parent, None)], Counter())
    photos: list[PhotoFile] = []
    others: Counter[str] = Counter()
    albums: list[str] = []

    def is_album(folder: Path) -> bool:
        if found := is_written(folder):
            albums.append(folder.relative_to(place).as_posix())
        return found

    for path, failure in iter_files(place, is_album):
        if failure or is_image_file(path):
            photos.append(_describe(path, place, failure))
        else:
            others[path.suffix.lower()] += 1
    return PhotoListing(photos, others, albums)


def list_sources(photos: Iterable[PhotoFile]) -> Iterator[tuple[str, Path | ImageError]]:
    """Yield photos as `answer_photos` takes them: each with its name as text."""
    return ((as_text(photo.name), photo.failure or photo.path) for photo in photos)


def _describe(path: Path, folder: Path, failure: ImageError | None) -> PhotoFile:
    try:
        status = path.stat()
        stamp = (status.st_size, status.st_mtime_ns)
    except OSError:  # the file went away: reading it will say so
        stamp = (0, 0)
    return PhotoFile(path, path.relative_to(folder).as_posix(), failure, stamp)
