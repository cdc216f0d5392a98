"""Walk a folder of photos: never out of it, never held up by odd files, never stopped by bad ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from facecrop.errors import ImageError, MissingFileError
from facecrop.images import MAX_BYTES, MAX_PIXELS, Image, try_read_image

# Files and folders of Windows, of network drives and of Linux; recycle bins hold what its owner threw away.
SYSTEM_FILES = {
    *("thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information"),
    *("@eadir", "#recycle", "lost+found"),
}
GONE = "was removed while the folder was read"


def iter_images(
    folder: str | os.PathLike[str],
    max_side: int | None = None,
    *,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
) -> Iterator[tuple[Path, Image | ImageError]]:
    """Read every file below a folder, one at a time.

    Files are sorted by name, folder by folder. Hidden files and links are passed over, see `iter_files`.

    Args:
        folder: The folder.
        max_side: As in `read_image`.
        max_pixels: As in `read_image`.
        max_bytes: As in `read_image`.

    Returns:
        An iterator with each path and its image, or the ImageError that says why there is none.

    Raises:
        MissingFileError: There is no such folder.

    Examples:
        >>> import tempfile
        >>> from facecrop import iter_images
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     list(iter_images(folder))
        []
    """
    return (
        (path, failure or try_read_image(path, max_side, missing=GONE, max_pixels=max_pixels, max_bytes=max_bytes))
        for path, failure in iter_files(folder)
    )


def iter_files(
    folder: str | os.PathLike[str], skip: Callable[[Path], bool] = lambda _: False, *, follow: bool = False
) -> Iterator[tuple[Path, ImageError | None]]:
    """List the regular files below a folder, sorted; what cannot be listed comes with its ImageError.

    Hidden names (.DS_Store, .thumbnails/) and the system's own files are passed over, and so are devices, FIFOs and
    sockets. So are links: their targets inside the folder are listed anyway, and files outside of it were not asked
    for, unless you say so.

    Args:
        folder: The folder.
        skip: Is asked about each folder below it; nothing is listed of those for which it is true.
        follow: Follow links to files, and those to folders outside of it, to each folder once.
    """
    root = Path(folder)
    if not root.is_dir():
        raise MissingFileError(f"no such folder: {root}")
    return _walk(root, skip, Links(root) if follow else None)


class Links:
    """Decides which links below a folder are followed: all but those to folders that are listed anyway."""

    def __init__(self, root: Path) -> None:
        self._roots = [root.resolve()]

    def leads_on(self, entry: os.DirEntry[str]) -> bool:
        """Tell whether a link leads to something that is listed by no other name; a folder is remembered."""
        target = Path(os.path.realpath(entry.path))
        if _explain_broken(entry) or not target.is_dir():
            return True
        known = any(target.is_relative_to(root) or root.is_relative_to(target) for root in self._roots)
        if not known:
            self._roots.append(target)
        return not known


def _walk(root: Path, skip: Callable[[Path], bool], links: Links | None) -> Iterator[tuple[Path, ImageError | None]]:
    """List files with a stack of our own: folders may lie deeper in each other than Python's calls may."""
    waiting = [(root, "folder")]  # the next one is last
    while waiting:
        path, kind = waiting.pop()
        if kind != "folder":
            yield path, None if kind == "file" else ImageError(path, kind)
        elif path == root or not skip(path):
            try:
                waiting.extend(reversed(_list_entries(path, links)))
            except OSError as error:
                yield path, ImageError(path, f"cannot be listed: {error.strerror}")


def _list_entries(folder: Path, links: Links | None) -> list[tuple[Path, str]]:
    """List the files, folders and broken links in a folder, sorted, and what each is."""
    with os.scandir(folder) as listing:
        entries = sorted(listing, key=lambda entry: os.fsencode(entry.name))
    shown = [entry for entry in entries if not entry.name.startswith(".") and entry.name.lower() not in SYSTEM_FILES]
    wanted = [entry for entry in shown if not entry.is_symlink() or (links is not None and links.leads_on(entry))]
    return [(folder / entry.name, kind) for entry in wanted if (kind := _find_kind(entry)) is not None]


def _explain_broken(entry: os.DirEntry[str]) -> str | None:
    """Say why a link cannot be followed; None if it can, or is none."""
    if entry.is_symlink():
        try:
            Path(entry.path).stat()
        except PermissionError as error:
            return f"is a link that cannot be followed: {error.strerror}"
        except OSError:
            return "is a link to a file that is not there"
    return None


def _find_kind(entry: os.DirEntry[str]) -> str | None:
    """Tell what an entry is, or what is wrong with it; None if it is a device, a FIFO or a socket."""
    if fault := _explain_broken(entry):
        return fault
    return "folder" if entry.is_dir() else "file" if entry.is_file() else None
