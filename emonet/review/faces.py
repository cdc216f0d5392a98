"""What the review knows about each face of a data set, without its pixels."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.sample import DropReason
from emonet.datasets.store import Store
from emonet.labels import Emotion

COLUMNS = ("key", "label", "split", "source", "subject", "sequence", "frame", "activation", "votes")
GROUPS = ("duplicate_group", "near_group")

FRAME_IN_KEY = re.compile(r"(.*?)(\d+)(\.\w+)?$")  # what comes before the number of a frame, and the number
ACTIVATION = re.compile(r"activation (-?[\d.]+)")  # what rejected.parquet says of a frame before the onset

Columns = dict[str, list[Any]]


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of a sequence.

    Attributes:
        number: Its number in the sequence.
        key: Its key.
        face: Its place among the faces; -1 for a frame before the onset, which is not in the data set.
        activation: How strong the expression is in it; None if that was not measured.
        label: Its label, as a place among the classes; -1 for a frame that is not in the data set.
    """

    number: int
    key: str
    face: int
    activation: float | None
    label: int = -1


@dataclass(frozen=True, slots=True)
class FrameSequence:
    """A sequence and its onset cut.

    Attributes:
        key: What corrections call it: the source, a slash and its name.
        source: Its data set.
        frames: All that are known, in order.
    """

    key: str
    source: str
    frames: tuple[Frame, ...]

    @property
    def onset(self) -> int:
        """The number of the first frame that was kept; a first frame that became a neutral face does not count."""
        kept = [frame for frame in self.frames if frame.face >= 0]
        return next(frame.number for frame in kept if frame.label == kept[-1].label)


@dataclass(frozen=True, slots=True, eq=False)
class FaceList:
    """All faces of a data set, in its order.

    Attributes:
        classes: The classes of the labels.
        keys: The key of each face.
        labels: Places in `classes` (N,).
        splits: The split of each face.
        sources: The data set that each face is from.
        subjects: The person in each face; None where that is not known.
        votes: FER+'s votes for each face; None where nobody voted.
        sequences: Sequences whose onset was cut.
        copies: Groups of exact and near copies whose labels differ, as places of faces.
    """

    classes: tuple[Emotion, ...]
    keys: list[str]
    labels: NDArray[np.int64]
    splits: list[str]
    sources: list[str]
    subjects: list[str | None]
    votes: list[list[int] | None]
    sequences: tuple[FrameSequence, ...]
    copies: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.keys)


def list_faces(store: Store) -> FaceList:
    """List the faces of all splits."""
    columns: Columns = {name: [] for name in (*COLUMNS, *GROUPS)}
    for split in store.splits:
        for name, values in store.table(split, list(columns)).to_pydict().items():
            columns[name] += values
    labels = np.array(columns["label"], np.int64)
    return FaceList(
        classes=store.classes,
        keys=columns["key"],
        labels=labels,
        splits=columns["split"],
        sources=columns["source"],
        subjects=columns["subject"],
        votes=columns["votes"],
        sequences=tuple(_list_sequences(store, columns)),
        copies=tuple(_find_differing([columns[name] for name in GROUPS], labels)),
    )


def _find_differing(groups: Sequence[Sequence[str | None]], labels: NDArray[np.int64]) -> Iterator[tuple[int, ...]]:
    """Yield the groups of copies whose labels differ; exact copies are near copies, too, and are listed once."""
    members: dict[str, list[int]] = defaultdict(list)
    exact, near = groups
    for place, names in enumerate(zip(exact, near, strict=True)):
        if (name := names[1] or names[0]) is not None:
            members[name].append(place)
    for group in members.values():
        if len({labels[place] for place in group}) > 1:
            yield tuple(group)


def _list_sequences(store: Store, columns: Columns) -> Iterator[FrameSequence]:
    """Yield the sequences of data sets whose onsets the build cut, with the frames that it dropped."""
    dropped = _find_dropped(store)
    cut = {source for source, _ in dropped}
    cut |= {source for source, one in zip(columns["source"], columns["activation"], strict=True) if one is not None}
    found: dict[tuple[str, str], list[Frame]] = defaultdict(list)
    names = ("source", "sequence", "frame", "key", "activation", "label")
    rows = zip(*(columns[name] for name in names), strict=True)
    for place, (source, sequence, number, key, activation, label) in enumerate(rows):
        if source in cut and sequence is not None and number is not None:
            found[source, sequence].append(Frame(number, key, place, activation, label))
    for (source, sequence), kept in sorted(found.items()):
        stem = FRAME_IN_KEY.fullmatch(kept[0].key)
        others = dropped.get((source, stem[1]), []) if stem else []
        frames = sorted([*kept, *others], key=lambda frame: frame.number)
        yield FrameSequence(f"{source}/{sequence}", source, tuple(frames))


def _find_dropped(store: Store) -> dict[tuple[str, str], list[Frame]]:
    """Find the frames before an onset, by their source and what their keys begin with."""
    found: dict[tuple[str, str], list[Frame]] = defaultdict(list)
    for row in store.rejected().select(["key", "source", "reason", "detail"]).to_pylist():
        if row["reason"] == DropReason.ONSET and (match := FRAME_IN_KEY.fullmatch(row["key"])):
            measured = ACTIVATION.fullmatch(row["detail"] or "")
            activation = float(measured[1]) if measured else None
            found[row["source"], match[1]].append(Frame(int(match[2]), row["key"], -1, activation))
    return found
