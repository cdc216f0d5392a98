"""Labels that people gave their photos.

Labels come from the names of folders or from a CSV. The largest face of a photo answers, unless the CSV has the boxes
of faces.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from emonet.album.photos import list_photos
from emonet.datasets.formats.class_folders import find_expressions
from emonet.datasets.formats.photo_table import PhotoTable, open_photo_table, spell_accents
from emonet.datasets.formats.tree import open_tree
from emonet.datasets.labels import DROP, find_emotion
from emonet.datasets.sample import DropReason, Rejected
from emonet.errors import DatasetError, OptionError
from emonet.labels import Emotion
from emonet.prediction import PhotoResult, Prediction
from emonet.prediction.table import BOX
from facecrop.face import Box
from facecrop.text import as_text

CORRECTIONS = (*BOX, "answer", "confidence")  # columns of the tables that albums save

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
        is_corrections: Whether an album saved it: it holds only the faces that somebody corrected.
    """

    labels: Mapping[str, Sequence[FaceLabel]]
    base: str
    unmatched: Sequence[str]
    faults: Sequence[str]
    dropped: Mapping[str, Sequence[Box | None]] = field(default_factory=dict)
    is_corrections: bool = False


def find_labels(paths: Iterable[str]) -> Labels:
    """Find the labels of photos below a folder that is named after one expression.

    The names may be any of the words that a data set may use for it.
    """
    named = {path: find_expressions(PurePosixPath(path).parts[:-1]) for path in paths}
    return {path: emotion for path, found in named.items() if len(found) == 1 for emotion in found}


def match_labels(table: Path, photos: Path, names: Iterable[str]) -> LabelTable:
    """Read a CSV of labels, and find the photo of each row.

    Paths are relative to the CSV or to the folder of photos: they are taken as fits more photos. The table may be the
    `corrections.csv` of an album, whose rows name a face of the photo by its box. Of several rows of one face, the
    first is taken.

    Args:
        table: A CSV with the columns path and label, and perhaps x1, y1, x2 and y2, and subject.
        photos: The folder of photos.
        names: The paths of the photos below it, as entries have them.

    Raises:
        DatasetError: The CSV cannot be read, or has no such columns.
        OptionError: No row says anything of a photo.
    """
    opened = _open_table(table)
    known, rows = set(names), list(_read_rows(opened))
    folder, beside = (os.path.realpath(place) for place in (photos, table.parent))
    bases = {"the folder of photos": folder, f"the folder of {table.name}": beside}
    found = {base: [_find_photo(row, place, folder, known) for row in rows] for base, place in bases.items()}
    base = max(found, key=lambda base: sum(name is not None for name in found[base]))
    unmatched = [row.path for row, name in zip(rows, found[base], strict=True) if name is None]
    faults = [row.fault for row in rows if row.fault]
    labels: dict[str, list[FaceLabel]] = {}
    dropped: dict[str, list[Box | None]] = {}
    numbers: dict[tuple[str, Box | None], int] = {}  # of the first row of each face
    for row, name in zip(rows, found[base], strict=True):
        if name is None or (row.label is None and not row.is_dropped):
            continue
        if (first := numbers.setdefault((name, row.box), row.number)) != row.number:
            faults.append(f"row {row.number}: {name[:80]!r} again, and row {first} is taken")
        elif row.label is not None:
            labels.setdefault(name, []).append(row.label)
        else:
            dropped.setdefault(name, []).append(row.box)
    if not labels and not dropped:
        raise OptionError(_explain_no_labels(table, photos, rows, unmatched, faults, known))
    return LabelTable(labels, base, unmatched, faults, dropped, set(CORRECTIONS) <= set(opened.columns))


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
    number: int
    path: str
    label: FaceLabel | None
    fault: str  # why there is no label; empty if there is one, or if the row has none on purpose
    box: Box | None
    is_dropped: bool  # whether it says that there is no face


def _open_table(table: Path) -> PhotoTable:
    tree = open_tree(table)
    tables = tree.tables()
    if not tables:
        raise DatasetError(table, "this is no CSV of path,label")
    return open_photo_table(tree, tables[0])


def _read_rows(table: PhotoTable) -> Iterator[_Row]:
    for number, cells in table.rows:
        row = dict(zip(table.columns, cells, strict=False))
        path, label = row.get("path", ""), row.get("label", "").strip()
        emotion, box, fault = find_emotion(label), None, ""
        try:
            box = _read_box(row, table.delimiter)
        except ValueError as error:
            fault = f"row {number}: {error}"
        if emotion is None and label not in ("", DROP):
            fault = f"row {number}: {label[:40]!r} is no expression"
        found = None if emotion is None or fault else FaceLabel(emotion, box, row.get("subject", "").strip())
        yield _Row(number, path, found, fault, box, label == DROP and not fault)


def _read_box(row: Mapping[str, str], delimiter: str) -> Box | None:
    """Read the box of a row, None if it names none; raise ValueError for one that is none."""
    written = [row.get(name, "").strip() for name in BOX]
    if not any(written):
        return None
    shown = f"no box in {' '.join(written)[:40]!r}"
    try:  # spreadsheets that write semicolons write decimal commas
        x1, y1, x2, y2 = (float(cell if delimiter == "," else cell.replace(",", ".")) for cell in written)
    except ValueError as error:
        raise ValueError(shown) from error
    if not (x1 < x2 and y1 < y2):
        raise ValueError(shown)
    return x1, y1, x2, y2


def _find_photo(row: _Row, base: str, folder: str, known: set[str]) -> str | None:
    """Find the photo that a row names by a path relative to `base`; tables put an apostrophe before formulas."""
    stripped = row.path.strip()
    for path in (row.path, stripped, stripped.replace("\\", "/"), row.path.removeprefix("'")):
        place = os.path.normpath(Path(base) / path)
        try:
            name = as_text(os.path.relpath(place, folder).replace(os.sep, "/"))
        except ValueError:  # on another drive of Windows
            continue
        if found := known.intersection(spell_accents(name)):
            return name if name in found else min(found)
    return None
