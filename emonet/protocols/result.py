"""What the rounds of a protocol answered, and what that scored: round by round, pooled, and how far rounds differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emonet.evaluation.evaluation import PER_SEQUENCE, Evaluation
from emonet.evaluation.metrics import Scores, score
from emonet.evaluation.parts import ALL, average_sequences
from emonet.labels import Emotion
from emonet.protocols.round import HeldOut, Round

MEASURES = ("accuracy", "macro_f1")

ScoresOf = Mapping[str, Mapping[str, Scores]]  # view -> part -> scores


@dataclass(frozen=True, slots=True)
class Spread:
    """How far rounds differ: the mean of their figures, and the standard deviation of a sample (n - 1)."""

    mean: float
    deviation: float


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a round answered to something that it is scored on."""

    people: tuple[str, ...]
    head: str  # that answered
    classes: tuple[Emotion, ...]
    keys: Sequence[str]
    labels: NDArray[np.int64]
    sequences: Sequence[str | None]
    answers: Mapping[str, NDArray[np.float32]]  # view -> probabilities
    scores: ScoresOf
    left_out: Mapping[str, int]  # pictures of classes that the model does not know

    @classmethod
    def of(cls, evaluation: Evaluation, held_out: HeldOut) -> Outcome:
        """Parts are kept where the view holds the training rows too: only then are copies of them known."""
        columns = held_out.store.table(held_out.split, ["key", "sequence"]).to_pydict()
        sequences = dict(zip(columns["key"], columns["sequence"], strict=True))
        beside = "train" in held_out.store.splits
        scores = {
            view: {part: found for part, found in parts.items() if beside or part in (ALL, PER_SEQUENCE)}
            for view, parts in evaluation.scores.items()
        }
        faces = evaluation.faces
        return cls(
            held_out.people,
            evaluation.choice.head,
            faces.classes,
            faces.keys,
            faces.labels,
            [sequences[key] for key in faces.keys],
            evaluation.answers,
            scores,
            faces.left_out,
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "pictures": len(self.keys),
            "people": list(self.people),
            "head": self.head,
            "left_out": dict(self.left_out),
            "scores": scores_as_dict(self.scores),
        }


@dataclass(frozen=True, slots=True, eq=False)
class RoundResult:
    """A round that was trained and scored."""

    round: Round
    learned: int  # pictures
    chosen_on: int  # pictures
    epoch: int | None  # whose weights were kept; none where several networks were averaged
    outcomes: Mapping[str, Outcome]

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.round.name,
            "classes": self.round.config.classes,
            "chosen": self.round.chosen,
            "train": self.learned,
            "dev": self.chosen_on,
            "copies_left_out": self.round.left_out,
            "chosen_epoch": self.epoch,
            "scored": {name: outcome.to_dict() for name, outcome in self.outcomes.items()},
        }


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """What rounds scored together. The scores of several are those of all their answers, not a mean of scores."""

    rounds: int
    people: int
    scores: ScoresOf
    spread: Mapping[str, Mapping[str, Mapping[str, Spread]]]  # view -> part -> measure; of several rounds only

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> Pool:
        people = len({person for outcome in outcomes for person in outcome.people})
        if len(outcomes) == 1:
            return cls(1, people, outcomes[0].scores, {})
        views = list(outcomes[0].answers)
        return cls(
            len(outcomes),
            people,
            {view: _pooled(outcomes, view) for view in views},
            {view: _spread([outcome.scores[view] for outcome in outcomes]) for view in views},
        )

    def to_dict(self) -> dict[str, Any]:
        spread = {
            view: {
                part: {name: {"mean": one.mean, "deviation": one.deviation} for name, one in measures.items()}
                for part, measures in parts.items()
            }
            for view, parts in self.spread.items()
        }
        scores = scores_as_dict(self.scores)
        return {"rounds": self.rounds, "people": self.people, "scores": scores, "over_rounds": spread}


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """A protocol that was carried out."""

    name: str
    title: str
    options: Mapping[str, Any]
    config: Mapping[str, Any]
    data: Mapping[str, Any]  # input -> hash
    rounds: Sequence[RoundResult]

    @property
    def pooled(self) -> dict[str, Pool]:
        """By what was scored."""
        names = dict.fromkeys(name for one in self.rounds for name in one.outcomes)
        return {name: Pool.of([one.outcomes[name] for one in self.rounds if name in one.outcomes]) for name in names}

    def to_dict(self) -> dict[str, Any]:
        """All figures, as JSON takes them."""
        return {
            "protocol": self.name,
            "options": dict(self.options),
            "config": dict(self.config),
            "data": dict(self.data),
            "rounds": [one.to_dict() for one in self.rounds],
            "pooled": {name: pool.to_dict() for name, pool in self.pooled.items()},
        }


def _pooled(outcomes: Sequence[Outcome], view: str) -> dict[str, Scores]:
    answers = np.concatenate([outcome.answers[view] for outcome in outcomes])
    labels = np.concatenate([outcome.labels for outcome in outcomes])
    sequences = [name for outcome in outcomes for name in outcome.sequences]
    classes = outcomes[0].classes
    scores = {ALL: score(answers, labels, classes)}
    if any(sequences):
        scores[PER_SEQUENCE] = score(*average_sequences(answers, labels, sequences), classes)
    return scores


def _spread(scores: Sequence[Mapping[str, Scores]]) -> dict[str, dict[str, Spread]]:
    """Of the parts that every round has."""
    parts = [part for part in scores[0] if all(part in one for one in scores)]
    found: dict[str, dict[str, Spread]] = {}
    for part in parts:
        columns = {name: np.array([getattr(one[part], name) for one in scores]) for name in MEASURES}
        found[part] = {
            name: Spread(float(values.mean()), float(values.std(ddof=1))) for name, values in columns.items()
        }
    return found


def scores_as_dict(scores: ScoresOf) -> dict[str, Any]:
    return {view: {part: found.to_dict() for part, found in parts.items()} for view, parts in scores.items()}
