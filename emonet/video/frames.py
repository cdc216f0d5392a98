"""What was found on a frame: predictions that know their track."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from emonet.prediction.prediction import Prediction
from facecrop import Face


@dataclass(frozen=True, slots=True, repr=False)
class TrackedPrediction(Prediction):
    """The expression of a face on a frame of a film.

    Attributes:
        track: The number of the face's track, from 1. It says that a face is followed, and not whose face it is.
        detected: Whether the detector found the face on this frame; else it was followed from an earlier one.
        classified: Whether the face was classified on this frame; else the probabilities are those of an earlier one.

    Examples:
        >>> from emonet.video import TrackedPrediction
        >>> from facecrop import Face
        >>> TrackedPrediction(Face((10, 20, 50, 80), score=0.9), {"happy": 0.75, "sad": 0.25}, track=2)
        <Prediction track 2, happy 75 % at (10, 20, 50, 80)>
    """

    track: int = 0
    detected: bool = True
    classified: bool = True

    def __repr__(self) -> str:
        return Prediction.__repr__(self).replace(" ", f" track {self.track}, ", 1)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings, lists and dicts, safe for json.dumps."""
        own = {"track": self.track, "detected": self.detected, "classified": self.classified}
        return own | Prediction.to_dict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Make a prediction from what `to_dict` returned."""
        face = Face.from_dict(stored["face"])
        own = {name: stored[name] for name in ("track", "detected", "classified")}
        return cls(face, stored["probabilities"], unsure=stored.get("unsure", ""), **own)


@dataclass(frozen=True, slots=True)
class FrameResult:
    """The predictions for one frame of a film.

    Attributes:
        index: The number of the frame in the film, from 0.
        time_s: When the frame is shown, in seconds after the first one.
        predictions: One for each face, from left to right.

    Examples:
        >>> from emonet import FrameResult
        >>> FrameResult(12, 0.4).to_dict()
        {'index': 12, 'time_s': 0.4, 'predictions': []}
    """

    index: int
    time_s: float
    predictions: tuple[TrackedPrediction, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings, lists and dicts, safe for json.dumps."""
        return {
            "index": self.index,
            "time_s": self.time_s,
            "predictions": [prediction.to_dict() for prediction in self.predictions],
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Make a result from what `to_dict` returned."""
        found = tuple(map(TrackedPrediction.from_dict, stored["predictions"]))
        return cls(stored["index"], stored["time_s"], found)
