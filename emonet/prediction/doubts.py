"""When a prediction is no answer: the face is small, blurred or turned, may be none, or the model is in doubt.

Rules (`facecrop.FilterRules`) leave a face out: it has no prediction. A doubt leaves it in: it has its probabilities,
its row in the tables and its place in the album, and the reason why it is "unsure".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from emonet.errors import OptionError
from emonet.prediction.prediction import Prediction
from facecrop import Detector
from facecrop.checks import is_number
from facecrop.filtering import sharpness
from facecrop.images import Image
from facecrop.second_look import look_again

if TYPE_CHECKING:
    from emonet.prediction.predictor import EmotionPredictor


@dataclass(frozen=True, slots=True)
class DoubtRules:
    """When the answer to a face is "unsure". A rule that is None does not apply.

    Attributes:
        min_score: The least score of the detector.
        second_look: A face with a lower score is looked for again in its own enlarged crop; it must be found there.
        sure_size: The least shorter side of the face box, in pixels.
        min_sharpness: The least sharpness, see `facecrop.filtering.sharpness`.
        max_yaw: The most degrees that the head may be turned aside, either way. Faces without landmarks pass.
        least_confidence: The least probability of the most probable class.

    Raises:
        OptionError: A rule is no finite number.

    Examples:
        >>> from emonet.prediction.doubts import DoubtRules
        >>> DoubtRules.for_photos("yunet").sure_size
        24.0
        >>> DoubtRules().to_dict()["sure_size"] is None  # no rule, no doubt
        True
    """

    min_score: float | None = None
    second_look: float | None = None
    sure_size: float | None = None
    min_sharpness: float | None = None
    max_yaw: float | None = None
    least_confidence: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not is_number(value):
                raise OptionError(f"{field.name} must be a finite number or None, got {value!r}")

    @classmethod
    def for_photos(cls, detector: str) -> DoubtRules:
        """Return the measured rules for people's photos, which depend on the detector.

        Args:
            detector: Its name. One that was not measured has the rules that need no score; `whole`, which takes each
                image for a face, has none.
        """
        return PHOTO_DOUBTS.get(detector, UNMEASURED)

    def over(self, defaults: DoubtRules) -> DoubtRules:
        """Return these rules, and of the defaults those that are None here."""
        return replace(defaults, **{name: value for name, value in self.to_dict().items() if value is not None})

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, safe for json.dumps; `DoubtRules(**...)` takes them back."""
        return asdict(self)


# From `python benchmarks/unsure.py photos fer2013.csv`; docs/explanation/unsure.md shows its tables.
UNMEASURED = DoubtRules(sure_size=24.0, min_sharpness=10.0, max_yaw=40.0, least_confidence=0.4)
PHOTO_DOUBTS: Mapping[str, DoubtRules] = MappingProxyType(
    {
        "mtcnn": replace(UNMEASURED, second_look=0.95),
        "yunet": replace(UNMEASURED, min_score=0.75, second_look=0.85),
        "whole": DoubtRules(),
    }
)


def choose_doubts(
    predictor: EmotionPredictor, given: DoubtRules, coverage: float | None = None, *, answer_all: bool = False
) -> DoubtRules:
    """Choose when the answers of a predictor are "unsure".

    Args:
        predictor: What answers; its own rules hold where no others are given.
        given: Rules that come before its own.
        coverage: The share of faces, such as those that the model was measured on, about which the model shall be sure;
            it decides the least confidence.
        answer_all: Answer to every face.

    Raises:
        OptionError: The model stores no such measurement, or there are several models.
    """
    if answer_all:
        return DoubtRules()
    if coverage is not None:
        given = replace(given, least_confidence=_find_confidence(predictor, coverage))
    return given.over(predictor.doubts)


def _find_confidence(predictor: EmotionPredictor, coverage: float) -> float:
    if len(predictor.models) > 1:
        raise OptionError("coverage is measured for each model alone: give one model, or least_confidence")
    return predictor.models[0].least_confidence(coverage, predictor.choices[0], predictor.tta)


def mark_unsure(
    found: Iterable[tuple[Image, Prediction]], rules: DoubtRules, detector: Detector
) -> Iterator[Prediction]:
    """Give each prediction that is no answer its reason.

    Args:
        found: Predictions, each with the image of its face.
        rules: When to doubt.
        detector: What found the faces; it looks again at those with a low score.

    Returns:
        An iterator with the predictions, in order.
    """
    given = list(found)
    again = _look_again(given, rules, detector)
    for (image, prediction), is_found in zip(given, again, strict=True):
        reason = _find_reason(image, prediction, rules) if is_found else "maybe not a face"
        yield replace(prediction, unsure=reason) if reason else prediction


def _look_again(given: Sequence[tuple[Image, Prediction]], rules: DoubtRules, detector: Detector) -> list[bool]:
    """Tell of each face whether it is found again, or so sure that nobody looks."""
    least, most = rules.min_score, rules.second_look
    doubted = [
        place
        for place, (_, one) in enumerate(given)
        if most is not None and one.face.score < most and (least is None or one.face.score >= least)
    ]
    scores = look_again([(given[place][0], given[place][1].face) for place in doubted], detector)
    lost = {place for place, score in zip(doubted, scores, strict=True) if score == -math.inf}
    return [place not in lost for place in range(len(given))]


def _find_reason(image: Image, prediction: Prediction, rules: DoubtRules) -> str:
    """Find the first reason to doubt, the gravest first; nothing if there is none."""
    face = prediction.face
    if _is_below(face.score, rules.min_score):
        return "maybe not a face"
    if _is_below(face.size, rules.sure_size):
        return "too small"
    if rules.min_sharpness is not None and sharpness(image, face) < rules.min_sharpness:
        return "blurred"
    if rules.max_yaw is not None and abs(face.yaw or 0.0) > rules.max_yaw:
        return "turned"
    return "in doubt" if _is_below(prediction.confidence, rules.least_confidence) else ""


def _is_below(value: float, least: float | None) -> bool:
    return least is not None and value < least
