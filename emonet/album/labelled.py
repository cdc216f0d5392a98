"""Labels that people gave their photos, and how often the predictions agree with them.

Labels come from the names of folders or from a CSV. A photo has one label; its largest face answers.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from emonet.album.entry import Entry
from emonet.datasets import READERS
from emonet.datasets.formats.class_folders import find_expressions
from emonet.datasets.formats.tree import FileBlob
from emonet.datasets.sample import EncodedImage, Rejected
from emonet.evaluation.metrics import Scores, score
from emonet.labels import Emotion
from emonet.prediction.prediction import as_text

WORST = 20  # mistakes that are kept

Labels = Mapping[str, Emotion]  # by the path of the photo, as entries have it


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
        labelled: The number of photos with a label.
        without_face: Labelled photos without a prediction: no face passed the rules, or the file cannot be read.
        unknown: Photos of an expression that the model does not know.
        scores: Over the photos that remain; None if there are none.
        worst: The most confident mistakes, most confident first.
    """

    labelled: int
    without_face: int
    unknown: int
    scores: Scores | None
    worst: tuple[Mistake, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def find_labels(paths: Iterable[str]) -> Labels:
    """Find the labels of photos below a folder that is named after one expression.

    The names may be any of the words that a data set may use for it.
    """
    named = {path: find_expressions(PurePosixPath(path).parts[:-1]) for path in paths}
    return {path: emotion for path, found in named.items() if len(found) == 1 for emotion in found}


def read_labels(table: Path, photos: Path) -> tuple[Labels, list[Rejected]]:
    """Read the labels of photos from a CSV.

    Args:
        table: A CSV with the columns path and label; paths are relative to the CSV.
        photos: The folder of photos.

    Returns:
        The labels, and the rows that give none with the reason.
    """
    reader = READERS["folder"](table)
    labels = {}
    for sample in reader:
        if isinstance(sample.image, EncodedImage) and isinstance(sample.image.blob, FileBlob) and sample.emotion:
            labels[as_text(os.path.relpath(sample.image.blob.path, photos).replace(os.sep, "/"))] = sample.emotion
    return labels, reader.rejected


def score_album(entries: Iterable[Entry], labels: Labels, classes: Sequence[Emotion]) -> AlbumScore:
    """Compare the predictions of an album with the labels of its photos.

    Args:
        entries: The photos; those without a label are passed over.
        labels: By the paths of entries.
        classes: The classes of the predictor, in its order.
    """
    places, shares, mistakes = [], [], []
    labelled = without_face = unknown = 0
    for entry in entries:
        label = labels.get(entry.path)
        if label is None:
            continue
        labelled += 1
        answer = entry.result.largest
        if label not in classes:
            unknown += 1
        elif answer is None:
            without_face += 1
        else:
            places.append(list(classes).index(label))
            shares.append(list(answer.probabilities.values()))
            if answer.emotion != label:
                mistakes.append(Mistake(entry.path, label, answer.emotion, answer.confidence))
    worst = tuple(sorted(mistakes, key=lambda one: -one.confidence)[:WORST])
    scores = score(np.array(shares), np.array(places), classes) if places else None
    return AlbumScore(labelled, without_face, unknown, scores, worst)
