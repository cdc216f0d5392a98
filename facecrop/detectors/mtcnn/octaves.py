"""A batch in the memory of the host, drawn by OpenCV: for the CPU, and for images that are too large for a card."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
import torch
from torch import Tensor

from facecrop.detectors.mtcnn.pyramid import SPARE, Group, add_border
from facecrop.devices import to_device
from facecrop.images import Image, halve_image

STRIP = 256  # rows of an octave that are made at a time


class BorderedImage:
    """An image with its edge repeated, of which only the parts that are looked at are made.

    A copy with its border would take as much memory as a large photo itself.
    """

    def __init__(self, image: Image, border: int) -> None:
        self._image, self._border = image, border
        height, width = image.shape[:2]
        self.shape = (height + 2 * border, width + 2 * border)

    def __getitem__(self, part: tuple[slice, slice]) -> Image:
        """Return some rows and columns, whose places are counted with the border."""
        rows, columns = (slice(span.start - self._border, span.stop - self._border) for span in part)
        (inner_rows, top, bottom), (inner_columns, left, right) = (
            _split_span(span, length) for span, length in zip((rows, columns), self._image.shape, strict=False)
        )
        inner = self._image[inner_rows, inner_columns]
        if not (top or bottom or left or right):
            return inner
        drawn = cv2.copyMakeBorder(inner, top, bottom, left, right, cv2.BORDER_REPLICATE)
        y, x = rows.start - (inner_rows.start - top), columns.start - (inner_columns.start - left)
        return np.asarray(drawn[y : y + rows.stop - rows.start, x : x + columns.stop - columns.start], np.uint8)

    def whole(self) -> Image:
        """Return all of it."""
        return add_border(self._image, self._border)

    def halve(self) -> Image:
        """Return it at half its size, as `halve_image` does."""
        height, width = (side // 2 for side in self.shape)
        halved = np.empty((height, width, 3), np.uint8)
        for top in range(0, height, STRIP):
            rows = slice(2 * top, 2 * min(height, top + STRIP))
            halved[top : top + STRIP] = halve_image(self[rows, slice(0, 2 * width)])
        return halved


@dataclass(frozen=True, slots=True, eq=False)
class Octaves:
    """An image with its border, and its halves."""

    largest: BorderedImage
    halves: Sequence[Image]

    def __getitem__(self, number: int) -> BorderedImage | Image:
        return self.halves[number - 1] if number else self.largest

    def __len__(self) -> int:
        return 1 + len(self.halves)


class OctaveBatch:
    """A batch of images as their octaves; see `ImageBatch`."""

    # Small, so that activations stay in the cache; the memory of larger tensors would also be taken from the system and
    # given back at every call.
    level_pixels: ClassVar[int] = 150_000
    window_pixels: ClassVar[int] = 30_000
    picks_once: ClassVar[bool] = False

    def __init__(self, images: Sequence[Image], groups: Sequence[Group], device: torch.device) -> None:
        self._device = device
        self._octaves = {index: _make_octaves(images[index], group) for group in groups for index in group.indices}

    def draw_level(self, group: Group, scale: float) -> Tensor:
        height, width = group.level_size(scale)
        drawn = np.empty((len(group.indices), height, width, 3), np.uint8)
        for level, index in zip(drawn, group.indices, strict=True):
            octave = self._octaves[index][group.find_octave(scale)]
            whole = octave.whole() if isinstance(octave, BorderedImage) else octave
            cv2.resize(whole, (width, height), dst=level, interpolation=cv2.INTER_AREA)
        return to_device(torch.from_numpy(drawn), self._device).permute(0, 3, 1, 2)  # channels last in memory

    def draw_windows(self, boxes: Tensor, owner: Tensor, side: int) -> Tensor:
        cuts = np.empty((len(boxes), side, side, 3), np.uint8)
        corners = boxes.to(torch.int64).cpu().tolist()  # towards zero, as in training
        for cut, (x1, y1, x2, y2), index in zip(cuts, corners, owner.cpu().tolist(), strict=True):
            _draw_window(self._octaves[index], x1 - 1, y1 - 1, x2, y2, into=cut)
        return to_device(torch.from_numpy(cuts), self._device).permute(0, 3, 1, 2)


def _make_octaves(image: Image, group: Group) -> Octaves:
    largest = BorderedImage(image, group.border)
    halves = [largest.halve()] if group.octaves > 1 else []
    while len(halves) < group.octaves - 1:
        halves.append(halve_image(halves[-1]))
    return Octaves(largest, halves)


def _split_span(span: slice, length: int) -> tuple[slice, int, int]:
    """Return the part of a span that lies in an image, at least a pixel, and how far it reaches before and behind."""
    first, last = min(max(span.start, 0), length - 1), max(min(span.stop, length), 1)
    return slice(first, last), max(0, first - span.start), max(0, span.stop - last)


def _draw_window(octaves: Octaves, x1: int, y1: int, x2: int, y2: int, into: Image) -> None:
    """Draw columns x1 to x2 and rows y1 to y2 of the image, where they lie in it, into a square array."""
    side = into.shape[0]
    reduction = max(x2 - x1, y2 - y1) / side
    index = min(len(octaves) - 1, int(math.log2(max(1.0, reduction / SPARE))))
    octave = octaves[index]
    columns = _limit_span(x1, x2, 2**index, octave.shape[1])
    rows = _limit_span(y1, y2, 2**index, octave.shape[0])
    cv2.resize(octave[rows, columns], (side, side), dst=into, interpolation=cv2.INTER_AREA)


def _limit_span(first: int, last: int, step: int, length: int) -> slice:
    """Return the span in pixels of an octave, cut off at its ends; it has at least one pixel, wherever it lies."""
    start = min(max(first, 0) // step, length - 1)
    return slice(start, max(start + 1, min(-(-last // step), length)))
