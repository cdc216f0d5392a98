"""Walking a folder of photos without ever being led out of it, held up or thrown off."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from facecrop.errors import ImageError, MissingFileError
from facecrop.images import MAX_BYTES, MAX_PIXELS, Image, image_or_error

SYSTEM_FILES = {"thumbs.db", "desktop.ini"}
GONE = "was removed while the folder was read"


def iter_images(
    folder: str | os.PathLike[str],
    max_side: int | None = None,
    *,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
) -> Iterator[tuple[Path, Image | ImageError]]:
    """Every file under the folder with its picture, or with the ImageError that says why it has none.

    Sorted by name folder by folder, and lazy: one picture is in memory at a time. Which files: see `iter_files`.
    """
    return (
        (path, failure or image_or_error(path, max_side, missing=GONE, max_pixels=max_pixels, max_bytes=max_bytes))
        for path, failure in iter_files(folder)
    )


def iter_files(folder: str | os.PathLike[str]) -> Iterator[tuple[Path, ImageError | None]]:
    """Every regular file under the folder, sorted; a folder that cannot be listed comes with its ImageError.

    Hidden names (.DS_Store, .thumbnails/) and the system's own files are passed over, and so are devices, FIFOs and
    sockets. Links are not followed: what they lead to inside the folder is met anyway, what is outside is not ours.
    """
    root = Path(folder)
    if not root.is_dir():
        raise MissingFileError(f"no such folder: {root}")
    return _walk(root)


def _walk(folder: Path) -> Iterator[tuple[Path, ImageError | None]]:
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        yield folder, ImageError(folder, f"cannot be listed: {error.strerror}")
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name.lower() in SYSTEM_FILES:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(folder / entry.name)
        elif entry.is_file(follow_symlinks=False):
            yield folder / entry.name, None
