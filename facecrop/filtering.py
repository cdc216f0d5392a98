"""Choose which faces of an image are used, with a reason for every face that is not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any, Literal, get_args

import numpy as np

from facecrop.checks import is_number
from facecrop.cropping import CropSpec, crop_face
from facecrop.errors import OptionError
from facecrop.face import Face
from facecrop.images import Image, check_image

Allowed = Literal["all", "one", "largest", "most_central"]

JUDGED_AT = CropSpec(size=64, margin=0.0, grey=True)  # sharpness and contrast are compared at one size


class Reason(StrEnum):
    """Why a face or a whole image was left out.

    Examples:
        >>> from facecrop import Reason
        >>> Reason.TOO_SMALL.value
        'too_small'
    """

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
    """What a face must be to be used. A rule that is None does not apply.

    Attributes:
        min_size: The least shorter side of the face box, in pixels.
        min_share: The least shorter side of the face box, as a share of the image's shorter side.
        min_score: The least score of the detector.
        max_roll: The most degrees that the face may be turned in the image, either way. Needs landmarks.
        max_yaw: The most degrees that the head may be turned aside, either way. Needs landmarks.
        min_sharpness: See `sharpness`; nine in ten of FER2013's faces have 109 to 940.
        min_contrast: See `contrast`; nine in ten of FER2013's faces have 27 to 69, and a blank image has 0.
        allow: How many faces: `all`; `one`, which rejects images with several; or the `largest` or `most_central` of
            those that pass the other rules.
        detector: The name of the detector. If given, rules that need landmarks are refused at once for a detector
            without landmarks.

    Raises:
        OptionError: A rule has a value that cannot be used, or the detector gives no landmarks.

    Examples:
        >>> from facecrop import FilterRules
        >>> FilterRules(min_size=40, max_yaw=45).landmark_rules()
        ['max_yaw']
    """

    min_size: float | None = None
    min_share: float | None = None
    min_score: float | None = None
    max_roll: float | None = None
    max_yaw: float | None = None
    min_sharpness: float | None = None
    min_contrast: float | None = None
    allow: Allowed = "all"
    detector: str | None = None

    def __post_init__(self) -> None:
        if self.allow not in get_args(Allowed):
            raise OptionError(f"allow must be one of {', '.join(get_args(Allowed))}, got {self.allow!r}")
        for field in fields(self):
            value = getattr(self, field.name)
            if not field.name.startswith(("min_", "max_")) or value is None:
                continue
            if not is_number(value):
                raise OptionError(f"{field.name} must be a finite number or None, got {value!r}")
            if value < 0 and field.name != "min_score":  # dlib's scores go below 0
                raise OptionError(f"{field.name} must be 0 or more, or None, got {value!r}")
        if self.detector is not None and self.landmark_rules():
            self._check_landmarks(self.detector)

    def landmark_rules(self) -> list[str]:
        """List the rules in force that need landmarks."""
        return [name for name in ("max_roll", "max_yaw") if getattr(self, name) is not None]

    def _check_landmarks(self, detector: str) -> None:
        from facecrop.detectors import detector_class

        if not detector_class(detector).has_landmarks:
            rules = " and ".join(self.landmark_rules())
            raise OptionError(f"{rules}: the detector {detector!r} gives no landmarks; use yunet or mtcnn")

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings, safe for json.dumps; `FilterRules(**...)` takes them back."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Rejection:
    """A face, or a whole image, that is left out.

    Attributes:
        reason: The rule that it fails.
        detail: What was measured and what is allowed, such as "20 px, at least 40".
        face: The face; None if the whole image is left out.

    Examples:
        >>> from facecrop import Reason, Rejection
        >>> Rejection(Reason.NO_FACE, "no face was found").to_dict()
        {'reason': 'no_face', 'detail': 'no face was found', 'face': None}
    """

    reason: Reason
    detail: str
    face: Face | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings, lists and dicts, safe for json.dumps."""
        return {"reason": self.reason.value, "detail": self.detail, "face": self.face and self.face.to_dict()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Rejection:
        """Make a rejection from what `to_dict` returned."""
        face = stored["face"]
        return cls(Reason(stored["reason"]), stored["detail"], None if face is None else Face.from_dict(face))

    def scaled(self, factor: float, rules: FilterRules) -> Rejection:
        """Return the rejection as it is in an image of another size.

        Args:
            factor: What all lengths are multiplied by.
            rules: Those of that image.
        """
        if self.face is None:
            return self
        face = self.face.scaled(factor)
        if self.reason is Reason.TOO_SMALL and rules.min_size is not None:
            return replace(self, detail=_explain(face.size, "px", rules.min_size), face=face)
        return replace(self, face=face)


@dataclass(frozen=True, slots=True)
class Selection:
    """The faces of an image that are used, and a rejection for everything else.

    Attributes:
        faces: In the order of the detector, best score first.
        rejections: One for each face that is left out, or for the whole image.

    Examples:
        >>> from collections import Counter
        >>> from facecrop import Reason, Rejection, Selection
        >>> selection = Selection((), (Rejection(Reason.NO_FACE, "no face was found"),))
        >>> Counter(rejection.reason.value for rejection in selection.rejections)
        Counter({'no_face': 1})
    """

    faces: tuple[Face, ...]
    rejections: tuple[Rejection, ...]


def choose_faces(image: Image, faces: Iterable[Face], rules: FilterRules) -> Selection:
    """Choose the faces of an image that pass the rules.

    Args:
        image: RGB uint8, as `read_image` returns it.
        faces: What a detector found in this image.
        rules: What a face must be.

    Returns:
        The chosen faces, and a rejection with a reason for each other face. An image without a face has a rejection.

    Raises:
        OptionError: A rule needs landmarks, and a face has none.

    Examples:
        >>> import numpy as np
        >>> from facecrop import Face, FilterRules, choose_faces
        >>> faces = [Face((10, 10, 60, 70), score=0.9), Face((80, 10, 95, 30), score=0.8)]
        >>> selection = choose_faces(np.zeros((100, 100, 3), np.uint8), faces, FilterRules(min_size=40))
        >>> len(selection.faces), selection.rejections[0].detail
        (1, '15 px, at least 40')
    """
    check_image(image)
    found = list(faces)
    if not found:
        return Selection((), (Rejection(Reason.NO_FACE, "no face was found"),))
    rejections = [_find_failure(image, face, rules) for face in found]
    passed = [face for face, rejection in zip(found, rejections, strict=True) if rejection is None]
    failed = [rejection for rejection in rejections if rejection is not None]
    chosen, left_out = _apply_allow(image, passed, rules.allow)
    return Selection(tuple(chosen), (*failed, *left_out))


def sharpness(image: Image, face: Face) -> float:
    """Measure the variance of the Laplacian over a face, drawn at one size: edges in focus give large values."""
    import cv2

    return float(cv2.Laplacian(crop_face(image, face, JUDGED_AT)[..., 0], cv2.CV_64F).var())


def contrast(image: Image, face: Face) -> float:
    """Measure the standard deviation of a face's brightness (0 to 255)."""
    return float(crop_face(image, face, JUDGED_AT)[..., 0].std())


def _find_failure(image: Image, face: Face, rules: FilterRules) -> Rejection | None:
    if face.landmarks is None and rules.landmark_rules():
        raise OptionError(f"{' and '.join(rules.landmark_rules())}: this face ({face.detector!r}) has no landmarks")
    image_side = min(image.shape[:2])
    checks: list[tuple[float | None, Reason, Callable[[], float], str]] = [
        (rules.min_size, Reason.TOO_SMALL, lambda: face.size, "px"),
        (rules.min_share, Reason.TOO_SMALL_A_SHARE, lambda: face.size / image_side, "of the image's side"),
        (rules.min_score, Reason.LOW_SCORE, lambda: face.score, "score"),
        (rules.max_roll, Reason.TOO_MUCH_ROLL, lambda: _measure_roll(face), "degrees"),
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
            return Rejection(reason, _explain(value, unit, limit, "at most" if at_most else "at least"), face)
    return None


def _explain(value: float, unit: str, limit: float, side: str = "at least") -> str:
    return f"{value:.4g} {unit}, {side} {limit:g}"


def _measure_roll(face: Face) -> float:
    """Measure how far a head is tilted, in a photo that lies on its side beside the photo."""
    return abs(((face.roll or 0.0) - face.turn + 180) % 360 - 180)


def _apply_allow(image: Image, faces: Sequence[Face], allow: Allowed) -> tuple[Sequence[Face], list[Rejection]]:
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
