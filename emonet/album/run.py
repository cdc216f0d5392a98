"""The expressions in a folder of photos, on disk: tables, an album, and copies with the faces drawn in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from emonet.album.album import write_album
from emonet.album.entry import Entry
from emonet.album.journal import Journal
from emonet.album.photos import Photo, list_photos, read_photos
from emonet.album.tables import write_tables
from emonet.atomic import SUFFIX, write_atomically
from emonet.errors import ImageError, OptionError
from emonet.prediction import EmotionPredictor, draw
from emonet.prediction.prediction import written
from emonet.prediction.predictor import Answered
from facecrop.images import jpeg, limited

JOURNAL, ANNOTATED = "journal.jsonl", "annotated"
THUMBNAIL = 320  # pixels of the longer side

Watch = Callable[[Entry, bool], None]  # told of each photo in order, and whether it was done before


class FolderRun:
    """All photos of a folder, whose results are written into another. Run again, it does what is new or has changed."""

    def __init__(self, photos: Path, out: Path, predictor: EmotionPredictor, *, annotate: bool = False) -> None:
        if out.resolve().is_relative_to(photos.resolve()):
            raise OptionError(f"{out} is among the photos; nothing is written next to your photos")
        self.out = out
        self.predictor = predictor
        self.annotate = annotate
        self.title = photos.resolve().name
        found = list_photos(photos)
        self.photos, self.others = found.photos, found.others  # and files that are no photos

    def __len__(self) -> int:
        return len(self.photos)

    def run(self, watch: Watch) -> Path:
        """Gives the album. Stopped at any moment and run again, it goes on after the last photo that it told of."""
        for part in self.out.rglob(f"*{SUFFIX}"):  # of a run that was killed while it wrote
            part.unlink()
        with self._journal() as journal:
            known = {photo.name for photo in self.photos if self._is_done(photo, journal)}
            answers = self.predictor.answer(read_photos(photo for photo in self.photos if photo.name not in known))
            for photo in self.photos:
                if photo.name in known:
                    watch(journal[photo.name], True)
                else:
                    entry = self._entry(photo, next(answers))
                    journal.add(photo.name, photo.stamp, entry)
                    watch(entry, False)
            return self._write(journal)

    def _write(self, journal: Journal) -> Path:
        classes, answered = self.predictor.classes, self.predictor.answered_by
        write_tables(self._entries(journal), self.out, classes, answered)
        return write_album(
            self._entries(journal),
            self.out,
            title=self.title,
            classes=classes,
            count=len(self.photos),
            footer="Answered by the head {head} (prior: {prior}).".format(**answered),
        )

    def entries(self) -> Iterator[Entry]:
        """All photos in order, after the run."""
        with self._journal() as journal:
            yield from self._entries(journal)

    def _entries(self, journal: Journal) -> Iterator[Entry]:
        return (journal[photo.name] for photo in self.photos)

    def _journal(self) -> Journal:
        return Journal(self.out / JOURNAL, self.predictor.identity)

    def _is_done(self, photo: Photo, journal: Journal) -> bool:
        if not journal.knows(photo.name, photo.stamp):
            return False
        return not self.annotate or journal[photo.name].result.error is not None or self._copy(photo).is_file()

    def _entry(self, photo: Photo, answered: Answered) -> Entry:
        image, path = answered.image, written(photo.name)
        result = replace(answered.result, source=path)
        if isinstance(image, ImageError):
            return Entry(path, 0, 0, result)
        if self.annotate:
            self._copy(photo).parent.mkdir(parents=True, exist_ok=True)
            with write_atomically(self._copy(photo)) as temporary:
                temporary.write_bytes(jpeg(draw(image, result.predictions)))
        height, width = image.shape[:2]
        return Entry(path, width, height, result, jpeg(limited(image, THUMBNAIL)))

    def _copy(self, photo: Photo) -> Path:
        """Where the photo lies with its faces drawn in."""
        return self.out / ANNOTATED / f"{photo.name}.jpg"
