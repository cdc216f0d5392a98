"""Test-time augmentation: several views of an image, whose probabilities are averaged."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np

from emonet.errors import OptionError
from emonet.models.inputs import InputSpec, Pixels

if TYPE_CHECKING:
    from torch import Tensor

View = Literal["none", "mirror", "ten_crop"]
PLAIN = "none"  # each image as it is
SHIFT = 1 / 24  # of the side: 2 pixels of 48, so that networks that see the middle 44 pixels see the corners, too
OF_NEIGHBOURS = ("per_picture", "local_contrast")  # scalings of a pixel that depend on others


def find_view(name: str) -> Callable[[Tensor], list[Tensor]]:
    """Find a kind of test-time augmentation.

    Args:
        name: none, mirror or ten_crop.

    Returns:
        A function that turns images (N, C, H, W) into a list of their views, each of the same shape.

    Raises:
        OptionError: There is no such view.
    """
    if name not in VIEWS:
        raise OptionError(f"no view {name!r}; there are {', '.join(VIEWS)}")
    return VIEWS[name]


def find_pixel_view(name: str) -> Callable[[Pixels], list[Pixels]]:
    """Find the same test-time augmentation for pixels (N, H, W, C) that are not scaled yet."""
    find_view(name)  # refuses unknown names
    return PIXEL_VIEWS[name]


def check_pixel_view(name: str, spec: InputSpec) -> None:
    """Refuse a view that scaling afterwards would change.

    Mirrored pixels are scaled as the others are. Shifts repeat the pixels at the edge, which changes what is scaled by
    its neighbours.

    Raises:
        OptionError: There is no such view, or it needs the back end torch.
    """
    find_view(name)
    if name == "ten_crop" and spec.scaling in OF_NEIGHBOURS:
        raise OptionError(
            f"ten_crop of crops that are scaled by {spec.scaling} needs the back end torch: use it, or mirror"
        )


def view_words(name: str) -> str:
    """Describe a view to readers who do not know the options."""
    if name == PLAIN:
        return "without test-time augmentation"
    return f"with test-time augmentation ({name.replace('_', ' ')})"


def _none(x: Tensor) -> list[Tensor]:
    return [x]


def _mirror(x: Tensor) -> list[Tensor]:
    return [x, x.flip(3)]


def _ten_crop(x: Tensor) -> list[Tensor]:
    """Shift the image to its four corners, too, and mirror each."""
    from torch.nn import functional as F

    height, width = x.shape[2:]
    down, right = _find_shifts(height, width)
    wide = F.pad(x, (right, right, down, down), mode="replicate")
    corners = [(top, left) for top in (0, 2 * down) for left in (0, 2 * right)]
    shifted = [wide[:, :, top : top + height, left : left + width] for top, left in corners]
    return [view for one in (x, *shifted) for view in _mirror(one)]


def _mirror_pixels(pixels: Pixels) -> list[Pixels]:
    return [pixels, pixels[:, :, ::-1]]


def _ten_crop_pixels(pixels: Pixels) -> list[Pixels]:
    height, width = pixels.shape[1:3]
    down, right = _find_shifts(height, width)
    wide = np.pad(pixels, ((0, 0), (down, down), (right, right), (0, 0)), mode="edge")
    corners = [(top, left) for top in (0, 2 * down) for left in (0, 2 * right)]
    shifted = [wide[:, top : top + height, left : left + width] for top, left in corners]
    return [view for one in (pixels, *shifted) for view in _mirror_pixels(one)]


def _find_shifts(height: int, width: int) -> tuple[int, int]:
    return max(1, round(SHIFT * height)), max(1, round(SHIFT * width))


# `ten_crop` is the usual name for four corners and the centre, mirrored.
VIEWS: dict[str, Callable[[Tensor], list[Tensor]]] = {PLAIN: _none, "mirror": _mirror, "ten_crop": _ten_crop}
PIXEL_VIEWS: dict[str, Callable[[Pixels], list[Pixels]]] = {
    PLAIN: lambda pixels: [pixels],
    "mirror": _mirror_pixels,
    "ten_crop": _ten_crop_pixels,
}
