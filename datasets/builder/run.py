"""A build from beginning to end."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emonet.datasets.builder.card import write_card
from emonet.datasets.builder.chunks import chunk_path, run_chunks
from emonet.datasets.builder.decisions import check_subjects, make_index
from emonet.datasets.builder.describe import describe
from emonet.datasets.builder.identity import identify
from emonet.datasets.builder.options import BuildOptions
from emonet.datasets.builder.output import BuildFolder
from emonet.datasets.builder.plan import CHUNK, Chunk, Labeller, Survey, chunks, open_readers, survey
from emonet.datasets.builder.report.report import write_report
from emonet.datasets.builder.rows import read_rows_of
from emonet.datasets.builder.shards import write_rejected, write_shards
from emonet.datasets.builder.work import Seconds
from emonet.datasets.builder.workers import worker_devices
from emonet.datasets.curation.duplicates import Indices
from emonet.datasets.formats.tree import file_hash
from emonet.datasets.reader import Reader
from emonet.datasets.sample import BROKEN, Rejected
from emonet.datasets.store import CARD, REJECTED, REPORT, Store, decode
from emonet.errors import DatasetError, OptionError
from facecrop.detectors import detector_device
from facecrop.images import Image

if TYPE_CHECKING:
    import pyarrow as pa

Progress = Callable[[Mapping[str, int]], AbstractContextManager[Callable[[str, int], None]]]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A build that has looked at its inputs and could begin."""

    options: BuildOptions
    readers: dict[str, Reader]
    labeller: Labeller
    surveys: dict[str, Survey]

    @property
    def samples(self) -> int:
        return sum(found.samples for found in self.surveys.values())

    @property
    def chunks(self) -> int:
        """How many chunks these make; fewer where sequences are longer than a chunk."""
        return -(-self.samples // CHUNK)

    @property
    def rejected(self) -> list[Rejected]:
        return [one for found in self.surveys.values() for one in found.rejected]

    def warnings(self) -> Iterator[str]:
        """What a user should know before waiting for the build."""
        for name, reader in self.readers.items():
            found = self.surveys[name]
            yield from (f"{name}: {note}" for note in [*reader.notes, *([found.warning] if found.warning else [])])
        unused = self.labeller.corrections.unused()
        if unused:
            shown = ", ".join(unused[:3]) + (", ..." if len(unused) > 3 else "")
            yield f"{len(unused)} keys in the corrections are in none of the data sets: {shown}"


@dataclass(frozen=True, slots=True)
class Built:
    """What came out. `seconds` is the time of each step, summed over the workers; nothing of it is stored."""

    store: Store
    new: bool = True  # False if it was there already
    seconds: Seconds = field(default_factory=dict)

    @property
    def broken(self) -> int:
        """How many things could not be read."""
        counts = Counter(self.store.rejected().column("reason").to_pylist())
        return sum(counts[reason] for reason in BROKEN)


def prepare(options: BuildOptions) -> Prepared:
    """Opens the readers and looks at everything but the pictures; refuses what could not end well."""
    detector_device(options.detector, options.device)
    readers = open_readers(options)
    check_subjects(readers, options)
    labeller = Labeller(options)
    prepared = Prepared(
        options, readers, labeller, {name: survey(reader, labeller) for name, reader in readers.items()}
    )
    if not prepared.samples:
        reasons = Counter(one.reason for one in prepared.rejected)
        raise DatasetError(
            next(iter(options.inputs.values())), f"nothing usable; rejected: {dict(reasons) or 'nothing'}"
        )
    if options.dev >= prepared.samples:
        raise OptionError(f"dev must be smaller than the {prepared.samples:,} pictures there are, got {options.dev}")
    return prepared


def build_dataset(
    prepared: Prepared,
    path: str | os.PathLike[str],
    *,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Built:
    """Writes the data set into a folder. Run again after it was stopped, it goes on where it was."""
    devices = worker_devices(prepared.options, prepared.chunks, workers)
    folder = BuildFolder(Path(path))
    identity = identify(prepared.options)
    there = folder.finished_store(identity, overwrite)
    if there is not None:
        return Built(there, new=False)
    folder.begin(identity)
    paths, seconds = _first_stage(prepared, folder, devices, progress or _silent)
    info = _later_stages(prepared, folder, paths, identity)
    return Built(folder.finish(info), seconds=seconds)


@contextmanager
def _silent(_totals: Mapping[str, int]) -> Iterator[Callable[[str, int], None]]:
    yield lambda _source, _count: None


def _first_stage(
    prepared: Prepared, folder: BuildFolder, devices: list[str], progress: Progress
) -> tuple[list[Path], Seconds]:
    """The paths of all chunks, in order, and the seconds they took."""
    seconds: Seconds = defaultdict(float)
    paths: list[Path] = []

    def listed() -> Iterator[Chunk]:
        for reader in prepared.readers.values():
            for chunk in chunks(reader, prepared.labeller):
                paths.append(chunk_path(folder.chunks, chunk))
                yield chunk

    with progress({name: found.samples for name, found in prepared.surveys.items()}) as advance:

        def done(chunk: Chunk, spent: Seconds) -> None:
            for step, time in spent.items():
                seconds[step] += time
            advance(chunk.source, len(chunk))

        run_chunks(listed(), folder.chunks, prepared.options, devices, done)
    return paths, seconds


def _later_stages(
    prepared: Prepared, folder: BuildFolder, paths: list[Path], identity: Mapping[str, Any]
) -> dict[str, Any]:
    options = prepared.options
    rows = _read_rows(paths)
    index = make_index(rows, prepared.readers, options, lambda wanted: _pictures(paths, wanted))
    classes = options.labels.classes
    splits = write_shards(index, paths, classes, folder.finished)
    rejected = write_rejected(index, prepared.rejected, folder.finished)
    if not splits:
        reasons = Counter(rejected.column("reason").to_pylist())
        raise DatasetError(folder.path, f"nothing usable is left; rejected: {dict(reasons)}")
    info = describe(prepared, index, identity, splits, rejected)
    write_card(folder.finished / CARD, info)
    write_report(folder.finished / REPORT, info, index, rejected, paths)
    names = [file["name"] for files in splits.values() for file in files] + [REJECTED, REPORT, CARD]
    info["files"] = {name: file_hash(folder.finished / name) for name in names}
    return info


def _read_rows(paths: list[Path]) -> pa.Table:
    """What the chunks know, without the pictures."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [name for name in pq.read_schema(paths[0]).names if name not in ("image", "preview")]
    return pa.concat_tables(pq.read_table(path, columns=names) for path in paths)


def _pictures(paths: list[Path], wanted: Indices) -> Iterator[Image]:
    """The crops of rows given in rising order."""
    for _, cells in read_rows_of(paths, wanted.tolist(), ["image"]):
        yield decode({"bytes": cells["image"]})
