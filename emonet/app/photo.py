"""What the tab of photos shows: boxes, a card for each face, and a table, as one piece of markup."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from emonet.album.tables import defuse
from emonet.app.live import crop_as_seen
from emonet.app.reader import AnsweredPhoto, PhotoReader, cut_around
from emonet.html.images import EmbeddedImage, embed_jpeg
from emonet.html.render import open_templates
from emonet.labels import Emotion
from emonet.prediction import PhotoResult
from emonet.prediction.prediction import Prediction
from emonet.prediction.table import list_columns, make_rows
from facecrop import Reason
from facecrop.images import Image, encode_jpeg, limit_size
from facecrop.text import printable

SHOWN_SIDE = 1280  # pixels of a photo on the page
MANY = 4  # faces that stand beside their photo; more stand below it


@dataclass(frozen=True, slots=True)
class FaceCard:
    """What is shown of a face."""

    number: int
    prediction: Prediction
    crop: EmbeddedImage  # as the network sees it
    cut: str  # the face with what is around it, as a JPEG in base64
    face: str  # the face in it, as JSON


@dataclass(frozen=True, slots=True)
class PhotoCard:
    """What is shown of a photo."""

    name: str
    words: str
    shown: EmbeddedImage | None = None
    width: int = 0
    height: int = 0
    faces: tuple[FaceCard, ...] = ()

    @property
    def many(self) -> bool:
        """Whether its faces stand below it."""
        return len(self.faces) > MANY


def describe_photo(name: str, photo: AnsweredPhoto, reader: PhotoReader) -> PhotoCard:
    """Collect what is shown of a photo.

    Args:
        name: Its file's name.
        photo: What was read.
        reader: What read it.
    """
    height, width = photo.image.shape[:2]
    crops = crop_as_seen(photo, reader.predictor)
    faces = tuple(
        _describe_face(number, photo.image, prediction, crop)
        for number, (prediction, crop) in enumerate(zip(photo.result.predictions, crops, strict=True), start=1)
    )
    shown = embed_jpeg(encode_jpeg(limit_size(photo.image, SHOWN_SIDE)))
    return PhotoCard(printable(name), _count_faces(photo.result), shown, width, height, faces)


def describe_error(name: str, reason: str) -> PhotoCard:
    """Say why a photo cannot be read."""
    return PhotoCard(printable(name), f"This file cannot be read: {reason}")


def render_photos(cards: Sequence[PhotoCard], results: Iterable[PhotoResult], classes: Sequence[Emotion]) -> str:
    """Render photos as markup, with a link that saves their table."""
    table = format_table(results, classes).encode("utf-8", "backslashreplace")
    template = open_templates().get_template("app_photos.html.j2")
    return template.render(cards=cards, classes=classes, table=base64.b64encode(table).decode())


def format_table(results: Iterable[PhotoResult], classes: Sequence[Emotion]) -> str:
    """Write results as CSV, with the columns of `emonet.to_table`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(list_columns(classes)))
    writer.writeheader()
    for result in results:
        writer.writerows(map(defuse, make_rows(result)))
    return text.getvalue()


def _describe_face(number: int, image: Image, prediction: Prediction, crop: Image) -> FaceCard:
    cut, face = cut_around(image, prediction.face)
    return FaceCard(
        number,
        prediction,
        embed_jpeg(encode_jpeg(crop)),
        base64.b64encode(encode_jpeg(cut)).decode(),
        json.dumps(face.to_dict()),
    )


def _count_faces(result: PhotoResult) -> str:
    """Say how many faces were read, and how many were left out and why."""
    said, unsure = [], sum(bool(one.unsure) for one in result.predictions)
    if count := len(result.predictions):
        said.append(f"{_say_faces(count)}{f', {unsure} unsure' if unsure else ''}")
    if reasons := [one.reason.replace("_", " ") for one in result.rejections if one.face is not None]:
        said.append(f"{_say_faces(len(reasons))} left out: {_say_reasons(reasons)}")
    said += [one.detail for one in result.rejections if one.face is None and one.reason is not Reason.NO_FACE]
    return "; ".join(said) or "No face was found."


def _say_faces(count: int) -> str:
    return f"{count} face{'s' * (count > 1)}"


def _say_reasons(reasons: Sequence[str]) -> str:
    """Say each reason once, with the number of its faces if there are several reasons."""
    counts = Counter(reasons)
    return ", ".join(f"{many} {reason}" if len(counts) > 1 else reason for reason, many in counts.items())
