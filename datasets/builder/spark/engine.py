"""Map the functions of a build over Spark's executors."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from emonet.datasets.builder.chunks import Done, chunk_path, find_missing, is_done
from emonet.datasets.builder.identity import PACKAGES
from emonet.datasets.builder.options import BuildOptions
from emonet.datasets.builder.plan import Chunk, Unit
from emonet.datasets.builder.shards import ShardPlan, write_shard
from emonet.datasets.builder.spark.machines import check_machines
from emonet.datasets.builder.spark.search import SparkSearch
from emonet.datasets.builder.work import Seconds, open_workshop, store_options
from emonet.datasets.reader import Reader
from emonet.errors import ImageError, OptionError
from emonet.spark.tasks import Executors
from emonet.spark.trials import KILLED, find_killers, is_suspicious
from facecrop.images import Image

if TYPE_CHECKING:
    from pyspark import Broadcast
    from pyspark.sql import SparkSession


class SparkEngine:
    """Works on the executors of a Spark session, which read the inputs and write the output under the same paths.

    Args:
        session: Of Spark.
    """

    def __init__(self, session: SparkSession) -> None:
        self._session = session

    def check(self, options: BuildOptions, readers: Mapping[str, Reader], folder: Path) -> None:
        unpacked = [reader.path for reader in readers.values() if reader.tree.is_unpacked]
        if unpacked and not self._session.sparkContext.master.startswith("local"):
            raise OptionError(
                f"{unpacked[0]} is read from an unpacked copy in this machine's temporary folder, which other machines "
                "do not see: unpack it on the disk that they share"
            )
        inputs = [*options.inputs.values(), *filter(None, (options.ferplus, options.relabel))]
        check_machines(self._session, folder, inputs, PACKAGES)

    def run_chunks(self, chunks: Iterable[Chunk], folder: Path, options: BuildOptions, done: Done) -> None:
        watch = _Watch(folder, done)
        todo = map(watch.expect, find_missing(chunks, folder, done))
        broadcast = self._session.sparkContext.broadcast(store_options(options))
        try:
            work = partial(_work_on, broadcast, folder.resolve())
            seconds = Executors(self._session, folder.resolve() / "chunks.tasks").run_tasks(todo, work, watch=watch)
        finally:
            broadcast.destroy()
        watch.end(seconds)

    def open_search(self, paths: Sequence[Path]) -> SparkSearch:
        return SparkSearch(self._session, [path.resolve() for path in paths])

    def write_shards(self, plans: Iterable[ShardPlan], folder: Path) -> list[str]:
        resolved = (replace(plan, chunks=tuple(path.resolve() for path in plan.chunks)) for plan in plans)
        work = partial(_write_shard, folder.resolve())
        return Executors(self._session, folder.resolve() / "shards.tasks").run_tasks(resolved, work)


class _Watch:
    """Calls `done` for each chunk whose file is there. It keeps no chunk: all samples would be in memory once more."""

    def __init__(self, folder: Path, done: Done) -> None:
        self._sources: list[str] = []  # of all chunks, in order
        self._left: dict[str, tuple[str, int]] = {}  # file -> source and images
        self._folder = folder
        self._done = done

    def expect(self, chunk: Chunk) -> Chunk:
        """Note a chunk that is to be done, and return it."""
        self._sources.append(chunk.source)
        self._left[chunk_path(self._folder, chunk).name] = chunk.source, len(chunk)
        return chunk

    def __call__(self) -> None:
        for name in self._left.keys() & {path.name for path in self._folder.iterdir()}:
            self._done(*self._left.pop(name), {})

    def end(self, seconds: Sequence[Seconds]) -> None:
        """Call `done` for the rest, and hand on the seconds that the chunks took."""
        self()
        for source, spent in zip(self._sources, seconds, strict=True):
            self._done(source, 0, spent)


def _work_on(broadcast: Broadcast[str], folder: Path, chunk: Chunk) -> Seconds:
    """Write the rows of a chunk, unless an earlier attempt has done so."""
    path = chunk_path(folder, chunk)
    if is_done(path):
        return {}
    if is_suspicious():
        chunk = _replace_killers(chunk, broadcast.value)
    return dict(open_workshop(broadcast.value).work(chunk, path))


@dataclass(frozen=True, slots=True)
class Killer:
    """Stands for an image that kills the process which reads it."""

    name: str

    def read(self) -> Image:
        raise ImageError(self.name, KILLED)


def _replace_killers(chunk: Chunk, stored: str) -> Chunk:
    """Replace the images of a chunk that kill the process which reads them."""
    pieces = [replace(chunk, units=(unit,)) for unit in chunk.units]
    killers = find_killers(partial(_try, stored), pieces)
    units = [_stand_in(unit) if place in killers else unit for place, unit in enumerate(chunk.units)]
    return replace(chunk, units=tuple(units))


def _try(stored: str, chunk: Chunk) -> None:
    with tempfile.TemporaryDirectory() as folder:
        open_workshop(stored).work(chunk, Path(folder) / "rows.parquet")


def _stand_in(unit: Unit) -> Unit:
    return tuple(replace(sample, image=Killer(sample.key)) for sample in unit)


def _write_shard(folder: Path, plan: ShardPlan) -> str:
    return write_shard(plan, folder)
