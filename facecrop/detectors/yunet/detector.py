"""The detector `yunet` as callers open it: its options, its threads, and the second look at what it is unsure of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from facecrop.detectors.protocol import check_option
from facecrop.detectors.yunet.network import Network
from facecrop.detectors.yunet.pieces import Piece, cut_pieces, frame_candidate
from facecrop.detectors.yunet.rows import SCORE, Rows, drop_doubles, height, join, make_face
from facecrop.face import Face
from facecrop.images import Image, check_image

# Small faces get low scores where they are alone in a large image. What has this share of the threshold is looked at
# again, enlarged: `python benchmarks/yunet.py` shows what that finds.
UNSURE = 0.3

SLACK = 0.75  # faces down to this share of the least size are kept where they are found, as MTCNN does


@dataclass(frozen=True, slots=True)
class YunetOptions:
    """Options of the detector `yunet`.

    Attributes:
        min_face: The height of the smallest faces to find, in pixels, at least 8; larger is faster.
        min_share: The same as a share of the image's shorter side; the larger of both counts. The default is 24 pixels
            in an image that is 3,000 pixels high.
        threshold: The least score; with a lower one, more faces are found and more mistakes made.
    """

    min_face: float = 20.0
    min_share: float = 0.008
    threshold: float = 0.7

    def __post_init__(self) -> None:
        check_option("min_face", self.min_face, 8, 10_000)
        check_option("min_share", self.min_share, 0, 1)
        check_option("threshold", self.threshold, 0.1, 1)


class YunetDetector:
    """Finds faces with five landmarks on the processor; its boxes are a little larger than MTCNN's, and mapped.

    It uses as many threads as OpenCV may (`cv2.setNumThreads`). Several threads may share a detector.
    """

    name: ClassVar[str] = "yunet"
    has_landmarks: ClassVar[bool] = True
    device_kinds: ClassVar[tuple[str, ...]] = ("cpu",)
    options_type: ClassVar[type[YunetOptions]] = YunetOptions

    def __init__(self, device: str, options: YunetOptions) -> None:
        self.device = device
        self.options = options
        self._network = Network(UNSURE * options.threshold)

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """Find the faces of each image, best score first."""
        for image in images:
            check_image(image)
        pieces = [piece for index, image in enumerate(images) for piece in self._cut(index, image)]
        first = self._search(images, pieces)
        unsure = [
            frame_candidate(index, images[index].shape[:2], row)
            for index, rows in first.items()
            for row in rows[~self._is_sure(rows)]
        ]
        second = self._search(images, unsure)
        return [self._make_faces(join([first[index], second[index]])) for index in range(len(images))]

    def _cut(self, index: int, image: Image) -> list[Piece]:
        return list(cut_pieces(index, image.shape[:2], self._find_least(image)))

    def _find_least(self, image: Image) -> float:
        shorter = int(min(image.shape[:2]))
        return max(self.options.min_face, self.options.min_share * shorter)

    def _search(self, images: Sequence[Image], pieces: list[Piece]) -> dict[int, Rows]:
        """Find what may be a face in the pieces of each image, without doubles and all that is too small."""
        import cv2

        def search(piece: Piece) -> Rows:
            return self._network.search(images[piece.image], piece)

        pieces.sort(key=lambda piece: piece.size_wh)  # OpenCV takes memory anew for each other size
        threads = min(len(pieces), cv2.getNumThreads())
        if threads > 1:
            with ThreadPoolExecutor(threads) as pool:  # OpenCV lets go of the interpreter while it computes
                answers = list(pool.map(search, pieces))
        else:
            answers = [search(piece) for piece in pieces]
        found = defaultdict(list)
        for piece, rows in zip(pieces, answers, strict=True):
            found[piece.image].append(rows[height(rows) >= SLACK * self._find_least(images[piece.image])])
        return {index: drop_doubles(join(found[index])) for index in range(len(images))}

    def _is_sure(self, rows: Rows) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        return np.asarray(rows[:, SCORE] >= self.options.threshold)

    def _make_faces(self, rows: Rows) -> list[Face]:
        faces = [make_face(row, self.name) for row in drop_doubles(rows[self._is_sure(rows)])]
        return sorted(faces, key=lambda face: (-face.score, face.box))
