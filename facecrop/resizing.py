"""Reduce images, and encode them as files."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # RGB, (H, W, 3)

JPEG_SIDE = 65_500  # pixels: no JPEG is longer
JPEG_QUALITY = 88


def halve_image(image: Image) -> Image:
    """Reduce an image to half its size, each pixel the mean of four; an odd last row or column is left out."""
    import cv2

    height, width = (max(1, side // 2) for side in image.shape[:2])
    even = image[: 2 * height, : 2 * width]
    return np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def limit_size(image: Image, max_side: int) -> Image:
    """Reduce an image that is wider or higher than `max_side` pixels; return any other as it is."""
    import cv2

    height, width = image.shape[:2]
    share = max_side / max(height, width)
    if share >= 1:
        return image
    size_wh = (max(1, round(width * share)), max(1, round(height * share)))
    return np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def encode_jpeg(image: Image) -> bytes:
    """Encode an image as a JPEG file of its pixels alone, without any metadata such as the place of a photo.

    An image that is longer than a JPEG can be is reduced.

    Args:
        image: RGB, or grey with one channel.
    """
    import cv2

    image = limit_size(image, JPEG_SIDE)
    drawn = image[..., 0] if all(_is_grey(row) for row in image) else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(data)


def encode_png(image: Image) -> bytes:
    """Encode an image as a PNG file of its pixels alone."""
    import cv2

    _, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return bytes(data)


def _is_grey(row: NDArray[np.uint8]) -> bool:
    return bool((row == row[:, :1]).all())
