"""The detector `dlib`: dlib's HOG detector for frontal faces, without landmarks. The only module that imports dlib."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from facecrop.checks import is_whole
from facecrop.detectors.protocol import BoxMapping, check_option, round_coordinate
from facecrop.errors import OptionError
from facecrop.face import Face
from facecrop.images import Image, check_image
from facecrop.packages import importing

LEAST_FACE = 80  # pixels: the side of dlib's window, in the enlarged image

# Between the medians of twelve photos (0.87, 1.15, 0.02, -0.05) and of FER2013's faces (0.94, 1.24, 0.01, -0.06), from
#     python benchmarks/canonical_box.py PHOTOS --fer2013 fer2013.csv
CANONICAL = BoxMapping(scale_x=0.88, scale_y=1.17, shift_x=0.0, shift_y=-0.05)


@dataclass(frozen=True, slots=True)
class DlibOptions:
    """Options of the detector `dlib`.

    Attributes:
        upsample: How often the image is doubled. Each time, faces of half the size are found in four times the time.
        threshold: The least score; below 0, more faces are found and more mistakes made.
        min_share: The size of the smallest faces to find, as a share of the image's shorter side; larger is faster,
            because the image is reduced first.
    """

    upsample: int = 1
    threshold: float = 0.0
    min_share: float = 0.0

    def __post_init__(self) -> None:
        check_option("upsample", self.upsample, 0, 4)
        if not is_whole(self.upsample):
            raise OptionError(f"upsample must be a whole number, got {self.upsample!r}")
        check_option("threshold", self.threshold, -2, 5)
        check_option("min_share", self.min_share, 0, 1)


class DlibDetector:
    """Finds frontal faces; its square boxes are tighter than MTCNN's, and CANONICAL maps them."""

    name: ClassVar[str] = "dlib"
    has_landmarks: ClassVar[bool] = False
    device_kinds: ClassVar[tuple[str, ...]] = ("cpu",)
    options_type: ClassVar[type[DlibOptions]] = DlibOptions

    def __init__(self, device: str, options: DlibOptions) -> None:
        with importing("the detector 'dlib'", "dlib-bin"):
            import dlib

        self.device = device
        self.options = options
        self._hog = dlib.get_frontal_face_detector()

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """Find the faces of each image, best score first."""
        return [self._detect_one(image) for image in images]

    def _detect_one(self, image: Image) -> list[Face]:
        check_image(image)
        scale = self._find_scale(image)
        boxes, scores, _ = self._hog.run(_reduce(image, scale), self.options.upsample, self.options.threshold)
        faces = [
            self._make_face(box, score, scale) for box, score in zip(boxes, scores, strict=True) if not box.is_empty()
        ]
        return sorted(faces, key=lambda face: (-face.score, face.box))

    def _find_scale(self, image: Image) -> float:
        sought = self.options.min_share * min(image.shape[:2])
        least = LEAST_FACE / 2**self.options.upsample
        return min(1.0, least / sought) if sought else 1.0

    def _make_face(self, box: object, score: float, scale: float) -> Face:
        x1, y1, x2, y2 = (getattr(box, side)() / scale for side in ("left", "top", "right", "bottom"))
        raw = (x1, y1, x2 + 1 / scale, y2 + 1 / scale)  # dlib's last row and column belong to the box
        x1, y1, x2, y2 = (round_coordinate(value) for value in CANONICAL(raw))
        return Face((x1, y1, x2, y2), round(score, 4), None, self.name, raw)


def _reduce(image: Image, scale: float) -> Image:
    import cv2

    if scale == 1:
        return np.ascontiguousarray(image)
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8)
