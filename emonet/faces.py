"""The images of a data set, as arrays in memory or as a torch data set.

`FaceDataset` is for a DataLoader of your own, as `Store.as_torch` returns it. `read_faces` decodes all images once,
which trains faster: into memory if they fit, or else into a file. Or it leaves them where they are (`stream`).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.ferplus import VOTES
from emonet.datasets.store import Store, decode
from emonet.datasets.store.shard import list_row_groups
from emonet.datasets.store.torch_faces import FaceDataset
from emonet.labels import Emotion
from emonet.models.inputs import PIECE, InputSpec, Pixels
from emonet.streamed import StreamedImages
from facecrop.machine import find_free_memory

Storage = Literal["auto", "memory", "disk", "stream"]
Scalar = TypeVar("Scalar", bound=np.generic)

SHARE_OF_MEMORY = 0.5  # of what is free; images that need more are kept on the disk

NO_VOTES = [0] * len(VOTES)

IMAGE = "image"
COLUMNS = ("label", "source", "key", "fold", "votes", "subject", "sequence")
__all__ = ["FaceDataset", "Faces", "read_faces"]


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Images with their labels, in the order of the data set.

    Attributes:
        pixels: (N, size, size, channels); images that are streamed are decoded where they are indexed.
        labels: Places in `classes` (N,).
        sources: The data set that each image is from (N,).
        keys: The key of each image.
        classes: The classes of the labels.
        left_out: Class or source that was not asked for -> its images.
        votes: FER+'s votes (N, 10); zeros where nobody voted.
        folds: Of training images (N,); -1 where there is none.
        subjects: The code of the person in each image (N,); empty where it is not known.
        sequences: The sequence that each image is a frame of (N,); empty for single images.
        splits: The split that each image is in (N,).
        groups: The row group of the Parquet files that each image is in (N,), counted over all that were read.
    """

    pixels: Pixels | StreamedImages
    labels: NDArray[np.int64]
    sources: NDArray[np.str_]
    keys: list[str]
    classes: tuple[Emotion, ...]
    left_out: dict[str, int]
    votes: NDArray[np.int16] | None = None
    folds: NDArray[np.int64] | None = None
    subjects: NDArray[np.str_] | None = None
    sequences: NDArray[np.str_] | None = None
    splits: NDArray[np.str_] | None = None
    groups: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def array(self) -> Pixels:
        """All images as one array; images that are streamed are decoded into memory."""
        return self.pixels[:] if isinstance(self.pixels, StreamedImages) else self.pixels

    def part(self, mask: NDArray[np.bool_]) -> Faces:
        """Return some of the images.

        Args:
            mask: Which ones (N,).
        """
        return replace(
            self,
            pixels=_select(self.pixels, mask),
            labels=self.labels[mask],
            sources=self.sources[mask],
            keys=[key for key, inside in zip(self.keys, mask, strict=True) if inside],
            votes=_pick(self.votes, mask),
            folds=_pick(self.folds, mask),
            subjects=_pick(self.subjects, mask),
            sequences=_pick(self.sequences, mask),
            splits=_pick(self.splits, mask),
            groups=_pick(self.groups, mask),
        )


def read_faces(
    store: Store,
    splits: Sequence[str],
    spec: InputSpec,
    *,
    classes: Sequence[Emotion] = (),
    sources: Sequence[str] = (),
    folds: tuple[int, bool] | None = None,
    storage: Storage = "auto",
) -> Faces:
    """Decode the images of some splits.

    Args:
        store: The data set.
        splits: The splits, one after the other.
        spec: The size and channels of the images.
        classes: The classes to read; all if empty. The data set may lack some of them.
        sources: The data sets to read; all if empty.
        folds: The number of a fold, and whether to read this fold or all others.
        storage: Where to keep the pixels; `auto` chooses memory if there is room, and the disk otherwise. With
            `stream` they stay in the Parquet files, and only the other columns are kept in memory.
    """
    chosen = tuple(classes) or store.classes
    places = {place: chosen.index(emotion) for place, emotion in enumerate(store.classes) if emotion in chosen}
    left_out: Counter[str] = Counter()

    def find_label(row: Mapping[str, Any]) -> int | None:
        """Find the label of a row in `chosen`; None for a row that is not asked for."""
        if folds is not None and (row["fold"] == folds[0]) is not folds[1]:
            return None
        if sources and row["source"] not in sources:
            left_out[row["source"]] += 1
            return None
        if (label := places.get(row["label"])) is None:
            left_out[str(store.classes[row["label"]])] += 1
        return label

    groups = [(split, group) for split in splits for path in store.files(split) for group in list_row_groups(path)]
    pixels = None if storage == "stream" else _make_room(sum(store.splits[split] for split in splits), spec, storage)
    parts: list[dict[str, NDArray[Any]]] = []
    count = 0
    for number, (split, group) in enumerate(groups):
        own = store.chosen_keys.get(split)
        rows = []
        for place, row in enumerate(group.read(COLUMNS if pixels is None else (IMAGE, *COLUMNS)).to_pylist()):
            if (own is not None and row["key"] not in own) or (label := find_label(row)) is None:
                continue
            if pixels is not None:
                pixels[count] = spec.resize(decode(row[IMAGE]))
            rows.append(_make_row(label, split, number, place, row))
            count += 1
        parts.append(_make_columns(rows))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in _Row._fields}
    rows_in_groups, keys = columns.pop("rows"), columns.pop("keys").tolist()
    if pixels is not None:
        return Faces(pixels[:count], keys=keys, classes=chosen, left_out=dict(left_out), **columns)
    streamed = StreamedImages([group for _, group in groups], columns["groups"], rows_in_groups, spec)
    return Faces(streamed, keys=keys, classes=chosen, left_out=dict(left_out), **columns)


class _Row(NamedTuple):
    """What is kept of an image beside its pixels, by the names of `Faces`."""

    labels: int
    sources: str
    keys: str
    votes: Sequence[int]
    folds: int
    subjects: str
    sequences: str
    splits: str
    groups: int
    rows: int  # its row in the row group


TYPES = {"labels": np.int64, "folds": np.int64, "groups": np.int64, "rows": np.int64, "votes": np.int16, "keys": object}


def _make_row(label: int, split: str, group: int, place: int, row: Mapping[str, Any]) -> _Row:
    fold = -1 if row["fold"] is None else row["fold"]
    people = row["subject"] or "", row["sequence"] or ""
    return _Row(label, row["source"], row["key"], row["votes"] or NO_VOTES, fold, *people, split, group, place)


def _make_columns(rows: Sequence[_Row]) -> dict[str, NDArray[Any]]:
    """Make arrays of the rows of a row group, which take a fraction of their memory."""
    columns = {name: np.array([getattr(row, name) for row in rows], TYPES.get(name, np.str_)) for name in _Row._fields}
    return columns | {"votes": columns["votes"].reshape(-1, len(VOTES))}


def _pick(column: NDArray[Scalar] | None, mask: NDArray[np.bool_]) -> NDArray[Scalar] | None:
    """Pick rows of a column that images from elsewhere may lack."""
    return None if column is None else column[mask]


def fit_in_memory(count: int, spec: InputSpec) -> bool:
    """Return whether so many images may be kept in memory."""
    return count * spec.size**2 * spec.channels <= SHARE_OF_MEMORY * find_free_memory()


def _make_room(count: int, spec: InputSpec, storage: Storage) -> Pixels:
    """Make an array for so many images, in memory or on the disk."""
    shape = (count, spec.size, spec.size, spec.channels)
    if storage == "memory" or (storage == "auto" and fit_in_memory(count, spec)):
        return np.empty(shape, np.uint8)
    return _make_room_on_disk(shape)


def _make_room_on_disk(shape: tuple[int, ...]) -> Pixels:
    """Map an array to a file that has no name and is gone with the process."""
    with TemporaryFile(dir=Path.cwd() if os.access(".", os.W_OK) else None) as file:
        return np.memmap(file, np.uint8, "w+", shape=shape)


def _select(pixels: Pixels | StreamedImages, mask: NDArray[np.bool_]) -> Pixels | StreamedImages:
    """Copy some images; a copy of images on the disk is on the disk, too. Images that are streamed are not copied."""
    if isinstance(pixels, StreamedImages):
        return pixels.part(mask)
    if not isinstance(pixels, np.memmap):
        return pixels[mask]
    places = np.flatnonzero(mask)
    copy = _make_room_on_disk((len(places), *pixels.shape[1:]))
    for start in range(0, len(places), PIECE):
        copy[start : start + PIECE] = pixels[places[start : start + PIECE]]
    return copy
