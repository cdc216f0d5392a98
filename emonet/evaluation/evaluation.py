"""A model on a split of a data set: what it answered, and what that scored as a whole and in parts.

Nothing is chosen here. Classes are the model's: pictures of others cannot be scored, and are counted as left out; a
class of the model that the data do not know has no pictures, though the model may answer it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emonet.checkpoint import Checkpoint
from emonet.classifier import Classifier
from emonet.datasets.store import Store
from emonet.devices import Machine, open_machine
from emonet.evaluation.cost import Cost, measure_cost
from emonet.evaluation.parts import Mask, parts_of
from emonet.evaluation.sequences import per_sequence
from emonet.evaluation.sizes import SizeScores, size_curve
from emonet.heads import sizes as head_sizes
from emonet.metrics import Scores, score
from emonet.training.data import Faces, read_faces

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

    @property
    def view(self) -> str:
        """The one that pictures are drawn of: the last that was asked for."""
        return list(self.answers)[-1]

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
            "classes": [str(emotion) for emotion in self.faces.classes],
            "left_out": self.faces.left_out,
            "remarks": list(self.remarks),
            "scores": {
                view: {part: scores.to_dict() for part, scores in parts.items()} for view, parts in self.scores.items()
            },
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
) -> Evaluation:
    """Answers every picture of a split whose class the model knows, and scores the answers.

    With `sizes`, in pixels, the pictures are also scored as smaller faces, without test-time augmentation.
    """
    if not views or len(set(views)) != len(views):
        raise ValueError(f"views must be one or more different ones, got {', '.join(views) or 'none'}")
    machine = machine or open_machine()
    columns = store.table(split, ["key", "sequence"])
    faces = _faces(checkpoint, store, split)
    network = checkpoint.network().to(machine.device)
    heads = head_sizes(checkpoint.heads)
    looks = {view: Classifier(network, checkpoint.input, machine, view=view, heads=heads) for view in views}
    choose = checkpoint.choice()
    answers = {view: choose(classify(faces.pixels)) for view, classify in looks.items()}
    place = {key: row for row, key in enumerate(columns["key"].to_pylist())}
    rows = [place[key] for key in faces.keys]
    parts = parts_of(store, split, rows)
    sequences = columns["sequence"].take(rows).to_pylist()
    scores = {view: _scores(probabilities, faces, parts, sequences, beta) for view, probabilities in answers.items()}
    cost = measure_cost(network, looks[views[0]], faces.pixels)
    plain = replace(looks[views[0]], view="none")
    curve = size_curve(lambda pixels: choose(plain(pixels)), faces.pixels, faces.labels, faces.classes, sizes)
    return Evaluation(name or checkpoint.model, checkpoint, store, split, faces, answers, parts, scores, cost, curve)


def _faces(checkpoint: Checkpoint, store: Store, split: str) -> Faces:
    faces = read_faces(store, [split], checkpoint.input, classes=checkpoint.classes)
    if not len(faces):
        known, there = ", ".join(checkpoint.classes), ", ".join(sorted(faces.left_out)) or "empty"
        raise ValueError(f"{store.path} has nothing to score in {split!r}: the model knows {known}, the split {there}")
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


def _remarks(evaluation: Evaluation) -> list[str]:
    checkpoint, faces, split = evaluation.checkpoint, evaluation.faces, evaluation.split
    remarks = []
    if faces.left_out:
        left_out = ", ".join(f"{name} {count:,}" for name, count in sorted(faces.left_out.items()))
        whole = len(faces) + sum(faces.left_out.values())
        remarks.append(f"{len(faces):,} of {whole:,} pictures are scored; the model does not know {left_out}")
    if split in ("train", "dev"):
        remarks.append(f"the model may have learned from {split}, or been chosen on it: this is no test")
    if missing := [str(emotion) for emotion in checkpoint.classes if emotion not in evaluation.store.classes]:
        remarks.append(f"the data know no {', '.join(missing)}: the model may answer what cannot be right")
    cut, learned = evaluation.store.crop, checkpoint.crop
    if (cut.margin, cut.align) != (learned.margin, learned.align):
        remarks.append("the faces of the data were cut out otherwise than those that the model learned from")
    return remarks
