"""`emonet build`: merges data sets as they were downloaded into one on disk; rebuilds and verifies what it wrote."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emonet.commands._console.built import show_plan, show_result
from emonet.commands._console.progress import progress_bars
from emonet.commands._console.status import SOME_UNREADABLE, STOPPED
from emonet.datasets import READERS, open_store
from emonet.datasets.builder import BuildOptions, identify, prepare
from emonet.datasets.store import read_description
from emonet.datasets.store.imagefolder import write_imagefolder
from emonet.errors import MachineError, OptionError
from facecrop import CropSpec, FilterRules, open_detector
from facecrop.detectors import detector_device

if TYPE_CHECKING:
    from emonet.datasets.builder import Built, Prepared
    from emonet.datasets.store import Store

# The panels of --help.
DATA, RUNNING, LABELS, FACES, CROPS = "Data", "Running", "Labels and frames", "Faces", "Crops"
COPIES = "Copies and splits"

BESIDE = ("ferplus", "relabel")  # files that belong to the data
RULES = ("min_size", "min_share", "min_score", "max_roll", "max_yaw", "min_sharpness", "min_contrast", "allow")

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def build(
    context: typer.Context,
    fer2013: Annotated[
        Path | None, typer.Option(rich_help_panel=DATA, help="FER2013: a CSV, a folder of pictures, or an archive.")
    ] = None,
    ckplus: Annotated[
        Path | None, typer.Option(rich_help_panel=DATA, help="CK+: the folder with its four parts, or CK+48.")
    ] = None,
    jaffe: Annotated[
        Path | None, typer.Option(rich_help_panel=DATA, help="JAFFE: the folder with its pictures.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(rich_help_panel=DATA, help="Your photos in folders named by expression, or a CSV.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", rich_help_panel=RUNNING, help="Folder of the data set to write.")
    ] = None,
    stored: Annotated[
        Path | None, typer.Option("--from", rich_help_panel=RUNNING, help="Repeat the build of this dataset.json.")
    ] = None,
    verify: Annotated[
        Path | None, typer.Option(rich_help_panel=RUNNING, help="Check that a data set's bytes are what they were.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", rich_help_panel=RUNNING, help="Show what would be read, and write nothing.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", rich_help_panel=RUNNING, help="Replace another build in the folder.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(rich_help_panel=RUNNING, help="Processes: one a core, at most two a GPU. Changes no byte."),
    ] = None,
    imagefolder: Annotated[
        Path | None, typer.Option(rich_help_panel=RUNNING, help="Also write split/expression/*.png here.")
    ] = None,
    classes: Annotated[
        str, typer.Option(rich_help_panel=LABELS, help="fer7, fer6, ck6, ck7, ck8, or names with commas.")
    ] = "fer7",
    contempt: Annotated[
        str | None, typer.Option(rich_help_panel=LABELS, help="drop, keep or disgust; kept where classes have it.")
    ] = None,
    relabel: Annotated[
        Path | None, typer.Option(rich_help_panel=LABELS, help="A CSV of key,label: labels corrected by hand.")
    ] = None,
    ferplus: Annotated[
        Path | None, typer.Option(rich_help_panel=DATA, help="FER+'s fer2013new.csv: its votes join FER2013's rows.")
    ] = None,
    drop_no_face_votes: Annotated[
        bool,
        typer.Option(
            "--drop-no-face-votes", rich_help_panel=LABELS, help="Drop what half of FER+'s people saw no face in."
        ),
    ] = False,
    onset: Annotated[
        str, typer.Option(rich_help_panel=LABELS, help="auto[=SHARE], fraction=SHARE, last=N or peak.")
    ] = "auto",
    neutral: Annotated[
        str, typer.Option(rich_help_panel=LABELS, help="First frames of sequences: drop, or first: neutral faces.")
    ] = "drop",
    detector: Annotated[str, typer.Option(rich_help_panel=FACES, help="mtcnn, dlib or whole.")] = "mtcnn",
    device: Annotated[str, typer.Option(rich_help_panel=FACES, help="auto, cpu, cuda or cuda:N.")] = "auto",
    undetected: Annotated[
        str, typer.Option(rich_help_panel=FACES, help="Cropped training pictures without a face: drop or keep.")
    ] = "drop",
    filter_eval: Annotated[
        bool, typer.Option("--filter-eval", rich_help_panel=FACES, help="Filter validation and test like training.")
    ] = False,
    recrop: Annotated[
        bool,
        typer.Option("--recrop", rich_help_panel=FACES, help="Cut published crops anew, from the face found in them."),
    ] = False,
    allow: Annotated[
        str, typer.Option(rich_help_panel=FACES, help="Of several faces: one (reject), largest or most_central.")
    ] = "largest",
    min_size: Annotated[
        float | None, typer.Option(rich_help_panel=FACES, help="Least shorter side of a face in pixels.")
    ] = None,
    min_share: Annotated[
        float | None, typer.Option(rich_help_panel=FACES, help="Least share of the picture's shorter side.")
    ] = None,
    min_score: Annotated[float | None, typer.Option(rich_help_panel=FACES, help="Least score of the detector.")] = None,
    max_roll: Annotated[
        float | None, typer.Option(rich_help_panel=FACES, help="Most degrees a face is tilted.")
    ] = None,
    max_yaw: Annotated[float | None, typer.Option(rich_help_panel=FACES, help="Most degrees a face is turned.")] = None,
    min_sharpness: Annotated[
        float | None, typer.Option(rich_help_panel=FACES, help="Least sharpness of a face.")
    ] = None,
    min_contrast: Annotated[float | None, typer.Option(rich_help_panel=FACES, help="Least contrast of a face.")] = None,
    size: Annotated[int, typer.Option(rich_help_panel=CROPS, help="Crops: pixels a side.")] = 48,
    margin: Annotated[
        float, typer.Option(rich_help_panel=CROPS, help="Crops: margin on each side, as a share of the face.")
    ] = 0.125,
    align: Annotated[
        bool, typer.Option("--align", rich_help_panel=CROPS, help="Crops: turn until the eyes are level.")
    ] = False,
    colour: Annotated[bool, typer.Option("--colour", rich_help_panel=CROPS, help="Crops: keep colours.")] = False,
    leaks: Annotated[
        str, typer.Option(rich_help_panel=COPIES, help="Training copies of test pictures: drop, near, report, keep.")
    ] = "drop",
    near: Annotated[float, typer.Option(rich_help_panel=COPIES, help="Least correlation of near copies.")] = 0.97,
    split: Annotated[
        str, typer.Option(rich_help_panel=COPIES, help="Without official splits: auto or subject (by person), none.")
    ] = "auto",
    shares: Annotated[
        str, typer.Option(rich_help_panel=COPIES, help="Of people: train,validation,test.")
    ] = "0.8,0.1,0.1",
    dev: Annotated[
        int, typer.Option(rich_help_panel=COPIES, help="Pictures to hold out of train, for choosing anything.")
    ] = 0,
    folds: Annotated[
        int, typer.Option(rich_help_panel=COPIES, help="Number the training pictures' folds, people whole.")
    ] = 0,
    seed: Annotated[int, typer.Option(rich_help_panel=COPIES, help="Of every draw by lot.")] = 0,
) -> None:
    """Merge data sets into one clean data set on disk, with a report of everything kept and dropped.

    Stopped and run again, it goes on where it was. Exit status: 0 everything was read, 3 some could not be,
    1 nothing was usable or the call was mistaken.
    """
    chosen = dict(locals())
    if verify is not None:
        _verify(verify)
        return
    if stored is None:
        options = _chosen_options(chosen)
    else:
        _check_alone(context)
        options = _stored_options(stored, chosen)
    prepared = prepare(options)
    if dry_run:
        show_plan(prepared)
        return
    if out is None:
        raise OptionError("where should the data set go? name a folder with --out")
    built = _built(prepared, out, workers, overwrite)
    show_result(built)
    if imagefolder is not None:
        typer.echo(f"{write_imagefolder(built.store, imagefolder):,} pictures in {imagefolder}")
    if stored is not None:
        _compare(built.store, stored)
    if built.broken:
        raise typer.Exit(SOME_UNREADABLE)


def _chosen_options(chosen: Mapping[str, Any]) -> BuildOptions:
    """The build that the command line asks for. Its options have the names of BuildOptions and FilterRules."""
    crop = CropSpec(chosen["size"], chosen["margin"], chosen["align"], grey=not chosen["colour"])
    rules = FilterRules(**{name: chosen[name] for name in RULES})
    own = {field.name: chosen[field.name] for field in fields(BuildOptions) if field.name in chosen}
    given = {
        "inputs": _paths(chosen, READERS),
        "ferplus": None,
        "relabel": None,
        **_paths(chosen, BESIDE),
        "device": _device(chosen["detector"], chosen["device"]),
        "shares": _parsed_shares(chosen["shares"]),
    }
    return BuildOptions(**own | given, rules=rules, crop=crop)


def _device(detector: str, device: str) -> str:
    """What "auto" becomes. That the detector is installed is found out here and on the processor.

    A worker would only die of it, and this process takes nothing of a card: the workers need it.
    """
    resolved = detector_device(detector, device)
    open_detector(detector, "cpu")
    return resolved


def _paths(chosen: Mapping[str, Any], names: Iterable[str]) -> dict[str, str]:
    return {name: str(chosen[name]) for name in names if chosen[name] is not None}


def _built(prepared: Prepared, out: Path, workers: int | None, overwrite: bool) -> Built:
    from emonet.datasets.builder import build_dataset, worker_devices

    for warning in prepared.warnings():
        typer.echo(f"emonet: {warning}", err=True)
    count = len(worker_devices(prepared.options, prepared.chunks, workers))
    typer.echo(f"{prepared.options.detector} on {prepared.options.device}, workers: {count}", err=True)
    try:
        return build_dataset(prepared, out, workers=workers, overwrite=overwrite, progress=progress_bars)
    except OSError as error:
        if error.errno in FULL:
            raise MachineError(
                f"{error}; what is done stays in {out}: make room and run the same command again"
            ) from error
        raise
    except KeyboardInterrupt:
        typer.echo("emonet: stopped; run the same command again to go on", err=True)
        raise typer.Exit(STOPPED) from None


def _parsed_shares(text: str) -> dict[str, float]:
    names = ("train", "validation", "test")
    try:
        return dict(zip(names, map(float, text.split(",")), strict=True))
    except ValueError as error:
        raise OptionError(f"shares must be three numbers, {','.join(names)}; got {text!r}") from error


def _check_alone(context: typer.Context) -> None:
    """A repeated build takes its options from its file: others beside it would be ignored in silence."""
    beside = {"stored", "out", "workers", "overwrite", "dry_run", "imagefolder", *BESIDE, *READERS}
    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    if others := sorted(set(given) - beside):
        raise OptionError(f"--from takes every option from its file; leave out {', '.join(others)}")


def _stored_options(path: Path, chosen: Mapping[str, Any]) -> BuildOptions:
    """The options of a dataset.json, with other paths where the data have moved; the data must be the same."""
    info = read_description(path)
    inputs, beside = _paths(chosen, READERS), _paths(chosen, BESIDE)
    if added := sorted({**inputs, **beside}.keys() - info.inputs.keys()):
        raise OptionError(f"{path} was built without {', '.join(added)}")
    places = {"inputs": {**info.options["inputs"], **inputs}, **beside}
    options = BuildOptions.from_dict({**info.options, **places})
    hashes = identify(options)["inputs"]
    changed = [name for name, digest in info.inputs.items() if hashes[name] != digest]
    if changed:
        raise OptionError(f"{', '.join(changed)}: not the data that {path} was built from")
    return options


def _verify(path: Path) -> None:
    store = open_store(path)
    differences = store.differences()
    if differences:
        raise OptionError(f"{path} is not what it was: {'; '.join(differences)}")
    typer.echo(f"{path}: all {len(store.info.files)} files have the bytes that they were written with")


def _compare(store: Store, stored: Path) -> None:
    """Says whether a repeated build came to the same bytes."""
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
