"""Scores on dev while a network learns: of the labels, each answered by the head of its data set, and of the votes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from emonet.evaluation.metrics import Scores, score
from emonet.evaluation.votes import seen_majority
from emonet.faces import Faces
from emonet.heads import SEEN, SEEN_CLASSES, Head, sizes
from emonet.training.heads import labelled


class DevScores(NamedTuple):
    """What a network scores on dev; None where it has no such head, or dev nothing to score it on."""

    labels: Scores | None
    seen: Scores | None  # agreement with what more people saw than anything else

    def row(self) -> dict[str, float]:
        """The figures for the log; those of the votes stand in the first columns where no head answers with labels."""
        labels, seen = (self.labels, self.seen) if self.labels is not None else (self.seen, None)
        return _figures("dev", labels) | _figures("dev_seen", seen)


def _figures(start: str, scores: Scores | None) -> dict[str, float]:
    if scores is None:
        return {}
    return {
        f"{start}_loss": scores.log_loss,
        f"{start}_accuracy": scores.accuracy,
        f"{start}_macro_f1": scores.macro_f1,
    }


def score_dev(answers: NDArray[np.float32], faces: Faces, heads: tuple[Head, ...]) -> DevScores:
    """Score the probabilities of all heads side by side (N, all heads' classes)."""
    said = label_answers(answers, faces, heads)
    labels = None if said is None else score(said, faces.labels, faces.classes)
    return DevScores(labels, _score_seen(_by_head(answers, heads), faces))


def label_answers(answers: NDArray[np.float32], faces: Faces, heads: tuple[Head, ...]) -> NDArray[np.float32] | None:
    """Give each picture's probabilities from the head of its label (N, classes); None where no head answers labels."""
    parts = _by_head(answers, heads)
    by_label = [head for head in heads if head.name != SEEN]
    if not by_label:
        return None
    said = np.empty((len(faces), len(faces.classes)), np.float32)
    for head in by_label:
        own = labelled(head, heads, faces)
        said[own] = parts[head.name][own]
    return said


def _by_head(answers: NDArray[np.float32], heads: tuple[Head, ...]) -> dict[str, NDArray[np.float32]]:
    parts = np.split(answers, np.cumsum(sizes(heads))[:-1], axis=1)
    return dict(zip([head.name for head in heads], parts, strict=True))


def _score_seen(parts: dict[str, NDArray[np.float32]], faces: Faces) -> Scores | None:
    majority = seen_majority(faces)
    clear = majority >= 0
    if SEEN not in parts or not clear.any():
        return None
    return score(parts[SEEN][clear], majority[clear], SEEN_CLASSES)
