"""Follow faces from one frame to the next by the optical flow of points inside them (Lucas and Kanade).

The box moves as the median of its points does, and grows as their distances from their middle do, much as in the
tracker "median flow" of Kalal, Mikolajczyk and Matas (2010). A point counts only if following it back ends where it
began.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecrop import Face
from facecrop.face import Box, check_landmarks
from facecrop.images import Image, limit_size

SIDE = 640  # pixels: the longer side of the grey images in which points are followed
GRID = 5  # points along a side of a face, beside its landmarks
INNER = 0.6  # the share of the box that they lie in: around it is background
AROUND = 0.5  # box widths of window on each side of a face
LEAST_WINDOW = 8  # pixels
ASTRAY = 1.0  # pixels: a point that comes back farther away is not counted
LEAST = 0.5  # the share of a face's points that must count
MOST_GROWTH = 1.25  # from one frame to the next

STEPS = (np.arange(GRID) / (GRID - 1) - 0.5) * INNER + 0.5
SHARES = np.stack(np.meshgrid(STEPS, STEPS), axis=-1).reshape(-1, 2)  # of the box's width and height, of each point

Points = NDArray[np.float32]  # (n, 2)
Grey = NDArray[np.uint8]


class Flow:
    """Follows faces through frames that are given one after another."""

    def __init__(self) -> None:
        self._grey: Grey | None = None
        self._factor = 1.0

    def see(self, image: Image) -> None:
        """Take a frame as the one that faces are followed from next."""
        self._grey, self._factor = _shrink(image)

    def follow(self, image: Image, faces: Sequence[Face]) -> list[Face | None]:
        """Return where the faces of the last frame are on this one, None for those that are lost; and see it."""
        before, (grey, factor) = self._grey, _shrink(image)
        self._grey, self._factor = grey, factor
        if before is None or before.shape != grey.shape:
            return [None] * len(faces)
        return [_follow_face(face, before, grey, factor, image) for face in faces]


def _shrink(image: Image) -> tuple[Grey, float]:
    """Return a grey image of at most SIDE pixels, and the factor by which it is smaller."""
    import cv2

    factor = min(1.0, SIDE / max(image.shape[:2]))
    return np.asarray(cv2.cvtColor(limit_size(image, SIDE), cv2.COLOR_RGB2GRAY), np.uint8), factor


def _follow_face(face: Face, before: Grey, after: Grey, factor: float, image: Image) -> Face | None:
    """Follow the points of a face inside a window around it, which is much cheaper than the whole frame."""
    x1, y1, x2, y2 = (value * factor for value in face.box)
    across, down = AROUND * (x2 - x1), AROUND * (y2 - y1)
    left, top = max(0, int(x1 - across)), max(0, int(y1 - down))
    window = (slice(top, max(0, int(y2 + down))), slice(left, max(0, int(x2 + across))))
    if min(before[window].shape) < LEAST_WINDOW:
        return None
    corner = np.array([left, top], np.float32)
    points = _choose_points(face, factor)
    ends, good = _follow_points(before[window], after[window], points - corner)
    return _move_face(face, points / factor, (ends + corner) / factor, good, image)


def _choose_points(face: Face, factor: float) -> Points:
    grid = np.array(face.box[:2]) + SHARES * (face.width, face.height)
    points = grid if face.landmarks is None else np.concatenate([grid, np.array(face.landmarks)])
    return (points * factor).astype(np.float32)


def _follow_points(before: Grey, after: Grey, points: Points) -> tuple[Points, NDArray[np.bool_]]:
    import cv2

    settings: dict[str, Any] = {"winSize": (15, 15), "maxLevel": 3}
    settings["criteria"] = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 10, 0.03)
    ends, found, _ = cv2.calcOpticalFlowPyrLK(before, after, points, points.copy(), **settings)
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(after, before, ends, points.copy(), **settings)
    astray = np.linalg.norm(back - points, axis=1)
    return np.asarray(ends), (found[:, 0] > 0) & (found_back[:, 0] > 0) & (astray < ASTRAY)


def _move_face(face: Face, points: Points, ends: Points, good: NDArray[np.bool_], image: Image) -> Face | None:
    if good.mean() < LEAST:
        return None
    points, ends = points[good].astype(float), ends[good].astype(float)
    (middle_x, middle_y), growth = _find_median(points).tolist(), _measure_growth(points, ends)
    move_x, move_y = _find_median(ends - points).tolist()

    def place(x: float, y: float) -> tuple[float, float]:
        return middle_x + move_x + growth * (x - middle_x), middle_y + move_y + growth * (y - middle_y)

    def place_box(box: Box) -> Box:
        return *place(*box[:2]), *place(*box[2:])

    moved = replace(
        face,
        box=place_box(face.box),
        raw_box=place_box(face.raw_box or face.box),
        landmarks=face.landmarks and check_landmarks([place(*point) for point in face.landmarks]),
    )
    (x, y), (height, width) = moved.centre, image.shape[:2]
    return moved if 0 <= x < width and 0 <= y < height else None


def _measure_growth(points: Points, ends: Points) -> float:
    """Return the median by which the distances of points from their middle have grown."""
    before, after = (np.linalg.norm(part - _find_median(part), axis=1) for part in (points, ends))
    apart = before > 0.1 * before.max()
    growth = float(_find_median(after[apart] / before[apart])) if apart.any() else 1.0
    return min(max(growth, 1 / MOST_GROWTH), MOST_GROWTH)


def _find_median(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the median along the first axis; np.median takes five times as long for so few values."""
    ordered, middle = np.sort(values, axis=0), len(values) // 2
    return np.asarray((ordered[middle] + ordered[-1 - middle]) / 2)
