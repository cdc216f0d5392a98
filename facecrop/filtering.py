"""Deciding which of the faces in a picture will do, with a reason for every one that will not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Literal, get_args

import numpy as np

from facecrop.cropping import CropSpec, crop_face
from facecrop.errors import OptionError
from facecrop.face import Face
from facecrop.images import Image, check_image

Allowed = Literal["all", "one", "largest", "most_central"]

JUDGED_AT = CropSpec(size=64, margin=0.0, grey=True)  # sharpness and contrast are compared at one size


class Reason(StrEnum):
    """Why a picture or a face was rejected."""

    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    NOT_CHOSEN = "not_chosen"
    TOO_SMALL = "too_small"
    TOO_SMALL_A_SHARE = "too_small_a_share"
    LOW_SCORE = "low_score"
    TOO_MUCH_ROLL = "too_much_roll"
    TOO_MUCH_YAW = "too_much_yaw"
    BLURRED = "blurred"
    NO_CONTRAST = "no_contrast"


@dataclass(frozen=True, slots=True)
class FilterRules:
    """What a face must be to be used; a rule that is None does not apply.

    `allow` says how many: every face ("all"), exactly one, where none and several are both rejections ("one"), or the
    "largest" or "most_central" of those that pass the other rules. Give the detector's name to have rules that it
    cannot serve refused at once.
    """

    min_size: float | None = None  # shorter side of the face box in pixels
    min_share: float | None = None  # shorter side of the face box as a share of the picture's shorter side
    min_score: float | None = None
    max_roll: float | None = None  # degrees either way
    max_yaw: float | None = None  # degrees either way
    min_sharpness: float | None = None  # see `sharpness`; nine in ten of FER2013's faces have 109 to 940
    min_contrast: float | None = None  # see `contrast`; 27 to 69, and a blank picture has 0
    allow: Allowed = "all"
    detector: str | None = None

    def __post_init__(self) -> None:
        if self.allow not in get_args(Allowed):
            raise OptionError(f"allow must be one of {', '.join(get_args(Allowed))}, got {self.allow!r}")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.startswith(("min_", "max_")) and value is not None and not math.isfinite(value):
                raise OptionError(f"{field.name} must be a finite number or None, got {value!r}")
        if self.detector is not None and self.landmark_rules():
            self._check_landmarks(self.detector)

    def landmark_rules(self) -> list[str]:
        """Names of the rules in force that ask for landmarks."""
        return [name for name in ("max_roll", "max_yaw") if getattr(self, name) is not None]

    def _check_landmarks(self, detector: str) -> None:
        from facecrop.detectors import detector_class

        if not detector_class(detector).has_landmarks:
            raise OptionError(f"{' and '.join(self.landmark_rules())}: the detector {detector!r} gives no landmarks")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Rejection:
    """One thing that will not do, and why; `face` is None when it is the whole picture."""

    reason: Reason
    detail: str
    face: Face | None = None

    def to_dict(self) -> dict[str, Any]:
        return {"reason": self.reason.value, "detail": self.detail, "face": self.face and self.face.to_dict()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Rejection:
        """From what `to_dict` gave."""
        face = stored["face"]
        return cls(Reason(stored["reason"]), stored["detail"], None if face is None else Face.from_dict(face))


@dataclass(frozen=True, slots=True)
class Selection:
    """The faces that will do, in the detector's order, and a rejection for everything else."""

    faces: tuple[Face, ...]
    rejections: tuple[Rejection, ...]


def choose_faces(image: Image, faces: Iterable[Face], rules: FilterRules) -> Selection:
    """The faces of one picture that pass the rules. `Counter(r.reason for r in selection.rejections)` counts why."""
    check_image(image)
    found = list(faces)
    if not found:
        return Selection((), (Rejection(Reason.NO_FACE, "no face was found"),))
    rejections = [_first_failure(image, face, rules) for face in found]
    passed = [face for face, rejection in zip(found, rejections, strict=True) if rejection is None]
    failed = [rejection for rejection in rejections if rejection is not None]
    chosen, left_out = _choose(image, passed, rules.allow)
    return Selection(tuple(chosen), (*failed, *left_out))


def sharpness(image: Image, face: Face) -> float:
    """Variance of the Laplacian over the face at one size: edges in focus give large values."""
    import cv2

    return float(cv2.Laplacian(crop_face(image, face, JUDGED_AT)[..., 0], cv2.CV_64F).var())


def contrast(image: Image, face: Face) -> float:
    """Standard deviation of the face's brightness (0 to 255)."""
    return float(crop_face(image, face, JUDGED_AT)[..., 0].std())


def _first_failure(image: Image, face: Face, rules: FilterRules) -> Rejection | None:
    if face.landmarks is None and rules.landmark_rules():
        raise OptionError(f"{' and '.join(rules.landmark_rules())}: this face ({face.detector!r}) has no landmarks")
    picture_side = min(image.shape[:2])
    checks: list[tuple[float | None, Reason, Callable[[], float], str]] = [
        (rules.min_size, Reason.TOO_SMALL, lambda: face.size, "px"),
        (rules.min_share, Reason.TOO_SMALL_A_SHARE, lambda: face.size / picture_side, "of the picture's side"),
        (rules.min_score, Reason.LOW_SCORE, lambda: face.score, "score"),
        (rules.max_roll, Reason.TOO_MUCH_ROLL, lambda: abs(face.roll or 0.0), "degrees"),
        (rules.max_yaw, Reason.TOO_MUCH_YAW, lambda: abs(face.yaw or 0.0), "degrees"),
        (rules.min_contrast, Reason.NO_CONTRAST, lambda: contrast(image, face), "contrast"),
        (rules.min_sharpness, Reason.BLURRED, lambda: sharpness(image, face), "sharpness"),
    ]
    for limit, reason, measure, unit in checks:
        if limit is None:
            continue
        value = measure()
        at_most = reason in (Reason.TOO_MUCH_ROLL, Reason.TOO_MUCH_YAW)
        if value > limit if at_most else value < limit:
            return Rejection(reason, f"{value:.4g} {unit}, {'at most' if at_most else 'at least'} {limit:g}", face)
    return None


def _choose(image: Image, faces: Sequence[Face], allow: Allowed) -> tuple[Sequence[Face], list[Rejection]]:
    if allow == "all" or not faces or len(faces) == 1:
        return faces, []
    if allow == "one":
        return (), [Rejection(Reason.SEVERAL_FACES, f"{len(faces)} faces, exactly one is allowed")]
    if allow == "largest":
        best = max(faces, key=lambda face: face.area)
    else:
        middle = np.array(image.shape[1::-1]) / 2
        best = min(faces, key=lambda face: math.dist(face.centre, middle))
    return [best], [Rejection(Reason.NOT_CHOSEN, f"not the {allow} face", face) for face in faces if face is not best]
