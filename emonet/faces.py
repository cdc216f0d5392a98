"""The images of a data set, as arrays in memory or as a torch data set.

`FaceDataset` is for a DataLoader of your own, as `Store.as_torch` returns it. `read_faces` decodes all images once,
which trains faster: into memory if they fit, or else into a file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.ferplus import VOTES
from emonet.datasets.store import Store, decode
from emonet.datasets.store.torch_faces import FaceDataset
from emonet.labels import Emotion
from emonet.models.inputs import InputSpec, Pixels

Storage = Literal["auto", "memory", "disk"]
Scalar = TypeVar("Scalar", bound=np.generic)

PIECE = 1024  # images that are copied at once
SHARE_OF_MEMORY = 0.5  # of what is free; images that need more are kept on the disk

NO_VOTES = [0] * len(VOTES)

COLUMNS = ("image", "label", "source", "key", "fold", "votes", "subject", "sequence")
__all__ = ["FaceDataset", "Faces", "read_faces"]


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Images with their labels, in the order of the data set.

    Attributes:
        pixels: (N, size, size, channels).
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
    """

    pixels: Pixels
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

    def __len__(self) -> int:
        return len(self.labels)

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
        storage: Where to keep the pixels; `auto` chooses memory if there is room.
    """
    chosen = tuple(classes) or store.classes
    places = {place: chosen.index(emotion) for place, emotion in enumerate(store.classes) if emotion in chosen}
    rows: list[_Row] = []
    left_out: dict[str, int] = {}
    pixels = _make_room(sum(_count_rows(store, split) for split in splits), spec, storage)
    for split, row in _read_rows(store, splits):
        if folds is not None and (row["fold"] == folds[0]) is not folds[1]:
            continue
        if sources and row["source"] not in sources:
            left_out[row["source"]] = left_out.get(row["source"], 0) + 1
        elif row["label"] not in places:
            name = str(store.classes[row["label"]])
            left_out[name] = left_out.get(name, 0) + 1
        else:
            pixels[len(rows)] = spec.resize(decode(row["image"]))
            rows.append(_make_row(places[row["label"]], split, row))
    return _gather(rows, pixels[: len(rows)], chosen, left_out)


class _Row(NamedTuple):
    """What is kept of an image beside its pixels."""

    label: int
    source: str
    key: str
    votes: Sequence[int]
    fold: int
    subject: str
    sequence: str
    split: str


def _make_row(label: int, split: str, row: Mapping[str, Any]) -> _Row:
    fold = -1 if row["fold"] is None else row["fold"]
    people = row["subject"] or "", row["sequence"] or ""
    return _Row(label, row["source"], row["key"], row["votes"] or NO_VOTES, fold, *people, split)


def _gather(rows: Sequence[_Row], pixels: Pixels, classes: tuple[Emotion, ...], left_out: dict[str, int]) -> Faces:
    return Faces(
        pixels=pixels,
        labels=np.array([row.label for row in rows], np.int64),
        sources=np.array([row.source for row in rows], np.str_),
        keys=[row.key for row in rows],
        classes=classes,
        left_out=left_out,
        votes=np.array([row.votes for row in rows], np.int16).reshape(-1, len(VOTES)),
        folds=np.array([row.fold for row in rows], np.int64),
        subjects=np.array([row.subject for row in rows], np.str_),
        sequences=np.array([row.sequence for row in rows], np.str_),
        splits=np.array([row.split for row in rows], np.str_),
    )


def _count_rows(store: Store, split: str) -> int:
    store.files(split)  # raises an OptionError if there is no such split
    return store.splits[split]


def _read_rows(store: Store, splits: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for split in splits:
        for batch in store.batches(split, COLUMNS):
            yield from ((split, row) for row in batch.to_pylist())


def _pick(column: NDArray[Scalar] | None, mask: NDArray[np.bool_]) -> NDArray[Scalar] | None:
    """Pick rows of a column that images from elsewhere may lack."""
    return None if column is None else column[mask]


def _make_room(count: int, spec: InputSpec, storage: Storage) -> Pixels:
    """Make an array for so many images, in memory or on the disk."""
    shape = (count, spec.size, spec.size, spec.channels)
    if storage == "memory" or (storage == "auto" and np.prod(shape, dtype=float) <= SHARE_OF_MEMORY * _free_memory()):
        return np.empty(shape, np.uint8)
    return _make_room_on_disk(shape)


def _make_room_on_disk(shape: tuple[int, ...]) -> Pixels:
    """Map an array to a file that has no name and is gone with the process."""
    with TemporaryFile(dir=Path.cwd() if os.access(".", os.W_OK) else None) as file:
        return np.memmap(file, np.uint8, "w+", shape=shape)


def _select(pixels: Pixels, mask: NDArray[np.bool_]) -> Pixels:
    """Copy some images; a copy of images on the disk is on the disk, too."""
    if not isinstance(pixels, np.memmap):
        return pixels[mask]
    places = np.flatnonzero(mask)
    copy = _make_room_on_disk((len(places), *pixels.shape[1:]))
    for start in range(0, len(places), PIECE):
        copy[start : start + PIECE] = pixels[places[start : start + PIECE]]
    return copy


def _free_memory() -> float:
    """Free memory in bytes; infinite if the system does not say."""
    try:
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return float("inf")
