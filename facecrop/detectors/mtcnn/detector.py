"""The detector that callers open: options, batches of bounded size, and faces in the pictures' own coordinates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from facecrop.detectors.mtcnn.pyramid import CELL, Group, Pictures
from facecrop.detectors.protocol import check_option, rounded
from facecrop.errors import OptionError
from facecrop.face import Face, five_points
from facecrop.images import Image, check_image

if TYPE_CHECKING:
    from facecrop.detectors.mtcnn.cascade import Found

BATCH_PIXELS = 16_000_000  # of pictures that are worked on together, so that memory does not grow with the list
BATCH_IMAGES = 512
CARD_PIXELS = 25_000_000  # of a picture: larger ones would take too much of a card's memory, and are drawn by the host


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
            raise OptionError(f"thresholds must be three numbers, got {self.thresholds!r}")
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
    # Not mps: it has no double precision, in which boxes are placed, and falls short of torch's operations elsewhere.
    device_kinds: ClassVar[tuple[str, ...]] = ("cuda", "cpu")
    options_type: ClassVar[type[MtcnnOptions]] = MtcnnOptions

    def __init__(self, device: str, options: MtcnnOptions, pictures: type[Pictures] | None = None) -> None:
        """`pictures` says how pictures are kept and drawn; unless given, as suits the device."""
        from facecrop.detectors.mtcnn.networks import Networks

        self.device = device
        self.options = options
        self._networks = Networks(device)
        self._pictures = pictures

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        for image in images:
            check_image(image)
        return [faces for batch in _batches(images) for faces in self._detect_batch(batch)]

    def _detect_batch(self, images: Sequence[Image]) -> list[list[Face]]:
        from facecrop.detectors.mtcnn import cascade

        groups = self._groups(images)
        kind = self._pictures or _suited(self.device, groups)
        pictures = kind(images, groups, self._networks.device)
        found = cascade.find(self._networks, pictures, groups, self.options.factor, self.options.thresholds)
        borders = {index: group.border for group in groups for index in group.indices}
        return [_faces(found, index, borders[index], image) for index, image in enumerate(images)]

    def _groups(self, images: Sequence[Image]) -> list[Group]:
        """The images of each shape; they go through the networks together."""
        places = defaultdict(list)
        for index, image in enumerate(images):
            places[image.shape[:2]].append(index)
        return [self._group(tuple(indices), *shape) for shape, indices in places.items()]

    def _group(self, indices: tuple[int, ...], height: int, width: int) -> Group:
        least = max(self.options.min_face, self.options.min_share * min(height, width))
        border = round(self.options.border * least)
        return Group(indices, height + 2 * border, width + 2 * border, border, least)


def _suited(device: str, groups: Sequence[Group]) -> type[Pictures]:
    """How the pictures of a batch are kept."""
    if device == "cpu" or any(group.height * group.width > CARD_PIXELS for group in groups):
        from facecrop.detectors.mtcnn.octaves import OctavePictures

        return OctavePictures
    from facecrop.detectors.mtcnn.sums import SummedPictures

    return SummedPictures


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
