"""How good the answers are: accuracy and its uncertainty, F1, confusions and log loss of probabilities."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Z_95 = 1.959964  # standard deviations about a normal mean that hold 95 %
SUM_TOLERANCE = 0.01  # by which the probabilities of a picture may miss 1: half precision rounds


@dataclass(frozen=True, slots=True)
class ClassScores:
    """One class against the rest. What would divide by nothing is None.

    That is recall and F1 of a class that does not occur, and precision of one that was never answered.
    """

    precision: float | None
    recall: float | None
    f1: float | None
    support: int  # how often it occurs


@dataclass(frozen=True, slots=True)
class Scores:
    """What a network scored on n pictures. Macro F1 is the mean over the classes that occur; nothing is ever NaN."""

    n: int
    accuracy: float
    accuracy_interval: tuple[float, float]  # Wilson's, 95 %
    macro_f1: float
    weighted_f1: float  # by support
    log_loss: float  # natural; probabilities below 2e-16 count as that
    classes: Mapping[str, ClassScores]
    confusion: tuple[tuple[int, ...], ...]  # rows: the true class; columns: the answer

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


def score(probabilities: NDArray[np.floating], labels: NDArray[np.integer], classes: Sequence[str]) -> Scores:
    """Scores of probabilities (N, classes) for the labels (N,), which are places in `classes`."""
    from sklearn.metrics import confusion_matrix, log_loss

    _check(probabilities, labels, classes)
    places = np.arange(len(classes))
    confusion = confusion_matrix(labels, probabilities.argmax(1), labels=places)
    by_class = _class_scores(confusion)
    occurring = [(one.f1, one.support) for one in by_class if one.f1 is not None]
    f1, support = np.array(occurring).T
    exact = probabilities.astype(np.float64)
    correct = int(confusion.trace())
    return Scores(
        n=len(labels),
        accuracy=correct / len(labels),
        accuracy_interval=wilson_interval(correct, len(labels)),
        macro_f1=float(f1.mean()),
        weighted_f1=float(np.average(f1, weights=support)),
        log_loss=float(log_loss(labels, exact / exact.sum(1, keepdims=True), labels=places)),
        classes=dict(zip(map(str, classes), by_class, strict=True)),
        confusion=tuple(map(tuple, confusion.tolist())),
    )


def wilson_interval(correct: int, n: int) -> tuple[float, float]:
    """Where the share lies with 95 % confidence; unlike the normal interval it holds for few pictures and near 1."""
    if not 0 <= correct <= n or n < 1:
        raise ValueError(f"of at least one picture, 0 to all can be correct, got {correct} of {n}")
    share, spread = correct / n, Z_95**2 / n
    centre = (share + spread / 2) / (1 + spread)
    half = Z_95 * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def _class_scores(confusion: NDArray[np.integer]) -> list[ClassScores]:
    hits, answered, support = confusion.diagonal().tolist(), confusion.sum(0).tolist(), confusion.sum(1).tolist()
    return [
        ClassScores(
            precision=hit / answers if answers else None,
            recall=hit / there if there else None,
            f1=2 * hit / (answers + there) if there else None,
            support=there,
        )
        for hit, answers, there in zip(hits, answered, support, strict=True)
    ]


def _check(probabilities: NDArray[np.floating], labels: NDArray[np.integer], classes: Sequence[str]) -> None:
    if len(classes) < 2 or len(set(classes)) != len(classes):
        raise ValueError(f"classes must be two or more different names, got {', '.join(classes) or 'none'}")
    if labels.ndim != 1 or probabilities.shape != (len(labels), len(classes)):
        raise ValueError(
            f"probabilities must be (N, {len(classes)}) and labels (N,), got {probabilities.shape} and {labels.shape}"
        )
    if not len(labels):
        raise ValueError("there is nothing to score: no pictures")
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels must be whole numbers, got {labels.dtype}")
    if labels.min() < 0 or labels.max() >= len(classes):
        wrong = labels[(labels < 0) | (labels >= len(classes))][0]
        raise ValueError(f"labels must be from 0 to {len(classes) - 1}, got {wrong}")
    if not np.isfinite(probabilities).all():
        raise ValueError(f"probabilities must be finite; row {np.isfinite(probabilities).all(1).argmin()} is not")
    missed = np.abs(probabilities.sum(1, dtype=np.float64) - 1)
    if probabilities.min() < 0 or missed.max() > SUM_TOLERANCE:
        raise ValueError("probabilities must be 0 or more and sum to 1 in every row; are they scores before softmax?")
