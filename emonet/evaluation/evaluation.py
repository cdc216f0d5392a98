"""A model on a split of a data set: what it answered, and what that scored as a whole and in parts.

Nothing is chosen here. Classes are those of the answer of the chosen head: pictures of others cannot be scored, and are
counted as left out; a class of the answer that the data do not know has no pictures, though the model may answer it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.store import Store
from emonet.errors import OptionError
from emonet.evaluation.cost import Cost, measure_cost
from emonet.evaluation.head_scores import HeadScores, score_heads
from emonet.evaluation.metrics import Scores, score
from emonet.evaluation.parts import ALL, Mask, parts_of, per_sequence
from emonet.evaluation.sizes import SizeScores, size_curve
from emonet.evaluation.votes import VoteScores, score_votes
from emonet.faces import Faces, read_faces
from emonet.heads import HeadChoice
from emonet.heads import sizes as head_sizes
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.classifier import Classifier
from emonet.inference.devices import Machine, open_machine

PER_SEQUENCE = "per sequence"

Answers = Mapping[str, NDArray[np.float32]]  # view -> probabilities (N, classes)


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What a model answered to the pictures of a split, and what that scored."""

    name: str  # of the model, for people
    checkpoint: Checkpoint
    store: Store
    split: str
    faces: Faces
    answers: Answers  # in the order in which views were asked for
    parts: Mapping[str, Mask]  # part -> which of the pictures; `all` comes first
    scores: Mapping[str, Mapping[str, Scores]]  # view -> part -> scores; `per sequence` is scored, and is no part
    cost: Cost
    sizes: tuple[SizeScores, ...] = ()  # by size of the face, the largest first; none unless they were asked for
    head: str = ""  # that answered; the file's own if empty
    prior: str = ""
    votes: Mapping[str, VoteScores] = field(default_factory=dict)  # view -> scores; empty where nobody voted
    by_head: Mapping[str, tuple[HeadScores, ...]] = field(default_factory=dict)  # view -> every head and prior

    @property
    def choice(self) -> HeadChoice:
        """How the answer is made of the probabilities of all heads."""
        return self.checkpoint.choice(self.head, self.prior)

    @property
    def view(self) -> str:
        """The one that pictures are drawn of: the last that was asked for."""
        return list(self.answers)[-1]

    @property
    def summary(self) -> Scores:
        """The scores of the last view on all images."""
        return self.scores[self.view][ALL]

    @property
    def remarks(self) -> tuple[str, ...]:
        """What one has to know to read the figures."""
        return tuple(_remarks(self))

    def to_dict(self) -> dict[str, Any]:
        """All figures, as JSON takes them."""
        return {
            "name": self.name,
            "model": self.checkpoint.model,
            "arguments": dict(self.checkpoint.arguments),
            "training": dict(self.checkpoint.training),
            "dev": self.checkpoint.scores.get("dev"),
            "store": self.store.path.name,
            "data": self.store.info["inputs"],
            "split": self.split,
            "head": self.choice.head,
            "prior": self.choice.prior,
            "classes": [str(emotion) for emotion in self.faces.classes],
            "left_out": self.faces.left_out,
            "remarks": list(self.remarks),
            "scores": {
                view: {part: scores.to_dict() for part, scores in parts.items()} for view, parts in self.scores.items()
            },
            "votes": {view: votes.to_dict() for view, votes in self.votes.items()},
            "heads": {view: [row.to_dict() for row in rows] for view, rows in self.by_head.items()},
            "cost": self.cost.to_dict(),
            "sizes": [one.to_dict() for one in self.sizes],
        }


def evaluate(
    checkpoint: Checkpoint,
    store: Store,
    split: str = "validation",
    *,
    name: str = "",
    views: Sequence[str] = ("none", "mirror"),
    machine: Machine | None = None,
    beta: float = 2.0,
    sizes: Sequence[int] = (),
    head: str = "",
    prior: str = "",
) -> Evaluation:
    """Answer every image of a split whose class the model knows, and score the answers.

    The scores are of one answer, on the labels and on FER+'s votes. A table has those of all other heads and priors.

    Args:
        checkpoint: The model.
        store: The data set.
        split: Which part of it.
        name: Of the model, for people.
        views: Ways to look at an image; each is scored apart.
        machine: Where it runs.
        beta: How many times F-beta counts recall as much as precision.
        sizes: Pixels of smaller faces, as which the images are scored too, without test-time augmentation.
        head: Whose answer is scored: the name of a head, or `mean`. The file's default if empty.
        prior: `training`, `even` or `sqrt`; the file's default if empty.

    Raises:
        ValueError: A view, a head or the split is not there, or the model does not store what the prior needs.
    """
    if not views or len(set(views)) != len(views):
        raise OptionError(f"views must be one or more different ones, got {', '.join(views) or 'none'}")
    choice = checkpoint.choice(head, prior)
    machine = machine or open_machine()
    columns = store.table(split, ["key", "sequence"])
    faces = _faces(checkpoint, choice, store, split)
    network = checkpoint.network().to(machine.device)
    heads = head_sizes(checkpoint.heads)
    looks = {view: Classifier(network, checkpoint.input, machine, view=view, heads=heads) for view in views}
    of_heads = {view: classify(faces.pixels) for view, classify in looks.items()}
    answers = {view: choice(probabilities) for view, probabilities in of_heads.items()}
    place = {key: row for row, key in enumerate(columns["key"].to_pylist())}
    rows = [place[key] for key in faces.keys]
    parts = parts_of(store, split, rows)
    sequences = columns["sequence"].take(rows).to_pylist()
    scores = {view: _scores(probabilities, faces, parts, sequences, beta) for view, probabilities in answers.items()}
    cost = measure_cost(network, looks[views[0]], faces.pixels)
    plain = replace(looks[views[0]], view="none")
    curve = size_curve(lambda pixels: choice(plain(pixels)), faces.pixels, faces.labels, faces.classes, sizes)
    return Evaluation(
        name or checkpoint.model,
        checkpoint,
        store,
        split,
        faces,
        answers,
        parts,
        scores,
        cost,
        sizes=curve,
        head=choice.head,
        prior=choice.prior,
        votes=_votes(answers, faces),
        by_head={view: score_heads(checkpoint.heads, probabilities, faces) for view, probabilities in of_heads.items()},
    )


def _faces(checkpoint: Checkpoint, choice: HeadChoice, store: Store, split: str) -> Faces:
    faces = read_faces(store, [split], checkpoint.input, classes=choice.classes)
    if not len(faces):
        known, there = ", ".join(choice.classes), ", ".join(sorted(faces.left_out)) or "empty"
        raise OptionError(f"{store.path} has nothing to score in {split!r}: the model knows {known}, the split {there}")
    return faces


def _scores(
    probabilities: NDArray[np.float32],
    faces: Faces,
    parts: Mapping[str, Mask],
    sequences: Sequence[str | None],
    beta: float,
) -> dict[str, Scores]:
    scores = {
        name: score(probabilities[mask], faces.labels[mask], faces.classes, beta=beta) for name, mask in parts.items()
    }
    if any(sequences):
        scores[PER_SEQUENCE] = score(*per_sequence(probabilities, faces.labels, sequences), faces.classes, beta=beta)
    return scores


def _votes(answers: Answers, faces: Faces) -> dict[str, VoteScores]:
    scored = {view: score_votes(probabilities, faces) for view, probabilities in answers.items()}
    return {view: scores for view, scores in scored.items() if scores is not None}


def _remarks(evaluation: Evaluation) -> list[str]:
    checkpoint, faces, split = evaluation.checkpoint, evaluation.faces, evaluation.split
    remarks = []
    if faces.left_out:
        left_out = ", ".join(f"{name} {count:,}" for name, count in sorted(faces.left_out.items()))
        whole = len(faces) + sum(faces.left_out.values())
        remarks.append(f"{len(faces):,} of {whole:,} pictures are scored; the model does not know {left_out}")
    if split in ("train", "dev"):
        remarks.append(f"the model may have learned from {split}, or been chosen on it: this is no test")
    if missing := [str(emotion) for emotion in faces.classes if emotion not in evaluation.store.classes]:
        remarks.append(f"the data know no {', '.join(missing)}: the model may answer what cannot be right")
    cut, learned = evaluation.store.crop, checkpoint.crop
    if (cut.margin, cut.align) != (learned.margin, learned.align):
        remarks.append("the faces of the data were cut out otherwise than those that the model learned from")
    return remarks
