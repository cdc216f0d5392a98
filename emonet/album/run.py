"""The expressions in many photos, written as an album: tables, pages, and copies with the faces drawn in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import compress
from pathlib import Path

from emonet.album.album import write_album
from emonet.album.entry import Entry
from emonet.album.journal import Journal
from emonet.album.looks import look_at
from emonet.album.page_data import locate_originals
from emonet.album.photos import PhotoFile, list_photos, read_photos
from emonet.album.tables import write_tables
from emonet.album.views import locate_view, write_view
from emonet.atomic import SUFFIX, write_atomically
from emonet.errors import ImageError, OptionError
from emonet.prediction import EmotionPredictor, draw
from emonet.prediction.prediction import as_text
from emonet.prediction.predictor import AnsweredPhoto
from facecrop.images import encode_jpeg, limit_size

JOURNAL, ANNOTATED = "journal.sqlite", "annotated"
THUMBNAIL = 320  # pixels of the longer side

Watch = Callable[[Entry, bool], None]  # told of each photo in order, and whether an earlier run did it


class AlbumRun:
    """A run over all photos below a folder, which writes an album into another folder.

    Run again, it does only the photos that are new or have changed.

    Args:
        photos: The folder with the photos. Nothing is written there.
        album: The folder to write.
        predictor: What finds and reads the faces.
        annotate: Also write copies of the photos with the faces drawn in.
        views: Also write copies of 1,280 pixels, which the album enlarges where a browser has no original.

    Raises:
        OptionError: The album would lie among the photos.
    """

    def __init__(
        self, photos: Path, album: Path, predictor: EmotionPredictor, *, annotate: bool = False, views: bool = False
    ) -> None:
        if album.resolve().is_relative_to(photos.resolve()):
            raise OptionError(f"{album} is among the photos; nothing is written next to your photos")
        self.album = album
        self.predictor = predictor
        self.annotate, self.views = annotate, views
        self.title = photos.resolve().name
        self.originals = locate_originals(photos, album)
        listing = list_photos(photos)
        self.photos, self.others = listing.photos, listing.others

    def __len__(self) -> int:
        return len(self.photos)

    def run(self, watch: Watch) -> Path:
        """Look at all photos and write the album.

        A run that was stopped or killed goes on after the last photo that it told of.

        Args:
            watch: Told of each photo, in order.

        Returns:
            The page to open: `album.html`.

        Raises:
            OptionError: Another run is writing this album now.
        """
        with self._open_journal() as journal:
            for part in self.album.rglob(f"*{SUFFIX}"):  # left by a run that was killed while it wrote
                part.unlink()
            done = [self._find_done(photo, journal) is not None for photo in self.photos]
            new = compress(self.photos, [not one for one in done])
            answers = self.predictor.answer(read_photos(new))
            for photo, is_done in zip(self.photos, done, strict=True):
                if is_done:
                    watch(self._read_entry(photo, journal), True)
                else:
                    entry = self._make_entry(photo, next(answers))
                    journal.add(photo.name, photo.stamp, entry)
                    watch(entry, False)
            return self._write(journal)

    def entries(self) -> Iterator[Entry]:
        """Read the entries of all photos in order, after the run."""
        with self._open_journal() as journal:
            yield from self._read_entries(journal)

    def _write(self, journal: Journal) -> Path:
        classes, answered_by = self.predictor.classes, self.predictor.answered_by
        write_tables(self._read_entries(journal), self.album, classes, answered_by)
        return write_album(
            self._read_entries(journal),
            self.album,
            title=self.title,
            classes=classes,
            count=len(self.photos),
            footer="Answered by the head {head} (prior: {prior}).".format(**answered_by),
            originals=self.originals,
            find_view=self._find_views().get if self.views else None,
        )

    def _find_views(self) -> dict[str, str]:
        """Find the addresses of views, by the paths of entries; what cannot be read has none."""
        addresses = {as_text(photo.name): locate_view(photo) for photo in self.photos}
        return {path: address for path, address in addresses.items() if (self.album / address).is_file()}

    def _open_journal(self) -> Journal:
        return Journal(self.album / JOURNAL, self.predictor.identity)

    def _read_entries(self, journal: Journal) -> Iterator[Entry]:
        return (self._read_entry(photo, journal) for photo in self.photos)

    def _read_entry(self, photo: PhotoFile, journal: Journal) -> Entry:
        entry = journal.find(photo.name, photo.stamp)
        if entry is None:
            raise OptionError(f"{as_text(photo.name)!r} is not in the album yet: run first")
        return entry

    def _find_done(self, photo: PhotoFile, journal: Journal) -> Entry | None:
        """Find what an earlier run wrote of a photo, with the copies if there shall be some."""
        entry = journal.find(photo.name, photo.stamp)
        if entry is None or entry.result.error is not None:
            return entry
        wanted = [self._copy_path(photo)] if self.annotate else []
        wanted += [self.album / locate_view(photo)] if self.views else []
        return entry if all(path.is_file() for path in wanted) else None

    def _make_entry(self, photo: PhotoFile, answered: AnsweredPhoto) -> Entry:
        image, path = answered.image, as_text(photo.name)
        result = replace(answered.result, source=path)
        if isinstance(image, ImageError):
            return Entry(path, 0, 0, result)
        if self.annotate:
            self._copy_path(photo).parent.mkdir(parents=True, exist_ok=True)
            with write_atomically(self._copy_path(photo)) as temporary:
                temporary.write_bytes(encode_jpeg(draw(image, result.predictions)))
        if self.views:
            write_view(self.album, photo, image)
        height, width = image.shape[:2]
        looks = look_at(image, [one.face for one in result.predictions])
        return Entry(path, width, height, result, encode_jpeg(limit_size(image, THUMBNAIL)), looks)

    def _copy_path(self, photo: PhotoFile) -> Path:
        """Return where the photo lies with its faces drawn in."""
        return self.album / ANNOTATED / f"{photo.name}.jpg"
