"""Scores on dev: for labels, which the head of each data set answers, and for the votes of FER+."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emonet.evaluation.intervals import Clusters, find_clusters
from emonet.evaluation.metrics import Scores, score
from emonet.evaluation.votes import seen_majority
from emonet.faces import Faces
from emonet.heads import SEEN, SEEN_CLASSES, Head, find_labelled, sizes
from emonet.models.inputs import PIECE, Pixels
from emonet.streamed import StreamedImages
from emonet.training.distributed import Processes

Answers = NDArray[np.float32]


class DevScores(NamedTuple):
    """Scores of a network on dev; None where it has no such head, or dev nothing to compare it with."""

    labels: Scores | None
    seen: Scores | None  # agreement with what most people saw

    def to_columns(self) -> dict[str, float]:
        """Return the figures for the log. Without a head for labels, the votes take the first columns."""
        labels, seen = (self.labels, self.seen) if self.labels is not None else (self.seen, None)
        return _name_figures("dev", labels) | _name_figures("dev_seen", seen)


def _name_figures(start: str, scores: Scores | None) -> dict[str, float]:
    if scores is None:
        return {}
    return {
        f"{start}_loss": scores.log_loss,
        f"{start}_accuracy": scores.accuracy,
        f"{start}_macro_f1": scores.macro_f1,
    }


def classify_share(
    classify: Callable[[Pixels], Answers], images: Pixels | StreamedImages, processes: Processes
) -> Answers:
    """Classify the images of this process: every second one if there are two. Streamed images are read in pieces."""
    if not isinstance(images, StreamedImages):
        return classify(images[processes.rank :: processes.count])
    own = np.arange(processes.rank, len(images), processes.count)
    return np.concatenate([classify(images[own[first : first + PIECE]]) for first in range(0, max(len(own), 1), PIECE)])


def score_dev(answers: Answers, faces: Faces, heads: tuple[Head, ...], clusters: Clusters | None = None) -> DevScores:
    """Score the probabilities of all heads, side by side (N, all heads' classes).

    Clusters are for the interval of the accuracy, which takes longer than the rest: the log of epochs needs none.
    """
    own = select_label_answers(answers, faces, heads)
    labels = None if own is None else score(own, faces.labels, faces.classes, clusters=clusters)
    return DevScores(labels, _score_seen(_split_heads(answers, heads), faces))


def describe_scores(answers: Answers, faces: Faces, heads: tuple[Head, ...]) -> dict[str, Any]:
    """Score dev for a model file: all images, each source alone, and the votes."""
    clusters = find_clusters(faces)
    whole = score_dev(answers, faces, heads, clusters)
    found = {"dev": whole.labels, "dev_seen": whole.seen}
    scores: dict[str, Any] = {name: part.to_dict() for name, part in found.items() if part is not None}
    if (own := select_label_answers(answers, faces, heads)) is not None:
        parts = {source: faces.sources == source for source in sorted(set(faces.sources.tolist()))}
        scores["dev_by_source"] = {
            source: score(own[part], faces.labels[part], faces.classes, clusters=clusters.part(part)).to_dict()
            for source, part in parts.items()
        }
    return scores


def measure_on_dev(scores: Mapping[str, Any], measure: str) -> float:
    """Return the figure on dev that networks are compared by: the mean of labels and votes where both are scored.

    Args:
        scores: What `describe_scores` returned, as a model file has it.
        measure: `accuracy`, `macro_f1` or `loss`.
    """
    name = "log_loss" if measure == "loss" else measure
    scored = [scores[part][name] for part in ("dev", "dev_seen") if part in scores]
    return float(sum(scored) / len(scored))


def select_label_answers(answers: Answers, faces: Faces, heads: tuple[Head, ...]) -> Answers | None:
    """Select for each image the probabilities of the head of its label (N, classes); None without such a head."""
    parts = _split_heads(answers, heads)
    by_label = [head for head in heads if head.name != SEEN]
    if not by_label:
        return None
    selected = np.empty((len(faces), len(faces.classes)), np.float32)
    for head in by_label:
        own = find_labelled(head, heads, faces.sources)
        selected[own] = parts[head.name][own]
    return selected


def _split_heads(answers: Answers, heads: tuple[Head, ...]) -> dict[str, Answers]:
    parts = np.split(answers, np.cumsum(sizes(heads))[:-1], axis=1)
    return dict(zip([head.name for head in heads], parts, strict=True))


def _score_seen(parts: dict[str, Answers], faces: Faces) -> Scores | None:
    majority = seen_majority(faces)
    clear = majority >= 0
    if SEEN not in parts or not clear.any():
        return None
    return score(parts[SEEN][clear], majority[clear], SEEN_CLASSES)
