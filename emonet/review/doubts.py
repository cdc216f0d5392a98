"""The labels of a data set that are likely to be wrong, as a list."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emonet.datasets.store import Store
from emonet.review.confident import LabelQuality, measure_labels
from emonet.review.faces import FaceList, list_faces
from emonet.review.opinions import SecondOpinion, ask_model, read_opinion


@dataclass(frozen=True, slots=True)
class Doubt:
    """A label that is likely to be wrong.

    Attributes:
        key: The key of the image.
        label: Its label in the data set.
        suggested: The most probable other class.
        confidence: The probability of the label.
        margin: The normalised margin: 0 for a label that is surely wrong, 0.5 where two classes are as probable.
    """

    key: str
    label: str
    suggested: str
    confidence: float
    margin: float


def find_doubtful(
    store: Store,
    model: str = "emonet",
    *,
    answers: str | Path = "",
    head: str = "",
) -> list[Doubt]:
    """Find the labels of a data set that are likely to be wrong.

    Args:
        store: The data set.
        model: The model whose answers are compared with the labels: a name or a file.
        answers: A file of answers to use instead: see `emonet review --help`.
        head: The head of the model that answers.

    Returns:
        The doubtful faces, the most doubtful first.

    Examples:
        Print the ten most doubtful labels::

            for doubt in find_doubtful(open_store("merged"), "emonet_fast")[:10]:
                print(doubt.key, doubt.label, "rather", doubt.suggested)
    """
    from emonet.inference import load_model

    faces = list_faces(store)
    opinion = (
        read_opinion(Path(answers), faces, head)
        if answers
        else ask_model(load_model(model), store, faces, name=model, head=head)
    )
    quality = judge_labels(faces, opinion)
    return [_describe(faces, quality, place) for place in quality.rank().tolist() if quality.doubtful[place]]


def judge_labels(faces: FaceList, opinion: SecondOpinion) -> LabelQuality:
    """Measure how well labels go with a second opinion; it has none of faces whose class its model does not know."""
    most = np.nan_to_num(opinion.probabilities).max(0, initial=0.0)
    hidden = np.where((most == 0)[faces.labels][:, None], np.nan, opinion.probabilities)
    return measure_labels(faces.labels, hidden)


def _describe(faces: FaceList, quality: LabelQuality, place: int) -> Doubt:
    label, suggested = (str(faces.classes[int(which[place])]) for which in (faces.labels, quality.suggested))
    return Doubt(faces.keys[place], label, suggested, float(quality.confidence[place]), float(quality.margin[place]))
