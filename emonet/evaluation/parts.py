"""Parts of a split that are scored alone: without copies of training images, by source, by how far people agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.store import Store
from emonet.datasets.store.leaks import LEARNED, has_training_copy, knows_near_copies
from emonet.errors import OptionError
from emonet.evaluation.agreement import emotion_places
from emonet.evaluation.intervals import Clusters
from emonet.evaluation.metrics import Scores, score
from emonet.evaluation.votes import seen_majority
from emonet.faces import Faces

ALL_SPLITS = "all"  # in the place of a split: every image of the data set
ALL = "all"
WITH_COPY, WITHOUT_COPY = "training copy", "no training copy"
WITH_NEAR_COPY, WITHOUT_NEAR_COPY = "near training copy", "no near training copy"

# The share of FER+'s votes that the most frequent answer got: above the first, up to the second.
AGREEMENT = ((0.0, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.0))

Mask = NDArray[np.bool_]


def list_splits(store: Store, split: str) -> list[str]:
    """List the splits of a data set that are meant by the name of one, or by `all`.

    Raises:
        OptionError: The data set has no such split.
    """
    if split not in (ALL_SPLITS, *store.splits):
        raise OptionError(f"{store.path} has no split {split!r}; it has {', '.join(store.splits)}, or {ALL_SPLITS}")
    return list(store.splits) if split == ALL_SPLITS else [split]


def find_parts(store: Store, faces: Faces) -> dict[str, Mask]:
    """Find which of the images belong to which part.

    Args:
        store: The data set.
        faces: The images that are scored, of one split or of all.

    Returns:
        Name of the part -> which of the images it holds. `all` comes first; parts that hold none or all are left out.
    """
    splits = faces.splits if faces.splits is not None else np.full(len(faces), "")
    whole = len(set(splits.tolist())) > 1  # then images to learn from are a part of their own, beside their copies
    learned = np.isin(splits, LEARNED) & whole
    named = {
        **(dict(_split_by_name("split", splits)) if whole else {}),
        **{name: mask & ~learned for name, mask in _split_by_copies(store, faces, splits)},
        **dict(_split_by_name("source", faces.sources)),
        **dict(_split_by_votes(faces)),
    }
    return {ALL: np.ones(len(faces), np.bool_)} | {
        name: mask for name, mask in named.items() if mask.any() and not mask.all()
    }


def _split_by_copies(store: Store, faces: Faces, splits: NDArray[np.str_]) -> Iterator[tuple[str, Mask]]:
    """Split by whether the training data hold a copy, and if the build knows, a near copy, mirrored ones among them."""
    exact = _find_copied(store, faces, splits, near=False)
    yield WITHOUT_COPY, ~exact
    yield WITH_COPY, exact
    if knows_near_copies(store):
        near = _find_copied(store, faces, splits, near=True)
        yield WITHOUT_NEAR_COPY, ~near
        yield WITH_NEAR_COPY, near


def _find_copied(store: Store, faces: Faces, splits: NDArray[np.str_], *, near: bool) -> Mask:
    """Find the images of which the training data hold a copy."""
    copied: set[str] = set()
    for split in set(splits.tolist()):
        keys = store.table(split, ["key"])["key"].to_pylist()
        copied.update(compress(keys, has_training_copy(store, split, near=near)))
    return np.array([key in copied for key in faces.keys], np.bool_)


def _split_by_name(kind: str, names: NDArray[np.str_]) -> Iterator[tuple[str, Mask]]:
    for name in sorted(set(names.tolist())):
        yield f"{kind} {name}", names == name


def _split_by_votes(faces: Faces) -> Iterator[tuple[str, Mask]]:
    """Split what people voted on by how many agreed with each other, and by whether most of them saw the label.

    Images that no expression has the most votes for are in neither of the last two.
    """
    votes = np.zeros((len(faces), 1), np.int64) if faces.votes is None else faces.votes.astype(np.int64)
    shares = votes.max(1) / np.maximum(votes.sum(1), 1)
    for low, high in AGREEMENT:
        yield f"FER+ agree {100 * low:.0f}-{100 * high:.0f} %", (shares > low) & (shares <= high)
    majority, labels = seen_majority(faces), emotion_places(faces.classes)[faces.labels]
    yield "FER+ sees the label", majority == labels
    yield "FER+ sees another", (majority >= 0) & (majority != labels)


def name_sequences(faces: Faces) -> list[str]:
    """Name the sequence of each image, with its data set; empty for single images."""
    sequences = np.full(len(faces), "") if faces.sequences is None else faces.sequences
    return [f"{source}/{name}" if name else "" for source, name in zip(faces.sources, sequences, strict=True)]


def group_sequences(labels: NDArray[np.integer], names: Sequence[str | None]) -> list[list[int]]:
    """Group the frames that share a sequence and a label, in the order in which they first occur.

    A sequence whose first frames are neutral and whose last are not counts once for each.

    Args:
        labels: The class of each image, (N,).
        names: The sequence of each image; images without one are left out.

    Returns:
        The rows of each group.
    """
    frames: dict[tuple[str, int], list[int]] = {}
    for row, (name, label) in enumerate(zip(names, labels.tolist(), strict=True)):
        if name:
            frames.setdefault((name, label), []).append(row)
    return list(frames.values())


def average_sequences(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], names: Sequence[str | None]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Average the probabilities of the frames that share a sequence and a label; see `group_sequences`.

    Args:
        probabilities: Of each image, (N, classes).
        labels: The class of each image, (N,).
        names: The sequence of each image; images without one are left out.

    Returns:
        Mean probabilities (M, classes), and labels (M,), in the order in which they first occur.
    """
    groups = group_sequences(labels, names)
    means = [probabilities[rows].mean(0, dtype=np.float64) for rows in groups]
    firsts = [rows[0] for rows in groups]
    return np.array(means).reshape(-1, probabilities.shape[1]), np.asarray(labels[firsts], np.int64)


def score_sequences(
    probabilities: NDArray[np.floating],
    labels: NDArray[np.integer],
    names: Sequence[str | None],
    classes: Sequence[str],
    *,
    beta: float = 2.0,
    clusters: Clusters,
) -> Scores | None:
    """Score sequences by the mean of their frames' probabilities; None if no image is of a sequence."""
    groups = group_sequences(labels, names)
    if not groups:
        return None
    own = clusters.part(np.array([rows[0] for rows in groups]))
    return score(*average_sequences(probabilities, labels, names), classes, beta=beta, clusters=own)
