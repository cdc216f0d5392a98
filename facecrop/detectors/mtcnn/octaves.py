"""A batch in the memory of the host, drawn by OpenCV: for the CPU, and for images that are too large for a card."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import cv2
import numpy as np
import torch
from torch import Tensor

from facecrop.detectors.mtcnn.pyramid import SPARE, Group, add_border
from facecrop.devices import to_device
from facecrop.images import Image, halve_image

Octaves = Sequence[Image]


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
            cv2.resize(octave, (width, height), dst=level, interpolation=cv2.INTER_AREA)
        return to_device(torch.from_numpy(drawn), self._device).permute(0, 3, 1, 2)  # channels last in memory

    def draw_windows(self, boxes: Tensor, owner: Tensor, side: int) -> Tensor:
        cuts = np.empty((len(boxes), side, side, 3), np.uint8)
        corners = boxes.to(torch.int64).cpu().tolist()  # towards zero, as in training
        for cut, (x1, y1, x2, y2), index in zip(cuts, corners, owner.cpu().tolist(), strict=True):
            _draw_window(self._octaves[index], x1 - 1, y1 - 1, x2, y2, into=cut)
        return to_device(torch.from_numpy(cuts), self._device).permute(0, 3, 1, 2)


def _make_octaves(image: Image, group: Group) -> Octaves:
    octaves = [add_border(image, group.border)]
    while len(octaves) < group.octaves:
        octaves.append(halve_image(octaves[-1]))
    return octaves


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
