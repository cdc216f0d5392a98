"""Score every head of a model with every prior: the table by which a default is chosen, on dev."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emonet.evaluation.agreement import Agreement, agree, emotion_places
from emonet.evaluation.intervals import find_clusters
from emonet.evaluation.votes import seen_majority
from emonet.faces import Faces
from emonet.heads import MEAN, PRIORS, Head, HeadChoice, list_answers


@dataclass(frozen=True, slots=True)
class HeadScores:
    """What one head scores with one prior.

    Attributes:
        head: Its name, or `mean`.
        prior: One of `training`, `even` and `sqrt`.
        labels: Agreement with the labels.
        seen: Agreement with what most voters saw; None where nobody voted.
    """

    head: str
    prior: str
    labels: Agreement
    seen: Agreement | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON takes them."""
        return asdict(self)


def score_heads(heads: tuple[Head, ...], probabilities: NDArray[np.floating], faces: Faces) -> tuple[HeadScores, ...]:
    """Score each head, and their mean, with each prior that is stored.

    All are scored on the same images.

    Args:
        heads: Those of the network, in the order of its scores.
        probabilities: Of all heads side by side (N, all heads' classes).
        faces: The images, whose labels and votes are the two truths.
    """
    labels, majority = emotion_places(faces.classes)[faces.labels], seen_majority(faces)
    clear, clusters = majority >= 0, find_clusters(faces)
    found = []
    for choice in list_choices(heads):
        answers = emotion_places(choice.classes)[choice(probabilities).argmax(1)]
        seen = agree(answers[clear], majority[clear], clusters.part(clear)) if clear.any() else None
        found.append(HeadScores(choice.head, choice.prior, agree(answers, labels, clusters), seen))
    return tuple(found)


def list_choices(heads: tuple[Head, ...]) -> list[HeadChoice]:
    """List each head, and the mean of several that share classes, with each prior that is stored."""
    return [HeadChoice(heads, name, prior) for name in list_answers(heads) for prior in _stored_priors(heads, name)]


def _stored_priors(heads: tuple[Head, ...], name: str) -> tuple[str, ...]:
    asked = [head for head in heads if name in (head.name, MEAN)]
    return PRIORS if all(head.prior for head in asked) else PRIORS[:1]
