"""Score a model on a split of a data set: as a whole, in parts, on votes, and for each of its heads.

Nothing is chosen here. The classes are those of the head that answers. Images of other classes cannot be scored, and
are counted as left out. A class that the data do not have has no images, though the model may answer it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.store import Store
from emonet.errors import OptionError
from emonet.evaluation.calibration import Calibration, measure_calibration
from emonet.evaluation.cost import Cost, measure_cost
from emonet.evaluation.coverage import measure_coverage
from emonet.evaluation.head_scores import HeadScores, score_heads
from emonet.evaluation.intervals import find_clusters
from emonet.evaluation.metrics import Scores, score
from emonet.evaluation.parts import ALL, Mask, find_parts, list_splits, name_sequences, score_sequences
from emonet.evaluation.remarks import list_remarks
from emonet.evaluation.sizes import SizeScores, score_sizes
from emonet.evaluation.votes import VoteScores, score_votes
from emonet.faces import Faces, read_faces
from emonet.heads import HeadChoice
from emonet.heads import sizes as head_sizes
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.classifier import open_classifier
from emonet.inference.coverage import CoverageCurve
from emonet.inference.devices import Machine, open_machine
from emonet.inference.torch_classifier import TorchClassifier
from emonet.labels import Emotion

PER_SEQUENCE = "per sequence"

ByView = Mapping[str, NDArray[np.float32]]  # view -> probabilities (N, classes)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a model answered to the images of a split, and what that scored.

    Attributes:
        name: The name of the model, for people.
        checkpoint: The model.
        store: The data set.
        split: The split of the data set, or `all`.
        faces: The images that are scored, with their labels.
        answers: View -> probabilities (N, classes), in the order in which the views were asked for.
        parts: Part -> which of the images it holds; `all` comes first.
        scores: View -> part -> scores. `per sequence` is scored, and is no part.
        sizes: Scores by size of the face, the largest first; empty unless sizes were asked for.
        head: The head that answers; by default, that of the model.
        prior: The prior that is divided out; by default, that of the model.
        votes: View -> scores on FER+'s votes; empty where nobody voted.
        by_head: View -> scores of every head and prior.
        machine: Where the cost is measured; the best device if None.
        sources: The data sets whose images are scored; all if empty.
        head_answers: View -> probabilities of all heads side by side.
        calibration: How sure each head is beside how often it is right; empty unless sizes were asked for.
        given: The model as it was named in the command; its name if empty.
    """

    name: str
    checkpoint: Checkpoint
    store: Store
    split: str
    faces: Faces
    answers: ByView
    parts: Mapping[str, Mask]
    scores: Mapping[str, Mapping[str, Scores]]
    sizes: tuple[SizeScores, ...] = ()
    head: str | None = None
    prior: str | None = None
    votes: Mapping[str, VoteScores] = field(default_factory=dict)
    by_head: Mapping[str, tuple[HeadScores, ...]] = field(default_factory=dict)
    machine: Machine | None = None
    sources: tuple[str, ...] = ()
    head_answers: ByView = field(default_factory=dict)
    calibration: tuple[Calibration, ...] = ()
    given: str = ""

    @property
    def scored(self) -> str:
        """What is scored, for people: the split, and the data sets where only some are scored."""
        return f"{self.split} ({', '.join(self.sources)})" if self.sources else self.split

    @property
    def choice(self) -> HeadChoice:
        """How the answer is made of the probabilities of all heads."""
        return self.checkpoint.choice(self.head, self.prior)

    @property
    def view(self) -> str:
        """The view that figures are drawn of: the last that was asked for."""
        return list(self.answers)[-1]

    @property
    def summary(self) -> Scores:
        """The scores of all images, in the view that figures are drawn of."""
        return self.scores[self.view][ALL]

    @cached_property
    def cost(self) -> Cost:
        """What answers cost.

        It is measured when it is first asked for, which takes a second or two.
        """
        return measure_cost(open_classifier(self.checkpoint, self.machine or open_machine()), self.faces.array)

    @cached_property
    def coverage(self) -> tuple[CoverageCurve, ...]:
        """How coverage and accuracy change with the least confidence, for each view."""
        return measure_coverage(self)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What one has to know to read the figures."""
        return tuple(list_remarks(self))

    def to_dict(self) -> dict[str, Any]:
        """Return all figures, as JSON takes them. Measures the cost."""
        return {
            "name": self.name,
            "model": self.checkpoint.model,
            "identity": self.checkpoint.identity,
            "arguments": dict(self.checkpoint.arguments),
            "training": dict(self.checkpoint.training),
            "dev": self.checkpoint.scores.get("dev"),
            "store": self.store.path.name,
            "data": dict(self.store.info.inputs),
            "split": self.split,
            "sources": sorted(set(self.faces.sources.tolist())),
            "head": self.choice.head,
            "prior": self.choice.prior,
            "classes": [str(emotion) for emotion in self.faces.classes],
            "left_out": self.faces.left_out,
            "remarks": list(self.remarks),
            "scores": {
                view: {part: scores.to_dict() for part, scores in parts.items()} for view, parts in self.scores.items()
            },
            "calibration": [one.to_dict() for one in self.calibration],
            "coverage": [curve.to_dict() for curve in self.coverage],
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
    sources: Sequence[str] = (),
    name: str = "",
    views: Sequence[str] = ("none", "mirror"),
    machine: Machine | None = None,
    beta: float = 2.0,
    sizes: Sequence[int] = (),
    head: str | None = None,
    prior: str | None = None,
) -> Evaluation:
    """Answer all images of a split whose class the model knows, and score them.

    The scores are of one answer, on the labels and on FER+'s votes. A table has those of all other heads and priors.

    Args:
        checkpoint: The model.
        store: The data set.
        split: The split of the data set, or `all` for every image.
        sources: Score the images of these data sets only; all if empty.
        name: The name of the model, for people.
        views: Ways to look at an image; each is scored apart.
        machine: Where the model runs; the best device if None.
        beta: How many times F-beta counts recall as much as precision.
        sizes: Pixels of smaller faces. The images are scored at each size too, without test-time augmentation.
        head: The head that answers, or `mean`; by default, that of the model.
        prior: `training`, `even` or `sqrt`; by default, that of the model.

    Raises:
        OptionError: There is no such view, head, split or source, the model does not store what the prior needs, or it
            knows none of the classes of the split.

    Examples:
        A data set that `emonet build` wrote is scored in two lines::

            evaluation = evaluate(load_model("emonet"), open_store("fer2013"), "validation")
            print(evaluation.summary.accuracy, evaluation.summary.accuracy_interval)
    """
    if not views or len(set(views)) != len(views):
        raise OptionError(f"views must be one or more different ones, got {', '.join(views) or 'none'}")
    choice = checkpoint.choice(head, prior)
    machine = machine or open_machine()
    faces = _read_known(checkpoint, choice, store, split, sources)
    network = checkpoint.network().to(machine.device)
    heads = head_sizes(checkpoint.heads)
    classifiers = {view: TorchClassifier(network, checkpoint.input, machine, view=view, heads=heads) for view in views}
    all_heads = {view: classify(faces.array) for view, classify in classifiers.items()}
    answers = {view: choice(probabilities) for view, probabilities in all_heads.items()}
    parts = find_parts(store, faces)
    plain = replace(classifiers[views[0]], view="none")
    return Evaluation(
        name or checkpoint.model,
        checkpoint,
        store,
        split,
        faces,
        answers,
        parts,
        scores={view: _score(probabilities, faces, parts, beta) for view, probabilities in answers.items()},
        sizes=score_sizes(lambda pixels: choice(plain(pixels)), faces.array, faces.labels, faces.classes, sizes),
        head=choice.head,
        prior=choice.prior,
        votes=_score_votes(answers, faces),
        by_head={
            view: score_heads(checkpoint.heads, probabilities, faces) for view, probabilities in all_heads.items()
        },
        machine=machine,
        sources=tuple(sources),
        head_answers=all_heads,
        calibration=measure_calibration(checkpoint, store, split, sources=sources, machine=machine) if sizes else (),
    )


def _read_known(checkpoint: Checkpoint, choice: HeadChoice, store: Store, split: str, sources: Sequence[str]) -> Faces:
    """Read the images that the model has a class for."""
    if unknown := sorted(set(sources) - set(store.info.counts)):
        raise OptionError(f"{store.path} has no source {', '.join(unknown)}; it has {', '.join(store.info.counts)}")
    faces = read_faces(store, list_splits(store, split), checkpoint.input, classes=choice.classes, sources=sources)
    faces = replace(faces, left_out={name: n for name, n in faces.left_out.items() if name in set(Emotion)})
    if not len(faces):
        known, there = ", ".join(choice.classes), ", ".join(sorted(faces.left_out)) or "empty"
        of = f" of {', '.join(sources)}" if sources else ""
        raise OptionError(
            f"{store.path} has nothing to score in {split!r}{of}: the model knows {known}, the split {there}"
        )
    return faces


def _score(
    probabilities: NDArray[np.float32], faces: Faces, parts: Mapping[str, Mask], beta: float
) -> dict[str, Scores]:
    clusters = find_clusters(faces)
    scores = {
        name: score(probabilities[mask], faces.labels[mask], faces.classes, beta=beta, clusters=clusters.part(mask))
        for name, mask in parts.items()
    }
    whole = score_sequences(
        probabilities, faces.labels, name_sequences(faces), faces.classes, beta=beta, clusters=clusters
    )
    return scores if whole is None else {**scores, PER_SEQUENCE: whole}


def _score_votes(answers: ByView, faces: Faces) -> dict[str, VoteScores]:
    scored = {view: score_votes(probabilities, faces) for view, probabilities in answers.items()}
    return {view: scores for view, scores in scored.items() if scores is not None}
