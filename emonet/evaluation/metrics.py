"""Compute how good answers are: accuracy, F-scores, agreement, confusions, and whether probabilities can be trusted.

Needs numpy alone: `emonet predict` scores labelled photos where neither scikit-learn nor torch is installed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emonet.errors import OptionError
from emonet.evaluation.intervals import WILSON, Clusters, estimate_share, wilson_interval

__all__ = ["Bin", "ClassScores", "Scores", "reliability", "score", "wilson_interval"]

BINS = 15  # of confidence, as is usual
SUM_TOLERANCE = 0.01  # by which the probabilities of an image may miss 1: half precision rounds


@dataclass(frozen=True, slots=True)
class ClassScores:
    """The scores of one class against the rest.

    What would divide by zero is None.

    Attributes:
        precision: None for a class that was never answered.
        recall: None for a class that does not occur, as are the two F-scores.
        f1: The harmonic mean of both.
        f_beta: The same with recall counting `beta` times as much.
        support: How often the class occurs.
    """

    precision: float | None
    recall: float | None
    f1: float | None
    f_beta: float | None
    support: int


@dataclass(frozen=True, slots=True)
class Scores:
    """What a network scored on n images.

    Macro means are over the classes that occur. Nothing is ever NaN.

    Attributes:
        n: Images.
        correct: Those whose answer is the true class.
        accuracy: The share of these.
        accuracy_interval: Where it lies with 95 % confidence.
        top_2: The share of images whose class is among the two likeliest.
        macro_f1: The mean of the F1 of the classes.
        weighted_f1: The same, weighted by support.
        beta: How many times F-beta counts recall as much as precision.
        macro_f_beta: The mean of the F-beta of the classes.
        kappa: Cohen's; None where chance alone would always agree.
        log_loss: In nats; probabilities below 2e-16 count as that.
        calibration_error: The expected one, over the bins of `reliability`.
        classes: Name -> scores of the class.
        confusion: Rows: the true class; columns: the answer.
        interval_method: How the interval was computed: by Wilson's formula, or by a bootstrap over people.
    """

    n: int
    correct: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    top_2: float
    macro_f1: float
    weighted_f1: float
    beta: float
    macro_f_beta: float
    kappa: float | None
    log_loss: float
    calibration_error: float
    classes: Mapping[str, ClassScores]
    confusion: tuple[tuple[int, ...], ...]
    interval_method: str = WILSON

    @property
    def macro_recall(self) -> float:
        """The mean of the recalls of the classes that occur."""
        recalls = [one.recall for one in self.classes.values() if one.recall is not None]
        return sum(recalls) / len(recalls)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON takes them."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Bin:
    """The images whose highest probability is above `low`, up to `high`.

    Attributes:
        low: The lower edge.
        high: The upper edge.
        n: Images.
        confidence: The mean of their highest probabilities; None in an empty bin.
        accuracy: The share of right answers; None in an empty bin.
    """

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None


def score(
    probabilities: NDArray[np.floating],
    labels: NDArray[np.integer],
    classes: Sequence[str],
    *,
    beta: float = 2.0,
    clusters: Clusters | None = None,
) -> Scores:
    """Score probabilities.

    Args:
        probabilities: Of each image, (N, classes); each row sums to 1.
        labels: The index of the true class of each image, (N,).
        classes: Names of the classes.
        beta: How many times F-beta counts recall as much as precision.
        clusters: Which images are of the same person or sequence; None if all are independent.

    Raises:
        OptionError: There is nothing to score, or the arrays do not fit each other.
    """
    _check_arrays(probabilities, labels, classes)
    if not 0 < beta < math.inf:
        raise OptionError(f"beta must be above 0, got {beta}")
    confusion = _count_confusions(labels, probabilities.argmax(1), len(classes))
    by_class = _score_classes(confusion, beta)
    occurring = [(one.f1, one.f_beta, one.support) for one in by_class if one.f1 is not None]
    f1, f_beta, support = np.array(occurring).T
    exact = probabilities.astype(np.float64)
    correct = int(confusion.trace())
    interval = estimate_share(probabilities.argmax(1) == labels, clusters)
    return Scores(
        n=len(labels),
        correct=correct,
        accuracy=correct / len(labels),
        accuracy_interval=interval.ends,
        top_2=float((np.argsort(-exact, axis=1, kind="stable")[:, :2] == labels[:, None]).any(1).mean()),
        macro_f1=float(f1.mean()),
        weighted_f1=float(np.average(f1, weights=support)),
        beta=beta,
        macro_f_beta=float(f_beta.mean()),
        kappa=_compute_kappa(confusion),
        log_loss=_compute_log_loss(exact, labels),
        calibration_error=_compute_calibration_error(reliability(probabilities, labels)),
        classes=dict(zip(map(str, classes), by_class, strict=True)),
        confusion=tuple(map(tuple, confusion.tolist())),
        interval_method=interval.method,
    )


def reliability(probabilities: NDArray[np.floating], labels: NDArray[np.integer], bins: int = BINS) -> tuple[Bin, ...]:
    """Compare confidence with accuracy, in bins of equal width.

    Args:
        probabilities: Of each image, (N, classes).
        labels: The index of the true class of each image, (N,).
        bins: How many bins.
    """
    confidence = probabilities.max(1).astype(np.float64)
    right = probabilities.argmax(1) == labels
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.digitize(confidence, edges, right=True) - 1, 0, bins - 1)
    found = []
    for number, (low, high) in enumerate(pairwise(edges.tolist())):
        inside = place == number
        means = (float(confidence[inside].mean()), float(right[inside].mean())) if inside.any() else (None, None)
        found.append(Bin(low, high, int(inside.sum()), *means))
    return tuple(found)


def _count_confusions(labels: NDArray[np.integer], answers: NDArray[np.integer], count: int) -> NDArray[np.integer]:
    """Count how often each class (row) got each answer (column)."""
    return np.bincount(labels * count + answers, minlength=count**2).reshape(count, count)


def _compute_log_loss(probabilities: NDArray[np.float64], labels: NDArray[np.integer]) -> float:
    """Compute the mean of minus the logarithms of the true classes' probabilities."""
    shares = probabilities / probabilities.sum(1, keepdims=True)
    least = np.finfo(np.float64).eps
    return float(-np.log(shares[np.arange(len(labels)), labels].clip(least, 1 - least)).mean())


def _compute_kappa(confusion: NDArray[np.integer]) -> float | None:
    """Compute the agreement beyond what the frequencies of labels and answers would give by chance."""
    n = float(confusion.sum())
    by_chance = float(confusion.sum(0) @ confusion.sum(1)) / n**2
    return None if by_chance == 1 else (float(confusion.trace()) / n - by_chance) / (1 - by_chance)


def _compute_calibration_error(bins: Sequence[Bin]) -> float:
    """Compute the mean distance between confidence and accuracy, each bin weighted by its images."""
    apart = [
        one.n * abs(one.confidence - one.accuracy)
        for one in bins
        if one.confidence is not None and one.accuracy is not None
    ]
    return sum(apart) / sum(one.n for one in bins)


def _score_classes(confusion: NDArray[np.integer], beta: float) -> list[ClassScores]:
    hits, answered, support = confusion.diagonal().tolist(), confusion.sum(0).tolist(), confusion.sum(1).tolist()
    return [
        ClassScores(
            precision=hit / answers if answers else None,
            recall=hit / there if there else None,
            f1=2 * hit / (answers + there) if there else None,
            f_beta=(1 + beta**2) * hit / (answers + beta**2 * there) if there else None,
            support=there,
        )
        for hit, answers, there in zip(hits, answered, support, strict=True)
    ]


def _check_arrays(probabilities: NDArray[np.floating], labels: NDArray[np.integer], classes: Sequence[str]) -> None:
    if len(classes) < 2 or len(set(classes)) != len(classes):
        raise OptionError(f"classes must be two or more different names, got {', '.join(classes) or 'none'}")
    if labels.ndim != 1 or probabilities.shape != (len(labels), len(classes)):
        raise OptionError(
            f"probabilities must be (N, {len(classes)}) and labels (N,), got {probabilities.shape} and {labels.shape}"
        )
    if not len(labels):
        raise OptionError("there is nothing to score: no images")
    if not np.issubdtype(labels.dtype, np.integer):
        raise OptionError(f"labels must be whole numbers, got {labels.dtype}")
    if labels.min() < 0 or labels.max() >= len(classes):
        wrong = labels[(labels < 0) | (labels >= len(classes))][0]
        raise OptionError(f"labels must be from 0 to {len(classes) - 1}, got {wrong}")
    if not np.isfinite(probabilities).all():
        raise OptionError(f"probabilities must be finite; row {np.isfinite(probabilities).all(1).argmin()} is not")
    missed = np.abs(probabilities.sum(1, dtype=np.float64) - 1)
    if probabilities.min() < 0 or missed.max() > SUM_TOLERANCE:
        raise OptionError("probabilities must be 0 or more and sum to 1 in every row; are they scores before softmax?")
