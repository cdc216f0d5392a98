"""Score answers on FER+'s votes: beside what ten people each said they see.

The votes are for eight expressions, "unknown" and "not a face". Two scores take one answer as the true one:

majority     what got more votes than anything else. Images where several got the most, or where "unknown" or "not a
             face" did, are left out and counted.
published    the rule in the code of Barsoum et al. (2016), whose 84.99 % on PrivateTest is by it: votes that only one
             person gave are struck, and an expression must have more than half of the others. It keeps fewer and
             clearer images, so its accuracy is higher.

Two take the votes as they are:

cross-entropy    of the probabilities against the shares of the votes, in nats. It is over the expressions that the
                 model can answer: votes for others are left out, and their share is stated. (A floor for a class that
                 a head does not have would be an arbitrary number, and most of the score.) No answer can have less than
                 the entropy of the votes, which is stated too.
one rater        the share of all ten votes that the model's answer got: how often it agrees with a random person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.ferplus import find_majorities
from emonet.evaluation.agreement import Agreement, agree, emotion_places
from emonet.evaluation.intervals import find_clusters
from emonet.faces import Faces
from emonet.heads import SEEN_CLASSES

EIGHT = len(SEEN_CLASSES)
NO_VOTES, TIE, UNKNOWN, NOT_A_FACE = "no votes", "tie", "unknown", "not a face"  # why an image has no majority

Votes = NDArray[np.int64]  # (N, 10)


@dataclass(frozen=True, slots=True)
class VoteScores:
    """What a model scores on the votes.

    Attributes:
        majority: Agreement with what got more votes than anything else.
        published: The same by the rule of Barsoum et al.; None where it keeps no image.
        left_out: Reason -> images without a majority.
        confusion: Rows: what most people saw; columns: the answer. Both are the eight expressions.
        cross_entropy: None where nobody voted for any expression that the model can answer.
        entropy: Of the votes, over the same expressions: the least that a cross-entropy can be.
        votes_left_out: The share of votes for expressions that the model cannot answer.
        one_rater: How often the answer is that of a random rater.
        two_raters: How often two random raters of an image agree; None where nobody voted beside another.
        rater_and_others: How often a rater agrees with what most of the other raters saw; ties are broken by lot.
    """

    majority: Agreement
    published: Agreement | None
    left_out: Mapping[str, int]
    confusion: tuple[tuple[int, ...], ...]
    cross_entropy: float | None
    entropy: float | None
    votes_left_out: float
    one_rater: float
    two_raters: float | None
    rater_and_others: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON takes them."""
        return asdict(self)


def score_votes(probabilities: NDArray[np.floating], faces: Faces) -> VoteScores | None:
    """Score probabilities (N, classes) on the votes; None where no image has a majority."""
    majority = seen_majority(faces)
    if faces.votes is None or not (clear := majority >= 0).any():
        return None
    votes = faces.votes.astype(np.int64)
    places = emotion_places(faces.classes)
    answers = places[probabilities.argmax(1)]
    published = published_majority(votes)
    kept, clusters = published >= 0, find_clusters(faces)
    voted = votes.sum(1) > 0
    confusion = np.zeros((EIGHT, EIGHT), np.int64)
    np.add.at(confusion, (majority[clear], answers[clear]), 1)
    return VoteScores(
        agree(answers[clear], majority[clear], clusters.part(clear)),
        agree(answers[kept], published[kept], clusters.part(kept)) if kept.any() else None,
        _count_left_out(votes, majority),
        tuple(map(tuple, confusion.tolist())),
        *_compute_entropies(probabilities, votes[:, places]),
        1 - float(votes[:, places].sum() / votes[:, :EIGHT].sum()),
        float((votes[voted, answers[voted]] / votes[voted].sum(1)).mean()),
        two_raters(votes),
        rater_and_others(votes),
    )


def seen_majority(faces: Faces) -> NDArray[np.int64]:
    """Find what more people saw in each image than anything else.

    Returns:
        The index of one of the eight expressions for each image, (N,). -1 where several expressions have the most
        votes, where "unknown" or "not a face" has, or where nobody voted: FER+'s literature leaves these images out.
    """
    return np.full(len(faces), -1) if faces.votes is None else find_majorities(faces.votes)


def published_majority(votes: Votes) -> NDArray[np.int64]:
    """Find the expression of each image by the rule of Barsoum et al.

    Returns:
        The index of one of the eight expressions for each image, (N,); -1 for none.
    """
    kept = np.where(votes > 1, votes, 0)
    first = kept.argmax(1)
    return np.where((2 * kept.max(1) > kept.sum(1)) & (first < EIGHT), first, -1)


def _count_left_out(votes: Votes, majority: NDArray[np.int64]) -> dict[str, int]:
    """Count the images without a majority by reason."""
    rest = votes[majority < 0]
    most = rest.max(1, keepdims=True)
    nobody, several = most[:, 0] == 0, (rest == most).sum(1) > 1
    reasons = np.select([nobody, several, rest.argmax(1) == EIGHT], [NO_VOTES, TIE, UNKNOWN], NOT_A_FACE)
    names, counts = np.unique(reasons, return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


def _compute_entropies(probabilities: NDArray[np.floating], votes: Votes) -> tuple[float | None, float | None]:
    """Compute the cross-entropy of answers and votes for the same classes, and the entropy of the votes."""
    there = votes.sum(1) > 0
    if not there.any():
        return None, None
    shares = votes[there] / votes[there].sum(1, keepdims=True)
    least = np.finfo(np.float64).eps
    answers = np.maximum(probabilities[there].astype(np.float64), least)
    cross = -(shares * np.log(answers)).sum(1).mean()
    own = -(shares * np.log(np.maximum(shares, least))).sum(1).mean()
    return float(cross), float(own)


def two_raters(votes: Votes) -> float | None:
    """Compute how often two random raters of an image agree, of ten answers."""
    several = votes[votes.sum(1) > 1]
    if not len(several):
        return None
    total = several.sum(1)
    return float(((several * (several - 1)).sum(1) / (total * (total - 1))).mean())


def rater_and_others(votes: Votes) -> float | None:
    """Compute how often a random rater agrees with most of the others of the image.

    Ties are broken by lot.
    """
    several = votes[votes.sum(1) > 1]
    if not len(several):
        return None
    agreed = np.zeros(len(several))
    for option in range(several.shape[1]):
        others = several - np.eye(several.shape[1], dtype=np.int64)[option]
        first = others == others.max(1, keepdims=True)
        agreed += several[:, option] * first[:, option] / first.sum(1)
    return float((agreed / several.sum(1)).mean())
