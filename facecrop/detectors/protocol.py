"""What every detector is, and what they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from facecrop.errors import OptionError
from facecrop.face import Box, Face
from facecrop.images import Image

PIXEL_STEP = 1 / 16


class Detector(Protocol):
    """Finds faces in a list of pictures: one list of faces each, best score first; no face is an empty list.

    `options_type` is a frozen dataclass with a default for every option; the options used are kept with what was made
    from the faces. Every face's box is canonical: MTCNN's, to which the others are mapped. `device_kinds` are the kinds
    of devices that it runs on, best first; `open_detector` checks `device` before it gets here.
    """

    name: ClassVar[str]
    has_landmarks: ClassVar[bool]
    device_kinds: ClassVar[tuple[str, ...]]
    options_type: ClassVar[type[Any]]
    options: Any
    device: str

    def __init__(self, device: str, options: Any) -> None: ...

    def detect(self, images: Sequence[Image]) -> list[list[Face]]: ...


@dataclass(frozen=True, slots=True)
class BoxMapping:
    """From a detector's own box to the canonical one, in units of the raw box's width and height."""

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
    """Raises unless an option is a number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise OptionError(f"{name} must be a number from {least:g} to {most:g}, got {value!r}")


def rounded(value: float) -> float:
    """A coordinate to the nearest step: hides the last bits, which depend on how pictures were batched."""
    return round(float(value) / PIXEL_STEP) * PIXEL_STEP
