"""What the album shows of a photo: its faces with their marks, what each expresses, and what was left out and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emonet.album.entry import Entry
from emonet.html.formatting import percent
from emonet.html.images import EmbeddedImage, embed_jpeg
from emonet.prediction import Prediction
from emonet.prediction.table import UNREADABLE
from facecrop import Rejection
from facecrop.errors import printable
from facecrop.face import Box

FACELESS = "no_face"  # beside expressions and UNREADABLE, a kind of photo
LEAST = 0.05  # probability of a class that has a bar
OPENED = 3  # more faces, or more reasons, than this are folded

# Pixels on the screen, about.
SIDE = 320  # of a photo, the longer one
FIELD = 17  # height of the field that a face's number stands in
LETTERS, LETTER = 12, 7  # height and width of a digit


@dataclass(frozen=True, slots=True)
class Rectangle:
    """In pixels of the photo."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle_x(self) -> float:
        return self.x + self.width / 2

    @property
    def middle_y(self) -> float:
        return self.y + self.height / 2


@dataclass(frozen=True, slots=True)
class CardFace:
    """A face: its frame, the field of its number, and its classes from the most probable on."""

    box: Rectangle
    field: Rectangle
    emotion: str
    confidence: float
    others: Sequence[tuple[str, float]]
    rare: str  # classes that have no bar


@dataclass(frozen=True, slots=True)
class Card:
    """A photo as `card.html.j2` shows it."""

    name: str
    holds: str  # what the script filters and sorts by
    thumbnail: EmbeddedImage | None
    words: str  # instead of the photo
    width: int
    height: int
    ratio: float
    letters: float
    faces: Sequence[CardFace]
    left_out: Sequence[Rectangle]
    reasons: Sequence[str]

    @property
    def is_open(self) -> bool:
        return len(self.faces) <= OPENED

    @property
    def folds_reasons(self) -> bool:
        return len(self.reasons) > OPENED


def find_kinds(entry: Entry) -> set[str]:
    """Return the expressions in a photo; or that it has no face, or cannot be read."""
    if entry.result.error is not None:
        return {UNREADABLE}
    return {said.emotion.value for said in entry.result.predictions} or {FACELESS}


def make_card(entry: Entry) -> Card:
    """Return what the album shows of a photo."""
    result = entry.result
    emotions = [said.emotion.value for said in result.predictions]
    return Card(
        name=printable(entry.path),
        holds=" ".join(f"{said.emotion}={said.confidence:.6f}" for said in result.predictions)
        or " ".join(find_kinds(entry)),
        thumbnail=embed_jpeg(entry.thumbnail) if entry.thumbnail else None,
        words=f"photo; its faces from left to right: {', '.join(emotions)}"
        if emotions
        else "photo without a marked face",
        width=entry.width,
        height=entry.height,
        ratio=max(1.0, entry.width / max(1, entry.height)),  # upright photos have a square
        letters=LETTERS * _pixel(entry),
        faces=[_make_face(number, said, entry) for number, said in enumerate(result.predictions, start=1)],
        left_out=[_frame(one.face.box, entry) for one in result.rejections if one.face],
        reasons=[*map(_reason, result.rejections), *([result.error.reason] if result.error else [])],
    )


def _make_face(number: int, prediction: Prediction, entry: Entry) -> CardFace:
    (emotion, confidence), *others = sorted(prediction.probabilities.items(), key=lambda item: -item[1])
    rare = [f"{other} {percent(share)}".replace(" ", "\u00a0") for other, share in others if share < LEAST]
    return CardFace(
        _frame(prediction.box, entry),
        _field(number, prediction.box, entry),
        emotion.value,
        confidence,
        [(other.value, share) for other, share in others if share >= LEAST],
        ", ".join(rare),
    )


def _pixel(entry: Entry) -> float:
    """How many pixels of the photo a pixel of the screen is."""
    return max(entry.width, entry.height) / SIDE


def _frame(box: Box, entry: Entry) -> Rectangle:
    """The part of a box that lies in the photo."""
    x1, y1, x2, y2 = box
    left, top = _limit(x1, entry.width), _limit(y1, entry.height)
    return Rectangle(left, top, _limit(x2, entry.width) - left, _limit(y2, entry.height) - top)


def _field(number: int, box: Box, entry: Entry) -> Rectangle:
    """Above the frame's left corner, or in it where the photo ends; as large on the screen for every photo."""
    width = _pixel(entry) * (FIELD + LETTER * (len(str(number)) - 1))
    height = _pixel(entry) * FIELD
    x, y = _limit(box[0], entry.width - width), _limit(box[1] - height, entry.height - height)
    return Rectangle(x, y, width, height)


def _limit(value: float, most: float) -> float:
    return max(0.0, min(value, most))


def _reason(rejection: Rejection) -> str:
    if rejection.face is None:
        return rejection.detail
    return f"a face was left out, {rejection.reason.replace('_', ' ')}: {rejection.detail}"
