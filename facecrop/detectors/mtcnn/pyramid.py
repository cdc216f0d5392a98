"""The copies of a picture, each smaller than the last, in which the first network looks for faces of one size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facecrop.images import Image

CELL = 12  # pixels: the first network answers for windows of this side


def pyramid_scales(height: int, width: int, min_face: float, factor: float) -> list[float]:
    """Scales at which faces of `min_face` pixels and more become one cell, largest first."""
    scale = min(1.0, CELL / min_face)
    scales = []
    while min(height, width) * scale >= CELL:
        scales.append(scale)
        scale *= factor
    return scales


def pyramid_levels(image: Image, scales: Sequence[float]) -> list[Image]:
    """The picture at every scale, sides rounded up to even numbers (the first network halves its input).

    Each level is drawn from the picture halved as often as leaves it larger: halving takes the mean of four pixels,
    the rest (by less than two) is linear. Both are many times faster than one step of area averaging.
    """
    import cv2

    height, width = image.shape[:2]
    levels: list[Image] = []
    base, base_scale = image, 1.0
    for scale in scales:
        while scale <= base_scale / 2:
            base, base_scale = _halved(base), base_scale / 2
        size_wh = (_even(width * scale), _even(height * scale))
        levels.append(np.asarray(cv2.resize(base, size_wh, interpolation=cv2.INTER_LINEAR), dtype=np.uint8))
    return levels


def _halved(image: Image) -> Image:
    import cv2

    height, width = (side // 2 for side in image.shape[:2])
    even = image[: 2 * height, : 2 * width]
    return np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _even(length: float) -> int:
    """The next even number above, as facenet-pytorch rounds the sides of a level up."""
    return 2 * max(1, int(length / 2 + 1))
