"""Search the crops of the first stage for copies: `decisions.py` asks, and an engine says where the search runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.builder.rows import read_rows_of
from emonet.datasets.curation.duplicates import Indices, NearPair, find_copies, find_near_pairs
from emonet.datasets.curation.likeness import Likeness
from emonet.datasets.curation.near_copies import find_altered_copies
from emonet.datasets.store import decode
from facecrop.images import Image

if TYPE_CHECKING:
    import pyarrow as pa


class CopySearch(Protocol):
    """Finds copies among the rows of the first stage. Every engine finds the same ones."""

    def find_copies(self, hashes: pa.ChunkedArray) -> Indices:
        """Find for each row the first with the same hash of its pixels; the row itself if it has none."""
        ...

    def find_near_pairs(self, rows: Indices, hashes: NDArray[np.uint64], threshold: float) -> list[NearPair]:
        """Find near copies among some rows, which are given with their perceptual hashes.

        The pairs have the places of the rows among those given.
        """
        ...

    def find_altered_copies(
        self,
        rows: Indices,
        likeness: Likeness,
        together: Indices,
        evaluated: NDArray[np.bool_],
        threshold: float,
    ) -> list[NearPair]:
        """Find altered copies among some rows; the other arguments are those of `curation.near_copies`."""
        ...


class LocalSearch:
    """Searches in this process.

    Args:
        paths: The files of the first stage, in order.
        threads: How many search side by side.
    """

    def __init__(self, paths: Sequence[Path], threads: int = 1) -> None:
        self._paths = paths
        self._threads = threads

    def find_copies(self, hashes: pa.ChunkedArray) -> Indices:
        return find_copies(hashes.to_pylist())

    def find_near_pairs(self, rows: Indices, hashes: NDArray[np.uint64], threshold: float) -> list[NearPair]:
        return find_near_pairs(hashes, lambda wanted: self._read_crops(rows[wanted]), threshold, threads=self._threads)

    def find_altered_copies(
        self,
        rows: Indices,
        likeness: Likeness,
        together: Indices,
        evaluated: NDArray[np.bool_],
        threshold: float,
    ) -> list[NearPair]:
        return find_altered_copies(
            likeness,
            together,
            evaluated,
            lambda wanted: self._read_crops(rows[wanted]),
            threshold,
            threads=self._threads,
        )

    def _read_crops(self, wanted: Indices) -> Iterator[Image]:
        """Read the crops of some rows, given in rising order."""
        for _, cells in read_rows_of(self._paths, wanted.tolist(), ["image"]):
            yield decode({"bytes": cells["image"]})
