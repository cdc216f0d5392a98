"""The pictures of a split, decoded once: in memory where they fit, else in a file that is paged in as needed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.ferplus import VOTES
from emonet.datasets.store import Store, decode
from emonet.labels import Emotion
from emonet.models.inputs import InputSpec, Pixels

Storage = Literal["auto", "memory", "disk"]

PIECE = 1024  # pictures that are copied at once
SHARE_OF_MEMORY = 0.5  # of what is free; pictures that need more lie on the disk

NO_VOTES = [0] * len(VOTES)

COLUMNS = ("image", "label", "source", "key", "fold", "votes")


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Pictures with their labels, in the order of the store."""

    pixels: Pixels  # (N, size, size, channels)
    labels: NDArray[np.int64]  # places in `classes`
    sources: NDArray[np.str_]
    keys: list[str]
    classes: tuple[Emotion, ...]
    left_out: dict[str, int]  # class or source that was not asked for -> how many pictures
    votes: NDArray[np.int16] | None = None  # (N, kinds) of FER+'s voters; zeros where nobody voted
    folds: NDArray[np.int64] | None = None  # of the training split; -1 where there is none

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, mask: NDArray[np.bool_]) -> Faces:
        """Some of the pictures."""
        return replace(
            self,
            pixels=_some(self.pixels, mask),
            labels=self.labels[mask],
            sources=self.sources[mask],
            keys=[key for key, inside in zip(self.keys, mask, strict=True) if inside],
            votes=None if self.votes is None else self.votes[mask],
            folds=None if self.folds is None else self.folds[mask],
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
    """The pictures of some splits as the network wants them; `folds` is a fold and whether to take it or the rest.

    Classes that the data set does not know have no pictures.
    """
    chosen = tuple(classes) or store.classes
    places = {place: chosen.index(emotion) for place, emotion in enumerate(store.classes) if emotion in chosen}
    rows: list[tuple[int, str, str, list[int], int]] = []
    left_out: dict[str, int] = {}
    pixels = _room(sum(store.splits[split] for split in splits), spec, storage)
    for row in _rows(store, splits):
        if folds is not None and (row["fold"] == folds[0]) is not folds[1]:
            continue
        if sources and row["source"] not in sources:
            left_out[row["source"]] = left_out.get(row["source"], 0) + 1
        elif row["label"] not in places:
            name = str(store.classes[row["label"]])
            left_out[name] = left_out.get(name, 0) + 1
        else:
            pixels[len(rows)] = spec.resize(decode(row["image"]))
            fold = -1 if row["fold"] is None else row["fold"]
            rows.append((places[row["label"]], row["source"], row["key"], row["votes"] or NO_VOTES, fold))
    labels, names, keys, votes, numbers = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    return Faces(
        pixels=pixels[: len(rows)],
        labels=np.array(labels, np.int64),
        sources=np.array(names, np.str_),
        keys=list(keys),
        classes=chosen,
        left_out=left_out,
        votes=np.array(votes, np.int16).reshape(-1, len(VOTES)),
        folds=np.array(numbers, np.int64),
    )


def _rows(store: Store, splits: Sequence[str]) -> Iterator[dict[str, Any]]:
    for split in splits:
        for batch in store.batches(split, COLUMNS):
            yield from batch.to_pylist()


def _room(count: int, spec: InputSpec, storage: Storage) -> Pixels:
    """An array for so many pictures. One on the disk has no name there, and is gone with the process."""
    shape = (count, spec.size, spec.size, spec.channels)
    if storage == "memory" or (storage == "auto" and np.prod(shape, dtype=float) <= SHARE_OF_MEMORY * _free_memory()):
        return np.empty(shape, np.uint8)
    return _room_on_disk(shape)


def _room_on_disk(shape: tuple[int, ...]) -> Pixels:
    with TemporaryFile(dir=Path.cwd() if os.access(".", os.W_OK) else None) as file:
        return np.memmap(file, np.uint8, "w+", shape=shape)


def _some(pixels: Pixels, mask: NDArray[np.bool_]) -> Pixels:
    """Those of the pictures; of pictures on the disk the copy lies on the disk, too."""
    if not isinstance(pixels, np.memmap):
        return pixels[mask]
    places = np.flatnonzero(mask)
    copy = _room_on_disk((len(places), *pixels.shape[1:]))
    for start in range(0, len(places), PIECE):
        copy[start : start + PIECE] = pixels[places[start : start + PIECE]]
    return copy


def _free_memory() -> float:
    """Bytes; without end where the system does not say."""
    try:
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return float("inf")
