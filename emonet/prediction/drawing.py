"""Draw predictions into a copy of their image, for people to look at."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product

import numpy as np
import PIL.Image
from PIL import ImageDraw, ImageFont

from emonet.labels import Emotion
from emonet.palette import EXPRESSIONS, PALE
from emonet.prediction.prediction import Prediction
from facecrop.images import Image

SHOWN = (3, 1)  # classes with a bar: three if there is room, else one
LETTERS = 1 / 9  # height of the letters as a share of the face's width
LEAST_LETTERS = 10  # pixels
SPARE = 2  # pixels about a box that are drawn, too: its last row and column, and what rounding adds
BEHIND, INK, TRACK = (20, 24, 28), (255, 255, 255), (90, 96, 102)

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class FaceLabel:
    """The most probable classes of a face as bars, one below the other.

    Attributes:
        shares: The classes and their probabilities, most probable first.
        height: Of the letters, in pixels.
        names: Width of the longest name in pixels.
        numbers: Width of the longest number in pixels.
        note: Stands instead of the bars; `names` is its width.
    """

    shares: Sequence[tuple[Emotion, float]]
    height: int
    names: float
    numbers: float
    note: str = ""

    @property
    def line(self) -> int:
        """Height of a line in pixels."""
        return round(1.4 * self.height)

    @property
    def bar(self) -> int:
        """Width of a full bar in pixels."""
        return 3 * self.height

    @property
    def size_wh(self) -> tuple[float, float]:
        """Width and height of the label in pixels."""
        if self.note:
            return self.names + self.height, self.line + self.height // 2
        return self.names + self.bar + self.numbers + self.height, self.line * len(self.shares) + self.height // 2


def draw_predictions(image: Image, predictions: Sequence[Prediction]) -> Image:
    """Draw the box of each face in the colour of its expression, with bars of the most probable classes.

    Bars stand beside their face and hide no other face and no other bars, as far as the image has room. An unsure face
    has a grey box, and the reason instead of bars where there is room for it.

    Returns:
        A copy of the image.
    """
    drawn = image.copy()
    ruler = ImageDraw.Draw(PIL.Image.new("RGB", (1, 1)))
    heights = [max(LEAST_LETTERS, round(prediction.face.width * LETTERS)) for prediction in predictions]
    for prediction, height in zip(predictions, heights, strict=True):
        with _open_part(drawn, prediction.box) as (pen, box):
            pen.rectangle(box, outline=_choose_colour(prediction), width=max(2, height // 6))
    taken: list[Box] = [prediction.box for prediction in predictions]
    for prediction, height in zip(predictions, heights, strict=True):
        labels = [_make_label(ruler, prediction, height, count) for count in SHOWN]
        label, box = _place_label(labels, prediction.box, image.shape[1::-1], taken)
        if prediction.unsure and any(_overlaps(box, other) for other in taken):
            continue
        with _open_part(drawn, box) as (pen, inner):
            _draw_label(pen, label, inner)
        taken.append(box)
    return drawn


@contextmanager
def _open_part(image: Image, box: Box) -> Iterator[tuple[ImageDraw.ImageDraw, Box]]:
    """Draw into the part of an image that a box lies in, for a canvas of a large photo would take much memory.

    Yields:
        What draws there, and the box as it lies in the part.
    """
    left, top = (max(0, math.floor(corner) - SPARE) for corner in box[:2])
    part = image[top : max(0, math.ceil(box[3]) + SPARE), left : max(0, math.ceil(box[2]) + SPARE)]
    if not part.size:  # beyond the edge
        part = np.zeros((1, 1, 3), np.uint8)
    canvas = PIL.Image.fromarray(part)
    yield ImageDraw.Draw(canvas), (box[0] - left, box[1] - top, box[2] - left, box[3] - top)
    part[:] = np.asarray(canvas)


def _choose_colour(prediction: Prediction) -> str:
    return PALE if prediction.unsure else EXPRESSIONS[prediction.emotion]


def _make_label(pen: ImageDraw.ImageDraw, prediction: Prediction, height: int, count: int) -> FaceLabel:
    font = ImageFont.load_default(height)
    if prediction.unsure:
        note = f"unsure: {prediction.unsure}"
        return FaceLabel((), height, pen.textlength(note, font), 0, note)
    shares = sorted(prediction.probabilities.items(), key=lambda item: -item[1])[:count]
    names = max(pen.textlength(f"{emotion}  ", font) for emotion, _ in shares)
    return FaceLabel(shares, height, names, pen.textlength("100 %", font))


def _place_label(
    labels: Sequence[FaceLabel], face: Box, image_wh: tuple[int, int], taken: Sequence[Box]
) -> tuple[FaceLabel, Box]:
    """Choose a label and its place: with the most classes that hide nothing, else hiding the label's own face."""
    others = [box for box in taken if box != face]
    for hidden, label in product((taken, others), labels):
        for box in _list_places(label, face, image_wh):
            if not any(_overlaps(box, other) for other in hidden):
                return label, box
    return labels[-1], next(_list_places(labels[-1], face, image_wh))


def _list_places(label: FaceLabel, face: Box, image_wh: tuple[int, int]) -> Iterator[Box]:
    """List the places below the face, above it, right and left of it, each moved into the image."""
    (wide, high), (x1, y1, x2, y2) = label.size_wh, face
    for left, top in ((x1, y2), (x1, y1 - high), (x2, y1), (x1 - wide, y1)):
        x, y = max(0.0, min(left, image_wh[0] - wide)), max(0.0, min(top, image_wh[1] - high))
        yield x, y, x + wide, y + high


def _overlaps(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _draw_label(pen: ImageDraw.ImageDraw, label: FaceLabel, box: Box) -> None:
    font, height = ImageFont.load_default(label.height), label.height
    pen.rectangle(box, fill=BEHIND)
    if label.note:
        pen.text((box[0] + height / 3, box[1] + height / 4), label.note, INK, font)
    for place, (emotion, share) in enumerate(label.shares):
        top, left = box[1] + height / 4 + place * label.line, box[0] + height / 3
        pen.text((left, top), emotion.value, INK, font)
        bar = (left + label.names, top + height / 4, left + label.names + label.bar, top + height)
        pen.rectangle(bar, fill=TRACK)
        if share * label.bar >= 1:
            pen.rectangle((*bar[:2], bar[0] + share * label.bar, bar[3]), fill=EXPRESSIONS[emotion])
        pen.text((bar[2] + height / 3, top), f"{share:.0%}", INK, font)
