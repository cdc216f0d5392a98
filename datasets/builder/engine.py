"""Where a build does its work: an engine maps the functions of the build over their pieces, and searches for copies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from emonet.datasets.builder.chunks import Done, run_chunks
from emonet.datasets.builder.options import BuildOptions
from emonet.datasets.builder.plan import Chunk
from emonet.datasets.builder.search import CopySearch, TaskSearch
from emonet.datasets.builder.shards import ShardPlan, write_shard
from emonet.datasets.builder.workers import Workers
from emonet.datasets.reader import Reader


class Engine(Protocol):
    """Does the work of a build. Every engine writes the same data set."""

    def check(self, options: BuildOptions, readers: Mapping[str, Reader], folder: Path) -> None:
        """Find out before work begins whether a build can be done and written to a folder, which exists.

        Raises:
            MachineError: It cannot.
        """
        ...

    def run_chunks(self, chunks: Iterable[Chunk], folder: Path, options: BuildOptions, done: Done) -> None:
        """Write the rows of every chunk into a folder; `chunks.run_chunks` says how."""
        ...

    def open_search(self, paths: Sequence[Path]) -> CopySearch:
        """Return what searches the rows in the files of the chunks for copies."""
        ...

    def write_shards(self, plans: Iterable[ShardPlan], folder: Path) -> list[str]:
        """Write shards into a folder; return the SHA-256 of each file, in order."""
        ...


class LocalEngine:
    """Works in processes of this machine.

    Args:
        workers: The processes.
    """

    def __init__(self, workers: Workers) -> None:
        self._workers = workers

    def check(self, options: BuildOptions, readers: Mapping[str, Reader], folder: Path) -> None:
        """There is nothing that could be missing."""

    def run_chunks(self, chunks: Iterable[Chunk], folder: Path, options: BuildOptions, done: Done) -> None:
        run_chunks(chunks, folder, options, self._workers, done)

    def open_search(self, paths: Sequence[Path]) -> CopySearch:
        return TaskSearch(self._workers, paths)

    def write_shards(self, plans: Iterable[ShardPlan], folder: Path) -> list[str]:
        return self._workers.run_tasks(plans, partial(write_shard, folder=folder))
