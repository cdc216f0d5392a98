"""The detector `whole`: the image is the face, for images that are cropped already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from facecrop.face import Face
from facecrop.images import Image, check_image


@dataclass(frozen=True, slots=True)
class WholeOptions:
    """The detector has no options."""


class WholeDetector:
    """Returns each image as one face, marked as framed so that a crop gets no further margin."""

    name: ClassVar[str] = "whole"
    has_landmarks: ClassVar[bool] = False
    device_kinds: ClassVar[tuple[str, ...]] = ("cpu",)
    options_type: ClassVar[type[WholeOptions]] = WholeOptions

    def __init__(self, device: str, options: WholeOptions) -> None:
        self.device = device
        self.options = options

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """Return one face for each image: all of it."""
        for image in images:
            check_image(image)
        return [
            [Face(box=(0, 0, image.shape[1], image.shape[0]), score=1.0, detector=self.name, framed=True)]
            for image in images
        ]
