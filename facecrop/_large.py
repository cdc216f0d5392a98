"""Turn large Pillow images into arrays with little memory beside the result: strip by strip."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import PIL.Image

from facecrop.resizing import Image, halve_image

STRIP_PIXELS = 1_000_000
WHOLE_VALUES = ("F", "I")  # modes whose pixels are scaled by all of the image: they are not cut into strips

Convert = Callable[[PIL.Image.Image], Image]


def convert_in_strips(image: PIL.Image.Image, convert: Convert, *, halve: bool) -> Image:
    """Convert an image to an array (height, width, 3), at full or at half size.

    Pillow's own way has three copies of all pixels in memory at a time.

    Args:
        image: The image, which is decoded if it has not been.
        convert: Converts a strip.
        halve: Reduce to half the size, each pixel the mean of four; an odd last row or column is left out.
    """
    step = 2 if halve else 1
    if image.mode in WHOLE_VALUES:
        return convert(image.reduce(2) if halve else image)
    width, height = (max(1, side // step) for side in image.size)
    drawn = np.empty((height, width, 3), np.uint8)
    rows = max(1, STRIP_PIXELS // image.width // step)
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        strip = convert(image.crop((0, top * step, width * step, bottom * step)))
        drawn[top:bottom] = halve_image(strip) if halve else strip
    return drawn


def turn_upright(pixels: Image, orientation: int) -> Image:
    """Turn an array as the EXIF orientation says, from 1 (as it is) to 8; other numbers turn nothing."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
