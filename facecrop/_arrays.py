"""Turn the values of an array into 8 bits, whatever numbers it holds; refuse what is no image as it stands."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecrop._formats import UnreadableError

WHITES = (1.0, 255.0, 65535.0)  # of floats; integers begin at 255

# Filters and enlargements overshoot: values a little below black and above white are clipped. Images with more of them
# were scaled for a network, and clipping would leave nothing of them.
OVERSHOOT = 1.25
UNDERSHOOT = 0.25  # of the largest value


def convert_to_uint8(array: NDArray[Any], *, white: float | None = None) -> NDArray[np.uint8]:
    """Scale an array to 0 to 255.

    Args:
        array: Of bool, of any integers or of floats.
        white: The value that is white; by default, the largest value tells.
    """
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind not in "iuf":
        raise UnreadableError(f"an array of {array.dtype} is no image")
    scale = 255 / (white or _find_white(array))
    return np.asarray(np.rint((array * scale).clip(0, 255)), dtype=np.uint8)


def _find_white(array: NDArray[Any]) -> float:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise UnreadableError("values that are not finite numbers")
    least, largest = float(array.min()), float(array.max())
    if least < -UNDERSHOOT * max(largest, 0):
        raise UnreadableError(f"values from {least:g} to {largest:g}: scale them to 0 to 1 or to 0 to 255")
    for white in WHITES if array.dtype.kind == "f" else WHITES[1:]:
        if largest <= (white * OVERSHOOT if array.dtype.kind == "f" else white):
            return white
    raise UnreadableError(f"values up to {largest:g}, which is more than 16 bits hold: scale them to 0 to 255")
