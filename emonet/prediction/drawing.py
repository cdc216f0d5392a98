"""Expressions drawn into a copy of their photo, for people to look at."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import PIL.Image
from PIL import ImageDraw, ImageFont

from emonet.page_style import COLOURS
from emonet.prediction.prediction import Prediction
from facecrop.images import Image

SHOWN = 3  # classes with a bar
LETTERS = 1 / 9  # of the face's width
LEAST_LETTERS = 10  # pixels
BEHIND, INK, TRACK = (20, 24, 28), (255, 255, 255), (90, 96, 102)


def drawn(image: Image, predictions: Iterable[Prediction]) -> Image:
    """A copy of a photo with the box of each face in its expression's colour, and bars of the likeliest classes."""
    photo = PIL.Image.fromarray(image)
    pen = ImageDraw.Draw(photo)
    for prediction in predictions:
        height = max(LEAST_LETTERS, round(prediction.face.width * LETTERS))
        _draw_box(pen, prediction, max(2, height // 6))
        _draw_bars(pen, prediction, height, photo.size)
    return np.array(photo)


def _draw_box(pen: ImageDraw.ImageDraw, prediction: Prediction, width: int) -> None:
    pen.rectangle(prediction.box, outline=COLOURS[prediction.emotion], width=width)


def _draw_bars(pen: ImageDraw.ImageDraw, prediction: Prediction, height: int, size_wh: tuple[int, int]) -> None:
    """Below the box, or as near to it as the photo has room."""
    font = ImageFont.load_default(height)
    shares = sorted(prediction.probabilities.items(), key=lambda item: -item[1])[:SHOWN]
    names = max(pen.textlength(f"{emotion} ", font) for emotion, _ in shares)
    line, full = round(1.4 * height), 3 * height
    numbers = pen.textlength("100 %", font)
    wide, high = names + full + numbers + height, line * len(shares) + height // 2
    x = max(0.0, min(prediction.box[0], size_wh[0] - wide))
    y = max(0.0, min(prediction.box[3], size_wh[1] - high))
    pen.rectangle((x, y, x + wide, y + high), fill=BEHIND)
    for place, (emotion, share) in enumerate(shares):
        top, left = y + height / 4 + place * line, x + height / 3
        pen.text((left, top), emotion.value, INK, font)
        bar = (left + names, top + height / 4, left + names + full, top + height)
        pen.rectangle(bar, fill=TRACK)
        if share * full >= 1:
            pen.rectangle((*bar[:2], bar[0] + share * full, bar[3]), fill=COLOURS[emotion])
        pen.text((bar[2] + height / 3, top), f"{share:.0%}", INK, font)
