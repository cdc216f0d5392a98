"""The folder that an album is written into: which files in it are ours, and what goes when its photo goes.

A run writes and removes only files that the journal lists, and lists each before it is written. All else in the folder
belongs to somebody else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from emonet.album.journal import Journal, WrittenFile
from emonet.album.photos import PhotoFile
from emonet.album.previews import FOLDER as PAGES
from emonet.atomic import find_leftovers, watching_writes, write_atomically
from emonet.database import JOURNAL, OLD_JOURNAL
from emonet.errors import OptionError
from emonet.folders import check_own
from facecrop.naming import name_copy

ANNOTATED = "annotated"  # the folder of annotated copies
BEFORE = ("album.html", "predictions.csv", "predictions.parquet", "score.json")  # what versions without a list wrote
PAGE_BEFORE = re.compile(r"[0-9]{3,}\.html")


class NotOursError(OptionError):
    """A file is in the way that no run wrote."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is in the way, and emonet has not written it: move it away, or use --overwrite")


def check_output(folder: Path, *, overwrite: bool) -> None:
    """Refuse to write into a folder that holds other things than an album.

    Raises:
        OptionError: It is a file, or it holds something and no journal.
    """
    if overwrite and not folder.is_file():
        return
    advice = (
        "choose another folder with -o, or use --overwrite, which replaces files that have the names of the album's "
        "and leaves the others"
    )
    check_own(folder, "an album", (JOURNAL, OLD_JOURNAL), advice)


class OutputFolder:
    """The folder of an album that is being written; its journal is open, so no other run is at work in it.

    Args:
        path: The folder.
        journal: Its journal.
        overwrite: Also replace files that no run wrote.
    """

    def __init__(self, path: Path, journal: Journal, *, overwrite: bool = False) -> None:
        self.path = path
        self._journal = journal
        self._overwrite = overwrite
        self._written: set[str] = set()  # by this run

    def adopt(self, photos: Iterable[str]) -> None:
        """List what is there of a version that kept no list: tables, pages, and copies of these photos."""
        pages = [path.name for path in self._list(PAGES) if PAGE_BEFORE.fullmatch(path.name)]
        names = [*BEFORE, *(f"{PAGES}/{name}" for name in pages)]
        files = [WrittenFile(name) for name in names]
        files += [WrittenFile(f"{ANNOTATED}/{photo}.jpg", photo) for photo in photos]
        for file in files:
            if (self.path / file.path).is_file():
                self._journal.note_written(file)

    def remove_parts(self) -> None:
        """Remove parts of files that a killed run left."""
        folders = [self.path, self.path / PAGES, *(path for path in self._walk(self.path / ANNOTATED))]
        for folder in folders:
            for part in find_leftovers(folder):
                part.unlink()

    @contextmanager
    def listing_writes(self) -> Iterator[None]:
        """List all that is written atomically inside the block; refuse what would replace another's file."""
        with watching_writes(lambda path: self._claim(WrittenFile(path.relative_to(self.path).as_posix()))):
            yield

    def write_copy(self, photo: PhotoFile, jpeg: bytes) -> None:
        """Write the annotated copy of a photo.

        Raises:
            NotOursError: Another's file has its name.
            OSError: The system does not take its name, or the disk is full.
        """
        path = self._copy_path(photo)
        claimed = WrittenFile(path.relative_to(self.path).as_posix(), photo.name)
        self._claim(claimed)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with write_atomically(path) as temporary:
                temporary.write_bytes(jpeg)
        except OSError:
            self._remove(claimed)  # of an earlier version of the photo
            raise
        self._journal.note_written(claimed._replace(maker=self._journal.maker, stamp=photo.stamp))

    def has_copy(self, photo: PhotoFile) -> bool:
        """Tell whether there is an annotated copy of a photo as it is now, made by this maker."""
        path = self._copy_path(photo)
        listed = self._journal.find_written(path.relative_to(self.path).as_posix())
        made_from = None if listed is None else (listed.maker, listed.stamp)
        return made_from == (self._journal.maker, photo.stamp) and path.is_file()

    def remove_old(self, photos: Iterable[PhotoFile]) -> None:
        """Remove what this run did not write and what is not of the photos as they are now."""
        stamps = {photo.name: photo.stamp for photo in photos if photo.failure is None}
        hidden = tuple(f"{photo.name}/" for photo in photos if photo.failure is not None)  # folders not listed
        for file in self._journal.list_written():
            fresh = file.photo in stamps and (file.maker, file.stamp) == (self._journal.maker, stamps[file.photo])
            if file.path in self._written or fresh or (file.photo or "").startswith(hidden):
                continue
            self._remove(file)
        if not stamps:
            return  # of a disk that is not mounted, for one: answers of many hours are not dropped
        gone = [name for name in self._journal.names - set(stamps) if not f"{name}/".startswith(hidden)]
        self._journal.forget(gone)

    def _remove(self, file: WrittenFile) -> None:
        path = self.path / file.path
        with suppress(OSError):
            path.unlink()
        self._journal.forget_written(file.path)
        with suppress(OSError):  # until a folder that holds something
            for folder in path.parents:
                if folder == self.path:
                    break
                folder.rmdir()

    def _claim(self, file: WrittenFile) -> None:
        path = self.path / file.path
        ours = file.path in self._written or self._overwrite or self._journal.find_written(file.path) is not None
        if not ours and path.exists():
            raise NotOursError(path)
        self._journal.note_written(file)
        self._written.add(file.path)

    def _copy_path(self, photo: PhotoFile) -> Path:
        return self.path / ANNOTATED / name_copy(photo.name, ".jpg")

    def _list(self, name: str) -> list[Path]:
        folder = self.path / name
        return list(folder.iterdir()) if folder.is_dir() else []

    def _walk(self, folder: Path) -> Iterator[Path]:
        """Yield a folder and all below it, however deep they lie in each other."""
        waiting = [folder] if folder.is_dir() else []
        while waiting:
            here = waiting.pop()
            yield here
            waiting.extend(path for path in here.iterdir() if path.is_dir() and not path.is_symlink())
