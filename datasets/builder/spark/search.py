"""Search for copies on Spark: the tasks of the search are done by executors, and hashes are divided there, too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.builder.search import Piece, TaskSearch, count_groups, gather, join
from emonet.datasets.curation.duplicates import Indices, find_copies
from emonet.spark.tasks import Executors

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

Hashed = tuple[Indices, NDArray[Any]]  # rows and their hashes


class SparkSearch(TaskSearch):
    """Searches on the executors of a session; exact copies, too.

    Args:
        session: Of Spark.
        paths: The files of the first stage, in order, in one folder.
    """

    def __init__(self, session: SparkSession, paths: Sequence[Path]) -> None:
        super().__init__(Executors(session, paths[0].parent / "search.tasks"), paths)

    def find_copies(self, hashes: pa.ChunkedArray) -> Indices:
        groups = count_groups(len(hashes))
        divide = partial(_divide_by_hash, groups)
        copies = np.arange(len(hashes), dtype=np.int64)
        for rows, firsts in self._runner.run_groups(self.pieces, divide, groups, _find_copies):
            copies[rows] = firsts
        return copies


def _divide_by_hash(groups: int, piece: Piece) -> Iterator[tuple[int, Hashed]]:
    """Yield the rows of each group; those with the same hash of their pixels are in one."""
    hashes = piece.read_column("sha1")
    numbers = np.array([-1 if one is None else int(one[:8], 16) % groups for one in hashes], np.int64)
    known = np.array(hashes, "S")
    for group, places in gather(numbers):
        yield group, (piece.first + places, known[places])


def _find_copies(parts: Sequence[Hashed]) -> tuple[Indices, Indices]:
    """Return the rows that are copies of an earlier one, and the first with their hash."""
    rows, hashes = join(parts)
    firsts = rows[find_copies(hashes.tolist())]
    again = firsts != rows
    return rows[again], firsts[again]
