"""Find where an expression begins. CK+'s sequences run from a neutral face to the apex; neutral frames are dropped.

A rule says which frames are kept. The rule `auto` measures how strong the expression is in every frame: it takes the
motion of the face since the first frame, removes the motion of the head, and projects the rest on the motion at the
apex: activation(t) = <motion(t), apex> / <apex, apex>. This grows evenly with the expression, and blinks, noise and
light hardly change it, because they move other parts of a face. Motion is measured by the 68 landmarks of the data set
if it has them, and otherwise by dense optical flow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from emonet.datasets.curation.motion import Array, Motion, track_pixels, track_points
from emonet.errors import OptionError
from facecrop.face import Face
from facecrop.images import Image

Method = Literal["auto", "fraction", "last", "peak"]

DEFAULTS: dict[Method, float | None] = {"auto": 0.5, "fraction": 0.5, "last": 3, "peak": None}
FORMS = "auto, auto=0.5 (share of the apex's activation), fraction=0.5 (cut from the start), last=3 (frames), peak"
FALL_BACK = 3  # frames that are kept if no rise is found

# Chosen with benchmarks/onset.py.
LEAST_MOTION = 0.001  # widths of the face, root mean square: the noise of sensors and JPEG makes less


@dataclass(frozen=True, slots=True)
class OnsetRule:
    """Which frames of a sequence are kept.

    Attributes:
        method: `auto` keeps the last frame and what leads up to it, from the first frame of the rise on that has
            `amount` of the apex's activation; `fraction` drops the first `amount` of the frames; `last` keeps the last
            `amount` frames; `peak` keeps the last one, which is CK+'s apex.
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
        note: Why it is not what the rule says, or is doubtful.
    """

    kept: tuple[bool, ...]
    activation: tuple[float, ...] | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if not any(self.kept):
            raise OptionError(f"at least one frame must be kept, got {self.kept!r}")
        if self.activation is not None and len(self.activation) != len(self.kept):
            raise OptionError(f"activation must have {len(self.kept)} values, one a frame, got {len(self.activation)}")


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


def correct_onset(onset: Onset, numbers: Sequence[int], first: int) -> Onset:
    """Keep the frames whose number is `first` or more instead of what a rule keeps, and at least the last one."""
    kept = tuple(number >= min(first, max(numbers)) for number in numbers)
    return replace(onset, kept=kept, note="onset by the corrections")


def _all_but(first: int, count: int) -> tuple[bool, ...]:
    return tuple(index >= first for index in range(count))


def _find_rise(
    frames: Sequence[Image], faces: Sequence[Face | None], points: Sequence[Array | None], share: float
) -> Onset:
    count = len(frames)
    if count == 1:
        return Onset((True,), (1.0,), "the only frame")
    landmarks = [array for array in points if array is not None]
    motion = track_points(landmarks) if len(landmarks) == count else track_pixels(frames, faces)
    activation = None if motion is None else _measure_activation(motion)
    if activation is not None:
        return _keep_risen(activation, share)
    reason = "no face was found" if motion is None else "no rise was found"
    note = f"{reason}: the last {min(count, FALL_BACK)} frames are kept"
    return Onset(_all_but(count - FALL_BACK, count), None if motion is None else (0.0,) * count, note)


def _keep_risen(activation: Sequence[float], share: float) -> Onset:
    """Keep the last frame, and all frames from the rise on that leads to it.

    Where the last frame seems to have no expression, its motion was lost (a mouth that opens wide is hard to follow),
    or the face fell back: then the rise to the highest activation counts. A peak before it is a blink or an error.
    """
    last = len(activation) - 1
    apex = last if activation[last] >= share else int(np.argmax(activation))
    rise = apex
    while rise > 0 and activation[rise - 1] >= share:
        rise -= 1
    note = ""
    if apex < last:
        note = f"the activation is {activation[last]:.2f} in the last frame, and the highest in frame {apex + 1}"
    elif before := [index + 1 for index in range(rise) if activation[index] >= share]:
        note = f"the activation was as high in frame {before[0]}, before the rise"
    return Onset(_all_but(rise, last + 1), tuple(activation), f"doubtful: {note}" if note else "")


def _measure_activation(motion: Motion) -> tuple[float, ...] | None:
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
