"""Copies of photos with the faces drawn in, and what is written of photos that are given one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePath

from emonet.album.entry import Entry
from emonet.album.maker import describe_maker
from emonet.album.photos import PhotoFile, list_sources
from emonet.album.tables import write_tables
from emonet.atomic import NAME_ERRORS, write_atomically
from emonet.database import holds_journal
from emonet.errors import ImageError, OptionError
from emonet.folders import PHOTOS_MARK, check_own
from emonet.prediction import EmotionPredictor, PhotoResult, Prediction
from emonet.prediction.drawing import draw_predictions
from emonet.prediction.many import PhotoAnswer, answer_photos
from facecrop.images import Image, encode_jpeg, halve_image
from facecrop.naming import name_copy

COPY_PIXELS = 36_000_000  # of a copy, for drawing and encoding takes several times its memory


def draw_copy(image: Image, predictions: Sequence[Prediction]) -> bytes:
    """Draw faces into a copy of a photo, a JPEG; one of very many pixels is half as wide and high."""
    if image.shape[0] * image.shape[1] > COPY_PIXELS:
        image = halve_image(image)
        predictions = [replace(one, face=one.face.scaled(0.5)) for one in predictions]
    return encode_jpeg(draw_predictions(image, predictions))


class PhotoWriter:
    """Writes the results of single photos into a folder.

    Args:
        folder: The folder, which is made. It must be empty, unless an earlier call wrote it, stopped or not.
        predictor: What finds and names the faces.
        annotate: Also write copies of the photos with the faces drawn in.
        excel: Begin the CSV file with the mark by which Excel knows UTF-8.

    Raises:
        OptionError: The folder holds other things.
    """

    def __init__(
        self, folder: Path, predictor: EmotionPredictor, *, annotate: bool = False, excel: bool = False
    ) -> None:
        if holds_journal(folder):
            raise OptionError(f"{folder} holds an album or a timeline: choose another folder with -o")
        check_own(folder, "results of photos", [PHOTOS_MARK])
        self.folder, self.predictor, self.annotate, self.excel = folder, predictor, annotate, excel
        self._entries: list[Entry] = []
        self._names: set[str] = set()

    def answer(self, photos: Iterable[PhotoFile]) -> Iterator[PhotoResult]:
        """Predict photos, and yield each result when its copy is written.

        Raises:
            OptionError: A photo lies in the folder.
        """
        photos = list(photos)
        for photo in photos:
            if photo.path.resolve().parent == self.folder.resolve():
                raise OptionError(f"{photo.path} is in {self.folder}; nothing is written next to your photos")
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / PHOTOS_MARK).touch()
        for entry, copy in answer_photos(self.predictor, list_sources(photos), self._finish):
            written = entry if copy is None else self._write_copy(entry, copy)
            self._entries.append(written)
            yield written.result

    def finish(self) -> None:
        """Write the tables."""
        facts = describe_maker(self.predictor)
        write_tables(self._entries, self.folder, self.predictor.classes, facts, excel=self.excel)

    def _finish(self, answer: PhotoAnswer[str]) -> tuple[Entry, bytes | None]:
        """Make of a photo what is kept of it; called in the photo's thread."""
        image = answer.photo.image
        entry = Entry(answer.photo.name, *answer.photo.size_wh, answer.result)
        return entry, None if isinstance(image, ImageError) or not self.annotate else draw_copy(image, answer.drawn)

    def _write_copy(self, entry: Entry, copy: bytes) -> Entry:
        """Write the copy of a photo; a name that cannot be written is its error."""
        try:
            with write_atomically(self.folder / self._choose_name(entry.path)) as temporary:
                temporary.write_bytes(copy)
        except OSError as error:
            if error.errno not in NAME_ERRORS:
                raise
            return entry.fail_copy(error.strerror or str(error))
        return entry

    def _choose_name(self, source: str) -> str:
        """Name a copy after its photo; a second one of the same name gets a number."""
        stem = PurePath(source).stem
        endings = (f"{'' if number == 1 else f'-{number}'}.jpg" for number in range(1, len(self._names) + 2))
        names = (name_copy(stem, ending).name for ending in endings)
        name = next(name for name in names if name.casefold() not in self._names)
        self._names.add(name.casefold())
        return name
