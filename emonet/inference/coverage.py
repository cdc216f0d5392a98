"""How many faces a model answers, and how often it is right about them, by the least confidence that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from emonet.errors import OptionError


@dataclass(frozen=True, slots=True)
class CoveragePoint:
    """What one least confidence leads to.

    Attributes:
        coverage: The share of the faces that are answered: those with at least this confidence.
        confidence: The least probability of the most probable class.
        accuracy: The share of right answers among these.
    """

    coverage: float
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class CoverageCurve:
    """How coverage and accuracy change with the least confidence, for one way to answer.

    Attributes:
        head: The head that answers, or `mean`.
        prior: The prior that is divided out.
        view: The test-time augmentation.
        data: The name of the data set and its split.
        n: Images that it was measured on.
        points: From full coverage down.
    """

    head: str
    prior: str
    view: str
    data: str
    n: int
    points: tuple[CoveragePoint, ...]

    def least_confidence(self, coverage: float) -> float:
        """Find the least confidence with which about this share of faces is answered.

        Raises:
            OptionError: The coverage is not above 0 and at most 1.
        """
        if not 0 < coverage <= 1:
            raise OptionError(f"coverage must be above 0 and at most 1, got {coverage}")
        if coverage == 1:
            return 0.0  # also for faces that the model is less sure about than about any that it was measured on
        known = self.points[::-1]
        shares, confidences = [one.coverage for one in known], [one.confidence for one in known]
        return float(np.interp(coverage, shares, confidences))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON takes them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Make it from what `to_dict` returned."""
        points = tuple(CoveragePoint(**point) for point in stored["points"])
        return cls(**{**stored, "points": points})
