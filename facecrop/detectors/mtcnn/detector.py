"""The detector `mtcnn` as callers open it: its options, batches of limited size, and faces in image coordinates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from facecrop.detectors.mtcnn.pyramid import CELL, Group, ImageBatch
from facecrop.detectors.protocol import check_option, round_coordinate
from facecrop.errors import OptionError
from facecrop.face import Face, check_landmarks
from facecrop.images import Image, check_image
from facecrop.packages import importing

if TYPE_CHECKING:
    from facecrop.detectors.mtcnn.cascade import Detections

BATCH_PIXELS = 16_000_000  # of images that are searched together, so that memory does not grow with the list
BATCH_IMAGES = 512
CARD_PIXELS = 25_000_000  # of an image: larger ones would take too much of a card's memory; the host draws them


@dataclass(frozen=True, slots=True)
class MtcnnOptions:
    """Options of the detector `mtcnn`.

    Attributes:
        min_face: The size of the smallest faces to find, in pixels, at least 12.
        min_share: The same as a share of the image's shorter side; the larger of both counts. The default is 24 pixels
            in an image that is 3,000 pixels high.
        factor: The scale from one level of the pyramid to the next; a smaller factor is faster and finds less.
        thresholds: The least score after each of the three networks.
        border: How far the edge of the image is repeated, for faces that touch it; in sizes of the smallest face.
    """

    min_face: float = 20.0
    min_share: float = 0.008
    factor: float = 0.709
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)
    border: float = 0.3

    def __post_init__(self) -> None:
        if not isinstance(self.thresholds, tuple | list) or len(self.thresholds) != 3:
            raise OptionError(f"thresholds must be three numbers, got {self.thresholds!r}")
        object.__setattr__(self, "thresholds", tuple(self.thresholds))
        for threshold in self.thresholds:
            check_option("thresholds", threshold, 0, 1)
        check_option("min_face", self.min_face, CELL, 10_000)
        check_option("min_share", self.min_share, 0, 1)
        check_option("factor", self.factor, 0.2, 0.95)
        check_option("border", self.border, 0, 5)


class MtcnnDetector:
    """Finds faces with five landmarks; its boxes are the canonical ones, about 1.3 times as high as wide."""

    name: ClassVar[str] = "mtcnn"
    has_landmarks: ClassVar[bool] = True
    # Not mps: it has no double precision, in which boxes are placed, and lacks other operations of torch.
    device_kinds: ClassVar[tuple[str, ...]] = ("cuda", "cpu")
    options_type: ClassVar[type[MtcnnOptions]] = MtcnnOptions

    def __init__(self, device: str, options: MtcnnOptions, kind: type[ImageBatch] | None = None) -> None:
        """Open the networks; `kind` says how batches are drawn, by default as suits the device."""
        with importing("the detector 'mtcnn'", "emonet[train]"):
            from facecrop.detectors.mtcnn.networks import Networks

        self.device = device
        self.options = options
        self._networks = Networks(device)
        self._kind = kind

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """Find the faces of each image, best score first."""
        for image in images:
            check_image(image)
        return [faces for batch in _split_batches(images) for faces in self._detect_batch(batch)]

    def _detect_batch(self, images: Sequence[Image]) -> list[list[Face]]:
        from facecrop.detectors.mtcnn import cascade

        groups = self._group_by_shape(images)
        kind = self._kind or _choose_kind(self.device, groups)
        batch = kind(images, groups, self._networks.device)
        found = cascade.detect_batch(self._networks, batch, groups, self.options.factor, self.options.thresholds)
        borders = {index: group.border for group in groups for index in group.indices}
        return [_make_faces(found, index, borders[index], image) for index, image in enumerate(images)]

    def _group_by_shape(self, images: Sequence[Image]) -> list[Group]:
        """Group the images of each shape, which go through the networks together."""
        places = defaultdict(list)
        for index, image in enumerate(images):
            places[image.shape[:2]].append(index)
        return [self._make_group(tuple(indices), *shape) for shape, indices in places.items()]

    def _make_group(self, indices: tuple[int, ...], height: int, width: int) -> Group:
        least = max(self.options.min_face, self.options.min_share * min(height, width))
        border = round(self.options.border * least)
        return Group(indices, height + 2 * border, width + 2 * border, border, least)


def _choose_kind(device: str, groups: Sequence[Group]) -> type[ImageBatch]:
    """Choose how a batch is held and drawn."""
    if device == "cpu" or any(group.height * group.width > CARD_PIXELS for group in groups):
        from facecrop.detectors.mtcnn.octaves import OctaveBatch

        return OctaveBatch
    from facecrop.detectors.mtcnn.sums import SummedBatch

    return SummedBatch


def _split_batches(images: Sequence[Image]) -> Iterator[Sequence[Image]]:
    start = pixels = 0
    for index, image in enumerate(images):
        size = image.shape[0] * image.shape[1]
        if index > start and (pixels + size > BATCH_PIXELS or index - start == BATCH_IMAGES):
            yield images[start:index]
            start, pixels = index, 0
        pixels += size
    if start < len(images):
        yield images[start:]


def _make_faces(found: Detections, index: int, border: int, image: Image) -> list[Face]:
    """Make the faces of one image, best score first, without those that lie in the border."""
    height, width = image.shape[:2]
    faces = []
    for row in np.flatnonzero(found.owner == index):
        box, score, landmarks = found.boxes[row], found.scores[row], found.landmarks[row]
        x1, y1, x2, y2 = (round_coordinate(value - border) for value in box)
        inside = min(x2, width) > max(x1, 0) and min(y2, height) > max(y1, 0)
        if inside:
            points = check_landmarks([[round_coordinate(value - border) for value in point] for point in landmarks])
            faces.append(Face((x1, y1, x2, y2), round(float(score), 4), points, MtcnnDetector.name))
    return sorted(faces, key=lambda face: (-face.score, face.box))
