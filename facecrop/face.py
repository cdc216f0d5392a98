"""A face found in a picture, and the geometry that is asked of it.

Coordinates are pixels of the picture the face was found in: x to the right, y down, (0, 0) the outer corner of the
first pixel. "Left" and "right" are the viewer's, so the left eye is the one with the smaller x in an upright face.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class Face:
    """One face: the canonical box, how sure the detector is, and five landmarks where it gives them.

    `box` is the canonical face box that every detector maps its own `raw_box` to, so that crops do not depend on
    which one found the face. `framed` says that the box is already the crop its publisher made: it takes no margin.
    Scores compare within one detector only: MTCNN's are probabilities, dlib's distances from a decision plane.
    """

    box: Box  # x1, y1, x2, y2
    score: float
    landmarks: Landmarks | None = None  # in the order of LANDMARK_NAMES
    detector: str = ""
    raw_box: Box | None = None  # the detector's own box; the canonical one where it has no other
    framed: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "box", _checked_box("box", self.box))
        object.__setattr__(self, "score", _checked_number("score", self.score))
        raw_box = self.box if self.raw_box is None else _checked_box("raw_box", self.raw_box)
        object.__setattr__(self, "raw_box", raw_box)
        if self.landmarks is not None:
            object.__setattr__(self, "landmarks", five_points(self.landmarks))

    @property
    def width(self) -> float:
        return self.box[2] - self.box[0]

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]

    @property
    def size(self) -> float:
        """The shorter side of the box in pixels."""
        return min(self.width, self.height)

    @property
    def area(self) -> float:
        return self.width * self.height

    @property
    def centre(self) -> Point:
        return ((self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2)

    @property
    def eyes(self) -> tuple[Point, Point] | None:
        return None if self.landmarks is None else self.landmarks[:2]

    @property
    def roll(self) -> float | None:
        """Degrees by which the eye line is turned clockwise in the picture, -180 to 180; None without landmarks."""
        if self.landmarks is None:
            return None
        (left_x, left_y), (right_x, right_y) = self.landmarks[:2]
        return math.degrees(math.atan2(right_y - left_y, right_x - left_x))

    @property
    def yaw(self) -> float | None:
        """Degrees by which the head is turned to the viewer's right, -90 to 90; None without landmarks.

        An estimate from the nose's place between the eyes: good enough to drop profiles, not to measure heads.
        """
        if self.landmarks is None:
            return None
        (left_x, left_y), (right_x, right_y), (nose_x, nose_y) = self.landmarks[:3]
        eye_x, eye_y = right_x - left_x, right_y - left_y
        nose_x, nose_y = nose_x - (left_x + right_x) / 2, nose_y - (left_y + right_y) / 2
        return math.degrees(math.atan2(nose_x * eye_x + nose_y * eye_y, NOSE_PROTRUSION * (eye_x**2 + eye_y**2)))

    def overlap(self, other: Face | Sequence[float]) -> float:
        """Intersection over union with another face's box, or with a plain xyxy box: 0 to 1."""
        box = other.box if isinstance(other, Face) else _checked_box("other", other)
        width = min(self.box[2], box[2]) - max(self.box[0], box[0])
        height = min(self.box[3], box[3]) - max(self.box[1], box[1])
        if width <= 0 or height <= 0:
            return 0.0
        shared = width * height
        return shared / (self.area + (box[2] - box[0]) * (box[3] - box[1]) - shared)

    def scaled(self, factor: float) -> Face:
        """The same face in the same picture drawn `factor` times as large."""
        return replace(
            self,
            box=_scaled(self.box, factor),
            raw_box=self.raw_box and _scaled(self.raw_box, factor),
            landmarks=self.landmarks and five_points([(x * factor, y * factor) for x, y in self.landmarks]),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings and lists, safe for json.dumps."""
        return {
            "box": list(self.box),
            "score": self.score,
            "landmarks": self.landmarks and [list(point) for point in self.landmarks],
            "detector": self.detector,
            "raw_box": self.raw_box and list(self.raw_box),
            "framed": self.framed,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Face:
        """From what `to_dict` gave."""
        return cls(**stored)


def _scaled(box: Box, factor: float) -> Box:
    x1, y1, x2, y2 = box
    return x1 * factor, y1 * factor, x2 * factor, y2 * factor


def _checked_number(name: str, value: float) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise OptionError(f"{name} must be a finite number, got {value!r}")
    return number


def _checked_box(name: str, box: Sequence[float]) -> Box:
    if len(box) != 4:
        raise OptionError(f"{name} must be x1, y1, x2, y2, got {len(box)} values: {box!r}")
    x1, y1, x2, y2 = (_checked_number(name, value) for value in box)
    if x1 >= x2 or y1 >= y2:
        raise OptionError(f"{name} must have x1 < x2 and y1 < y2, got {(x1, y1, x2, y2)}")
    return x1, y1, x2, y2


def five_points(landmarks: Sequence[Sequence[float]]) -> Landmarks:
    """Landmarks from whatever holds five pairs of finite numbers."""
    if len(landmarks) != 5 or any(len(point) != 2 for point in landmarks):
        raise OptionError(f"landmarks must be five (x, y) points, {', '.join(LANDMARK_NAMES)}, got {landmarks!r}")
    points = [(_checked_number("landmarks", x), _checked_number("landmarks", y)) for x, y in landmarks]
    return points[0], points[1], points[2], points[3], points[4]
