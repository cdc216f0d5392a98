"""Where an expression begins: CK+'s sequences run from a neutral face to the apex, and the neutral frames must go.

The frames are named by a rule. `auto` measures how far the expression has come in every frame. The face's motion since
the first frame, freed of the head's, is laid on the motion at the apex: activation(t) = <motion(t), apex> / <apex,
apex>. That grows evenly with the expression and is all but blind to blinks, noise and light, since they move a face
elsewhere and otherwise. Motion is that of the data set's 68 landmarks, or else dense optical flow.

Positions and motions are complex numbers, x + iy: a * z + b with complex a and b is then any shift, turn and zoom.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from emonet.errors import OptionError
from facecrop.cropping import CropSpec, crop_face
from facecrop.face import Face
from facecrop.images import Image

Method = Literal["auto", "fraction", "last", "peak"]
Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
Grey = NDArray[np.uint8]  # (CROP.size, CROP.size)

DEFAULTS: dict[Method, float | None] = {"auto": 0.5, "fraction": 0.5, "last": 3, "peak": None}
FORMS = "auto, auto=0.5 (share of the apex's activation), fraction=0.5 (cut from the start), last=3 (frames), peak"
FALL_BACK = 3  # frames kept where no rise is found

# What follows was chosen with benchmarks/onset.py.
CROP = CropSpec(size=96, margin=0.1, grey=True)
SPACING = 3  # pixels of the crop between the places whose motion counts
NEAR = 5.0  # pixels of the crop: light is evened out over such distances
LEAST_MOTION = 0.001  # widths of the face, root mean square: more than a sensor's noise and JPEG's feign


@dataclass(frozen=True, slots=True)
class OnsetRule:
    """Which frames of a sequence are kept.

    auto: those with at least `amount` of the apex's activation, and none before the rise that leads to the apex;
    fraction: all but the first `amount` of them; last: the last `amount` frames; peak: the last one, CK+'s apex.
    """

    method: Method = "auto"
    amount: float | None = None  # None: the method's own default

    def __post_init__(self) -> None:
        if self.method not in DEFAULTS:
            raise OptionError(f"method must be one of {', '.join(DEFAULTS)}, got {self.method!r}")
        if self.amount is None:
            object.__setattr__(self, "amount", DEFAULTS[self.method])
        amount = self.amount or 0.0
        if self.method == "peak" and self.amount is not None:
            raise OptionError(f"peak takes no amount, got {amount!r}")
        if self.method == "auto" and not 0 < amount <= 1:
            raise OptionError(f"the amount of auto must be above 0 and at most 1, got {amount!r}")
        if self.method == "fraction" and not 0 <= amount < 1:
            raise OptionError(f"the amount of fraction must be at least 0 and below 1, got {amount!r}")
        if self.method == "last" and not (amount >= 1 and float(amount).is_integer()):
            raise OptionError(f"the amount of last must be a whole number, at least 1, got {amount!r}")

    @classmethod
    def parse(cls, text: str) -> OnsetRule:
        """A rule from one of the forms that str gives and the command line takes."""
        name, equals, amount = text.partition("=")
        for method in DEFAULTS:
            if method == name:
                try:
                    return cls(method, float(amount) if equals else None)
                except ValueError as error:
                    raise OptionError(f"an onset rule is one of {FORMS}; got {text!r}: {error}") from None
        raise OptionError(f"an onset rule is one of {FORMS}; got {text!r}")

    def __str__(self) -> str:
        return self.method if self.amount is None else f"{self.method}={self.amount:.15g}"


@dataclass(frozen=True, slots=True)
class Onset:
    """The frames that are kept, and how far the expression has come in each: about 0 at first and 1 at the apex."""

    kept: tuple[bool, ...]
    activation: tuple[float, ...] | None = None  # None where no pictures were looked at
    note: str = ""

    def __post_init__(self) -> None:
        if not any(self.kept):
            raise OptionError(f"kept must hold a frame that is kept, got {self.kept!r}")
        if self.activation is not None and len(self.activation) != len(self.kept):
            raise OptionError(f"activation must have {len(self.kept)} values, one a frame, got {len(self.activation)}")


@dataclass(frozen=True, slots=True)
class _Motion:
    """How far places of a face have moved since the first frame, in widths of the face."""

    places: Complex  # (N,)
    moved: Complex  # (frames, N)
    weights: Array  # (N,)


def find_onset(
    frames: Sequence[Image],
    faces: Sequence[Face | None],
    rule: OnsetRule,
    points: Sequence[Array | None] | None = None,
) -> Onset:
    """Which frames of one sequence, given in order, `rule` keeps; at least one.

    `points` are 68 landmarks a frame, (68, 2). They are used where every frame has them, and the pictures where not.
    """
    count = len(frames)
    for name, values in (("faces", faces), ("points", points)):
        if values is not None and len(values) != count:
            raise OptionError(f"{name} must have one entry a frame, {count}, got {len(values)}")
    if count == 0:
        raise OptionError("frames must hold at least one frame, got none")
    if rule.method == "auto":
        return _auto(frames, faces, points or (), rule.amount or 0.0)
    if rule.method == "fraction":
        return Onset(_all_but(math.floor(count * (rule.amount or 0.0)), count))
    return Onset(_all_but(count - int(rule.amount or 1), count))


def _all_but(first: int, count: int) -> tuple[bool, ...]:
    return tuple(index >= first for index in range(count))


def _auto(frames: Sequence[Image], faces: Sequence[Face | None], points: Sequence[Array | None], share: float) -> Onset:
    count = len(frames)
    if count == 1:
        return Onset((True,), (1.0,), "the only frame")
    landmarks = [array for array in points if array is not None]
    motion = _motion_of_points(landmarks) if len(landmarks) == count else _motion_of_pictures(frames, faces)
    activation = None if motion is None else _activation(motion)
    if activation is not None:
        return Onset(_risen(activation, share), activation)
    reason = "no face was found" if motion is None else "no rise was found"
    note = f"{reason}: the last {min(count, FALL_BACK)} frames are kept"
    return Onset(_all_but(count - FALL_BACK, count), None if motion is None else (0.0,) * count, note)


def _risen(activation: Sequence[float], share: float) -> tuple[bool, ...]:
    """Frames with enough activation from the rise to the apex on: what flares up before that is a blink or a glitch."""
    rise = int(np.argmax(activation))
    while rise > 0 and activation[rise - 1] >= share:
        rise -= 1
    return tuple(index >= rise and value >= share for index, value in enumerate(activation))


def _activation(motion: _Motion) -> tuple[float, ...] | None:
    """One value a frame, rounded so that no machine's arithmetic shows; None where nothing moves."""
    z, root = motion.places, np.sqrt(motion.weights)
    # What a head's own motion looks like: shift, zoom and turn, foreshortening, and the far side of a turned head
    # drawing together. In real numbers (2 N), for the last two may not be turned.
    flat = [np.ones_like(z), 1j + 0 * z, z, 1j * z, z.conj(), 1j * z.conj(), z.real * z, z.imag * z]
    head = np.linalg.qr((np.array(flat) * root).view(np.float64).T)[0]  # (2 N, 8)
    moved = (motion.moved * root).view(np.float64)  # (frames, 2 N)
    moved = _median_of_3(moved - (moved @ head) @ head.T)
    along = (moved**2).sum(axis=1)
    for _ in range(4):
        # About the mean, or the noise of the first frame, which is in every frame's motion, would be taken for motion.
        apex = (along - along.mean()) @ moved
        along = moved @ apex
    if along.max() <= LEAST_MOTION * np.linalg.norm(apex) * np.linalg.norm(root):
        return None
    return tuple(((along / along.max()).round(4) + 0.0).tolist())  # never -0.0


def _median_of_3(moved: Array) -> Array:
    """Without what lasts a single frame, such as most blinks; the first frame and the last stay as they are."""
    before, after = np.concatenate([moved[:1], moved[:-1]]), np.concatenate([moved[1:], moved[-1:]])
    low, high = np.minimum(before, after), np.maximum(before, after)
    return moved.clip(low, high)


def _motion_of_points(points: Sequence[Array]) -> _Motion:
    if any(array.shape != (68, 2) or not np.isfinite(array).all() for array in points):
        raise OptionError(f"points must be 68 finite (x, y) a frame, got shapes {sorted({p.shape for p in points})}")
    placed = np.array([array[:, 0] + 1j * array[:, 1] for array in points]) / max(np.ptp(points[0][:, 0]), 1.0)
    return _Motion(placed[0], placed - placed[0], np.ones(68))


def _motion_of_pictures(frames: Sequence[Image], faces: Sequence[Face | None]) -> _Motion | None:
    """Dense optical flow from the first frame to each, after the head's motion between the two is undone."""
    import cv2

    crops = _crops(frames, faces)
    if not crops:
        return None
    first = _evened(crops[0])
    rows, columns, weights = _places(first)
    places: Complex = columns + 1j * rows
    rough = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)  # follows far motions, the other fine ones
    turn, shift = 1 + 0j, 0j  # the head's motion so far
    moved = [np.zeros_like(places)]
    # OpenCV's stubs do not know that both flows may start from None, and a picture of zeros is something else to DIS.
    for crop in crops[1:]:
        # Heads move on from where they were; but what a broken frame led to is not followed.
        starts = [(_evened(_undone(crop, *start)), *start) for start in ((turn, shift), (1 + 0j, 0j))]
        near, turn, shift = min(starts, key=lambda start: cv2.norm(first, start[0], cv2.NORM_L1))
        flow = np.asarray(rough.calc(first, near, None))  # type: ignore[call-overload]
        more_turn, more_shift = _similarity(places, flow[rows, columns] @ [1, 1j], weights)
        turn, shift = turn * more_turn, turn * more_shift + shift
        still = _evened(_undone(crop, turn, shift))
        flow = np.asarray(cv2.calcOpticalFlowFarneback(first, still, None, 0.5, 3, 17, 3, 5, 1.1, 0))  # type: ignore[call-overload]
        moved.append(flow[rows, columns] @ [1, 1j])
    width = CROP.size / (1 + 2 * CROP.margin)
    return _Motion(places / width, np.array(moved) / width, weights)


def _crops(frames: Sequence[Image], faces: Sequence[Face | None]) -> list[Grey]:
    """The same part of every frame, so that boxes that jitter move nothing; empty where no frame has a face."""
    sizes_wh = [np.tile(frame.shape[1::-1], 2) for frame in frames]
    boxes = [np.array(face.box) / size for face, size in zip(faces, sizes_wh, strict=True) if face is not None]
    if not boxes:
        return []
    box = np.median(boxes, axis=0)
    placed = [Face(tuple((box * size).tolist()), 1.0) for size in sizes_wh]
    return [crop_face(frame, face, CROP)[..., 0] for frame, face in zip(frames, placed, strict=True)]


def _evened(grey: Grey) -> Grey:
    """With the same brightness and contrast everywhere, whatever the light."""
    import cv2

    off = grey - cv2.GaussianBlur(grey.astype(np.float32), (0, 0), NEAR)
    contrast = np.sqrt(cv2.GaussianBlur(off * off, (0, 0), NEAR)) + 6  # more than the noise of a plain wall
    return np.asarray((128 + 48 * off / contrast).clip(0, 255), dtype=np.uint8)


def _undone(grey: Grey, turn: complex, shift: complex) -> Grey:
    """The picture before everything in it moved from z to turn * z + shift."""
    import cv2

    matrix = np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(grey, matrix, grey.shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, dtype=np.uint8)


def _places(grey: Grey) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """Rows and columns of a grid over the face, and how much the motion seen there counts: more where edges are."""
    import cv2

    rows, columns = np.mgrid[SPACING // 2 : CROP.size : SPACING, SPACING // 2 : CROP.size : SPACING].reshape(2, -1)
    radius = np.hypot((columns / CROP.size - 0.5) / 0.5, (rows / CROP.size - 0.5) / 0.55)
    inside = radius < 1.05
    rows, columns, radius = rows[inside], columns[inside], radius[inside]
    slopes = cv2.spatialGradient(grey)
    squares = np.square(slopes, dtype=np.float32).sum(axis=0)
    edges = cv2.GaussianBlur(squares, (0, 0), SPACING)[rows, columns].astype(np.float64)
    return rows, columns, ((1.05 - radius) / 0.2).clip(0, 1) * (edges + 1) / (edges + np.median(edges) + 1)


def _similarity(places: Complex, moved: Complex, weights: Array) -> tuple[complex, complex]:
    """The a and b that take most places z nearest to a * z + b; those that moved otherwise count less and less."""
    trust = weights
    for _ in range(5):
        middle, target = (np.average(values, weights=trust) for values in (places, places + moved))
        off = places - middle
        turn = np.vdot(off, trust * (places + moved - target)) / np.vdot(off, trust * off).real
        missed = np.abs(turn * off + target - places - moved)
        trust = weights / (1 + (missed / max(0.3, np.median(missed))) ** 2) ** 2
    return complex(turn), complex(target - turn * middle)
