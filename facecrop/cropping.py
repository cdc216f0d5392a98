"""Cutting faces out: one function for building data sets, for training and for prediction, so that all see alike."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecrop.errors import OptionError
from facecrop.face import Face
from facecrop.images import Image, check_image, halved

# How FER2013 frames its faces, from
#     python benchmarks/canonical_box.py PHOTOS --fer2013 fer2013.csv
FER2013_SIDE = 1.25  # of the face box's width, about its centre

OPENCV_SIDE = 32_000  # pixels: OpenCV turns nothing larger

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CropSpec:
    """How a face becomes a square picture. It is stored with data sets and models, so that use repeats training."""

    size: int = 48  # pixels a side
    margin: float = 0.125  # on each side, as a share of the face box's width; negative cuts into the box
    align: bool = False  # turn the picture until the eyes are level; needs landmarks
    grey: bool = False  # all three channels carry the brightness

    def __post_init__(self) -> None:
        if isinstance(self.size, bool) or not isinstance(self.size, int) or self.size < 1:
            raise OptionError(f"size must be a whole number of pixels, at least 1, got {self.size!r}")
        if not math.isfinite(self.margin) or self.margin <= -0.5:
            raise OptionError(f"margin must be a share of the face box above -0.5, got {self.margin!r}")

    @classmethod
    def fer2013(cls, size: int = 48) -> CropSpec:
        """FER2013's own framing: a grey square of 1.25 times the face box's width about its centre."""
        return cls(size=size, margin=(FER2013_SIDE - 1) / 2, align=False, grey=True)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def crop_face(image: Image, face: Face, spec: CropSpec) -> Image:
    """The face as (size, size, 3), RGB uint8.

    The square stands about the centre of the face box, (1 + 2 margin) box widths wide; a face that its publisher
    framed takes its box as it is. Where the square reaches over the picture's edge, the edge is repeated. Aligned
    crops are turned about the box's centre until the eye line is level.
    """
    check_image(image)
    crop = _drawn(image, *_square(face, spec), spec.size)
    return _greyed(crop) if spec.grey else crop


def placement(face: Face, spec: CropSpec) -> Vector:
    """Where a crop lies: the (2, 3) matrix from the centres of its pixels to the centres of the picture's."""
    return _placement(*_square(face, spec), spec.size)


def _square(face: Face, spec: CropSpec) -> tuple[Vector, float, float]:
    """The centre and the side in pixels of the picture, and the turn in radians."""
    side = max(face.width, face.height) if face.framed else face.width * (1 + 2 * spec.margin)
    turn = math.radians(_roll(face)) if spec.align and not face.framed else 0.0
    return np.array(face.centre), side, turn


def _roll(face: Face) -> float:
    if face.roll is None:
        raise OptionError(f"aligned crops need landmarks, and this face (detector {face.detector!r}) has none")
    return face.roll


def _drawn(image: Image, centre: Vector, side: float, turn: float, size: int) -> Image:
    """A square of the picture at size x size in one resampling step: cubic when enlarging, averaging when reducing.

    Averaging is done by drawing `fine` times larger than asked and taking the mean of fine x fine pixels, which works
    for turned squares too.
    """
    import cv2

    if side > OPENCV_SIDE / 2:
        return _drawn(halved(image), centre / 2, side / 2, turn, size)
    fine = max(1, math.ceil(side / size))
    matrix = _placement(centre, side, turn, size * fine)
    window, matrix = _window(image, matrix, size * fine)
    drawn = cv2.warpAffine(
        window,
        matrix,
        (size * fine, size * fine),
        flags=(cv2.INTER_CUBIC if side < size else cv2.INTER_LINEAR) | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if fine > 1:
        drawn = cv2.resize(drawn, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(drawn, dtype=np.uint8)


def _placement(centre: Vector, side: float, turn: float, size: int) -> Vector:
    """The (2, 3) matrix from pixel centres of the drawing to pixel centres of the picture."""
    step_x = np.array([math.cos(turn), math.sin(turn)]) * side / size
    step_y = np.array([-math.sin(turn), math.cos(turn)]) * side / size
    first = centre + (step_x + step_y) * (1 - size) / 2 - 0.5
    return np.stack([step_x, step_y, first], axis=1)


def _window(image: Image, matrix: Vector, size: int) -> tuple[Image, Vector]:
    """The part of the picture that the drawing touches, and the matrix for it."""
    sides = np.array(image.shape[1::-1])
    corners = matrix @ np.array([[0, size, 0, size], [0, 0, size, size], [1, 1, 1, 1]])
    x1, y1 = first = (np.floor(corners.min(axis=1)) - 3).clip(0, sides - 1).astype(int)
    x2, y2 = np.maximum((np.ceil(corners.max(axis=1)) + 4).clip(0, sides).astype(int), first + 1)
    return image[y1:y2, x1:x2], matrix - np.array([[0, 0, x1], [0, 0, y1]])


def _greyed(image: Image) -> Image:
    import cv2

    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.repeat(np.asarray(grey, dtype=np.uint8)[..., None], 3, axis=2)
