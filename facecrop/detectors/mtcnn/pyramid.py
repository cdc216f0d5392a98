"""A picture at many sizes: the levels in which the first network looks, and the windows that go to the other two.

Everything is drawn from the picture's octaves (itself, halved, halved again, ...), each the mean of four pixels of the
last, and from the smallest octave that is larger by SPARE: on big pictures that is many times faster than averaging
the full size for every level and every window. Drawing from an octave just large enough, or linearly, is faster still,
and was found to lose a point of FER2013's faces and to find things that are no faces.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from facecrop.images import Image, halved

SPARE = 1.3  # what is drawn is averaged from at least so many pixels of an octave a side, unless there are fewer
CELL = 12  # pixels: the first network answers for windows of this side

Octaves = Sequence[Image]


def octaves_of(image: Image) -> Octaves:
    """The picture and its halves, down to the last that is larger than a cell."""
    octaves = [image]
    while min(octaves[-1].shape[:2]) >= 4 * CELL:
        octaves.append(halved(octaves[-1]))
    return octaves


def pyramid_scales(height: int, width: int, min_face: float, factor: float) -> list[float]:
    """Scales at which faces of `min_face` pixels and more become one cell, largest first."""
    scale = min(1.0, CELL / min_face)
    scales = []
    while min(height, width) * scale >= CELL:
        scales.append(scale)
        scale *= factor
    return scales


def draw_level(octaves: Octaves, scale: float) -> Image:
    """The picture at one scale, its sides rounded up to even numbers, for the first network halves them."""
    import cv2

    height, width = octaves[0].shape[:2]
    size_wh = (_even(width * scale), _even(height * scale))
    octave = octaves[_octave(1 / scale, len(octaves))]
    return np.asarray(cv2.resize(octave, size_wh, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def draw_window(octaves: Octaves, x1: int, y1: int, x2: int, y2: int, into: Image) -> None:
    """Columns x1 to x2 and rows y1 to y2 of the picture, as far as it reaches, drawn into a square array."""
    import cv2

    side = into.shape[0]
    index = _octave(max(x2 - x1, y2 - y1) / side, len(octaves))
    octave = octaves[index]
    columns = _within(x1, x2, 2**index, octave.shape[1])
    rows = _within(y1, y2, 2**index, octave.shape[0])
    cv2.resize(octave[rows, columns], (side, side), dst=into, interpolation=cv2.INTER_AREA)


def _within(first: int, last: int, step: int, length: int) -> slice:
    """The span in pixels of an octave, cut off at its ends; at least one pixel, wherever the span lies."""
    start = min(max(first, 0) // step, length - 1)
    return slice(start, max(start + 1, min(-(-last // step), length)))


def _octave(reduction: float, count: int) -> int:
    """Index of the smallest octave that is larger by SPARE than what is drawn, or of the picture itself."""
    return min(count - 1, int(math.log2(max(1.0, reduction / SPARE))))


def _even(length: float) -> int:
    """The next even number above, as facenet-pytorch rounds the sides of a level up."""
    return 2 * max(1, int(length / 2 + 1))
