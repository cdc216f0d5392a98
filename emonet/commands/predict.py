"""`emonet predict`: the expressions in a folder of photos, or in one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from emonet.commands._console.predicted import Tally, in_words, show_score
from emonet.commands._console.progress import progress_bars
from emonet.commands._console.status import FAILED, SOME_UNREADABLE, STOPPED
from emonet.errors import MissingFileError, OptionError

if TYPE_CHECKING:
    from emonet.album import AlbumRun, Entry
    from emonet.prediction import EmotionPredictor
    from facecrop.filtering import Allowed

MODEL, FACES, WRITING, RUNNING = "Model", "Faces", "Writing", "Running"


def predict(
    photos: Annotated[Path, typer.Argument(metavar="PHOTOS", help="A folder of photos, or one photo.")],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", rich_help_panel=WRITING, help="Folder to write. (default: beside PHOTOS, NAME-emonet)"
        ),
    ] = None,
    annotate: Annotated[
        bool, typer.Option("--annotate", rich_help_panel=WRITING, help="Also copies with the faces drawn in.")
    ] = False,
    labels: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=WRITING, help="Score the answers by a CSV of path,label. (default: by folders' names)"
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", rich_help_panel=WRITING, help="A line of JSON a photo; files only with --out.")
    ] = False,
    model: Annotated[
        str,
        typer.Option(rich_help_panel=MODEL, help="emonet, emonet_fast, a model file; several with commas: averaged."),
    ] = "emonet",
    head: Annotated[
        str | None,
        typer.Option(rich_help_panel=MODEL, help="Head of the model that answers, or mean. (default: the model's)"),
    ] = None,
    prior: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=MODEL,
            help="How frequent each class is expected to be: training (as it was in training), even, or sqrt (between "
            "these). (default: the model's)",
        ),
    ] = None,
    tta: Annotated[
        str, typer.Option(rich_help_panel=MODEL, help="How a face is looked at: none, mirror or ten_crop.")
    ] = "mirror",
    detector: Annotated[
        str | None, typer.Option(rich_help_panel=FACES, help="mtcnn, dlib or whole. (default: the model's)")
    ] = None,
    min_face: Annotated[
        float | None, typer.Option(rich_help_panel=FACES, help="Least shorter side of a face in pixels.")
    ] = None,
    allow: Annotated[
        str, typer.Option(rich_help_panel=FACES, help="Which faces of a photo: all, one, largest or most_central.")
    ] = "all",
    device: Annotated[str, typer.Option(rich_help_panel=RUNNING, help="auto, cpu, mps, cuda or cuda:N.")] = "auto",
    batch: Annotated[
        int, typer.Option(rich_help_panel=RUNNING, help="Photos that are searched together at most.")
    ] = 64,
) -> None:
    """Name the expressions in photos: those that faces appear to have, which need not be felt.

    Stopped and run again, it goes on; photos that are new or have changed are done anew. Exit status: 0 all photos
    were read, 3 some were not, 1 none was or the call was mistaken.
    """
    from emonet.album import AlbumRun
    from emonet.prediction import EmotionPredictor
    from facecrop import FilterRules

    if not photos.exists():
        raise MissingFileError(f"no such photo or folder: {photos}")
    rules = FilterRules(min_size=min_face, allow=cast("Allowed", allow))
    predictor = EmotionPredictor(
        model.split(","), detector=detector, device=device, rules=rules, tta=tta, batch=batch, head=head, prior=prior
    )
    typer.echo(f"{model} and {predictor.detector.name} on {predictor.machine}", err=True)
    typer.echo("head {head}, prior {prior}".format(**predictor.answered_by), err=True)
    tally = Tally()
    try:
        if photos.is_dir() and (out is not None or not as_json):
            run = AlbumRun(photos, out or _beside(photos), predictor, annotate=annotate)
            _write(run, tally, as_json)
            _score(run, photos, labels, as_json)
        else:
            _refuse(out, annotate, labels)
            _stream(photos, predictor, tally, as_json)
    except KeyboardInterrupt:
        typer.echo("emonet: stopped; run the same command again to go on", err=True)
        raise typer.Exit(STOPPED) from None
    typer.echo(str(tally), err=as_json)
    if not tally.read:
        raise typer.Exit(FAILED)
    if tally.unreadable:
        raise typer.Exit(SOME_UNREADABLE)


def _beside(photos: Path) -> Path:
    folder = photos.resolve()
    return folder.with_name(f"{folder.name}-emonet")


def _write(run: AlbumRun, tally: Tally, as_json: bool) -> None:
    tally.others = run.others
    with progress_bars({"photos": len(run)}) as advance:

        def watch(entry: Entry, known: bool) -> None:
            tally.add(entry.result, known=known)
            advance("photos", 1)
            if as_json:
                typer.echo(json.dumps(entry.result.to_dict() | run.predictor.answered_by))

        album = run.run(watch)
    typer.echo(f"look at {album}", err=as_json)


def _score(run: AlbumRun, photos: Path, table: Path | None, as_json: bool) -> None:
    """By a list of labels, or by the folders' names where they name expressions."""
    from emonet.album import find_labels, read_labels, score_album
    from emonet.prediction.prediction import as_text

    if table is None:
        labels = find_labels(as_text(photo.name) for photo in run.photos)
    else:
        labels, rejected = read_labels(table, photos)
        for one in rejected:
            typer.echo(f"{table.name}: {one.detail}", err=True)
    if labels:
        show_score(score_album(run.entries(), labels, run.predictor.classes), run.album, err=as_json)


def _refuse(out: Path | None, annotate: bool, labels: Path | None) -> None:
    if out is not None or annotate or labels is not None:
        raise OptionError("nothing is written of one photo, nor with --json alone: give a folder of photos, and --out")


def _stream(photos: Path, predictor: EmotionPredictor, tally: Tally, as_json: bool) -> None:
    """Nothing is written, and nothing need be remembered."""
    from emonet.album import list_photos, read_photos

    found = list_photos(photos)
    tally.others = found.others
    for _, result in predictor.answer(read_photos(found.photos)):
        tally.add(result)
        typer.echo(json.dumps(result.to_dict() | predictor.answered_by) if as_json else "\n".join(in_words(result)))
