"""Measure how a face has moved since the first frame of a sequence, by 68 landmarks or by dense optical flow.

Positions and motions are complex numbers, x + iy. Then a * z + b with complex a and b is any shift, rotation and zoom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emonet.errors import OptionError
from facecrop.cropping import CropSpec, crop_face
from facecrop.face import Face
from facecrop.images import Image

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
Grey = NDArray[np.uint8]  # (CROP.size, CROP.size)

# These values were chosen with benchmarks/onset.py.
CROP = CropSpec(size=96, margin=0.1, grey=True)
SPACING = 3  # pixels of the crop between the points whose motion is measured
NEAR = 5.0  # pixels of the crop: over this distance brightness is equalised


@dataclass(frozen=True, slots=True)
class Motion:
    """How far points of a face have moved since the first frame, in widths of the face."""

    places: Complex  # (N,)
    moved: Complex  # (frames, N)
    weights: Array  # (N,)


def track_points(points: Sequence[Array]) -> Motion:
    """Measure the motion of 68 landmarks."""
    if any(array.shape != (68, 2) or not np.isfinite(array).all() for array in points):
        raise OptionError(f"points must be 68 finite (x, y) a frame, got shapes {sorted({p.shape for p in points})}")
    placed = np.array([array[:, 0] + 1j * array[:, 1] for array in points]) / max(np.ptp(points[0][:, 0]), 1.0)
    return Motion(placed[0], placed - placed[0], np.ones(68))


def track_pixels(frames: Sequence[Image], faces: Sequence[Face | None]) -> Motion | None:
    """Measure the optical flow from the first frame to each, after the motion of the head is undone."""
    import cv2

    crops = _cut_crops(frames, faces)
    if not crops:
        return None
    first = _equalise(crops[0])
    rows, columns, weights = _choose_points(first)
    places: Complex = columns + 1j * rows
    rough = cv2.DISOpticalFlow.create(
        cv2.DISOPTICAL_FLOW_PRESET_FAST
    )  # follows large motions; Farneback's measures small ones
    turn, shift = 1 + 0j, 0j  # the head's motion so far
    moved = [np.zeros_like(places)]
    # OpenCV's stubs do not know that both flows may start from None. (For DIS an array of zeros is not the same.)
    for crop in crops[1:]:
        # A head goes on from where it was; the second start is for after a broken frame.
        starts = [(_equalise(_undo_motion(crop, *start)), *start) for start in ((turn, shift), (1 + 0j, 0j))]
        near, turn, shift = min(starts, key=lambda start: cv2.norm(first, start[0], cv2.NORM_L1))
        flow = np.asarray(rough.calc(first, near, None))  # type: ignore[call-overload]
        more_turn, more_shift = _fit_similarity(places, flow[rows, columns] @ [1, 1j], weights)
        turn, shift = turn * more_turn, turn * more_shift + shift
        still = _equalise(_undo_motion(crop, turn, shift))
        flow = np.asarray(cv2.calcOpticalFlowFarneback(first, still, None, 0.5, 3, 17, 3, 5, 1.1, 0))  # type: ignore[call-overload]
        moved.append(flow[rows, columns] @ [1, 1j])
    width = CROP.size / (1 + 2 * CROP.margin)
    return Motion(places / width, np.array(moved) / width, weights)


def _cut_crops(frames: Sequence[Image], faces: Sequence[Face | None]) -> list[Grey]:
    """Cut the same part out of every frame, so that jitter of the boxes moves nothing; empty if no frame has a face."""
    sizes_wh = [np.tile(frame.shape[1::-1], 2) for frame in frames]
    boxes = [np.array(face.box) / size for face, size in zip(faces, sizes_wh, strict=True) if face is not None]
    if not boxes:
        return []
    box = np.median(boxes, axis=0)
    placed = [Face(tuple((box * size).tolist()), 1.0) for size in sizes_wh]
    return [crop_face(frame, face, CROP)[..., 0] for frame, face in zip(frames, placed, strict=True)]


def _equalise(grey: Grey) -> Grey:
    """Give all parts of an image the same brightness and contrast."""
    import cv2

    off = grey - cv2.GaussianBlur(grey.astype(np.float32), (0, 0), NEAR)
    contrast = np.sqrt(cv2.GaussianBlur(off * off, (0, 0), NEAR)) + 6  # so that noise on a plain wall stays small
    return np.asarray((128 + 48 * off / contrast).clip(0, 255), dtype=np.uint8)


def _undo_motion(grey: Grey, turn: complex, shift: complex) -> Grey:
    """Return the image as it was before everything in it moved from z to turn * z + shift."""
    import cv2

    matrix = np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(grey, matrix, grey.shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, dtype=np.uint8)


def _choose_points(grey: Grey) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """Choose a grid of points over the face, as rows and columns, and their weights: points on edges count more."""
    import cv2

    rows, columns = np.mgrid[SPACING // 2 : CROP.size : SPACING, SPACING // 2 : CROP.size : SPACING].reshape(2, -1)
    radius = np.hypot((columns / CROP.size - 0.5) / 0.5, (rows / CROP.size - 0.5) / 0.55)
    inside = radius < 1.05
    rows, columns, radius = rows[inside], columns[inside], radius[inside]
    slopes = cv2.spatialGradient(grey)
    squares = np.square(slopes, dtype=np.float32).sum(axis=0)
    edges = cv2.GaussianBlur(squares, (0, 0), SPACING)[rows, columns].astype(np.float64)
    return rows, columns, ((1.05 - radius) / 0.2).clip(0, 1) * (edges + 1) / (edges + np.median(edges) + 1)


def _fit_similarity(places: Complex, moved: Complex, weights: Array) -> tuple[complex, complex]:
    """Fit a and b so that most points z moved to a * z + b; points that moved elsewhere count less and less."""
    trust = weights
    for _ in range(5):
        middle, target = (np.average(values, weights=trust) for values in (places, places + moved))
        off = places - middle
        turn = np.vdot(off, trust * (places + moved - target)) / np.vdot(off, trust * off).real
        missed = np.abs(turn * off + target - places - moved)
        trust = weights / (1 + (missed / max(0.3, np.median(missed))) ** 2) ** 2
    return complex(turn), complex(target - turn * middle)
