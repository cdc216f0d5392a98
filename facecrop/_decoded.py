"""Halve large WebP and HEIC photos from what their decoder gives: Pillow makes one to three copies of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image
from PIL.ImageFile import ImageFile

from facecrop.resizing import Image, halve_image


def halve_decoded(image: PIL.Image.Image) -> Image | None:
    """Decode a photo at half its size, each pixel the mean of four; an odd last row or column is left out.

    Args:
        image: The photo, which Pillow has opened.

    Returns:
        The photo as it lies in the file. None where Pillow is to decode it: it has another format, several frames or
        transparent parts, it is decoded already, or its decoder cannot be asked so.
    """
    decode = DECODERS.get(image.format or "")
    if decode is None or not isinstance(image, ImageFile) or image.mode != "RGB" or getattr(image, "n_frames", 1) > 1:
        return None
    pixels = decode(image)
    if pixels is None or pixels.shape[1::-1] != image.size:
        return None
    return halve_image(pixels)


def _decode_webp(image: ImageFile) -> Image | None:
    """Let OpenCV decode, which has three bytes of a pixel. It reads AVIF too, but takes more memory than Pillow."""
    import cv2

    if image.fp is None:
        return None
    image.fp.seek(0)
    data = np.frombuffer(image.fp.read(), np.uint8)
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
    return None if pixels is None else np.asarray(pixels, np.uint8)


def _decode_heic(image: ImageFile) -> Image | None:
    frames: Any = getattr(image, "_heif_file", None)
    if frames is None:
        return None
    frame = frames[image.tell()]
    rows, (width, height) = frame.data, frame.size  # a row of the decoder's may be longer than the photo is wide
    if frame.mode != "RGB" or len(rows) < frame.stride * (height - 1) + 3 * width:
        return None
    return np.ndarray((height, width, 3), np.uint8, rows, strides=(frame.stride, 3, 1))


DECODERS: dict[str, Callable[[ImageFile], Image | None]] = {
    "WEBP": _decode_webp,
    "HEIF": _decode_heic,
}
