"""A face found in an image, and its geometry.

Coordinates are pixels of the image in which the face was found: x to the right, y down, (0, 0) the outer corner of the
first pixel. "Left" and "right" are the viewer's, so the left eye is the one with the smaller x in an upright face.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from facecrop.errors import OptionError

Box = tuple[float, float, float, float]
Point = tuple[float, float]
Landmarks = tuple[Point, Point, Point, Point, Point]

LANDMARK_NAMES = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")

# How far the tip of the nose stands out from the plane of the eyes, in distances between the eyes. A head turned by
# t shows the eyes cos(t) apart and the nose this share of sin(t) to the side, so their ratio gives tan(t).
NOSE_PROTRUSION = 0.6

TURNS = (0, 90, 180, 270)  # degrees, clockwise


@dataclass(frozen=True, slots=True)
class Face:
    """A face in an image.

    Attributes:
        box: x1, y1, x2, y2. All detectors give boxes of the same shape, so a crop does not depend on the detector.
        score: How sure the detector is. Compare scores of one detector only: those of YuNet and MTCNN are from 0
            to 1, dlib's are distances from a decision plane.
        landmarks: Five points in the order of LANDMARK_NAMES; None from a detector without landmarks.
        detector: The name of the detector.
        raw_box: The box that the detector itself gave.
        framed: The box is a crop that somebody else made already: it gets no margin.
        turn: How far the face lies on its side, clockwise in the image: 0, 90, 180 or 270 degrees. A photo that was
            stored without its orientation has such faces. Crops of them are upright; box and landmarks are where the
            face is in the image as it was given.

    Raises:
        OptionError: The box is empty, a number is not finite, or the turn is no quarter turn.

    Examples:
        >>> from facecrop import Face
        >>> face = Face((10, 20, 50, 80), score=0.9)
        >>> face.size, face.centre
        (40.0, (30.0, 50.0))
    """

    box: Box
    score: float
    landmarks: Landmarks | None = None
    detector: str = ""
    raw_box: Box | None = None
    framed: bool = False
    turn: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "box", _check_box("box", self.box))
        object.__setattr__(self, "score", _check_number("score", self.score))
        raw_box = self.box if self.raw_box is None else _check_box("raw_box", self.raw_box)
        object.__setattr__(self, "raw_box", raw_box)
        if self.landmarks is not None:
            object.__setattr__(self, "landmarks", check_landmarks(self.landmarks))
        if self.turn not in TURNS:
            raise OptionError(f"turn must be one of {', '.join(map(str, TURNS))}, got {self.turn!r}")

    @property
    def width(self) -> float:
        """The width of the box in pixels."""
        return self.box[2] - self.box[0]

    @property
    def height(self) -> float:
        """The height of the box in pixels."""
        return self.box[3] - self.box[1]

    @property
    def size(self) -> float:
        """The shorter side of the box in pixels."""
        return min(self.width, self.height)

    @property
    def area(self) -> float:
        """The area of the box in square pixels."""
        return self.width * self.height

    @property
    def centre(self) -> Point:
        """The centre of the box: x, y."""
        return ((self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2)

    @property
    def eyes(self) -> tuple[Point, Point] | None:
        """The left and the right eye; None without landmarks."""
        return None if self.landmarks is None else self.landmarks[:2]

    @property
    def roll(self) -> float | None:
        """How far the face is turned clockwise in the image, in degrees from -180 to 180; None without landmarks."""
        if self.landmarks is None:
            return None
        (left_x, left_y), (right_x, right_y) = self.landmarks[:2]
        return math.degrees(math.atan2(right_y - left_y, right_x - left_x))

    @property
    def yaw(self) -> float | None:
        """How far the head is turned to the viewer's right, in degrees from -90 to 90; None without landmarks.

        This is an estimate from where the nose lies between the eyes: it can drop profiles, not measure heads.
        """
        if self.landmarks is None:
            return None
        (left_x, left_y), (right_x, right_y), (nose_x, nose_y) = self.landmarks[:3]
        eye_x, eye_y = right_x - left_x, right_y - left_y
        nose_x, nose_y = nose_x - (left_x + right_x) / 2, nose_y - (left_y + right_y) / 2
        return math.degrees(math.atan2(nose_x * eye_x + nose_y * eye_y, NOSE_PROTRUSION * (eye_x**2 + eye_y**2)))

    def overlap(self, other: Face | Sequence[float]) -> float:
        """Return the intersection over union with another face or with a box x1, y1, x2, y2: 0 to 1."""
        box = other.box if isinstance(other, Face) else _check_box("other", other)
        width = min(self.box[2], box[2]) - max(self.box[0], box[0])
        height = min(self.box[3], box[3]) - max(self.box[1], box[1])
        if width <= 0 or height <= 0:
            return 0.0
        shared = width * height
        return shared / (self.area + (box[2] - box[0]) * (box[3] - box[1]) - shared)

    def scaled(self, factor: float) -> Face:
        """Return the face as it is in the image enlarged by `factor`."""
        return self._map(lambda point: (point[0] * factor, point[1] * factor))

    def turned(self, degrees: int, width: int, height: int) -> Face:
        """Return the face as it is in the image turned clockwise.

        Args:
            degrees: 0, 90, 180 or 270.
            width: Of the image before it is turned.
            height: Of the image before it is turned.
        """
        if degrees not in TURNS:
            raise OptionError(f"degrees must be one of {', '.join(map(str, TURNS))}, got {degrees!r}")
        maps: dict[int, Callable[[Point], Point]] = {
            0: lambda point: point,
            90: lambda point: (height - point[1], point[0]),
            180: lambda point: (width - point[0], height - point[1]),
            270: lambda point: (point[1], width - point[0]),
        }
        return replace(self._map(maps[degrees]), turn=(self.turn + degrees) % 360)

    def _map(self, move: Callable[[Point], Point]) -> Face:
        return replace(
            self,
            box=_map_box(self.box, move),
            raw_box=self.raw_box and _map_box(self.raw_box, move),
            landmarks=self.landmarks and check_landmarks([move(point) for point in self.landmarks]),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings and lists, safe for json.dumps."""
        return {
            "box": list(self.box),
            "score": self.score,
            "landmarks": self.landmarks and [list(point) for point in self.landmarks],
            "detector": self.detector,
            "raw_box": self.raw_box and list(self.raw_box),
            "framed": self.framed,
            "turn": self.turn,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Face:
        """Make a face from what `to_dict` returned."""
        return cls(**stored)


def _map_box(box: Box, move: Callable[[Point], Point]) -> Box:
    (x1, y1), (x2, y2) = move(box[:2]), move(box[2:])
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def _check_number(name: str, value: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise OptionError(f"{name} must be a finite number, got {value!r}")
    return number


def _check_box(name: str, box: Sequence[float]) -> Box:
    if len(box) != 4:
        raise OptionError(f"{name} must be x1, y1, x2, y2, got {len(box)} values: {box!r}")
    x1, y1, x2, y2 = (_check_number(name, value) for value in box)
    if x1 >= x2 or y1 >= y2:
        raise OptionError(f"{name} must have x1 < x2 and y1 < y2, got {(x1, y1, x2, y2)}")
    return x1, y1, x2, y2


def check_landmarks(landmarks: Sequence[Sequence[float]]) -> Landmarks:
    """Turn five pairs of finite numbers into landmarks; anything else is an OptionError."""
    if len(landmarks) != 5 or any(len(point) != 2 for point in landmarks):
        raise OptionError(f"landmarks must be five (x, y) points, {', '.join(LANDMARK_NAMES)}, got {landmarks!r}")
    points = [(_check_number("landmarks", x), _check_number("landmarks", y)) for x, y in landmarks]
    return points[0], points[1], points[2], points[3], points[4]
