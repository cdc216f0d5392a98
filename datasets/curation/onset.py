"""Find where an expression begins. CK+'s sequences run from a neutral face to the apex; neutral frames are dropped.

A rule says which frames are kept. The rule `auto` measures how strong the expression is in every frame: it takes the
motion of the face since the first frame, removes the motion of the head, and projects the rest on the motion at the
apex: activation(t) = <motion(t), apex> / <apex, apex>. This grows evenly with the expression, and blinks, noise and
light hardly change it, because they move other parts of a face. Motion is measured by the 68 landmarks of the data set
if it has them, and otherwise by dense optical flow.

Positions and motions are complex numbers, x + iy. Then a * z + b with complex a and b is any shift, rotation and zoom.
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
FALL_BACK = 3  # frames that are kept if no rise is found

# These values were chosen with benchmarks/onset.py.
CROP = CropSpec(size=96, margin=0.1, grey=True)
SPACING = 3  # pixels of the crop between the points whose motion is measured
NEAR = 5.0  # pixels of the crop: over this distance brightness is equalised
LEAST_MOTION = 0.001  # widths of the face, root mean square: the noise of sensors and JPEG makes less


@dataclass(frozen=True, slots=True)
class OnsetRule:
    """Which frames of a sequence are kept.

    Attributes:
        method: `auto` keeps the frames from the rise to the apex on that have at least `amount` of the apex's
            activation; `fraction` drops the first `amount` of them; `last` keeps the last `amount` frames; `peak`
            keeps the last one, which is CK+'s apex.
        amount: None for the default of the method.
    """

    method: Method = "auto"
    amount: float | None = None

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
        """Read a rule as the command line takes it and `str` writes it: `auto`, `last=3`."""
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
    """Which frames are kept.

    Attributes:
        kept: For each frame.
        activation: How strong the expression is in each frame, about 0 at first and 1 at the apex; None if no image
            was looked at.
        note: Why it is not what the rule says.
    """

    kept: tuple[bool, ...]
    activation: tuple[float, ...] | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if not any(self.kept):
            raise OptionError(f"at least one frame must be kept, got {self.kept!r}")
        if self.activation is not None and len(self.activation) != len(self.kept):
            raise OptionError(f"activation must have {len(self.kept)} values, one a frame, got {len(self.activation)}")


@dataclass(frozen=True, slots=True)
class _Motion:
    """How far points of a face have moved since the first frame, in widths of the face."""

    places: Complex  # (N,)
    moved: Complex  # (frames, N)
    weights: Array  # (N,)


def find_onset(
    frames: Sequence[Image],
    faces: Sequence[Face | None],
    rule: OnsetRule,
    points: Sequence[Array | None] | None = None,
) -> Onset:
    """Find the frames of a sequence that a rule keeps; it keeps at least one.

    Args:
        frames: The images in order.
        faces: The face in each; None where none was found.
        rule: What to keep.
        points: 68 landmarks for each frame, (68, 2). They are used if every frame has them; if not, the images are.
    """
    count = len(frames)
    for name, values in (("faces", faces), ("points", points)):
        if values is not None and len(values) != count:
            raise OptionError(f"{name} must have one entry a frame, {count}, got {len(values)}")
    if count == 0:
        raise OptionError("frames must hold at least one frame, got none")
    if rule.method == "auto":
        return _find_rise(frames, faces, points or (), rule.amount or 0.0)
    if rule.method == "fraction":
        return Onset(_all_but(math.floor(count * (rule.amount or 0.0)), count))
    return Onset(_all_but(count - int(rule.amount or 1), count))


def _all_but(first: int, count: int) -> tuple[bool, ...]:
    return tuple(index >= first for index in range(count))


def _find_rise(
    frames: Sequence[Image], faces: Sequence[Face | None], points: Sequence[Array | None], share: float
) -> Onset:
    count = len(frames)
    if count == 1:
        return Onset((True,), (1.0,), "the only frame")
    landmarks = [array for array in points if array is not None]
    motion = _track_points(landmarks) if len(landmarks) == count else _track_pixels(frames, faces)
    activation = None if motion is None else _measure_activation(motion)
    if activation is not None:
        return Onset(_keep_risen(activation, share), activation)
    reason = "no face was found" if motion is None else "no rise was found"
    note = f"{reason}: the last {min(count, FALL_BACK)} frames are kept"
    return Onset(_all_but(count - FALL_BACK, count), None if motion is None else (0.0,) * count, note)


def _keep_risen(activation: Sequence[float], share: float) -> tuple[bool, ...]:
    """Keep frames with enough activation from the rise to the apex on: a peak before that is a blink or an error."""
    rise = int(np.argmax(activation))
    while rise > 0 and activation[rise - 1] >= share:
        rise -= 1
    return tuple(index >= rise and value >= share for index, value in enumerate(activation))


def _measure_activation(motion: _Motion) -> tuple[float, ...] | None:
    """Measure the activation of each frame, rounded so that it is the same on every machine; None if nothing moves."""
    z, root = motion.places, np.sqrt(motion.weights)
    # The motions of a head: shift, zoom, rotation, foreshortening, and how the far side of a turned head narrows.
    # In real numbers (2 N), because the last two must not be rotated.
    flat = [np.ones_like(z), 1j + 0 * z, z, 1j * z, z.conj(), 1j * z.conj(), z.real * z, z.imag * z]
    head = np.linalg.qr((np.array(flat) * root).view(np.float64).T)[0]  # (2 N, 8)
    moved = (motion.moved * root).view(np.float64)  # (frames, 2 N)
    moved = _take_median_of_3(moved - (moved @ head) @ head.T)
    along = (moved**2).sum(axis=1)
    for _ in range(4):
        # Relative to the mean: the noise of the first frame is in the motion of every frame.
        apex = (along - along.mean()) @ moved
        along = moved @ apex
    if along.max() <= LEAST_MOTION * np.linalg.norm(apex) * np.linalg.norm(root):
        return None
    return tuple(((along / along.max()).round(4) + 0.0).tolist())  # never -0.0


def _take_median_of_3(moved: Array) -> Array:
    """Remove what lasts a single frame, such as most blinks. The first and the last frame stay as they are."""
    before, after = np.concatenate([moved[:1], moved[:-1]]), np.concatenate([moved[1:], moved[-1:]])
    low, high = np.minimum(before, after), np.maximum(before, after)
    return moved.clip(low, high)


def _track_points(points: Sequence[Array]) -> _Motion:
    if any(array.shape != (68, 2) or not np.isfinite(array).all() for array in points):
        raise OptionError(f"points must be 68 finite (x, y) a frame, got shapes {sorted({p.shape for p in points})}")
    placed = np.array([array[:, 0] + 1j * array[:, 1] for array in points]) / max(np.ptp(points[0][:, 0]), 1.0)
    return _Motion(placed[0], placed - placed[0], np.ones(68))


def _track_pixels(frames: Sequence[Image], faces: Sequence[Face | None]) -> _Motion | None:
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
    return _Motion(places / width, np.array(moved) / width, weights)


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
