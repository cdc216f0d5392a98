"""Crop faces: one function for building data sets, training and prediction, so that all three see the same."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecrop.checks import is_number, is_whole
from facecrop.errors import OptionError
from facecrop.face import Face
from facecrop.images import Image, check_image, halve_image

# The side of FER2013's crops as a multiple of the face box's width, from
#     python benchmarks/canonical_box.py PHOTOS --fer2013 fer2013.csv
FER2013_SIDE = 1.25

OPENCV_SIDE = 32_000  # pixels: OpenCV warps no larger image
MOST_SIZE = 8_000  # pixels of a crop's side

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CropSpec:
    """How a face is cropped.

    Data sets and models store it, so that prediction crops as training did.

    Attributes:
        size: Width and height of the crop in pixels.
        margin: What is added on each side, as a share of the face box's width; a negative margin cuts into the box.
        align: Turn the image until the eyes are level. Needs landmarks.
        grey: Make all three channels the brightness.

    Raises:
        OptionError: The size or the margin cannot be used.

    Examples:
        >>> from facecrop import CropSpec
        >>> CropSpec(size=224, margin=0.2)
        CropSpec(size=224, margin=0.2, align=False, grey=False)
    """

    size: int = 48
    margin: float = 0.125
    align: bool = False
    grey: bool = False

    def __post_init__(self) -> None:
        if not is_whole(self.size) or not 1 <= self.size <= MOST_SIZE:
            raise OptionError(f"size must be a whole number of pixels from 1 to {MOST_SIZE:,}, got {self.size!r}")
        if not is_number(self.margin) or self.margin <= -0.5:
            raise OptionError(f"margin must be a share of the face box above -0.5, got {self.margin!r}")

    @classmethod
    def fer2013(cls, size: int = 48) -> CropSpec:
        """Return the crop of FER2013: a grey square, 1.25 times as wide as the face box and centred on it."""
        return cls(size=size, margin=(FER2013_SIDE - 1) / 2, align=False, grey=True)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings, safe for json.dumps; `CropSpec(**...)` takes them back."""
        return asdict(self)


def crop_face(image: Image, face: Face, spec: CropSpec) -> Image:
    """Cut a face out of an image as a square crop.

    The square is centred on the face box and (1 + 2 margin) box widths wide; a face with `framed` takes its box as it
    is. Where the square reaches over the edge of the image, the edge is repeated. An aligned crop is turned about the
    centre of the box until the eyes are level; a face with a `turn` is upright in any crop.

    Args:
        image: RGB uint8, as `read_image` returns it.
        face: The face, in pixels of this image.
        spec: How to crop.

    Returns:
        The crop, (size, size, 3), RGB uint8.

    Raises:
        OptionError: The crop shall be aligned, and the face has no landmarks.

    Examples:
        >>> import numpy as np
        >>> from facecrop import CropSpec, Face, crop_face
        >>> image = np.zeros((200, 200, 3), np.uint8)
        >>> crop_face(image, Face((50, 40, 110, 120), score=1.0), CropSpec(size=48)).shape
        (48, 48, 3)
    """
    check_image(image)
    crop = _draw_square(image, *_find_square(face, spec), spec.size)
    return _convert_to_grey(crop) if spec.grey else crop


def locate_crop(face: Face, spec: CropSpec) -> Vector:
    """Return the (2, 3) matrix from pixel centres of a crop to pixel centres of its image."""
    return _make_matrix(*_find_square(face, spec), spec.size)


def _find_square(face: Face, spec: CropSpec) -> tuple[Vector, float, float]:
    """Return the centre and the side in pixels of the image, and the turn in radians."""
    width = face.width if face.turn in (0, 180) else face.height
    side = max(face.width, face.height) if face.framed else width * (1 + 2 * spec.margin)
    turn = math.radians(_find_roll(face) if spec.align and not face.framed else face.turn)
    return np.array(face.centre), side, turn


def _find_roll(face: Face) -> float:
    if face.roll is None:
        raise OptionError(f"aligned crops need landmarks, and this face (detector {face.detector!r}) has none")
    return face.roll


def _draw_square(image: Image, centre: Vector, side: float, turn: float, size: int) -> Image:
    """Draw a square of the image at size x size: cubic when enlarging, averaging when reducing.

    To average, the square is drawn `fine` times larger, and the mean of fine x fine pixels is taken; this works for
    turned squares too.
    """
    import cv2

    if side > OPENCV_SIDE / 2:
        return _draw_square(halve_image(image), centre / 2, side / 2, turn, size)
    fine = max(1, math.ceil(side / size))
    matrix = _make_matrix(centre, side, turn, size * fine)
    window, matrix = _cut_window(image, matrix, size * fine)
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


def _make_matrix(centre: Vector, side: float, turn: float, size: int) -> Vector:
    """Return the (2, 3) matrix from pixel centres of the drawing to pixel centres of the image."""
    step_x = np.array([math.cos(turn), math.sin(turn)]) * side / size
    step_y = np.array([-math.sin(turn), math.cos(turn)]) * side / size
    first = centre + (step_x + step_y) * (1 - size) / 2 - 0.5
    return np.stack([step_x, step_y, first], axis=1)


def _cut_window(image: Image, matrix: Vector, size: int) -> tuple[Image, Vector]:
    """Return the part of the image that the drawing touches, and the matrix for it."""
    sides = np.array(image.shape[1::-1])
    corners = matrix @ np.array([[0, size, 0, size], [0, 0, size, size], [1, 1, 1, 1]])
    x1, y1 = first = (np.floor(corners.min(axis=1)) - 3).clip(0, sides - 1).astype(int)
    x2, y2 = np.maximum((np.ceil(corners.max(axis=1)) + 4).clip(0, sides).astype(int), first + 1)
    return image[y1:y2, x1:x2], matrix - np.array([[0, 0, x1], [0, 0, y1]])


def _convert_to_grey(image: Image) -> Image:
    import cv2

    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.repeat(np.asarray(grey, dtype=np.uint8)[..., None], 3, axis=2)
