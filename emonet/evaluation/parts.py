"""Parts of a split that are scored alone: without copies of training images, by source, by how far people agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.ferplus import VOTES
from emonet.datasets.store import Store
from emonet.datasets.store.leaks import has_training_copy

ALL = "all"
WITH_COPY, WITHOUT_COPY = "training copy", "no training copy"

# The share of FER+'s votes that the most frequent answer got: above the first, up to the second.
AGREEMENT = ((0.0, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.0))

Mask = NDArray[np.bool_]


def find_parts(store: Store, split: str, rows: Sequence[int]) -> dict[str, Mask]:
    """Find which rows of a split belong to which part.

    Args:
        store: The data set.
        split: One of its splits.
        rows: The rows that are scored.

    Returns:
        Name of the part -> which of the rows it holds. `all` comes first; parts that hold none or all are left out.
    """
    columns = store.table(split, ["source", "emotion", "votes"]).take(rows).to_pydict()
    copied = has_training_copy(store, split)[np.asarray(rows, np.int64)]
    named = {
        WITHOUT_COPY: ~copied,
        WITH_COPY: copied,
        **dict(_split_by_source(columns)),
        **dict(_split_by_votes(columns)),
    }
    return {ALL: np.ones(len(rows), np.bool_)} | {
        name: mask for name, mask in named.items() if mask.any() and not mask.all()
    }


def _split_by_source(columns: Mapping[str, Sequence[Any]]) -> Iterator[tuple[str, Mask]]:
    sources = np.array(columns["source"], np.str_)
    for source in sorted(set(sources.tolist())):
        yield f"source {source}", sources == source


def _split_by_votes(columns: Mapping[str, Sequence[Any]]) -> Iterator[tuple[str, Mask]]:
    """Split what people voted on by how many agreed with each other, and by whether they agreed with the label."""
    tops = [_find_top(votes) for votes in columns["votes"]]
    shares = np.array([share for _, share in tops])
    for low, high in AGREEMENT:
        yield f"FER+ agree {100 * low:.0f}-{100 * high:.0f} %", (shares > low) & (shares <= high)
    agreed = np.array([name == emotion for (name, _), emotion in zip(tops, columns["emotion"], strict=True)], np.bool_)
    yield "FER+ sees the label", agreed
    yield "FER+ sees another", (shares > 0) & ~agreed


def _find_top(votes: Sequence[int] | None) -> tuple[str, float]:
    """Find the most frequent answer, the first of equals, and its share of the votes; without votes it is empty."""
    if not votes or not sum(votes):
        return "", 0.0
    return VOTES[int(np.argmax(votes))], max(votes) / sum(votes)


def average_sequences(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], names: Sequence[str | None]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Average the probabilities of the frames that share a sequence and a label.

    A sequence whose first frames are neutral and whose last are not counts once for each.

    Args:
        probabilities: Of each image, (N, classes).
        labels: The class of each image, (N,).
        names: The sequence of each image; images without one are left out.

    Returns:
        Mean probabilities (M, classes), and labels (M,), in the order in which they first occur.
    """
    frames: dict[tuple[str, int], list[int]] = {}
    for row, (name, label) in enumerate(zip(names, labels.tolist(), strict=True)):
        if name is not None:
            frames.setdefault((name, label), []).append(row)
    means = [probabilities[rows].mean(0, dtype=np.float64) for rows in frames.values()]
    return np.array(means).reshape(-1, probabilities.shape[1]), np.array([label for _, label in frames], np.int64)
