"""Confident learning: which labels are likely to be wrong, by the probabilities of a model that did not learn them.

The formulas are those of Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels"
(2021), as the package cleanlab has them. With y the label of a face and p its probabilities:

    self-confidence      p[y]
    normalised margin    (p[y] - the largest other p + 1) / 2
    threshold of class j the mean of p[j] over the faces that are labelled j
    confident class      of the classes with p[j] at or above their threshold, the most probable one

A face is doubtful if its confident class is another than its label, and the label is not the most probable class.
Thresholds of their own make up for classes that a model is always too sure or too unsure of.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emonet.errors import OptionError

TOLERANCE = 1e-6  # by which a probability may miss its threshold

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class LabelQuality:
    """How well the labels of some faces go with their probabilities.

    Faces without probabilities, or whose label the model does not know, have NaN and -1 and are not doubtful.

    Attributes:
        confidence: The probability of the label (N,).
        margin: The normalised margin (N,), 0 for a label that is surely wrong and 1 for one that is surely right.
        answers: The most probable class (N,).
        suggested: The most probable class beside the label (N,).
        doubtful: Whether the confident class is another than the label (N,).
        thresholds: Of each class; NaN for a class that no label names.
    """

    confidence: Floats
    margin: Floats
    answers: Indices
    suggested: Indices
    doubtful: NDArray[np.bool_]
    thresholds: Floats

    def rank(self) -> Indices:
        """Return all faces, the most doubtful first: by their margin, and those without one last."""
        order = np.lexsort((np.nan_to_num(self.margin, nan=2.0), np.isnan(self.margin), ~self.doubtful))
        return np.asarray(order, np.int64)


def measure_labels(labels: Indices, probabilities: NDArray[np.floating]) -> LabelQuality:
    """Measure how well labels go with probabilities.

    Args:
        labels: Places among the classes (N,).
        probabilities: Of each class (N, classes); NaN in the rows of faces that nobody answered.

    Raises:
        OptionError: The arrays do not fit together.
    """
    p = np.asarray(probabilities, np.float64)
    if p.ndim != 2 or p.shape[1] < 2 or labels.shape != p.shape[:1]:
        raise OptionError(f"probabilities must be ({len(labels)}, two or more classes), got {p.shape}")
    if len(labels) and not (labels.min() >= 0 and labels.max() < p.shape[1]):
        raise OptionError(f"labels must be from 0 to {p.shape[1] - 1}, got {labels.min()} to {labels.max()}")
    known = np.asarray(np.isfinite(p).all(1), np.bool_)
    p, rows = np.nan_to_num(p), np.arange(len(p))
    own, others = p[rows, labels], p.copy()
    others[rows, labels] = -1.0
    thresholds = _find_thresholds(labels[known], p[known])
    answers, confident = p.argmax(1), _find_confident(p, thresholds)
    doubtful = known & (confident >= 0) & (confident != labels) & (answers != labels)
    return LabelQuality(
        confidence=np.where(known, own, np.nan),
        margin=np.where(known, (own - others.max(1) + 1) / 2, np.nan),
        answers=np.where(known, answers, -1),
        suggested=np.where(known, others.argmax(1), -1),
        doubtful=np.asarray(doubtful, np.bool_),
        thresholds=thresholds,
    )


def _find_thresholds(labels: Indices, p: Floats) -> Floats:
    means = [p[labels == one, one].mean() if (labels == one).any() else np.nan for one in range(p.shape[1])]
    return np.array(means)


def _find_confident(p: Floats, thresholds: Floats) -> Indices:
    """Return the confident class of each face; -1 where no class reaches its threshold."""
    reached = np.where(p >= thresholds - TOLERANCE, p, -1.0)  # nothing reaches a threshold of NaN
    return np.asarray(np.where(reached.max(1) < 0, -1, reached.argmax(1)), np.int64)
