"""What is written of photos that are given one by one: the tables, and copies with the faces drawn in."""

from __future__ import annotations

from pathlib import Path, PurePath

from emonet.album.entry import Entry
from emonet.album.maker import describe_maker
from emonet.album.tables import CSV, write_tables
from emonet.atomic import write_atomically
from emonet.errors import ImageError, OptionError
from emonet.prediction import EmotionPredictor, draw
from emonet.prediction.predictor import AnsweredPhoto
from facecrop.images import encode_jpeg


class PhotoWriter:
    """Writes the results of single photos into a folder.

    Args:
        folder: The folder, which is made. It must be empty, unless an earlier call wrote it.
        predictor: What found and named the faces.
        annotate: Also write copies of the photos with the faces drawn in.

    Raises:
        OptionError: The folder holds other things.
    """

    def __init__(self, folder: Path, predictor: EmotionPredictor, *, annotate: bool) -> None:
        if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / CSV).exists())):
            raise OptionError(f"{folder} holds other things: give a new folder")
        self.folder, self.predictor, self.annotate = folder, predictor, annotate
        self._entries: list[Entry] = []
        self._names: set[str] = set()

    def add(self, answered: AnsweredPhoto) -> None:
        """Keep the result of a photo for the tables, and write its copy."""
        image, result = answered
        height, width = (0, 0) if isinstance(image, ImageError) else image.shape[:2]
        self._entries.append(Entry(str(result.source), width, height, result))
        if self.annotate and not isinstance(image, ImageError):
            self.folder.mkdir(parents=True, exist_ok=True)
            with write_atomically(self.folder / self._choose_name(str(result.source))) as temporary:
                temporary.write_bytes(encode_jpeg(draw(image, result.predictions)))

    def finish(self) -> None:
        """Write the tables."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_tables(self._entries, self.folder, self.predictor.classes, describe_maker(self.predictor))

    def _choose_name(self, source: str) -> str:
        """Name a copy after its photo; a second one of the same name gets a number."""
        stem = PurePath(source).stem
        names = (f"{stem}{'' if number == 1 else f'-{number}'}.jpg" for number in range(1, len(self._names) + 2))
        name = next(name for name in names if name.casefold() not in self._names)
        self._names.add(name.casefold())
        return name
