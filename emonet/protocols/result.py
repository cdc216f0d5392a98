"""The answers and scores of a protocol: by round, pooled, and how much the rounds differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emonet.evaluation.answer_columns import make_answers
from emonet.evaluation.answers import Answers, join_answers
from emonet.evaluation.evaluation import PER_SEQUENCE, Evaluation
from emonet.evaluation.metrics import Scores, score
from emonet.evaluation.parts import ALL, name_sequences, score_sequences
from emonet.labels import Emotion
from emonet.protocols.round import HeldOut, Round

MEASURES = ("accuracy", "macro_f1")
COLLAPSED = 0.9  # the share of the answers from which on one class is answered nearly always

ScoresOf = Mapping[str, Mapping[str, Scores]]  # view -> part -> scores


@dataclass(frozen=True, slots=True)
class Spread:
    """How much rounds differ: mean and standard deviation (with n - 1)."""

    mean: float
    deviation: float


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a round answered to one thing that it is scored on.

    Attributes:
        people: The subjects that are scored.
        head: The head that answered.
        classes: The classes of the answers.
        keys: The images.
        labels: Their places in `classes`.
        sequences: Their sequences; empty for single images.
        answers: View -> probabilities.
        scores: View -> part -> scores.
        left_out: Class that the model does not know -> images.
        collected: The answers as they are written to answers.parquet.
    """

    people: tuple[str, ...]
    head: str
    classes: tuple[Emotion, ...]
    keys: Sequence[str]
    labels: NDArray[np.int64]
    sequences: Sequence[str]
    answers: Mapping[str, NDArray[np.float32]]
    scores: ScoresOf
    left_out: Mapping[str, int]
    collected: Answers

    @classmethod
    def of(cls, evaluation: Evaluation, held_out: HeldOut, title: str) -> Outcome:
        """Take what is needed from an evaluation, whose name is that of the round.

        Scores with and without copies are kept only if the view knows the training rows.
        """
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
            name_sequences(faces),
            evaluation.answers,
            scores,
            faces.left_out,
            make_answers(evaluation, scored=title, fold=evaluation.name),
        )

    @property
    def commonest(self) -> tuple[str, float]:
        """The class that is answered most often by the first view, and its share of the answers."""
        counts = np.bincount(next(iter(self.answers.values())).argmax(1), minlength=len(self.classes))
        return str(self.classes[int(counts.argmax())]), float(counts.max() / len(self.keys))

    @property
    def collapsed(self) -> bool:
        """Whether the network answers one class nearly always, and not because nearly all images are of it."""
        name, share = self.commonest
        labelled = float((self.labels == [*map(str, self.classes)].index(name)).mean())
        return share >= COLLAPSED and labelled < share / 2

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON takes them."""
        return {
            "pictures": len(self.keys),
            "people": list(self.people),
            "head": self.head,
            "left_out": dict(self.left_out),
            "commonest": dict(zip(("class", "share"), self.commonest, strict=True)),
            "collapsed": self.collapsed,
            "scores": scores_as_dict(self.scores),
        }


@dataclass(frozen=True, slots=True, eq=False)
class RoundResult:
    """A round that was trained and scored.

    Attributes:
        round: The round.
        learned: How many images it learned from.
        chosen_on: How many images choices were made on.
        epoch: The epoch whose weights were kept; None if several networks were averaged.
        outcomes: Name -> what was answered.
        identity: A hash of the network.
    """

    round: Round
    learned: int
    chosen_on: int
    epoch: int | None
    outcomes: Mapping[str, Outcome]
    identity: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON takes them."""
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
    """The scores of several rounds: of all their answers, not a mean of scores.

    Attributes:
        rounds: How many.
        people: How many subjects.
        scores: View -> part -> scores.
        spread: View -> part -> measure -> how much rounds differ; empty for one round.
    """

    rounds: int
    people: int
    scores: ScoresOf
    spread: Mapping[str, Mapping[str, Mapping[str, Spread]]]

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> Pool:
        """Pool the answers of some rounds."""
        people = len({person for outcome in outcomes for person in outcome.people})
        if len(outcomes) == 1:
            return cls(1, people, outcomes[0].scores, {})
        views = list(outcomes[0].answers)
        return cls(
            len(outcomes),
            people,
            {view: _score_together(outcomes, view) for view in views},
            {view: _measure_spread([outcome.scores[view] for outcome in outcomes]) for view in views},
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON takes them."""
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
    """The result of a protocol.

    Attributes:
        name: The protocol.
        title: Its title.
        options: Its options.
        config: The training.
        data: Input of the data set -> hash.
        rounds: What each round came to.
    """

    name: str
    title: str
    options: Mapping[str, Any]
    config: Mapping[str, Any]
    data: Mapping[str, Any]
    rounds: Sequence[RoundResult]

    @property
    def collapsed(self) -> list[tuple[str, str, float]]:
        """The rounds whose network answers one class nearly always: round, class, its share of the answers."""
        return [
            (one.round.name, *outcome.commonest)
            for one in self.rounds
            for outcome in one.outcomes.values()
            if outcome.collapsed
        ]

    @property
    def pooled(self) -> dict[str, Pool]:
        """Name of what was scored -> the scores of all rounds together."""
        names = dict.fromkeys(name for one in self.rounds for name in one.outcomes)
        return {name: Pool.of([one.outcomes[name] for one in self.rounds if name in one.outcomes]) for name in names}

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as plain values."""
        return {
            "protocol": self.name,
            "options": dict(self.options),
            "config": dict(self.config),
            "data": dict(self.data),
            "rounds": [one.to_dict() for one in self.rounds],
            "pooled": {name: pool.to_dict() for name, pool in self.pooled.items()},
        }


def _score_together(outcomes: Sequence[Outcome], view: str) -> dict[str, Scores]:
    answers = np.concatenate([outcome.answers[view] for outcome in outcomes])
    labels = np.concatenate([outcome.labels for outcome in outcomes])
    sequences = [name for outcome in outcomes for name in outcome.sequences]
    classes = outcomes[0].classes
    clusters = join_answers([outcome.collected for outcome in outcomes], {}).clusters
    scores = {ALL: score(answers, labels, classes, clusters=clusters)}
    whole = score_sequences(answers, labels, sequences, classes, clusters=clusters)
    return scores if whole is None else {**scores, PER_SEQUENCE: whole}


def _measure_spread(scores: Sequence[Mapping[str, Scores]]) -> dict[str, dict[str, Spread]]:
    """Measure how much rounds differ, in the parts that every round has."""
    parts = [part for part in scores[0] if all(part in one for one in scores)]
    found: dict[str, dict[str, Spread]] = {}
    for part in parts:
        columns = {name: np.array([getattr(one[part], name) for one in scores]) for name in MEASURES}
        found[part] = {
            name: Spread(float(values.mean()), float(values.std(ddof=1))) for name, values in columns.items()
        }
    return found


def scores_as_dict(scores: ScoresOf) -> dict[str, Any]:
    """Return scores as plain values."""
    return {view: {part: found.to_dict() for part, found in parts.items()} for view, parts in scores.items()}
