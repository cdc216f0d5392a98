"""Describe the crops that a network takes: their size, grey or colour, and how their pixels are scaled.

This is stored in every model file, so that faces are prepared in use exactly as in training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from facecrop.errors import OptionError

if TYPE_CHECKING:
    from torch import Tensor

Scaling = Literal["unit", "centred", "standardised", "per_picture", "local_contrast"]
Pixels = NDArray[np.uint8]

PIECE = 1024  # images that are read at once

FLAT = 1e-3  # of 1: images whose deviation is smaller are divided by this instead
FLAT_NEARBY = 0.02  # the same for neighbourhoods, where noise would fill the image


class Images(Protocol):
    """Images (N, size, size, channels): an array, or what reads them when it is indexed."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number, height, width and channels."""

    def __len__(self) -> int: ...

    def __getitem__(self, places: Any, /) -> Any:
        """Return some of the images as an array."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """Describe the crops of one network.

    Pixels are scaled in one of these ways:

    - `unit`: from 0 to 1.
    - `centred`: (x - 128) / 128.
    - `standardised`: minus the mean of all training images, divided by their standard deviation, for each channel.
    - `per_picture`: the same with the mean and deviation of each image.
    - `local_contrast`: the same with the mean and deviation of the 9x9 pixels around each pixel.

    Attributes:
        size: Pixels a side.
        channels: 1 for grey, 3 for RGB.
        scaling: The name of the way.
        mean: For `standardised`: the mean of each channel, from 0 to 1; empty until it is measured.
        std: For `standardised`: the deviation of each channel; empty until it is measured.
    """

    size: int = 48
    channels: int = 1
    scaling: Scaling = "unit"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.size, bool) or not isinstance(self.size, int) or self.size < 8:
            raise OptionError(f"size must be a whole number of pixels, at least 8, got {self.size!r}")
        if isinstance(self.channels, bool) or self.channels not in (1, 3):
            raise OptionError(f"channels must be 1 or 3, got {self.channels!r}")
        if self.scaling not in get_args(Scaling):
            raise OptionError(f"scaling must be one of {', '.join(get_args(Scaling))}, got {self.scaling!r}")
        object.__setattr__(self, "mean", tuple(map(float, self.mean)))  # lists, where they come from JSON
        object.__setattr__(self, "std", tuple(map(float, self.std)))
        allowed = (0, self.channels) if self.scaling == "standardised" else (0,)
        if len(self.mean) != len(self.std) or len(self.mean) not in allowed:
            raise OptionError(f"mean and std must be one number for each of {self.channels} channels, if standardised")
        if not all(value > 0 for value in self.std):
            raise OptionError(f"std must be above 0, got {self.std}")

    @property
    def measured(self) -> bool:
        """Whether mean and std are known, if the scaling needs them."""
        return self.scaling != "standardised" or bool(self.mean)

    def with_statistics(self, images: Images) -> InputSpec:
        """Return a copy with the mean and deviation of training images.

        Args:
            images: (N, size, size, channels).
        """
        values = _measure_moments(images)
        return InputSpec.from_dict(self.to_dict() | {"mean": values[0], "std": values[1]})

    def resize(self, image: Pixels) -> Pixels:
        """Resize a crop, and turn it grey if the network takes grey.

        Pixels are averaged where the crop is made smaller, and interpolated by cubics where it is made larger.

        Args:
            image: RGB (height, width, 3).

        Returns:
            (size, size, channels).
        """
        import cv2

        pixels: Any = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if self.channels == 1 else image
        if pixels.shape[:2] != (self.size, self.size):
            method = cv2.INTER_AREA if min(pixels.shape[:2]) >= self.size else cv2.INTER_CUBIC
            pixels = cv2.resize(pixels, (self.size, self.size), interpolation=method)
        return np.asarray(pixels, np.uint8).reshape(self.size, self.size, self.channels)

    def scale(self, pixels: Tensor) -> Tensor:
        """Scale pixels for the network.

        Args:
            pixels: From 0 to 255, (N, channels, height, width).

        Returns:
            The same shape, in float32.

        Raises:
            OptionError: The mean and std of the training images are not known yet.
        """
        if not self.measured:
            raise OptionError("mean and std of the training images are not known yet")
        return _SCALINGS[self.scaling](self, pixels.float())

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON takes them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> InputSpec:
        """Read what `to_dict` gave; unknown names are refused."""
        if unknown := sorted(set(stored) - {field.name for field in fields(cls)}):
            raise OptionError(f"unknown fields of an input: {', '.join(unknown)}")
        return cls(**stored)


def _measure_moments(images: Images) -> tuple[list[float], list[float]]:
    """Measure mean and deviation of each channel, exactly and without a copy in floating point."""
    counts = np.zeros((images.shape[-1], 256), np.int64)
    for start in range(0, len(images), PIECE):
        piece = images[start : start + PIECE]
        for channel, count in enumerate(counts):
            count += np.bincount(piece[..., channel].ravel(), minlength=256)
    levels = np.arange(256) / 255
    means = [float(count @ levels / count.sum()) for count in counts]
    variances = [count @ (levels - mean) ** 2 / count.sum() for count, mean in zip(counts, means, strict=True)]
    return means, [max(float(np.sqrt(variance)), FLAT) for variance in variances]


def _unit(_: InputSpec, x: Tensor) -> Tensor:
    return x / 255


def _centred(_: InputSpec, x: Tensor) -> Tensor:
    return (x - 128) / 128


def _standardised(spec: InputSpec, x: Tensor) -> Tensor:
    return (x / 255 - _lay_by_channel(spec.mean, x)) / _lay_by_channel(spec.std, x)


def _lay_by_channel(values: tuple[float, ...], x: Tensor) -> Tensor:
    """Lay out a number for each channel. It is filled in on the device: copying it there would wait for the device."""
    import torch

    return torch.stack([torch.full((1, 1), value, dtype=x.dtype, device=x.device) for value in values])


def _per_picture(_: InputSpec, x: Tensor) -> Tensor:
    x = x / 255
    std, mean = _measure_each(x)
    return (x - mean) / std


def _measure_each(x: Tensor) -> tuple[Tensor, Tensor]:
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    return (x - mean).square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp_min(FLAT), mean


def _local_contrast(_: InputSpec, x: Tensor) -> Tensor:
    x = x / 255
    x = x - _average_nearby(x)
    return x / _average_nearby(x.square()).sqrt().clamp_min(FLAT_NEARBY)


def _average_nearby(x: Tensor) -> Tensor:
    """Average the 9x9 pixels around each; at the edge, those that there are."""
    from torch.nn.functional import avg_pool2d

    return avg_pool2d(x, 9, stride=1, padding=4, count_include_pad=False)


_SCALINGS: dict[str, Callable[[InputSpec, Tensor], Tensor]] = {
    "unit": _unit,
    "centred": _centred,
    "standardised": _standardised,
    "per_picture": _per_picture,
    "local_contrast": _local_contrast,
}
