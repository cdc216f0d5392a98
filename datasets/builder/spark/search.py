"""Search for copies on Spark: by groups of hashes, by bands of perceptual hashes, by blocks of descriptions.

Crops are shrunk once, into files that the executors share. The search is made of the functions of the local search, so
that both find the same; Spark shares out what they work on. Rows are known by their numbers over all files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emonet.atomic import write_atomically
from emonet.datasets.curation.duplicates import (
    HASH_BITS,
    Indices,
    NearPair,
    choose_band_width,
    cut_band,
    find_close_pairs,
    find_copies,
    keep_near,
)
from emonet.datasets.curation.likeness import SIDE, Grey, Likeness, shrink
from emonet.datasets.curation.near_copies import (
    Candidates,
    Strip,
    choose_candidates,
    compare_pairs,
    list_strips,
    search_strip,
)
from emonet.datasets.store import decode
from emonet.spark.tasks import run_groups, run_tasks

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

FILES = 32  # of the first stage that a task reads
GROUP = 2**18  # hashes that a task divides into groups, and that a group has, more or less

Hashed = tuple[Indices, NDArray[Any]]  # rows and their hashes
InBand = tuple[int, Indices, NDArray[np.uint64]]  # the number of a band, and `Hashed`


class Piece(NamedTuple):
    """Some files of the first stage that follow each other, and the number of their first row."""

    first: int
    paths: tuple[Path, ...]


class SparkSearch:
    """Searches on the executors of a session.

    Args:
        session: Of Spark.
        paths: The files of the first stage, in order, in one folder.
    """

    def __init__(self, session: SparkSession, paths: Sequence[Path]) -> None:
        self._session = session
        self._paths = paths
        self._folder = paths[0].parent
        self._tasks = self._folder / "search.tasks"

    def find_copies(self, hashes: pa.ChunkedArray) -> Indices:
        groups = _count_groups(len(hashes))
        divide = partial(_divide_by_hash, groups)
        copies = np.arange(len(hashes), dtype=np.int64)
        for rows, firsts in run_groups(self._session, self._tasks, self._pieces, divide, groups, _find_copies):
            copies[rows] = firsts
        return copies

    def find_near_pairs(self, rows: Indices, hashes: NDArray[np.uint64], threshold: float) -> list[NearPair]:
        width, parts = choose_band_width(len(hashes)), _count_groups(len(hashes))
        slices = (slice(start, start + GROUP) for start in range(0, len(hashes), GROUP))
        tasks = ((rows[part], hashes[part]) for part in slices)
        divide = partial(_divide_by_band, width, parts)
        work = partial(_find_near, self._greys, width, threshold)
        groups = HASH_BITS // width * parts
        return _list_pairs(run_groups(self._session, self._tasks, tasks, divide, groups, work), rows)

    def find_altered_copies(
        self,
        rows: Indices,
        likeness: Likeness,
        together: Indices,
        evaluated: NDArray[np.bool_],
        threshold: float,
    ) -> list[NearPair]:
        for name, array in (("even", likeness.even), ("odd", likeness.odd), ("evaluated", evaluated)):
            _save(self._folder, name, array)
        strips = run_tasks(self._session, self._tasks, list_strips(evaluated), partial(_search, self._folder))
        candidates = choose_candidates(strips, likeness, together)
        batches = replace(candidates, pairs=rows[candidates.pairs]).batches()
        work = partial(_lay_over, self._greys, threshold)
        return _list_pairs(run_tasks(self._session, self._tasks, batches, work), rows)

    @cached_property
    def _pieces(self) -> list[Piece]:
        import pyarrow.parquet as pq

        first = np.cumsum([0, *(pq.read_metadata(path).num_rows for path in self._paths)]).tolist()
        return [Piece(first[n], tuple(self._paths[n : n + FILES])) for n in range(0, len(self._paths), FILES)]

    @cached_property
    def _greys(self) -> Greys:
        run_tasks(self._session, self._tasks, self._pieces, partial(_shrink, self._folder))
        return Greys(self._folder, np.array([piece.first for piece in self._pieces]))


class Greys(NamedTuple):
    """What `shrink` made of all crops, in a file for each piece: executors read of them what they compare.

    Attributes:
        folder: Of the files.
        firsts: The first row of each.
    """

    folder: Path
    firsts: Indices

    def read(self, pairs: Indices) -> dict[int, Grey]:
        """Read those of some pairs of rows."""
        wanted = np.unique(pairs)
        pieces, starts = np.unique(np.searchsorted(self.firsts, wanted, side="right") - 1, return_index=True)
        found: dict[int, Grey] = {}
        for first, rows in zip(self.firsts[pieces].tolist(), np.split(wanted, starts[1:]), strict=True):
            found |= zip(rows.tolist(), _load(self.folder, f"greys-{first}")[rows - first], strict=True)
        return found


def _count_groups(hashes: int) -> int:
    return max(1, -(-hashes // GROUP))


def _read_column(path: Path, name: str) -> list[Any]:
    import pyarrow.parquet as pq

    return list(pq.read_table(path, columns=[name]).column(name).to_pylist())


def _divide_by_hash(groups: int, piece: Piece) -> Iterator[tuple[int, Hashed]]:
    """Yield the rows of each group; those with the same hash of their pixels are in one."""
    hashes = [one for path in piece.paths for one in _read_column(path, "sha1")]
    numbers = np.array([-1 if one is None else int(one[:8], 16) % groups for one in hashes], np.int64)
    known = np.array(hashes, "S")
    for group, places in _gather(numbers):
        yield group, (piece.first + places, known[places])


def _find_copies(parts: Sequence[Hashed]) -> tuple[Indices, Indices]:
    """Return the rows that are copies of an earlier one, and the first with their hash."""
    rows, hashes = _join(parts)
    firsts = rows[find_copies(hashes.tolist())]
    again = firsts != rows
    return rows[again], firsts[again]


def _divide_by_band(width: int, parts: int, some: Hashed) -> Iterator[tuple[int, InBand]]:
    """Yield the rows of each group, which is of one band; those whose bits there are the same are in one."""
    rows, hashes = some
    for band in range(HASH_BITS // width):
        for part, places in _gather((cut_band(hashes, width, band) % np.uint64(parts)).astype(np.int64)):
            yield band * parts + part, (band, rows[places], hashes[places])


def _find_near(greys: Greys, width: int, threshold: float, parts: Sequence[InBand]) -> list[NearPair]:
    """Find near copies in a group."""
    rows, hashes = _join([part[1:] for part in parts])
    pairs = (rows[places] for places in find_close_pairs(hashes, width, parts[0][0]))
    return keep_near(pairs, greys.read, threshold)


def _gather(groups: Indices) -> Iterator[tuple[int, Indices]]:
    """Yield the number of each group and its places; what has a number below 0 is in none."""
    order = np.argsort(groups, kind="stable")
    numbers, starts, counts = np.unique(groups[order], return_index=True, return_counts=True)
    for number, start, count in zip(numbers.tolist(), starts.tolist(), counts.tolist(), strict=True):
        if number >= 0:
            yield number, order[start : start + count]


def _join(parts: Sequence[Sequence[Any]]) -> tuple[Any, ...]:
    """Join columns of rows, in the order of the first column."""
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(columns[0])
    return tuple(column[order] for column in columns)


def _shrink(folder: Path, piece: Piece) -> None:
    """Write what `shrink` makes of the crops of some files; zeros for rows that have none."""
    crops = [one for path in piece.paths for one in _read_column(path, "image")]
    greys = np.zeros((len(crops), SIDE, SIDE), np.uint8)
    for place, crop in enumerate(crops):
        if crop is not None:
            greys[place] = shrink(decode({"bytes": crop}))
    _save(folder, f"greys-{piece.first}", greys)


def _save(folder: Path, name: str, array: NDArray[Any]) -> None:
    with write_atomically(folder / f"{name}.npy") as temporary, temporary.open("wb") as file:
        np.save(file, array)


def _load(folder: Path, name: str) -> NDArray[Any]:
    """Open an array, of which is read what is looked at."""
    return np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r"))


def _search(folder: Path, strip: Strip) -> NDArray[np.float64]:
    even, odd, evaluated = (_load(folder, name) for name in ("even", "odd", "evaluated"))
    return search_strip(Likeness(even, odd, np.empty(0, np.uint16)), evaluated, strip)


def _lay_over(greys: Greys, threshold: float, candidates: Candidates) -> list[NearPair]:
    return compare_pairs(candidates, greys.read(candidates.pairs), threshold)


def _list_pairs(found: Iterable[list[NearPair]], rows: Indices) -> list[NearPair]:
    """Return pairs in their order, by their places among the rows that were given."""
    pairs = [pair for some in found for pair in some]
    places = np.searchsorted(rows, np.array([(pair.first, pair.second) for pair in pairs], np.int64).reshape(-1, 2))
    renamed = (replace(pair, first=a, second=b) for pair, (a, b) in zip(pairs, places.tolist(), strict=True))
    return sorted(renamed, key=lambda pair: (pair.first, pair.second))
