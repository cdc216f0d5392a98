"""`emonet build`: merge data sets as they were downloaded into one; repeat and verify what it wrote."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emonet.commands._console.arguments import RUNNING
from emonet.commands._console.endings import SOME_UNREADABLE, say_how_to_resume
from emonet.commands._console.engines import EngineName, Master, Settings, SparkPlace, choose_spark
from emonet.commands._console.options import Given, with_options
from emonet.commands._console.output import print_table
from emonet.commands._console.packages import check_training_packages
from emonet.commands._console.progress import progress_bars
from emonet.datasets import READERS, open_store
from emonet.datasets.builder import BuildOptions, build_dataset, identify, open_readers, prepare
from emonet.datasets.builder.engine import Engine, LocalEngine
from emonet.datasets.builder.output import BuildFolder, check_output
from emonet.datasets.builder.workers import open_workers, worker_devices
from emonet.datasets.sample import BROKEN, SPLITS
from emonet.datasets.store import DESCRIPTION, read_description
from emonet.datasets.store.imagefolder import check_imagefolder, write_imagefolder
from emonet.datasets.store.info import has_own_hash
from emonet.errors import MachineError, MissingFileError, OptionError
from emonet.labels import Emotion
from facecrop import open_detector
from facecrop.detectors import detector_device

if TYPE_CHECKING:
    from emonet.datasets.builder import Built, Prepared
    from emonet.datasets.store import Store, StoreInfo

CORRECTIONS = "relabel"
BESIDE = ("ferplus", CORRECTIONS)  # files that belong to the data
SHOWN = 5  # examples of images that could not be read

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@with_options(BuildOptions)
def build(
    *,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", rich_help_panel=RUNNING, help="Folder to write the data set to.")
    ] = None,
    stored: Annotated[
        Path | None,
        typer.Option(
            "--from",
            rich_help_panel=RUNNING,
            help="Repeat the build of this data set or dataset.json; with --relabel, with these corrections.",
        ),
    ] = None,
    verify: Annotated[
        Path | None,
        typer.Option(rich_help_panel=RUNNING, help="Check that the files of this data set are unchanged, and stop."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", rich_help_panel=RUNNING, help="Show what would be read, and write nothing.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", rich_help_panel=RUNNING, help="Replace another build in the folder.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            rich_help_panel=RUNNING,
            help="Number of processes; the result is the same. (default: one a core, at most two a GPU)",
        ),
    ] = None,
    engine: EngineName = "local",
    master: Master = None,
    settings: Settings = None,
    imagefolder: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=RUNNING, help="Also write the crops to this folder, as `emonet export-images` does."
        ),
    ] = None,
    given: Given,
) -> None:
    """Merge data sets into one clean data set on disk, with a report of everything kept and dropped.

    Stopped and run again, it goes on where it was. Exit status: 0 everything was read, 3 some images could not be read,
    1 nothing was usable or the call was mistaken.
    """
    if verify is not None:
        _verify(verify)
        return
    if stored is not None and stored.is_dir():
        stored /= DESCRIPTION
    options = given.choose(BuildOptions, _with_auto) if stored is None else _stored_options(stored, given, out)
    given.end_if_printed(options)
    for place in filter(None, (out, imagefolder)):
        check_output(place, options.inputs)
    check_training_packages("build")
    spark = choose_spark("build", engine, master, settings, workers=workers)
    prepared = prepare(_resolve_device(options) if stored is None else options)
    if dry_run:
        _show_plan(prepared)
        return
    if out is None:
        raise OptionError("where should the data set go? name a folder with --out")
    if imagefolder is not None and imagefolder.exists():
        finished = BuildFolder(out).find_finished(identify(prepared.options, prepared.readers), overwrite)
        check_imagefolder(imagefolder, finished)
    built = _build(prepared, out, workers, overwrite, spark)
    _show_result(built)
    if imagefolder is not None:
        typer.echo(f"{write_imagefolder(built.store, imagefolder):,} images in {imagefolder}")
    if stored is not None and not _is_corrected(built.store, stored):
        _compare(built.store, stored)
    if built.broken:
        raise typer.Exit(SOME_UNREADABLE)


def _with_auto(values: dict[str, Any]) -> dict[str, Any]:
    return {"device": "auto", **values}


def _resolve_device(options: BuildOptions) -> BuildOptions:
    """Replace the device "auto", and find out here and on the processor whether the detector is installed.

    A worker would only die of it, and this process takes nothing of a GPU: the workers need it.
    """
    device = detector_device(options.detector, options.device)
    open_detector(options.detector, "cpu")
    return replace(options, device=device)


def _build(prepared: Prepared, out: Path, workers: int | None, overwrite: bool, spark: SparkPlace | None) -> Built:
    for warning in prepared.warnings():
        typer.echo(f"emonet: {warning}", err=True)
    with say_how_to_resume(), _open_engine(prepared, workers, spark) as engine:
        try:
            return build_dataset(prepared, out, overwrite=overwrite, progress=progress_bars, engine=engine)
        except OSError as error:
            if error.errno in FULL:
                message = f"{error}; what is done stays in {out}: make room and run the same command again"
                raise MachineError(message) from error
            raise


@contextmanager
def _open_engine(prepared: Prepared, workers: int | None, spark: SparkPlace | None) -> Iterator[Engine]:
    """Open what does the work, and say where it does it."""
    named = f"{prepared.options.detector} on {prepared.options.device}"
    if spark is None:
        devices = worker_devices(prepared.options, prepared.chunks, workers)
        typer.echo(f"{named}, workers: {len(devices)}", err=True)
        with open_workers(devices) as opened:
            yield LocalEngine(opened)
        return
    from emonet.datasets.builder.spark import SparkEngine

    with spark.open() as session:
        typer.echo(f"{named}, by Spark, tasks at a time: {session.sparkContext.defaultParallelism}", err=True)
        yield SparkEngine(session)


def _stored_options(path: Path, given: Given, out: Path | None) -> BuildOptions:
    """Read the options of a dataset.json, with other paths where the data have moved; the data must be the same.

    Corrections may be others: who has reviewed a data set builds it again with them.
    """
    places = {*READERS, *BESIDE}
    if others := sorted(set(given.values) - places):  # they would be ignored in silence
        raise OptionError(f"--from takes every option from its file; leave out {', '.join(others)}")
    if out is not None and out.resolve() == path.resolve().parent:
        raise OptionError(f"{out} is what --from reads: write to another folder")
    info = read_description(path)
    if added := sorted(set(given.values) - set(info.inputs) - {CORRECTIONS}):
        raise OptionError(f"{path} was built without {', '.join(added)}")
    inputs = {name: place for name, place in given.values.items() if name in READERS}
    beside = {name: place for name, place in given.values.items() if name in BESIDE}
    options = BuildOptions.from_dict({**info.options, "inputs": {**info.options["inputs"], **inputs}, **beside})
    for name, place in {**options.inputs, **{name: getattr(options, name) for name in BESIDE}}.items():
        if place is not None and not Path(place).exists():
            raise MissingFileError(f"no {place}, which {path} was built from: say with --{name} where it is now")
    hashes = identify(options, open_readers(options))["inputs"]
    corrected = {CORRECTIONS} & set(given.values)
    if changed := [name for name, digest in info.inputs.items() if hashes[name] != digest and name not in corrected]:
        raise OptionError(f"{', '.join(changed)}: not the data that {path} was built from")
    return options


def _is_corrected(store: Store, stored: Path) -> bool:
    """Tell whether a data set was built with other corrections than those of a dataset.json."""
    return store.info.inputs.get(CORRECTIONS) != read_description(stored).inputs.get(CORRECTIONS)


def _verify(path: Path) -> None:
    store = open_store(path)
    if differences := store.differences():
        raise OptionError(f"{path} is not what it was: {'; '.join(differences)}")
    hashed = has_own_hash(path / DESCRIPTION)
    typer.echo(f"{path}: all {len(store.info.files) + hashed} files have the bytes that they were written with")
    if not hashed:
        typer.echo(f"{DESCRIPTION} was not checked: an older version wrote it, without a hash of itself")


def _compare(store: Store, stored: Path) -> None:
    """Say whether a repeated build came to the same bytes."""
    before = read_description(stored)
    changed = [name for name, digest in before.files.items() if store.info.files.get(name) != digest]
    if not changed:
        typer.echo(f"the same {len(before.files)} files, byte for byte, as in {stored}")
        return
    versions = [
        f"{name} {old} -> {store.info.versions.get(name)}"
        for name, old in before.versions.items()
        if store.info.versions.get(name) != old
    ]
    raise OptionError(f"not the same bytes: {', '.join(changed)}; versions: {', '.join(versions) or 'the same'}")


def _show_plan(prepared: Prepared) -> None:
    """Show what would be read, beside what its publishers counted."""
    for name, reader in prepared.readers.items():
        found = prepared.surveys[name]
        typer.echo(f"{name}: {reader.path} recognised as {reader.layout.title}")
        framing = "cropped by its publisher" if reader.layout.framing else "to be cropped"
        people = "people are known" if reader.layout.subjects else "people are not known"
        typer.echo(f"  {len(found.samples):,} images to work on, {framing}, {people}")
        for split in sorted({split for split, _ in found.counts}):
            numbers = {
                str(e or "unlabelled"): found.counts[split, e] for e in (*Emotion, None) if found.counts[split, e]
            }
            typer.echo(f"  {split or 'no official split'}: {_format_numbers(numbers)}")
        if reasons := Counter(one.reason for one in found.rejected):
            typer.echo(f"  rejected: {_format_numbers(reasons)}")
    for warning in prepared.warnings():
        typer.echo(f"warning: {warning}")


def _show_result(built: Built) -> None:
    """Show what is in the data set, what is not and why, and what was found in more than one place."""
    store, info = built.store, built.store.info
    if not built.new:
        typer.echo("the data set was complete already")
    splits = [split for split in SPLITS if split in store.splits]
    rows = [
        (source, *(f"{sum(counts.get(split, {}).values()):,}" for split in splits))
        for source, counts in info.counts.items()
    ]
    print_table(("source", *splits), [*rows, ("all", *(f"{store.splits[split]:,}" for split in splits))], splits)
    for source, reasons in info.rejected.items():
        typer.echo(f"{source}, rejected: {_format_numbers(reasons)}")
    for split, numbers in info.evaluated.items():
        if numbers.kept != numbers.of:
            typer.echo(
                f"{split} has {numbers.kept:,} of its {numbers.of:,} images: do not compare scores on it with "
                "scores on all of them"
            )
    _show_kept_without_face(info)
    _show_copies(info)
    for warning in info.warnings:
        typer.echo(f"emonet: {warning}", err=True)
    _show_broken(built)
    typer.echo(f"{store.path}: look at {store.path / 'report.html'}")


def _show_kept_without_face(info: StoreInfo) -> None:
    for source, splits in info.kept_without_face.items():
        typer.echo(f"{source}, kept though no face was found in them: {_format_numbers(splits)}")


def _show_copies(info: StoreInfo) -> None:
    copies = info.copies
    near = f", {copies.evaluated_with_a_near_training_copy:,} an exact or a near one" if copies.near_pairs else ""
    typer.echo(
        f"{copies.redundant_exact_copies:,} redundant copies in {copies.exact_groups:,} groups; "
        f"{copies.evaluated_with_a_training_copy:,} test or validation images have an exact training copy{near}"
    )


def _show_broken(built: Built) -> None:
    if not built.broken:
        return
    rejected = built.store.rejected().select(["key", "reason", "detail"]).to_pylist()
    broken = [one for one in rejected if one["reason"] in BROKEN]
    typer.echo(f"{len(broken):,} could not be read, among them:", err=True)
    for one in broken[:SHOWN]:
        typer.echo(f"  {one['key']}: {one['detail']}", err=True)


def _format_numbers(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in numbers.items())
