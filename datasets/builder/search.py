"""Search the crops of the first stage for copies: `decisions.py` asks, and an engine says where the search runs.

What is searched lies in files, beside those of the first stage: whoever does a task of the search opens them. Rows are
known by their numbers over all files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from emonet.atomic import write_atomically
from emonet.datasets.builder.rows import read_columns
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
from emonet.datasets.curation.likeness import SIDE, Grey, Likeness
from emonet.datasets.curation.near_copies import (
    Candidates,
    Strip,
    choose_candidates,
    compare_pairs,
    list_strips,
    search_strip,
)

if TYPE_CHECKING:
    import pyarrow as pa

FILES = 32  # of the first stage that a task reads
GROUP = 2**18  # hashes that a task divides into groups, and that a group has, more or less

InBand = tuple[int, Indices, NDArray[np.uint64]]  # the number of a band, rows, and their hashes

Task = TypeVar("Task")
Result = TypeVar("Result")
Part = TypeVar("Part")


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


class Runner(Protocol):
    """Runs tasks, here or elsewhere. Results come in the order of the tasks, or of the groups."""

    def run_tasks(self, tasks: Iterable[Task], work: Callable[[Task], Result]) -> list[Result]:
        """Do tasks; return what `work` returned for each."""
        ...

    def run_groups(
        self,
        tasks: Iterable[Task],
        divide: Callable[[Task], Iterable[tuple[int, Part]]],
        groups: int,
        work: Callable[[list[Part]], Result],
    ) -> list[Result]:
        """Divide what is in tasks into groups; return what `work` returned for each group that has parts."""
        ...


class TaskSearch:
    """Searches for near and altered copies by tasks that a runner does; exact copies are found here.

    Args:
        runner: Does the tasks.
        paths: The files of the first stage, in order, in one folder.
    """

    def __init__(self, runner: Runner, paths: Sequence[Path]) -> None:
        self._runner = runner
        self._paths = paths
        self._folder = paths[0].parent

    def find_copies(self, hashes: pa.ChunkedArray) -> Indices:
        return find_copies(hashes.to_pylist())

    def find_near_pairs(self, rows: Indices, hashes: NDArray[np.uint64], threshold: float) -> list[NearPair]:
        width, parts = choose_band_width(len(hashes)), count_groups(len(hashes))
        slices = (slice(start, start + GROUP) for start in range(0, len(hashes), GROUP))
        tasks = ((rows[part], hashes[part]) for part in slices)
        divide = partial(_divide_by_band, width, parts)
        work = partial(_find_near, self._greys, width, threshold)
        return _list_pairs(self._runner.run_groups(tasks, divide, HASH_BITS // width * parts, work), rows)

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
        strips = self._runner.run_tasks(list_strips(evaluated), partial(_search, self._folder))
        candidates = choose_candidates(strips, likeness, together)
        batches = replace(candidates, pairs=rows[candidates.pairs]).batches()
        return _list_pairs(self._runner.run_tasks(batches, partial(_lay_over, self._greys, threshold)), rows)

    @cached_property
    def pieces(self) -> list[Piece]:
        """The files, some at a time."""
        import pyarrow.parquet as pq

        first = np.cumsum([0, *(pq.read_metadata(path).num_rows for path in self._paths)]).tolist()
        return [Piece(first[n], tuple(self._paths[n : n + FILES])) for n in range(0, len(self._paths), FILES)]

    @cached_property
    def _greys(self) -> Greys:
        self._runner.run_tasks(self.pieces, partial(_gather_greys, self._folder))
        return Greys(self._folder, np.array([piece.first for piece in self.pieces]))


class Piece(NamedTuple):
    """Some files of the first stage that follow each other, and the number of their first row."""

    first: int
    paths: tuple[Path, ...]

    def read_column(self, name: str) -> list[Any]:
        """Read a column of all rows."""
        return list(read_columns(self.paths, [name]).column(name).to_pylist())


class Greys(NamedTuple):
    """The small grey crops, in one file for each piece; only those that are compared are read.

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


def count_groups(hashes: int) -> int:
    """Count the groups that so many hashes are divided into."""
    return max(1, -(-hashes // GROUP))


def gather(groups: Indices) -> Iterator[tuple[int, Indices]]:
    """Yield the number of each group and its places; what has a number below 0 is in none."""
    order = np.argsort(groups, kind="stable")
    numbers, starts, counts = np.unique(groups[order], return_index=True, return_counts=True)
    for number, start, count in zip(numbers.tolist(), starts.tolist(), counts.tolist(), strict=True):
        if number >= 0:
            yield number, order[start : start + count]


def join(parts: Sequence[Sequence[Any]]) -> tuple[Any, ...]:
    """Join columns of rows, in the order of the first column."""
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(columns[0])
    return tuple(column[order] for column in columns)


def _divide_by_band(width: int, parts: int, some: tuple[Indices, NDArray[np.uint64]]) -> Iterator[tuple[int, InBand]]:
    """Yield the rows of each group, which is of one band; those whose bits there are the same are in one."""
    rows, hashes = some
    for band in range(HASH_BITS // width):
        for part, places in gather((cut_band(hashes, width, band) % np.uint64(parts)).astype(np.int64)):
            yield band * parts + part, (band, rows[places], hashes[places])


def _find_near(greys: Greys, width: int, threshold: float, parts: Sequence[InBand]) -> list[NearPair]:
    """Find near copies in a group."""
    rows, hashes = join([part[1:] for part in parts])
    pairs = (rows[places] for places in find_close_pairs(hashes, width, parts[0][0]))
    return keep_near(pairs, greys.read, threshold)


def _gather_greys(folder: Path, piece: Piece) -> None:
    """Write what `shrink` made of the crops of some files into one; zeros for rows that have none."""
    blank = bytes(SIDE * SIDE)
    greys = b"".join(grey or blank for grey in piece.read_column("grey"))
    _save(folder, f"greys-{piece.first}", np.frombuffer(greys, np.uint8).reshape(-1, SIDE, SIDE))


def _save(folder: Path, name: str, array: NDArray[Any]) -> None:
    with write_atomically(folder / f"{name}.npy", durable=False) as temporary, temporary.open("wb") as file:
        np.save(file, array)


def _load(folder: Path, name: str) -> NDArray[Any]:
    """Open an array without reading it: parts are read when they are used."""
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
