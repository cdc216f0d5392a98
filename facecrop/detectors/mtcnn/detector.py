"""The detector that callers open: options, batches of bounded size, and faces in the pictures' own coordinates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from facecrop.detectors.mtcnn.pyramid import CELL, octaves_of
from facecrop.detectors.protocol import check_option, rounded
from facecrop.face import Face, five_points
from facecrop.images import Image, check_image

if TYPE_CHECKING:
    from facecrop.detectors.mtcnn.cascade import Found

BATCH_PIXELS = 16_000_000  # of pictures that are worked on together, so that memory does not grow with the list
BATCH_IMAGES = 512


@dataclass(frozen=True, slots=True)
class MtcnnOptions:
    """Faces are sought from about `min_face` pixels, or `min_share` of the picture's shorter side if that is more."""

    min_face: float = 20.0
    min_share: float = 0.008  # 24 pixels of a photo 3,000 pixels high; 0 seeks faces of min_face pixels in any photo
    factor: float = 0.709  # between levels of the pyramid: smaller is faster and finds less
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)  # least score after each of the three networks
    border: float = 0.3  # in least faces: the picture's edge is repeated so far, for faces that touch it

    def __post_init__(self) -> None:
        if isinstance(self.thresholds, str) or len(self.thresholds) != 3:
            raise ValueError(f"thresholds must be three numbers, got {self.thresholds!r}")
        object.__setattr__(self, "thresholds", tuple(self.thresholds))
        for threshold in self.thresholds:
            check_option("thresholds", threshold, 0, 1)
        check_option("min_face", self.min_face, CELL, 10_000)
        check_option("min_share", self.min_share, 0, 1)
        check_option("factor", self.factor, 0.2, 0.95)
        check_option("border", self.border, 0, 5)


class MtcnnDetector:
    """Faces with five landmarks; its boxes are the canonical ones, about 1.3 times as high as wide."""

    name: ClassVar[str] = "mtcnn"
    has_landmarks: ClassVar[bool] = True
    options_type: ClassVar[type[MtcnnOptions]] = MtcnnOptions

    def __init__(self, device: str, options: MtcnnOptions) -> None:
        from facecrop.detectors.mtcnn.networks import Networks, torch_device

        self.device = torch_device(device)
        self.options = options
        self._networks = Networks(self.device)

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        for image in images:
            check_image(image)
        return [faces for batch in _batches(images) for faces in self._detect_batch(batch)]

    def _detect_batch(self, images: Sequence[Image]) -> list[list[Face]]:
        from facecrop.detectors.mtcnn import cascade

        options = self.options
        least = [max(options.min_face, options.min_share * min(image.shape[:2])) for image in images]
        borders = [round(options.border * size) for size in least]
        pictures = [octaves_of(_with_border(image, border)) for image, border in zip(images, borders, strict=True)]
        first, second, third = options.thresholds
        candidates = cascade.propose(self._networks, pictures, least, options.factor, first)
        candidates = cascade.judge(self._networks, pictures, candidates, second)
        found = cascade.describe(self._networks, pictures, candidates, third)
        return [
            _faces(found, index, border, image)
            for index, (image, border) in enumerate(zip(images, borders, strict=True))
        ]


def _batches(images: Sequence[Image]) -> Iterator[Sequence[Image]]:
    start = pixels = 0
    for index, image in enumerate(images):
        size = image.shape[0] * image.shape[1]
        if index > start and (pixels + size > BATCH_PIXELS or index - start == BATCH_IMAGES):
            yield images[start:index]
            start, pixels = index, 0
        pixels += size
    if start < len(images):
        yield images[start:]


def _with_border(image: Image, border: int) -> Image:
    import cv2

    bordered = cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_REPLICATE)
    return np.asarray(bordered, dtype=np.uint8)


def _faces(found: Found, index: int, border: int, image: Image) -> list[Face]:
    """Best first, without those that lie in the border. The numbers are facenet-pytorch's own."""
    height, width = image.shape[:2]
    faces = []
    for row in np.flatnonzero(found.owner == index):
        box, score, landmarks = found.boxes[row], found.scores[row], found.landmarks[row]
        x1, y1, x2, y2 = (rounded(value - border) for value in box)
        inside = min(x2, width) > max(x1, 0) and min(y2, height) > max(y1, 0)
        if inside:
            points = five_points([[rounded(value - border) for value in point] for point in landmarks])
            faces.append(Face((x1, y1, x2, y2), round(float(score), 4), points, MtcnnDetector.name))
    return sorted(faces, key=lambda face: (-face.score, face.box))
