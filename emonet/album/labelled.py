"""What people say of their photos against what the model says: photos in folders named by expression, or in a list.

A photo has one label, and is answered by its largest face.
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
from emonet.prediction.prediction import written

WORST = 20  # mistakes that are named

Labels = Mapping[str, Emotion]  # by the photo's name below the folder, as entries have it


@dataclass(frozen=True, slots=True)
class Mistake:
    """A photo that was answered otherwise than it is labelled."""

    path: str
    label: Emotion
    answer: Emotion
    confidence: float


@dataclass(frozen=True, slots=True)
class FolderScore:
    """`scores` are over the photos that were answered; None where there are none."""

    labelled: int
    without_face: int  # that will do, or that cannot be read
    unknown: int  # photos of expressions that the model does not know
    scores: Scores | None
    worst: tuple[Mistake, ...]  # the surest first

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


def folder_labels(paths: Iterable[str]) -> Labels:
    """Of photos below a folder named after one expression, in any of the words that a data set may use."""
    named = {path: find_expressions(PurePosixPath(path).parts[:-1]) for path in paths}
    return {path: emotion for path, found in named.items() if len(found) == 1 for emotion in found}


def listed_labels(table: Path, photos: Path) -> tuple[Labels, list[Rejected]]:
    """Of the photos that a CSV of path,label lists, whose paths are relative to itself; and rows that give none."""
    reader = READERS["folder"](table)
    found = {}
    for sample in reader:
        if isinstance(sample.image, EncodedImage) and isinstance(sample.image.blob, FileBlob) and sample.emotion:
            found[written(os.path.relpath(sample.image.blob.path, photos).replace(os.sep, "/"))] = sample.emotion
    return found, reader.rejected


def score_folder(entries: Iterable[Entry], labels: Labels, classes: Sequence[Emotion]) -> FolderScore:
    """What the labels of some photos say of the answers."""
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
    return FolderScore(labelled, without_face, unknown, scores, worst)
