"""Expressions drawn into a copy of their photo, for people to look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import PIL.Image
from PIL import ImageDraw, ImageFont

from emonet.labels import Emotion
from emonet.palette import EXPRESSIONS
from emonet.prediction.prediction import Prediction
from facecrop.images import Image

SHOWN = (3, 1)  # classes with a bar, where there is room for so many
LETTERS = 1 / 9  # of the face's width
LEAST_LETTERS = 10  # pixels
BEHIND, INK, TRACK = (20, 24, 28), (255, 255, 255), (90, 96, 102)

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Label:
    """The likeliest classes of a face, one below the other, with letters of one height in pixels."""

    shares: Sequence[tuple[Emotion, float]]
    height: int
    names: float  # pixels that the longest name takes
    numbers: float  # and the longest number

    @property
    def line(self) -> int:
        return round(1.4 * self.height)

    @property
    def bar(self) -> int:
        """Pixels of a full bar."""
        return 3 * self.height

    @property
    def size_wh(self) -> tuple[float, float]:
        return self.names + self.bar + self.numbers + self.height, self.line * len(self.shares) + self.height // 2


def drawn(image: Image, predictions: Sequence[Prediction]) -> Image:
    """A copy of a photo with the box of each face in its expression's colour, and bars of the likeliest classes.

    Bars stand beside their face where they hide no other face and no other bars, as far as the photo has room.
    """
    photo = PIL.Image.fromarray(image)
    pen = ImageDraw.Draw(photo)
    heights = [max(LEAST_LETTERS, round(prediction.face.width * LETTERS)) for prediction in predictions]
    for prediction, height in zip(predictions, heights, strict=True):
        pen.rectangle(prediction.box, outline=EXPRESSIONS[prediction.emotion], width=max(2, height // 6))
    taken: list[Box] = [prediction.box for prediction in predictions]
    for prediction, height in zip(predictions, heights, strict=True):
        labels = [_label(pen, prediction, height, count) for count in SHOWN]
        label, box = _placed(labels, prediction.box, photo.size, taken)
        _draw_label(pen, label, box)
        taken.append(box)
    return np.array(photo)


def _label(pen: ImageDraw.ImageDraw, prediction: Prediction, height: int, count: int) -> Label:
    font = ImageFont.load_default(height)
    shares = sorted(prediction.probabilities.items(), key=lambda item: -item[1])[:count]
    names = max(pen.textlength(f"{emotion}  ", font) for emotion, _ in shares)
    return Label(shares, height, names, pen.textlength("100 %", font))


def _placed(labels: Sequence[Label], face: Box, photo_wh: tuple[int, int], taken: Sequence[Box]) -> tuple[Label, Box]:
    """The label with the most classes that hides nothing, and where; failing that, some of its own face or of more."""
    others = [box for box in taken if box != face]
    for hidden, label in product((taken, others), labels):
        for box in _places(label, face, photo_wh):
            if not any(_overlap(box, other) for other in hidden):
                return label, box
    return labels[-1], next(_places(labels[-1], face, photo_wh))


def _places(label: Label, face: Box, photo_wh: tuple[int, int]) -> Iterator[Box]:
    """Below the face, above it, to the right and to the left, or as near to that as the photo has room."""
    (wide, high), (x1, y1, x2, y2) = label.size_wh, face
    for left, top in ((x1, y2), (x1, y1 - high), (x2, y1), (x1 - wide, y1)):
        x, y = max(0.0, min(left, photo_wh[0] - wide)), max(0.0, min(top, photo_wh[1] - high))
        yield x, y, x + wide, y + high


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _draw_label(pen: ImageDraw.ImageDraw, label: Label, box: Box) -> None:
    font, height = ImageFont.load_default(label.height), label.height
    pen.rectangle(box, fill=BEHIND)
    for place, (emotion, share) in enumerate(label.shares):
        top, left = box[1] + height / 4 + place * label.line, box[0] + height / 3
        pen.text((left, top), emotion.value, INK, font)
        bar = (left + label.names, top + height / 4, left + label.names + label.bar, top + height)
        pen.rectangle(bar, fill=TRACK)
        if share * label.bar >= 1:
            pen.rectangle((*bar[:2], bar[0] + share * label.bar, bar[3]), fill=EXPRESSIONS[emotion])
        pen.text((bar[2] + height / 3, top), f"{share:.0%}", INK, font)
