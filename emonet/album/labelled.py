"""Labels that people gave their photos, and how often the predictions agree with them.

Labels come from the names of folders or from a CSV. The largest face of a photo answers, unless the CSV has the boxes
of faces.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emonet.album.entry import Entry
from emonet.album.photos import list_photos
from emonet.datasets.formats.class_folders import find_expressions
from emonet.datasets.formats.photo_table import open_photo_table
from emonet.datasets.formats.tree import open_tree
from emonet.datasets.labels import DROP, find_emotion
from emonet.datasets.sample import DropReason, Rejected
from emonet.errors import DatasetError, OptionError
from emonet.evaluation.metrics import Scores, score
from emonet.labels import Emotion
from emonet.prediction import PhotoResult, Prediction
from emonet.prediction.table import BOX
from facecrop.face import Box
from facecrop.text import as_text

WORST = 20  # mistakes that are kept

SAME_FACE = 0.5  # overlap (IoU) of a labelled box and the box of its prediction

Labels = Mapping[str, Emotion]  # by the path of the photo, as entries have it


@dataclass(frozen=True, slots=True)
class FaceLabel:
    """What a face expresses, as a person says.

    Attributes:
        emotion: The expression.
        box: The box of the face; None means the largest face of the photo.
        subject: Who it is, as a person says; empty if nobody said.
    """

    emotion: Emotion
    box: Box | None = None
    subject: str = ""

    def find(self, result: PhotoResult) -> Prediction | None:
        """Find the prediction for the face; None without one."""
        if self.box is None:
            return result.largest
        best = max(result.predictions, key=lambda one: one.face.overlap(self.box or ()), default=None)
        return best if best is not None and best.face.overlap(self.box) >= SAME_FACE else None


@dataclass(frozen=True, slots=True)
class LabelTable:
    """The labels of photos in a CSV.

    Attributes:
        labels: By the path of the photo, as entries have it.
        base: What the paths in the CSV are relative to, in words.
        unmatched: The paths of rows that fit no photo.
        faults: What is wrong with other rows that give no label.
        dropped: The photos with the boxes of what is not a face, as the table says.
    """

    labels: Mapping[str, Sequence[FaceLabel]]
    base: str
    unmatched: Sequence[str]
    faults: Sequence[str]
    dropped: Mapping[str, Sequence[Box | None]] = field(default_factory=dict)


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
        without_face: Labels without a prediction: no face passed the rules, or the file cannot be read.
        unknown: Labels that the model does not know.
        scores: Over the photos that remain, also those whose face is unsure; None if there are none.
        sure: Over those of them whose face is not unsure; None if there are none.
        coverage: The share of those that remain whose face is not unsure; None if none remain.
        worst: The most confident mistakes, most confident first.
    """

    labelled: int
    without_face: int
    unknown: int
    scores: Scores | None
    sure: Scores | None
    coverage: float | None
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


def match_labels(table: Path, photos: Path, names: Iterable[str]) -> LabelTable:
    """Read a CSV of labels, and find the photo of each row.

    Paths are relative to the CSV or to the folder of photos: they are taken as fits more photos. The table may be the
    `corrections.csv` of an album, whose rows name a face of the photo by its box.

    Args:
        table: A CSV with the columns path and label, and perhaps x1, y1, x2 and y2, and subject.
        photos: The folder of photos.
        names: The paths of the photos below it, as entries have them.

    Raises:
        DatasetError: The CSV cannot be read, or has no such columns.
        OptionError: No row fits a photo.
    """
    known, rows = set(names), list(_read_rows(table))
    folder, beside = (os.path.realpath(place) for place in (photos, table.parent))
    bases = {"the folder of photos": folder, f"the folder of {table.name}": beside}
    found = {base: [_find_photo(row, place, folder, known) for row in rows] for base, place in bases.items()}
    base = max(found, key=lambda base: sum(name is not None for name in found[base]))
    labels: dict[str, list[FaceLabel]] = {}
    dropped: dict[str, list[Box | None]] = {}
    for row, name in zip(rows, found[base], strict=True):
        if name is not None and row.label is not None:
            labels.setdefault(name, []).append(row.label)
        elif name is not None and row.is_dropped:
            dropped.setdefault(name, []).append(row.box)
    unmatched = [row.path for row, name in zip(rows, found[base], strict=True) if name is None]
    faults = [row.fault for row in rows if row.fault]
    if not labels:
        raise OptionError(_explain_no_labels(table, photos, rows, unmatched, faults, known))
    return LabelTable(labels, base, unmatched, faults, dropped)


def _explain_no_labels(
    table: Path, photos: Path, rows: Sequence[_Row], unmatched: Sequence[str], faults: Sequence[str], known: set[str]
) -> str:
    if not rows:
        return f"{table} has no rows"
    if len(unmatched) == len(rows):
        example = f", and a photo is {min(known)!r}" if known else ""
        return (
            f"no row of {table} names a photo in {photos}: paths must be relative to one of the two. The first is "
            f"{rows[0].path[:80]!r}{example}"
        )
    expressions = ", ".join(Emotion)
    return f"no row of {table} gives a photo an expression ({expressions})" + (f": {faults[0]}" if faults else "")


def read_labels(table: Path, photos: Path) -> tuple[Labels, list[Rejected]]:
    """Read the labels of photos from a CSV; `match_labels` says more, and knows the boxes of faces.

    Returns:
        The label of each photo, and the rows that give none with the reason.
    """
    found = match_labels(table, photos, [as_text(photo.name) for photo in list_photos(photos).photos])
    rejected = [Rejected(fault, "folder", None, DropReason.BAD_LABEL, fault) for fault in found.faults]
    rejected += [
        Rejected(path, "folder", None, DropReason.UNREADABLE, f"no photo {path!r}") for path in found.unmatched
    ]
    return {path: of_photo[0].emotion for path, of_photo in found.labels.items()}, rejected


class _Row(NamedTuple):
    path: str
    label: FaceLabel | None
    fault: str  # why there is no label; empty if there is one, or if the row has none on purpose
    box: Box | None
    is_dropped: bool  # whether it says that there is no face


def _read_rows(table: Path) -> Iterator[_Row]:
    tree = open_tree(table)
    tables = tree.tables()
    if not tables:
        raise DatasetError(table, "this is no CSV of path,label")
    opened = open_photo_table(tree, tables[0])
    for number, cells in opened.rows:
        row = dict(zip(opened.columns, (cell.strip() for cell in cells), strict=False))
        path, label = row.get("path", ""), row.get("label", "")
        emotion = find_emotion(label)
        fault = "" if emotion or label in ("", DROP) else f"row {number}: {label[:40]!r} is no expression"
        box = _read_box(row)
        found = None if emotion is None else FaceLabel(emotion, box, row.get("subject", ""))
        yield _Row(path, found, fault, box, label == DROP)


def _read_box(row: Mapping[str, str]) -> Box | None:
    try:
        x1, y1, x2, y2 = (float(row[name]) for name in BOX)
    except (KeyError, ValueError):
        return None
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def _find_photo(row: _Row, base: str, folder: str, known: set[str]) -> str | None:
    """Find the photo that a row names by a path relative to `base`; tables put an apostrophe before formulas."""
    for path in (row.path, row.path.replace("\\", "/"), row.path.removeprefix("'")):
        place = os.path.normpath(Path(base) / path)
        name = as_text(os.path.relpath(place, folder).replace(os.sep, "/"))
        if name in known:
            return name
    return None


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
    labelled = without_face = unknown = 0
    for entry in entries:
        given = labels.get(entry.path, ())
        for label in [FaceLabel(given)] if isinstance(given, Emotion) else given:
            labelled += 1
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
    return AlbumScore(labelled, without_face, unknown, scores, of_sure, coverage, worst)


def _score(
    shares: list[list[float]], places: list[int], mask: NDArray[np.bool_], classes: Sequence[Emotion]
) -> Scores | None:
    return score(np.array(shares)[mask], np.array(places)[mask], classes) if mask.any() else None
