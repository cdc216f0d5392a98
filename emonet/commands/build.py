"""`emonet build`: merges data sets as they were downloaded into one on disk; rebuilds and verifies what it wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from emonet.commands.built import show_plan, show_result
from emonet.commands.progress import progress_bars
from emonet.datasets import READERS, open_store
from emonet.datasets.builder import BuildOptions, identify, prepare
from emonet.datasets.imagefolder import write_imagefolder
from emonet.datasets.store import read_description
from facecrop import CropSpec, FilterRules, open_detector

if TYPE_CHECKING:
    from emonet.datasets.builder import Built, Prepared
    from emonet.datasets.builder.options import Leaks, Neutral, SplitBy, Undetected
    from emonet.datasets.store import Store
    from facecrop.filtering import Allowed

SOME_UNREADABLE = 3
STOPPED = 130


def build(
    context: typer.Context,
    fer2013: Annotated[Path | None, typer.Option(help="FER2013: a CSV, a folder of pictures, or an archive.")] = None,
    ckplus: Annotated[Path | None, typer.Option(help="CK+: the folder with its four parts, or CK+48.")] = None,
    jaffe: Annotated[Path | None, typer.Option(help="JAFFE: the folder with its pictures.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Your photos in folders named by expression, or a CSV.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the data set to write.")] = None,
    stored: Annotated[Path | None, typer.Option("--from", help="Repeat the build of this dataset.json.")] = None,
    verify: Annotated[Path | None, typer.Option(help="Check that a data set's bytes are what they were.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be read, and write nothing.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another build in the folder.")] = False,
    workers: Annotated[int | None, typer.Option(help="Processes; all cores unless told. Changes no byte.")] = None,
    imagefolder: Annotated[Path | None, typer.Option(help="Also write split/expression/*.png here.")] = None,
    classes: Annotated[str, typer.Option(help="fer7, fer6, ck6, ck7, ck8, or names with commas.")] = "fer7",
    contempt: Annotated[str | None, typer.Option(help="drop, keep or disgust; kept where classes have it.")] = None,
    relabel: Annotated[Path | None, typer.Option(help="A CSV of key,label: labels corrected by hand.")] = None,
    ferplus: Annotated[Path | None, typer.Option(help="FER+'s fer2013new.csv: its votes join FER2013's rows.")] = None,
    drop_no_face_votes: Annotated[bool, typer.Option(help="Drop what half of FER+'s people saw no face in.")] = False,
    onset: Annotated[str, typer.Option(help="auto[=SHARE], fraction=SHARE, last=N or peak.")] = "auto",
    neutral: Annotated[str, typer.Option(help="First frames of sequences: drop, or first: neutral faces.")] = "drop",
    detector: Annotated[str, typer.Option(help="mtcnn, dlib or whole.")] = "mtcnn",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    undetected: Annotated[str, typer.Option(help="Cropped training pictures without a face: drop or keep.")] = "drop",
    filter_eval: Annotated[bool, typer.Option(help="Filter validation and test like training.")] = False,
    recrop: Annotated[bool, typer.Option(help="Cut published crops anew, from the face found in them.")] = False,
    allow: Annotated[str, typer.Option(help="Of several faces: one (reject), largest or most_central.")] = "largest",
    min_size: Annotated[float | None, typer.Option(help="Least shorter side of a face in pixels.")] = None,
    min_score: Annotated[float | None, typer.Option(help="Least score of the detector.")] = None,
    max_roll: Annotated[float | None, typer.Option(help="Most degrees a face is tilted.")] = None,
    max_yaw: Annotated[float | None, typer.Option(help="Most degrees a face is turned.")] = None,
    min_sharpness: Annotated[float | None, typer.Option(help="Least sharpness of a face.")] = None,
    min_contrast: Annotated[float | None, typer.Option(help="Least contrast of a face.")] = None,
    size: Annotated[int, typer.Option(help="Crops: pixels a side.")] = 48,
    margin: Annotated[float, typer.Option(help="Crops: margin on each side, as a share of the face.")] = 0.125,
    align: Annotated[bool, typer.Option(help="Crops: turn until the eyes are level.")] = False,
    colour: Annotated[bool, typer.Option(help="Crops: keep colours.")] = False,
    leaks: Annotated[str, typer.Option(help="Training copies of test pictures: drop, near, report, keep.")] = "drop",
    near: Annotated[float, typer.Option(help="Least correlation of near copies.")] = 0.97,
    split: Annotated[str, typer.Option(help="Without official splits: auto or subject (by person), none.")] = "auto",
    shares: Annotated[str, typer.Option(help="Of people: train,validation,test.")] = "0.8,0.1,0.1",
    dev: Annotated[int, typer.Option(help="Pictures to hold out of train, for choosing anything.")] = 0,
    folds: Annotated[int, typer.Option(help="Number the training pictures' folds, people whole.")] = 0,
    seed: Annotated[int, typer.Option(help="Of every draw by lot.")] = 0,
) -> None:
    """Merge data sets into one clean data set on disk, with a report of everything kept and dropped.

    Stopped and run again, it goes on where it was. Exit status: 0 everything was read, 3 some could not be,
    1 nothing was usable or the call was mistaken.
    """
    if verify is not None:
        _verify(verify)
        return
    given = {"fer2013": fer2013, "ckplus": ckplus, "jaffe": jaffe, "folder": folder}
    inputs = {name: str(path) for name, path in given.items() if path is not None}
    beside = {name: str(path) for name, path in {"ferplus": ferplus, "relabel": relabel}.items() if path is not None}
    if stored is not None:
        _check_alone(context)
        options = _stored_options(stored, inputs, beside)
    else:
        options = BuildOptions(
            inputs=inputs,
            ferplus=beside.get("ferplus"),
            relabel=beside.get("relabel"),
            drop_no_face_votes=drop_no_face_votes,
            classes=classes,
            contempt=contempt,
            onset=onset,
            neutral=cast("Neutral", neutral),
            detector=detector,
            device=open_detector(detector, device).device,
            undetected=cast("Undetected", undetected),
            filter_eval=filter_eval,
            recrop=recrop,
            rules=FilterRules(
                min_size=min_size,
                min_score=min_score,
                max_roll=max_roll,
                max_yaw=max_yaw,
                min_sharpness=min_sharpness,
                min_contrast=min_contrast,
                allow=cast("Allowed", allow),
            ),
            crop=CropSpec(size=size, margin=margin, align=align, grey=not colour),
            leaks=cast("Leaks", leaks),
            near=near,
            split=cast("SplitBy", split),
            shares=_parsed_shares(shares),
            dev=dev,
            folds=folds,
            seed=seed,
        )
    prepared = prepare(options)
    if dry_run:
        show_plan(prepared)
        return
    if out is None:
        raise ValueError("where should the data set go? name a folder with --out")
    built = _built(prepared, out, workers, overwrite)
    show_result(built)
    if imagefolder is not None:
        typer.echo(f"{write_imagefolder(built.store, imagefolder):,} pictures in {imagefolder}")
    if stored is not None:
        _compare(built.store, stored)
    if built.broken:
        raise typer.Exit(SOME_UNREADABLE)


def _built(prepared: Prepared, out: Path, workers: int | None, overwrite: bool) -> Built:
    from emonet.datasets.builder import build_dataset

    for warning in prepared.warnings():
        typer.echo(f"emonet: {warning}", err=True)
    typer.echo(f"{prepared.options.detector} on {prepared.options.device}", err=True)
    try:
        return build_dataset(prepared, out, workers=workers, overwrite=overwrite, progress=progress_bars)
    except KeyboardInterrupt:
        typer.echo("emonet: stopped; run the same command again to go on", err=True)
        raise typer.Exit(STOPPED) from None


def _parsed_shares(text: str) -> dict[str, float]:
    names = ("train", "validation", "test")
    try:
        return dict(zip(names, map(float, text.split(",")), strict=True))
    except ValueError as error:
        raise ValueError(f"shares must be three numbers, {','.join(names)}; got {text!r}") from error


def _check_alone(context: typer.Context) -> None:
    """A repeated build takes its options from its file: others beside it would be ignored in silence."""
    beside = {"stored", "out", "workers", "overwrite", "dry_run", "imagefolder", "ferplus", "relabel", *READERS}
    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    if others := sorted(set(given) - beside):
        raise ValueError(f"--from takes every option from its file; leave out {', '.join(others)}")


def _stored_options(path: Path, inputs: dict[str, str], beside: dict[str, str]) -> BuildOptions:
    """The options of a dataset.json, with other paths where the data have moved; the data must be the same."""
    info = read_description(path)
    options = BuildOptions.from_dict(info["options"])
    if added := sorted((set(inputs) | set(beside)) - set(info["inputs"])):
        raise ValueError(f"{path} was built without {', '.join(added)}")
    options = BuildOptions.from_dict(options.to_dict() | {"inputs": {**options.inputs, **inputs}} | beside)
    hashes = identify(options)["inputs"]
    changed = [name for name, digest in info["inputs"].items() if hashes[name] != digest]
    if changed:
        raise ValueError(f"{', '.join(changed)}: not the data that {path} was built from")
    return options


def _verify(path: Path) -> None:
    store = open_store(path)
    differences = store.differences()
    if differences:
        raise ValueError(f"{path} is not what it was: {'; '.join(differences)}")
    typer.echo(f"{path}: all {len(store.info['files'])} files have the bytes that they were written with")


def _compare(store: Store, stored: Path) -> None:
    """Says whether a repeated build came to the same bytes."""
    before = read_description(stored)
    changed = [name for name, digest in before["files"].items() if store.info["files"].get(name) != digest]
    if not changed:
        typer.echo(f"the same {len(before['files'])} files, byte for byte, as in {stored}")
        return
    versions = [
        f"{name} {old} -> {store.info['versions'].get(name)}"
        for name, old in before["versions"].items()
        if store.info["versions"].get(name) != old
    ]
    raise ValueError(f"not the same bytes: {', '.join(changed)}; versions: {', '.join(versions) or 'the same'}")
