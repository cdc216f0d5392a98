"""FER+: what ten people each saw in FER2013's pictures (Barsoum et al. 2016, MIT licence), and its image tree.

    fer2013new.csv      Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF
                        Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0
    FER2013Train/       fer0000000.png ..., label.csv: fer0000000.png,"(0, 0, 48, 48)",4,0,0,1,3,2,0,0,0,0
    FER2013Valid/       PublicTest        FER2013Test/    PrivateTest

The rows of fer2013new.csv are those of fer2013.csv, in its order: 173 have no image name, so names do not join.
The number in an image's name is its row.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from emonet.datasets.formats.tree import Tree
from emonet.datasets.labels import emotion_named
from emonet.datasets.sample import DropReason, EncodedImage, Rejected, Sample
from emonet.errors import DatasetError
from emonet.labels import Emotion

VOTES = (*(emotion.value for emotion in Emotion), "unknown", "not_a_face")  # the order in which votes are kept
COLUMNS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
FOLDERS = {"fer2013train": "train", "fer2013valid": "validation", "fer2013test": "test"}

IMAGE_NAME = re.compile(r"fer(\d{7})\.png", re.IGNORECASE)

Votes = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class VotedRow:
    """One row of fer2013new.csv."""

    usage: str
    votes: Votes


def read_votes(path: str | os.PathLike[str]) -> list[VotedRow]:
    """The rows of fer2013new.csv, in the order of fer2013.csv."""
    with Path(path).open(newline="", encoding="utf-8-sig") as file:
        table = csv.DictReader(file, skipinitialspace=True)
        missing = [name for name in ("Usage", *COLUMNS) if name not in (table.fieldnames or ())]
        if missing:
            raise DatasetError(path, f"no column {', '.join(missing)}; expected fer2013new.csv of FER+", 1)
        return [
            VotedRow(row["Usage"], _votes([row[name] for name in COLUMNS], path, number))
            for number, row in enumerate(table, 2)
        ]


def _votes(cells: Sequence[str], path: str | os.PathLike[str], row: int) -> Votes:
    try:
        counted = dict(zip(COLUMNS, map(int, cells), strict=True))
    except (TypeError, ValueError) as error:
        raise DatasetError(path, f"ten numbers of votes are expected: {error}", row) from error
    named = {emotion_named(name): count for name, count in counted.items()}
    return (*(named[emotion] for emotion in Emotion), counted["unknown"], counted["NF"])


def is_no_face(votes: Votes) -> bool:
    """Whether at least half of the people saw no face."""
    return 2 * votes[-1] >= sum(votes) > 0


def majority(votes: Votes) -> Emotion | None:
    """What more people saw than anything else; None where they were at odds, or could not tell."""
    most = max(votes)
    first = votes.index(most)
    return None if votes.count(most) > 1 or first >= len(Emotion) else list(Emotion)[first]


def label_files(tree: Tree) -> dict[str, str]:
    """The label.csv of each folder of FER+'s image tree, with the folder's split."""
    found = {}
    for name in tree.members:
        place = PurePosixPath(name)
        if place.name.lower() == "label.csv" and place.parent.name.lower() in FOLDERS:
            found[name] = FOLDERS[place.parent.name.lower()]
    return found


def tree_samples(tree: Tree, source: str) -> Iterator[Sample | Rejected]:
    """The pictures of FER+'s image tree, labelled by the majority of its votes."""
    for label_file, split in label_files(tree).items():
        folder = PurePosixPath(label_file).parent
        text = tree.members[label_file].read().decode("utf-8-sig", "replace")
        for number, row in enumerate(csv.reader(io.StringIO(text)), 1):
            if row:
                yield _tree_sample(tree, source, split, folder, row, number)


def _tree_sample(
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
    votes = _votes(row[2:], tree.path / folder / "label.csv", number)
    image = EncodedImage(tree.members[str(place)])
    if is_no_face(votes):
        return Rejected(key, source, split, DropReason.NOT_A_FACE, f"{votes[-1]} of {sum(votes)} votes")
    return Sample(key, image, majority(votes), source, split=split, votes=votes)
