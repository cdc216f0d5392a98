"""Judge a new head before it is used: cross-validation, and the model's own answers to the same faces beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emonet.adapting.fitting import PENALTIES, Array, Examples, Layer, answer, fit_path, sum_losses
from emonet.datasets.curation.splits import Member, assign_folds
from emonet.errors import OptionError
from emonet.evaluation.intervals import Clusters, Interval, estimate_mean
from emonet.evaluation.metrics import Scores, score
from emonet.heads import HeadChoice, make_divisors
from emonet.labels import Emotion

SEED = 0
USUAL = PENALTIES.index(300.0)  # where there are too few folds to choose the penalty in


@dataclass(frozen=True, slots=True)
class Judgement:
    """How well the model answers before and after, on the same faces.

    Attributes:
        before: What the model answers by default, kept to the classes of the new head.
        after: What the new head answers to faces that it has not learned from.
        gain: How much the accuracy rose.
        interval: Where the gain lies with 95 % confidence.
        folds: In how many folds the faces were divided.
        penalty: The penalty of the head that learns from all faces.
    """

    before: Scores
    after: Scores
    gain: float
    interval: Interval
    folds: int
    penalty: float

    @property
    def is_better(self) -> bool:
        """Whether the new head answers more faces rightly, and not fewer of the classes' faces on average."""
        return self.gain > 0 and self.after.macro_recall >= self.before.macro_recall

    @property
    def is_certain(self) -> bool:
        """Whether the gain is above nothing with 95 % confidence."""
        return self.interval.low > 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON takes them."""
        both = {"before": self.before, "after": self.after}
        return {name: one.to_dict() | {"macro_recall": one.macro_recall} for name, one in both.items()} | {
            "gain": self.gain,
            "gain_interval": list(self.interval.ends),
            "gain_interval_method": self.interval.method,
            "folds": self.folds,
            "penalty": self.penalty,
        }


def judge(
    examples: Examples, before: Array, classes: Sequence[Emotion], clusters: Clusters, prior: str, folds: int
) -> Judgement:
    """Cross-validate a new head, and score the model's own answers to the same faces.

    The penalty is chosen anew without each fold, in the other folds.

    Args:
        examples: The faces.
        before: The model's own probabilities of the classes (N, classes), of `restrict`.
        classes: The classes of the new head.
        clusters: Which faces are never divided.
        prior: The prior of the new head's answer.
        folds: In how many folds to divide the faces, or fewer.
    """
    places = divide(examples, clusters, folds)
    after, penalty = cross_validate(examples, places, prior)
    right = [shares.argmax(1) == examples.labels for shares in (after, before)]
    gains = right[0].astype(np.float64) - right[1]
    scored = [score(shares, examples.labels, classes, clusters=clusters) for shares in (before, after)]
    interval = estimate_mean(gains, clusters)
    return Judgement(scored[0], scored[1], float(gains.mean()), interval, int(places.max()) + 1, penalty)


def restrict(choice: HeadChoice, probabilities: NDArray[np.floating], classes: Sequence[Emotion]) -> Array:
    """Keep an answer to some classes (N, classes); those that it does not know get nothing.

    Args:
        choice: How the model answers.
        probabilities: Of all heads side by side.
        classes: The classes.
    """
    known = choice(probabilities).astype(np.float64)
    zeros = np.zeros(len(known))
    kept = np.stack(
        [known[:, choice.classes.index(one)] if one in choice.classes else zeros for one in classes], axis=1
    )
    sums = kept.sum(1, keepdims=True)
    return np.where(sums > 0, kept / np.maximum(sums, 1e-12), 1 / len(classes))


def divide(examples: Examples, clusters: Clusters, folds: int) -> NDArray[np.int64]:
    """Divide faces into folds (N,): classes are spread evenly, and clusters stay whole.

    Raises:
        OptionError: All faces are of one cluster.
    """
    least = int(np.bincount(examples.labels).min())
    count = min(folds, least, clusters.count)
    if count < 2:
        raise OptionError("all faces are near copies of one photo: a head cannot be cross-validated")
    rows = zip(clusters.groups.tolist(), examples.labels.tolist(), strict=True)
    found = assign_folds([Member(str(group), label) for group, label in rows], count, SEED)
    return np.unique(found, return_inverse=True)[1]  # a fold may be empty where clusters are large


def cross_validate(examples: Examples, folds: NDArray[np.int64], prior: str) -> tuple[Array, float]:
    """Answer each face by a head that has not learned from its fold.

    Args:
        examples: The faces.
        folds: The fold of each face (N,).
        prior: The prior of the answer.

    Returns:
        Probabilities (N, classes), and the penalty with the least log loss over all folds.
    """
    count = int(folds.max()) + 1
    inner = _compare_penalties(examples, folds, count)
    answers = np.empty((len(folds), len(examples.own.bias)))
    losses = np.zeros(len(PENALTIES))
    for fold in range(count):
        learned, held = examples.part(folds != fold), examples.part(folds == fold)
        layers = fit_path(learned)
        losses += sum_losses(layers, held)
        chosen = layers[USUAL if count < 3 else int(inner[fold].argmin())]
        answers[folds == fold] = divide_by_prior(answer(chosen, held.features), learned.shares, prior)
    return answers, PENALTIES[int(losses.argmin())]


def _compare_penalties(examples: Examples, folds: NDArray[np.int64], count: int) -> Array:
    """Sum, for each outer fold (row), the log losses of each penalty in the other folds.

    A head that leaves out two folds serves both: each is once the outer fold, and once the one that is scored.
    """
    losses = np.zeros((count, len(PENALTIES)))
    for pair in combinations(range(count), 2) if count > 2 else ():
        layers = fit_path(examples.part(~np.isin(folds, pair)))
        for outer, scored in (pair, pair[::-1]):
            losses[outer] += sum_losses(layers, examples.part(folds == scored))
    return losses


def fit_head(examples: Examples, penalty: float) -> Layer:
    """Fit the head that learns from all faces."""
    return fit_path(examples, [one for one in PENALTIES if one >= penalty])[-1]


def divide_by_prior(probabilities: Array, shares: Array, prior: str) -> Array:
    """Divide probabilities by a prior, as HeadChoice does."""
    divided = probabilities / make_divisors(shares, prior)
    return np.asarray(divided / divided.sum(1, keepdims=True))
