"""Run a build from beginning to end."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from emonet.datasets.builder.card import write_card
from emonet.datasets.builder.chunks import chunk_path
from emonet.datasets.builder.croissant import write_croissant
from emonet.datasets.builder.decisions import check_subjects, list_resplit, make_index
from emonet.datasets.builder.describe import describe
from emonet.datasets.builder.engine import Engine, LocalEngine
from emonet.datasets.builder.identity import identify
from emonet.datasets.builder.options import BuildOptions
from emonet.datasets.builder.output import BuildFolder, check_output
from emonet.datasets.builder.plan import CHUNK, Chunk, Labeller, Survey, make_chunks, open_readers, survey_source
from emonet.datasets.builder.report.report import write_report
from emonet.datasets.builder.rows import read_rows
from emonet.datasets.builder.shards import ShardPlan, plan_shards, write_rejected
from emonet.datasets.builder.work import Seconds
from emonet.datasets.builder.workers import open_workers, worker_devices
from emonet.datasets.curation.onset import OnsetRule
from emonet.datasets.curation.people import Seen, warn_of_divided_people
from emonet.datasets.formats.tree import hash_file
from emonet.datasets.reader import Reader
from emonet.datasets.sample import BROKEN, Rejected
from emonet.datasets.store import CARD, CROISSANT, REPORT, Store, StoreInfo
from emonet.datasets.store.info import Shard
from emonet.datasets.store.layout import BESIDE
from emonet.errors import DatasetError, OptionError
from facecrop.detectors import detector_device

Progress = Callable[[Mapping[str, int]], AbstractContextManager[Callable[[str, int], None]]]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A build that has looked at its inputs and can begin.

    Attributes:
        options: The build.
        readers: The sources.
        labeller: Gave the samples their labels.
        surveys: Source -> what it holds.
    """

    options: BuildOptions
    readers: dict[str, Reader]
    labeller: Labeller
    surveys: dict[str, Survey]

    @property
    def samples(self) -> int:
        """How many images will be worked on."""
        return sum(len(found.samples) for found in self.surveys.values())

    @property
    def chunks(self) -> int:
        """How many chunks they make, or a few more than there are if sequences are long."""
        return -(-self.samples // CHUNK)

    @property
    def rejected(self) -> list[Rejected]:
        """What has no label, or could not be read. Without a split, if the source's own splits are not used."""
        resplit = list_resplit(self.readers, self.options)
        return [
            replace(one, split=None) if name in resplit else one
            for name, found in self.surveys.items()
            for one in found.rejected
        ]

    def warnings(self) -> Iterator[str]:
        """Yield what a user should know before the build begins."""
        for name, reader in self.readers.items():
            found = self.surveys[name]
            yield from (f"{name}: {note}" for note in [*reader.notes, *([found.warning] if found.warning else [])])
        resplit = list_resplit(self.readers, self.options)
        images = (one for name, found in self.surveys.items() if name not in resplit for one in found.samples)
        move = self.options.move_split
        yield from warn_of_divided_people(
            Seen(one.source, one.subject, one.split and move(one.split)) for one in images
        )
        yield from self._warn_of_unused_corrections()
        if not any(reader.layout.starts_neutral for reader in self.readers.values()):
            has_onset = OnsetRule.parse(self.options.onset) != OnsetRule()
            changed = {"onset": has_onset, "neutral": self.options.neutral == "first"}
            for name in filter(changed.__getitem__, changed):
                yield f"{name} has no effect: there are no sequences that begin with a neutral face"

    def _warn_of_unused_corrections(self) -> Iterator[str]:
        rejected = {one.key for found in self.surveys.values() for one in found.rejected}
        keys: dict[str, list[str]] = defaultdict(list)
        for key in self.labeller.corrections.unused():
            why = "of images that are rejected whatever their label" if key in rejected else "in none of the data sets"
            keys[why].append(key)
        for why, unused in keys.items():
            shown = ", ".join(unused[:3]) + (", ..." if len(unused) > 3 else "")
            yield f"{len(unused)} keys in the corrections are {why}: {shown}"


@dataclass(frozen=True, slots=True)
class Built:
    """What a build came to.

    Attributes:
        store: The data set.
        new: False if it was there already.
        seconds: Step -> the time it took, summed over the workers.
    """

    store: Store
    new: bool = True
    seconds: Seconds = field(default_factory=dict)

    @property
    def broken(self) -> int:
        """How many things could not be read."""
        counts = Counter(self.store.rejected().column("reason").to_pylist())
        return sum(counts[reason] for reason in BROKEN)


def prepare(options: BuildOptions) -> Prepared:
    """Open the readers and look at everything but the images.

    Args:
        options: The build.

    Returns:
        What `build_dataset` needs.

    Raises:
        OptionError: The options do not fit the data.
        DatasetError: The data are not recognised, or nothing in them can be used.
    """
    detector_device(options.detector, options.device)
    readers = open_readers(options)
    check_subjects(readers, options)
    labeller = Labeller(options)
    prepared = Prepared(
        options, readers, labeller, {name: survey_source(reader, labeller) for name, reader in readers.items()}
    )
    if not prepared.samples:
        reasons = Counter(one.reason for one in prepared.rejected)
        raise DatasetError(next(iter(options.inputs.values())), f"nothing usable; rejected: {_list_reasons(reasons)}")
    if options.dev >= prepared.samples:
        raise OptionError(f"dev must be smaller than the {prepared.samples:,} images there are, got {options.dev}")
    return prepared


def build_dataset(
    prepared: Prepared,
    path: str | os.PathLike[str],
    *,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    engine: Engine | None = None,
) -> Built:
    """Write a data set into a folder.

    If it is run again after it was stopped, it goes on where it was. A script calls it below
    `if __name__ == "__main__":`, because workers are processes that import the script.

    Args:
        prepared: What `prepare` returned.
        path: A folder that is new or empty, or holds this build, finished or not.
        workers: How many processes share the work; by default one for each core or two for each GPU.
        overwrite: Whether another build in the folder may be replaced.
        progress: Shows how far the first stage has come.
        engine: Does the work; by default processes of this machine.

    Raises:
        OptionError: The folder holds something else, is inside an input, or another build is writing to it.
        MachineError: A worker was killed.
    """
    if engine is None:
        with open_workers(worker_devices(prepared.options, prepared.chunks, workers)) as opened:
            return build_dataset(prepared, path, overwrite=overwrite, progress=progress, engine=LocalEngine(opened))
    check_output(path, prepared.options.inputs)
    folder = BuildFolder(Path(path))
    identity = identify(prepared.options, prepared.readers)
    there = folder.find_finished(identity, overwrite)
    if there is not None and not folder.work.exists():
        return Built(there, new=False)
    with folder.lock():
        there = folder.find_finished(identity, overwrite)  # another build may have ended meanwhile
        if there is not None:
            folder.remove_work()
            return Built(there, new=False)
        engine.check(prepared.options, prepared.readers, folder.work)
        folder.begin(identity)
        paths, seconds = _run_first_stage(prepared, folder, engine, progress or _silent)
        info = _run_later_stages(prepared, folder, engine, paths, identity)
        return Built(folder.finish(info), seconds=seconds)


@contextmanager
def _silent(_totals: Mapping[str, int]) -> Iterator[Callable[[str, int], None]]:
    yield lambda _source, _count: None


def _run_first_stage(
    prepared: Prepared, folder: BuildFolder, engine: Engine, progress: Progress
) -> tuple[list[Path], Seconds]:
    """Work on all chunks; return their paths in order, and the seconds they took."""
    seconds: Seconds = defaultdict(float)
    paths: list[Path] = []

    def list_chunks() -> Iterator[Chunk]:
        for name, reader in prepared.readers.items():
            for chunk in make_chunks(reader, prepared.surveys[name].samples):
                paths.append(chunk_path(folder.chunks, chunk))
                yield chunk

    with progress({name: len(found.samples) for name, found in prepared.surveys.items()}) as advance:

        def done(source: str, images: int, spent: Seconds) -> None:
            for step, time in spent.items():
                seconds[step] += time
            advance(source, images)

        engine.run_chunks(list_chunks(), folder.chunks, prepared.options, done)
    return paths, seconds


def _run_later_stages(
    prepared: Prepared, folder: BuildFolder, engine: Engine, paths: list[Path], identity: Mapping[str, Any]
) -> StoreInfo:
    options = prepared.options
    rows = read_rows(paths)
    index = make_index(rows, prepared.readers, options, engine.open_search(paths))
    plans = plan_shards(index, paths, options.labels.classes)
    splits, hashes = _write_shards(plans, folder.finished, engine)
    rejected = write_rejected(index, prepared.rejected, folder.finished)
    if not splits:
        reasons = Counter(rejected.column("reason").to_pylist())
        raise DatasetError(folder.path, f"nothing usable is left; rejected: {_list_reasons(reasons)}")
    info = describe(prepared, index, identity, splits, rejected)
    write_card(folder.finished / CARD, info)
    write_report(folder.finished / REPORT, info, index, rejected, paths)
    write_croissant(folder.finished / CROISSANT, info, hashes)
    return replace(info, files=hashes | {name: hash_file(folder.finished / name) for name in BESIDE})


def _write_shards(
    plans: Iterable[ShardPlan], folder: Path, engine: Engine
) -> tuple[dict[str, list[Shard]], dict[str, str]]:
    """Write all shards; return those of each split, and the hash of each."""
    splits: dict[str, list[Shard]] = defaultdict(list)
    names = []

    def note(plan: ShardPlan) -> ShardPlan:
        splits[plan.split].append(Shard(plan.name, len(plan.rows)))
        names.append(plan.name)
        return plan

    found = engine.write_shards(map(note, plans), folder)
    return dict(splits), dict(zip(names, found, strict=True))


def _list_reasons(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in reasons.items()) or "nothing"
