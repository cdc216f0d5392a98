"""What is said of a face, and of a photo."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emonet.errors import ImageError, OptionError
from emonet.labels import Emotion
from facecrop import Face, Rejection
from facecrop.face import Box

SUM_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Prediction:
    """The expression that a face appears to have: what the model gives each of its classes, in its own order."""

    face: Face
    probabilities: Mapping[Emotion, float]

    def __post_init__(self) -> None:
        given = {Emotion(emotion): float(share) for emotion, share in self.probabilities.items()}
        if not all(0 <= share <= 1 for share in given.values()) or abs(sum(given.values()) - 1) > SUM_TOLERANCE:
            raise OptionError(f"probabilities must be from 0 to 1 and sum to 1, got {given}")
        object.__setattr__(self, "probabilities", given)

    @property
    def emotion(self) -> Emotion:
        """The most probable class."""
        return max(self.probabilities, key=self.probabilities.__getitem__)

    @property
    def confidence(self) -> float:
        """The probability of the most probable class."""
        return self.probabilities[self.emotion]

    @property
    def margin(self) -> float:
        """By how much the most probable class leads the next."""
        first, second = (*sorted(self.probabilities.values(), reverse=True), 0.0)[:2]
        return first - second

    @property
    def box(self) -> Box:
        return self.face.box

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and tables, safe for json.dumps."""
        return {
            "emotion": self.emotion.value,
            "confidence": self.confidence,
            "margin": self.margin,
            "probabilities": {emotion.value: share for emotion, share in self.probabilities.items()},
            "face": self.face.to_dict(),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Prediction:
        """From what `to_dict` gave."""
        return cls(Face.from_dict(stored["face"]), stored["probabilities"])


@dataclass(frozen=True, slots=True)
class PhotoResult:
    """All that is said of one photo.

    `source` is its path as it was given; of pictures that were given as bytes, arrays or Pillow images, their place
    among what was given. `predictions` stand from left to right. `rejections` say what the rules left out and why, or
    that there is no face; `error` why there is no picture.
    """

    source: str | os.PathLike[str] | int
    predictions: tuple[Prediction, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    error: ImageError | None = None

    def __post_init__(self) -> None:
        if self.error is not None and (self.predictions or self.rejections):
            raise OptionError("a picture that cannot be read has neither predictions nor rejections")

    @property
    def largest(self) -> Prediction | None:
        """What is said of the face that is nearest to the camera."""
        return max(self.predictions, key=lambda one: one.face.area, default=None)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and tables, safe for json.dumps."""
        return {
            "source": self.source if isinstance(self.source, int) else written(self.source),
            "predictions": [prediction.to_dict() for prediction in self.predictions],
            "rejections": [rejection.to_dict() for rejection in self.rejections],
            "error": None if self.error is None else self.error.reason,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> PhotoResult:
        """From what `to_dict` gave."""
        source, error = stored["source"], stored["error"]
        return cls(
            source,
            tuple(map(Prediction.from_dict, stored["predictions"])),
            tuple(map(Rejection.from_dict, stored["rejections"])),
            None if error is None else ImageError(None if isinstance(source, int) else source, error),
        )


def written(source: str | os.PathLike[str] | int) -> str:
    """What a picture goes by, as text: bytes in names that are none are written as \\xff."""
    return str(source) if isinstance(source, int) else os.fsencode(source).decode("utf-8", "backslashreplace")


def from_left_to_right(predictions: list[Prediction]) -> tuple[Prediction, ...]:
    return tuple(sorted(predictions, key=lambda one: (one.face.centre, one.box)))


def normalised(shares: Mapping[Emotion, float]) -> dict[Emotion, float]:
    """The same to a sum of 1 in double precision, which sums in single precision miss by the last digits."""
    total = math.fsum(shares.values())
    return {emotion: share / total for emotion, share in shares.items()}
