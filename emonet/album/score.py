"""How often the predictions of an album agree with the labels of its photos."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emonet.album.entry import Entry
from emonet.album.labelled import FaceLabel
from emonet.evaluation.metrics import Scores, score
from emonet.labels import Emotion

WORST = 20  # mistakes that are kept


@dataclass(frozen=True, slots=True)
class Mistake:
    """A photo whose prediction differs from its label."""

    path: str
    label: Emotion
    answer: Emotion
    confidence: float


@dataclass(frozen=True, slots=True)
class AlbumScore:
    """How often the predictions of an album agree with the labels of its photos.

    Attributes:
        labelled: The number of labels: photos, or faces where a table names them by their boxes.
        with_box: Of these, the labels that name a face by its box; the largest face answers for the others.
        without_face: Labels without a prediction: no face passed the rules, or the file cannot be read.
        unknown: Labels that the model does not know.
        scores: Over the photos that remain, also those whose face is unsure; None if there are none.
        sure: Over those of them whose face is not unsure; None if there are none.
        coverage: The share of those that remain whose face is not unsure; None if none remain.
        worst: The most confident mistakes, most confident first.
    """

    labelled: int
    with_box: int
    without_face: int
    unknown: int
    scores: Scores | None
    sure: Scores | None
    coverage: float | None
    worst: tuple[Mistake, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def score_album(
    entries: Iterable[Entry], labels: Mapping[str, Emotion | Sequence[FaceLabel]], classes: Sequence[Emotion]
) -> AlbumScore:
    """Compare the predictions of an album with the labels of its photos.

    Args:
        entries: The photos; those without a label are passed over.
        labels: By the paths of entries: the expression of the largest face, or labels of faces.
        classes: The classes of the predictor, in its order.
    """
    places, shares, unsure, mistakes = [], [], [], []
    labelled = with_box = without_face = unknown = 0
    for entry in entries:
        given = labels.get(entry.path, ())
        for label in [FaceLabel(given)] if isinstance(given, Emotion) else given:
            labelled += 1
            with_box += label.box is not None
            answer = label.find(entry.result)
            if label.emotion not in classes:
                unknown += 1
            elif answer is None:
                without_face += 1
            else:
                places.append(list(classes).index(label.emotion))
                shares.append(list(answer.probabilities.values()))
                unsure.append(bool(answer.unsure))
                if answer.emotion != label.emotion:
                    mistakes.append(Mistake(entry.path, label.emotion, answer.emotion, answer.confidence))
    worst = tuple(sorted(mistakes, key=lambda one: -one.confidence)[:WORST])
    everything = np.ones(len(places), bool)
    sure = ~np.array(unsure, bool)
    scores, of_sure = (_score(shares, places, mask, classes) for mask in (everything, sure))
    coverage = float(sure.mean()) if places else None
    return AlbumScore(labelled, with_box, without_face, unknown, scores, of_sure, coverage, worst)


def _score(
    shares: list[list[float]], places: list[int], mask: NDArray[np.bool_], classes: Sequence[Emotion]
) -> Scores | None:
    return score(np.array(shares)[mask], np.array(places)[mask], classes) if mask.any() else None
