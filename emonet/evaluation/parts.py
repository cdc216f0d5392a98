"""Parts of a split that are scored alone: without copies of training pictures, by source, by how far people agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.ferplus import VOTES
from emonet.datasets.leaks import has_training_copy
from emonet.datasets.store import Store

ALL = "all"
WITH_COPY, WITHOUT_COPY = "training copy", "no training copy"

# The share of FER+'s votes that the most frequent answer got: above the first, up to the second.
AGREEMENT = ((0.0, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.0))

Mask = NDArray[np.bool_]


def parts_of(store: Store, split: str, rows: Sequence[int]) -> dict[str, Mask]:
    """Name -> which of the chosen rows of a split. All of them come first; parts that hold none or all are left out."""
    columns = store.table(split, ["source", "emotion", "votes"]).take(rows).to_pydict()
    copied = has_training_copy(store, split)[np.asarray(rows, np.int64)]
    named = {WITHOUT_COPY: ~copied, WITH_COPY: copied, **dict(_sources(columns)), **dict(_votes(columns))}
    return {ALL: np.ones(len(rows), np.bool_)} | {
        name: mask for name, mask in named.items() if mask.any() and not mask.all()
    }


def _sources(columns: Mapping[str, Sequence[Any]]) -> Iterator[tuple[str, Mask]]:
    sources = np.array(columns["source"], np.str_)
    for source in sorted(set(sources.tolist())):
        yield f"source {source}", sources == source


def _votes(columns: Mapping[str, Sequence[Any]]) -> Iterator[tuple[str, Mask]]:
    """By FER+, where people voted: how many agreed with each other, and whether with the label."""
    tops = [_top(votes) for votes in columns["votes"]]
    shares = np.array([share for _, share in tops])
    for low, high in AGREEMENT:
        yield f"FER+ agree {100 * low:.0f}-{100 * high:.0f} %", (shares > low) & (shares <= high)
    agreed = np.array([name == emotion for (name, _), emotion in zip(tops, columns["emotion"], strict=True)], np.bool_)
    yield "FER+ sees the label", agreed
    yield "FER+ sees another", (shares > 0) & ~agreed


def _top(votes: Sequence[int] | None) -> tuple[str, float]:
    """The most frequent answer, the first of equals, and its share of the votes; no answer has none."""
    if not votes or not sum(votes):
        return "", 0.0
    return VOTES[int(np.argmax(votes))], max(votes) / sum(votes)
