"""A batch of pictures, and what is drawn from it: the levels in which the first network looks, and the windows that go
to the other two.

Everything is drawn from the pictures' octaves (the picture itself, halved, halved again, ...), each the mean of four
pixels of the last, and from the smallest octave that is larger by SPARE: on big pictures that is many times faster than
averaging the full size for every level and every window. Drawing from an octave just large enough, or linearly, is
faster still, and was found to lose a point of FER2013's faces and to find things that are no faces.

`Pictures` is all that differs between devices. A processor draws with OpenCV and works in pieces that fit its cache
(`octaves.py`); a card keeps everything, and is made to wait for the host as rarely as can be (`sums.py`).
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
SPARE = 1.3  # what is drawn is averaged from at least so many pixels of an octave a side, unless there are fewer


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Pictures of one shape. `indices` are their places in the batch; `height` and `width` include the border."""

    indices: tuple[int, ...]
    height: int
    width: int
    border: int  # pixels: the picture's edge is repeated so far
    min_face: float  # pixels

    def scales(self, factor: float) -> Iterator[float]:
        """Scales at which faces of `min_face` pixels and more become one cell, largest first."""
        scale = min(1.0, CELL / self.min_face)
        while min(self.height, self.width) * scale >= CELL:
            yield scale
            scale *= factor

    def level_size(self, scale: float) -> tuple[int, int]:
        """Height and width of a level: even numbers, for the first network halves them."""
        return _even(self.height * scale), _even(self.width * scale)

    @property
    def octaves(self) -> int:
        """How many octaves there are, down to the last that is larger than a cell."""
        return 1 + (min(self.height, self.width) // (4 * CELL)).bit_length()

    def octave(self, scale: float) -> int:
        """The octave that a level is drawn from."""
        return min(self.octaves - 1, int(math.log2(max(1.0, 1 / scale / SPARE))))


class Pictures(Protocol):
    """The pictures of a batch on a device. What is drawn is RGB, 0 to 255, each pixel the mean of what it covers."""

    level_pixels: ClassVar[int]  # of input that go at a time through the first network
    window_pixels: ClassVar[int]  # and through the others, which have more channels
    picks_once: ClassVar[bool]  # cells are picked from all levels at once, for every pick waits for the device

    def __init__(self, images: Sequence[Image], groups: Sequence[Group], device: torch.device) -> None: ...

    def level(self, group: Group, scale: float) -> Tensor:
        """The pictures of a group at one scale: (N, 3, H, W)."""
        ...

    def windows(self, boxes: Tensor, owner: Tensor, side: int) -> Tensor:
        """Each box cut from its picture and drawn at `side` pixels: (n, 3, side, side).

        Boxes are (n, 4), inclusive and one-based. They end at the picture's edge.
        """
        ...


def with_border(image: Image, border: int) -> Image:
    import cv2

    bordered = cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_REPLICATE)
    return np.asarray(bordered, dtype=np.uint8)


def _even(length: float) -> int:
    """The next even number above, as facenet-pytorch rounds the sides of a level up."""
    return 2 * max(1, int(length / 2 + 1))
