"""A batch of images and what is drawn of it: levels for the first network, and windows for the other two.

Everything is drawn from octaves: the image itself, halved, halved again and so on, where each pixel is the mean of four
pixels of the octave before. A level or window comes from the smallest octave that is larger by SPARE. On large images
this is many times faster than averaging the full size each time. Drawing from an octave that is just large enough, or
drawing linearly, is faster still, but it lost a point of FER2013's faces and found things that are no faces.

`ImageBatch` is all that differs between devices. A CPU draws with OpenCV and works in pieces that fit its cache
(`octaves.py`). A CUDA card holds everything, and the host waits for it as rarely as possible (`sums.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from facecrop.images import Image

if TYPE_CHECKING:
    import torch
    from torch import Tensor

CELL = 12  # pixels: the first network answers for windows of this side
SPARE = 1.3  # a drawn pixel is the mean of at least so many pixels of an octave a side, if the octave has them


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """The images of one shape. `indices` are their places in the batch; `height` and `width` include the border."""

    indices: tuple[int, ...]
    height: int
    width: int
    border: int  # pixels by which the edge of the image is repeated
    min_face: float  # pixels

    def scales(self, factor: float) -> Iterator[float]:
        """List the scales at which faces of `min_face` pixels and more become one cell, largest first."""
        scale = min(1.0, CELL / self.min_face)
        while min(self.height, self.width) * scale >= CELL:
            yield scale
            scale *= factor

    def level_size(self, scale: float) -> tuple[int, int]:
        """Return the height and width of a level: even numbers, because the first network halves them."""
        return _round_up_to_even(self.height * scale), _round_up_to_even(self.width * scale)

    @property
    def octaves(self) -> int:
        """The number of octaves, down to the last that is larger than a cell."""
        return 1 + (min(self.height, self.width) // (4 * CELL)).bit_length()

    def find_octave(self, scale: float) -> int:
        """Return the octave that a level is drawn from."""
        return min(self.octaves - 1, int(math.log2(max(1.0, 1 / scale / SPARE))))


class ImageBatch(Protocol):
    """A batch of images on a device. What is drawn is RGB, 0 to 255; each pixel is the mean of what it covers."""

    level_pixels: ClassVar[int]  # of input that go through the first network at a time
    window_pixels: ClassVar[int]  # the same for the other networks, which have more channels
    picks_once: ClassVar[bool]  # pick cells from all levels at once, because every pick waits for the device

    def __init__(self, images: Sequence[Image], groups: Sequence[Group], device: torch.device) -> None: ...

    def draw_level(self, group: Group, scale: float) -> Tensor:
        """Draw the images of a group at one scale: (N, 3, H, W)."""
        ...

    def draw_windows(self, boxes: Tensor, owner: Tensor, side: int) -> Tensor:
        """Cut each box out of its image and draw it at `side` pixels: (n, 3, side, side).

        Boxes are (n, 4), inclusive and one-based. They are cut off at the edge of the image.
        """
        ...


def add_border(image: Image, border: int) -> Image:
    """Repeat the edge of an image by so many pixels."""
    import cv2

    bordered = cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_REPLICATE)
    return np.asarray(bordered, dtype=np.uint8)


def _round_up_to_even(length: float) -> int:
    """Return the next even number above, as facenet-pytorch rounds the sides of a level."""
    return 2 * max(1, int(length / 2 + 1))
