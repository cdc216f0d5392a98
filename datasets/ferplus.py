"""FER+: the votes of ten people on each image of FER2013 (Barsoum et al. 2016, MIT licence), and its image tree.

    fer2013new.csv      Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF
                        Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0
    FER2013Train/       fer0000000.png ..., label.csv: fer0000000.png,"(0, 0, 48, 48)",4,0,0,1,3,2,0,0,0,0
    FER2013Valid/       PublicTest        FER2013Test/    PrivateTest

The rows of fer2013new.csv are those of fer2013.csv, in its order. 173 have no image name, so they are joined by row and
not by name. The number in an image's name is its row.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.formats.pixel_table import PixelRow
from emonet.datasets.formats.tree import Tree
from emonet.datasets.labels import find_emotion
from emonet.datasets.sample import DropReason, EncodedImage, Rejected, Sample, Votes
from emonet.errors import DatasetError
from emonet.labels import Emotion

VOTES = (*(emotion.value for emotion in Emotion), "unknown", "not_a_face")  # in the order of the column `votes`
COLUMNS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
FOLDERS = {"fer2013train": "train", "fer2013valid": "validation", "fer2013test": "test"}

IMAGE_NAME = re.compile(r"fer(\d{7})\.png", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class VotedRow:
    """One row of fer2013new.csv."""

    usage: str
    votes: Votes


@dataclass(frozen=True, slots=True)
class VotedRows:
    """The rows of fer2013new.csv, which belong to those of fer2013.csv by their order."""

    path: Path
    rows: list[VotedRow]

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> VotedRows:
        """Read the votes from a file."""
        return cls(Path(path), read_votes(path))

    def find(self, row: PixelRow) -> Votes:
        """Return the votes on a row of fer2013.csv.

        Raises:
            DatasetError: There are votes on fewer rows, or on others.
        """
        if row.number >= len(self.rows):
            raise DatasetError(self.path, f"{len(self.rows)} rows of votes, and the data have more")
        voted, usage = self.rows[row.number], row.cells.get("usage")
        if voted.usage.lower() != (usage or "").lower():
            differ = f"{voted.usage}, where {row.image.path.name} has {usage}: these are votes on other rows"
            raise DatasetError(self.path, differ, row.line)
        return voted.votes


def read_votes(path: str | os.PathLike[str]) -> list[VotedRow]:
    """Read fer2013new.csv, whose rows are in the order of fer2013.csv."""
    with Path(path).open(newline="", encoding="utf-8-sig") as file:
        table = csv.DictReader(file, skipinitialspace=True)
        missing = [name for name in ("Usage", *COLUMNS) if name not in (table.fieldnames or ())]
        if missing:
            raise DatasetError(path, f"no column {', '.join(missing)}; expected fer2013new.csv of FER+", 1)
        return [
            VotedRow(row["Usage"], _parse_votes([row[name] for name in COLUMNS], path, number))
            for number, row in enumerate(table, 2)
        ]


def _parse_votes(cells: Sequence[str], path: str | os.PathLike[str], row: int) -> Votes:
    try:
        counted = dict(zip(COLUMNS, map(int, cells), strict=True))
    except (TypeError, ValueError) as error:
        raise DatasetError(path, f"ten numbers of votes are expected: {error}", row) from error
    named = {find_emotion(name): count for name, count in counted.items()}
    return (*(named[emotion] for emotion in Emotion), counted["unknown"], counted["NF"])


def is_no_face(votes: Votes) -> bool:
    """Tell whether at least half of the people saw no face."""
    return 2 * votes[-1] >= sum(votes) > 0


def find_majorities(votes: NDArray[np.integer]) -> NDArray[np.int64]:
    """Find the expression that more people saw than anything else.

    Args:
        votes: (N, 10), in the order of VOTES.

    Returns:
        Places in the eight expressions (N,). -1 where several have the most votes, or "unknown" or "not a face" has,
        or nobody voted: the literature on FER+ leaves these images out.
    """
    most = votes.max(1, keepdims=True)
    first = votes.argmax(1)
    clear = ((votes == most).sum(1) == 1) & (first < len(Emotion))
    return np.where(clear, first, -1)


def find_majority(votes: Votes) -> Emotion | None:
    """Find the majority of one image, as `find_majorities` does; None if there is none."""
    place = int(find_majorities(np.array([votes]))[0])
    return None if place < 0 else list(Emotion)[place]


def find_label_files(tree: Tree) -> dict[str, str]:
    """Find each label.csv of FER+'s image tree, and the split of its folder."""
    found = {}
    for name in tree.members:
        place = PurePosixPath(name)
        if place.name.lower() == "label.csv" and place.parent.name.lower() in FOLDERS:
            found[name] = FOLDERS[place.parent.name.lower()]
    return found


def read_tree(tree: Tree, source: str) -> Iterator[Sample | Rejected]:
    """Yield the images of FER+'s image tree, labelled by the majority of the votes."""
    for label_file, split in find_label_files(tree).items():
        folder = PurePosixPath(label_file).parent
        text = tree.members[label_file].read().decode("utf-8-sig", "replace")
        for number, row in enumerate(csv.reader(io.StringIO(text)), 1):
            if row:
                yield _read_row(tree, source, split, folder, row, number)


def _read_row(
    tree: Tree, source: str, split: str, folder: PurePosixPath, row: list[str], number: int
) -> Sample | Rejected:
    place = folder / row[0].strip()
    match = IMAGE_NAME.fullmatch(place.name)
    key = f"{source}/{place.stem if match else place}"
    if len(row) != 2 + len(COLUMNS):
        detail = f"{folder}/label.csv, row {number}: {len(row)} columns, not {2 + len(COLUMNS)}"
        return Rejected(key, source, split, DropReason.BAD_ROW, detail)
    if str(place) not in tree.members:
        return Rejected(key, source, split, DropReason.UNREADABLE, f"{place} is not there")
    votes = _parse_votes(row[2:], tree.path / folder / "label.csv", number)
    image = EncodedImage(tree.members[str(place)])
    if is_no_face(votes):
        return Rejected(key, source, split, DropReason.NOT_A_FACE, f"{votes[-1]} of {sum(votes)} votes")
    return Sample(key, image, find_majority(votes), source, split=split, votes=votes)
