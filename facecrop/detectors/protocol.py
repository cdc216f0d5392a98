"""The protocol of face detectors, and what all of them share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from facecrop.errors import OptionError
from facecrop.face import Box, Face
from facecrop.images import Image

PIXEL_STEP = 1 / 16


class Detector(Protocol):
    """A face detector, as `open_detector` returns it.

    Attributes:
        name: The name in DETECTORS.
        has_landmarks: Whether faces have landmarks.
        device_kinds: The kinds of devices that the detector can run on, best first.
        options_type: A frozen dataclass with a default for every option.
        options: The options in use. They are stored with whatever is made from the faces.
        device: The device in use; `open_detector` has checked it.

    Examples:
        >>> from facecrop import DETECTORS
        >>> {name: kind.has_landmarks for name, kind in DETECTORS.items()}
        {'yunet': True, 'mtcnn': True, 'dlib': False, 'whole': False}
    """

    name: ClassVar[str]
    has_landmarks: ClassVar[bool]
    device_kinds: ClassVar[tuple[str, ...]]
    options_type: ClassVar[type[Any]]
    options: Any
    device: str

    def __init__(self, device: str, options: Any) -> None: ...

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """Find the faces of several images.

        Args:
            images: RGB uint8, as `read_image` returns them; their sizes may differ.

        Returns:
            A list of faces for each image, best score first; an empty list for an image without a face.

        Raises:
            TypeError: An image is no uint8 array.
            OptionError: An image has another shape than (height, width, 3).
        """
        ...


@dataclass(frozen=True, slots=True)
class BoxMapping:
    """Maps a detector's own box to the canonical one; all values are in widths and heights of the raw box."""

    scale_x: float
    scale_y: float
    shift_x: float = 0.0
    shift_y: float = 0.0

    def __call__(self, raw: Box) -> Box:
        x1, y1, x2, y2 = raw
        width, height = x2 - x1, y2 - y1
        centre_x = (x1 + x2) / 2 + self.shift_x * width
        centre_y = (y1 + y2) / 2 + self.shift_y * height
        half_x, half_y = self.scale_x * width / 2, self.scale_y * height / 2
        return centre_x - half_x, centre_y - half_y, centre_x + half_x, centre_y + half_y


def check_option(name: str, value: Any, least: float, most: float) -> None:
    """Raise unless an option is a number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise OptionError(f"{name} must be a number from {least:g} to {most:g}, got {value!r}")


def round_coordinate(value: float) -> float:
    """Round to 1/16 pixel: this hides the last bits, which depend on how images were batched."""
    return round(float(value) / PIXEL_STEP) * PIXEL_STEP
