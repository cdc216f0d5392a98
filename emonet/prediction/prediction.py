"""The prediction for a face, and the result of a photo."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from emonet.errors import ImageError, OptionError
from emonet.labels import Emotion
from emonet.prediction.notebook import show_prediction, show_result
from emonet.prediction.probabilities import Probabilities
from facecrop import Face, Rejection
from facecrop.face import Box
from facecrop.text import as_text

UNSURE = ("maybe not a face", "too small", "blurred", "turned", "in doubt")  # reasons why an answer is not given


@dataclass(frozen=True, slots=True)
class Prediction:
    """The expression that a face appears to have.

    Attributes:
        face: Where the face is in the image.
        probabilities: Of each class of the model, in the model's order. They sum to 1, and cannot be changed.
        unsure: Why the answer is not given, one of UNSURE; "" if it is given. The probabilities are there either way.
        thumbnail: A small JPEG of the face, which a notebook shows; empty if it is not known. It is not stored.

    Raises:
        OptionError: The probabilities do not lie between 0 and 1 or do not sum to 1, or `unsure` is no such reason.

    Examples:
        >>> from emonet import Prediction
        >>> from facecrop import Face
        >>> prediction = Prediction(Face((179, 59, 269, 175), score=0.99), {"happy": 0.87, "sad": 0.13})
        >>> prediction
        <Prediction happy 87 % at (179, 59, 269, 175)>
        >>> round(prediction.margin, 2)
        0.74
        >>> prediction.answer, Prediction(prediction.face, prediction.probabilities, unsure="blurred").answer
        ('happy', 'unsure')
    """

    face: Face
    probabilities: Mapping[Emotion, float]
    unsure: str = field(default="", kw_only=True)
    thumbnail: bytes = field(default=b"", kw_only=True, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "probabilities", Probabilities(self.probabilities))
        if self.unsure and self.unsure not in UNSURE:
            raise OptionError(f"unsure must be empty or one of {', '.join(UNSURE)}, got {self.unsure!r}")

    def __repr__(self) -> str:
        box = ", ".join(f"{value:.0f}" for value in self.box)
        doubt = f"unsure ({self.unsure}), " if self.unsure else ""
        return f"<Prediction {doubt}{self.emotion} {100 * self.confidence:.0f} % at ({box})>"

    def _repr_html_(self) -> str:
        return show_prediction(self)

    @property
    def emotion(self) -> Emotion:
        """The most probable class."""
        return max(self.probabilities, key=self.probabilities.__getitem__)

    @property
    def answer(self) -> str:
        """The name of the most probable class, or "unsure"."""
        return "unsure" if self.unsure else self.emotion.value

    @property
    def dominant_emotion(self) -> str:
        """The name of the most probable class as a plain string, also of an unsure prediction."""
        return self.emotion.value

    @property
    def emotions(self) -> dict[str, float]:
        """The probabilities as a plain dict: the names of the classes and floats from 0 to 1."""
        return {emotion.value: share for emotion, share in self.probabilities.items()}

    @property
    def confidence(self) -> float:
        """The probability of the most probable class."""
        return self.probabilities[self.emotion]

    @property
    def margin(self) -> float:
        """The difference between the two highest probabilities."""
        first, second = (*sorted(self.probabilities.values(), reverse=True), 0.0)[:2]
        return first - second

    @property
    def box(self) -> Box:
        """The box of the face: x1, y1, x2, y2 in pixels."""
        return self.face.box

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings, lists and dicts, safe for json.dumps."""
        return {
            "emotion": self.emotion.value,
            "confidence": self.confidence,
            "margin": self.margin,
            "probabilities": self.emotions,
            "unsure": self.unsure,
            "face": self.face.to_dict(),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Make a prediction from what `to_dict` returned, also before there was `unsure`."""
        return cls(Face.from_dict(stored["face"]), stored["probabilities"], unsure=stored.get("unsure", ""))


@dataclass(frozen=True, slots=True)
class PhotoResult:
    """The predictions for one photo, and the reasons for what has none.

    Attributes:
        source: The path as it was given; for bytes, arrays and Pillow images, their place among what was given.
        predictions: One for each face that passed the rules, from left to right.
        rejections: What the rules left out and why, or that no face was found.
        error: Why the photo cannot be read; None if it was read.

    Raises:
        OptionError: There is an error together with predictions or rejections.

    Examples:
        >>> from emonet import PhotoResult
        >>> result = PhotoResult("sea.jpg")
        >>> result.predictions, result.largest
        ((), None)
    """

    source: str | os.PathLike[str] | int
    predictions: tuple[Prediction, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    error: ImageError | None = None

    def __post_init__(self) -> None:
        if self.error is not None and (self.predictions or self.rejections):
            raise OptionError("a photo that cannot be read has neither predictions nor rejections")

    def _repr_html_(self) -> str:
        return show_result(self)

    @property
    def largest(self) -> Prediction | None:
        """The prediction for the face with the largest box; None without a prediction."""
        return max(self.predictions, key=lambda one: one.face.area, default=None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings, lists and dicts, safe for json.dumps."""
        return {
            "source": self.source if isinstance(self.source, int) else as_text(self.source),
            "predictions": [prediction.to_dict() for prediction in self.predictions],
            "rejections": [rejection.to_dict() for rejection in self.rejections],
            "error": None if self.error is None else self.error.reason,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Make a result from what `to_dict` returned."""
        source, error = stored["source"], stored["error"]
        return cls(
            source,
            tuple(map(Prediction.from_dict, stored["predictions"])),
            tuple(map(Rejection.from_dict, stored["rejections"])),
            None if error is None else ImageError(None if isinstance(source, int) else source, error),
        )


def sort_from_left(predictions: list[Prediction]) -> tuple[Prediction, ...]:
    """Sort the predictions for one photo from left to right."""
    return tuple(sorted(predictions, key=lambda one: (one.face.centre, one.box)))


def normalise(shares: Mapping[Emotion, float]) -> dict[Emotion, float]:
    """Scale probabilities to a sum of 1 in double precision, because sums in single precision miss it slightly."""
    total = math.fsum(shares.values())
    return {emotion: share / total for emotion, share in shares.items()}
