"""Agreement of answers with one truth for each image: the labels, or what most voters saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emonet.evaluation.intervals import WILSON, Clusters, estimate_share
from emonet.labels import Emotion

Places = NDArray[np.integer]  # of expressions in the order of Emotion


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often answers agree with the truth.

    Attributes:
        n: Images that are scored.
        correct: Those whose answer is the true one.
        accuracy: The share of these.
        accuracy_interval: Where it lies with 95 % confidence.
        macro_recall: The mean of the recalls of the classes that occur.
        interval_method: How the interval was computed.
    """

    n: int
    correct: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    macro_recall: float
    interval_method: str = WILSON

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON takes them."""
        return asdict(self)


def agree(answers: Places, truth: Places, clusters: Clusters | None = None) -> Agreement:
    """Score answers (N,) against the truth (N,).

    An expression that the model cannot answer counts as missed, so that heads with other classes can be compared.

    Args:
        answers: The answers.
        truth: The true expressions.
        clusters: Which images are of the same person or sequence; None if all are independent.
    """
    right = answers == truth
    recalls = [right[truth == place].mean() for place in np.unique(truth)]
    n, correct = len(truth), int(right.sum())
    interval = estimate_share(right, clusters)
    return Agreement(n, correct, correct / n, interval.ends, float(np.mean(recalls)), interval.method)


def emotion_places(classes: Sequence[Emotion]) -> NDArray[np.int64]:
    """Find the place of each class in the order of Emotion."""
    order = list(Emotion)
    return np.array([order.index(one) for one in classes], np.int64)
