"""Tracks of faces: detected on some frames, followed on those between, and matched by place alone.

A track says that a face is followed. It says nothing of whose face it is, and nothing of a face is kept beyond its
place: a person who comes back after a longer time, or after a cut, begins another track.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emonet.video.flow import Flow
from emonet.video.options import VideoOptions
from facecrop import Face
from facecrop.detectors.protocol import Detector
from facecrop.images import Image
from facecrop.packages import import_packages

LEAST_OVERLAP = 0.25  # of a face that was followed and one that was detected, to be the same
FARTHEST = 0.8  # widths between the centres of a face that was lost and one that was found, to be the same
MOST_GROWTH = 1.7  # of a face between the two
MISSES = 1  # searches that may overlook a face that can be followed
RETRY = 3  # frames between searches that are made because a face was lost
CUT = 40.0  # mean difference of two frames' brightness from which one is of another scene
THUMB_WH = (32, 18)  # pixels in which frames are compared
FOREVER = 1e6  # of costs: never matched


class TrackedFace(NamedTuple):
    """A face on a frame, the number of its track, and whether it was detected there or followed."""

    track: int
    face: Face
    detected: bool


@dataclass(slots=True, eq=False)
class _Track:
    number: int
    face: Face
    seen_s: float
    seen: bool = True  # on the last frame
    detected: bool = True  # on the last frame
    misses: int = 0


class FaceTracker:
    """Finds the faces of frames that are given one after another.

    Args:
        detector: What finds faces.
        options: How often it is asked, and how long a face may be out of sight.

    Raises:
        MissingPackageError: SciPy is not installed.
    """

    def __init__(self, detector: Detector, options: VideoOptions) -> None:
        import_packages("following faces", "emonet[video]", "scipy.optimize")
        self._detector, self._options = detector, options
        self._flow = Flow()
        self._tracks: list[_Track] = []
        self._next = 1
        self._detected_s = -math.inf
        self._since = 0  # frames since the last search
        self._thumb: NDArray[np.float32] | None = None

    @property
    def state(self) -> dict[str, Any]:
        """What it knows of the frames so far, as plain values for JSON."""
        tracks = [
            {"number": one.number, "face": one.face.to_dict(), "seen_s": one.seen_s, "seen": one.seen}
            | {"detected": one.detected, "misses": one.misses}
            for one in self._tracks
        ]
        return {"tracks": tracks, "next": self._next, "detected_s": self._detected_s, "since": self._since}

    def resume(self, state: Mapping[str, Any], image: Image) -> None:
        """Go on from a state, whose last frame this was."""
        self._tracks = [_Track(**{**one, "face": Face.from_dict(one["face"])}) for one in state["tracks"]]
        self._next, self._detected_s, self._since = state["next"], state["detected_s"], state["since"]
        self._flow.see(image)
        self._thumb = _make_thumb(image)

    def update(self, image: Image, time_s: float) -> list[TrackedFace]:
        """Return the faces of the next frame."""
        if self._is_cut(image):
            self._tracks, self._detected_s = [], -math.inf
        self._tracks = [one for one in self._tracks if one.seen or time_s - one.seen_s <= self._options.gap_s]
        lost = self._follow(image, time_s)
        self._since += 1
        due = time_s - self._detected_s >= self._options.detect_s - 1e-3
        if due or (lost and self._since >= RETRY):
            self._detected_s, self._since = time_s, 0
            self._match(self._detector.detect([image])[0], time_s)
        return [TrackedFace(one.number, one.face, one.detected) for one in self._tracks if one.seen]

    def _is_cut(self, image: Image) -> bool:
        before, self._thumb = self._thumb, _make_thumb(image)
        return before is not None and float(np.abs(self._thumb - before).mean()) > CUT

    def _follow(self, image: Image, time_s: float) -> bool:
        """Move the faces that were seen on the last frame; return whether one is lost now."""
        seen = [one for one in self._tracks if one.seen]
        for one, face in zip(seen, self._flow.follow(image, [one.face for one in seen]), strict=True):
            one.seen, one.detected = face is not None, False
            if face is not None:
                one.face, one.seen_s = face, time_s
        return any(not one.seen for one in self._tracks)

    def _match(self, faces: Sequence[Face], time_s: float) -> None:
        """Give each face that was detected to a track, first by overlap, then by distance; others begin one."""
        tracks, rest = list(self._tracks), list(faces)
        for cost in (_overlap_cost, _distance_cost):
            for one, face in _pair(tracks, rest, cost):
                one.face, one.seen_s, one.seen, one.detected, one.misses = face, time_s, True, True, 0
                tracks.remove(one)
                rest.remove(face)
        for one in tracks:
            one.misses += 1
            one.seen = one.seen and one.misses <= MISSES
        for face in sorted(rest, key=lambda face: face.centre):
            self._tracks.append(_Track(self._next, face, time_s))
            self._next += 1


def _pair(
    tracks: Sequence[_Track], faces: Sequence[Face], cost: Callable[[_Track, Face], float]
) -> list[tuple[_Track, Face]]:
    """Pair tracks with faces so that the sum of the costs is least."""
    if not tracks or not faces:
        return []
    from scipy.optimize import linear_sum_assignment

    costs = np.array([[cost(one, face) for face in faces] for one in tracks])
    rows, columns = linear_sum_assignment(costs)
    return [
        (tracks[row], faces[column]) for row, column in zip(rows, columns, strict=True) if costs[row, column] < FOREVER
    ]


def _overlap_cost(track: _Track, face: Face) -> float:
    overlap = track.face.overlap(face) if track.seen else 0.0
    return 1 - overlap if overlap >= LEAST_OVERLAP else FOREVER


def _distance_cost(track: _Track, face: Face) -> float:
    width = (track.face.width + face.width) / 2
    distance = math.dist(track.face.centre, face.centre) / width
    growth = max(track.face.width / face.width, face.width / track.face.width)
    return distance if distance <= FARTHEST and growth <= MOST_GROWTH else FOREVER


def _make_thumb(image: Image) -> NDArray[np.float32]:
    import cv2

    small = cv2.resize(image, THUMB_WH, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)
