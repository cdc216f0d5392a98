"""Where a build does its work: an engine maps the functions of the build over their pieces, and searches for copies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Protocol

from emonet.datasets.builder.chunks import Done, run_chunks
from emonet.datasets.builder.options import BuildOptions
from emonet.datasets.builder.plan import Chunk
from emonet.datasets.builder.search import CopySearch, LocalSearch
from emonet.datasets.builder.shards import ShardPlan, write_shard


class Engine(Protocol):
    """Does the work of a build. Every engine writes the same data set."""

    def check(self, options: BuildOptions, folder: Path) -> None:
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
        devices: The device of each worker.
    """

    def __init__(self, devices: Sequence[str]) -> None:
        self.devices = devices

    def check(self, options: BuildOptions, folder: Path) -> None:
        """There is nothing that could be missing."""

    def run_chunks(self, chunks: Iterable[Chunk], folder: Path, options: BuildOptions, done: Done) -> None:
        run_chunks(chunks, folder, options, self.devices, done)

    def open_search(self, paths: Sequence[Path]) -> CopySearch:
        return LocalSearch(paths, threads=len(self.devices))

    def write_shards(self, plans: Iterable[ShardPlan], folder: Path) -> list[str]:
        with ThreadPoolExecutor(len(self.devices)) as pool:  # Arrow lets go of the interpreter while it works
            return list(pool.map(partial(write_shard, folder=folder), plans))
