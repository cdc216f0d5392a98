"""`emonet predict`: name the expressions in a folder of photos, or in one photo."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emonet.commands._console.arguments import (
    AS_MEASURED,
    FACES,
    RUNNING,
    UNSURE,
    Doubts,
    PhotosArgument,
)
from emonet.commands._console.endings import FAILED, SOME_UNREADABLE, say_how_to_resume
from emonet.commands._console.engines import EngineName, Master, Settings, choose_spark
from emonet.commands._console.options import Given, with_options
from emonet.commands._console.places import expand_places, list_places
from emonet.commands._console.predictors import PredictorOptions, open_predictor
from emonet.commands._console.progress import progress_bars
from emonet.commands._console.scoring import label_lines, show_score
from emonet.commands._console.spark_photos import predict_on_spark
from emonet.commands._console.tally import Tally
from emonet.errors import OptionError
from emonet.options import Option, check_options
from emonet.prediction.doubts import choose_doubts

if TYPE_CHECKING:
    from emonet.album import AlbumRun, Entry, FaceLabel, PhotoFile
    from emonet.album.copies import PhotoWriter
    from emonet.labels import Emotion
    from emonet.prediction import EmotionPredictor, PhotoResult

WRITING = "Writing"  # a panel of --help


@dataclass(frozen=True, slots=True)
class PredictOptions(PredictorOptions):
    """The options of `emonet predict`."""

    annotate: Annotated[bool, Option("Also write copies of the photos with the faces drawn in.", panel=WRITING)] = False
    excel: Annotated[bool, Option("Begin predictions.csv with the mark by which Excel knows UTF-8.", panel=WRITING)] = (
        False
    )
    overwrite: Annotated[
        bool,
        Option(
            "Write into a folder that holds other things; files that have the names of the album's are replaced.",
            panel=WRITING,
        ),
    ] = False
    turns: Annotated[bool, Option("Look at photos that show no sure face also turned by quarters.", panel=FACES)] = True
    doubts: Doubts = AS_MEASURED
    coverage: Annotated[
        float | None,
        Option(
            "Answer for about this share of faces such as those that the model was measured on, the surest ones.",
            0,
            1,
            panel=UNSURE,
        ),
    ] = None
    answer_all: Annotated[bool, Option("Answer for every face, however doubtful it is.", panel=UNSURE)] = False
    batch: Annotated[int, Option("Largest number of photos that are searched together.", 1, panel=RUNNING)] = 64
    previews: Annotated[
        bool,
        Option(
            "Also write copies of 1,280 pixels, which the album enlarges where there is no original.", panel=WRITING
        ),
    ] = False

    def __post_init__(self) -> None:
        check_options(self)
        if self.coverage is not None and (self.answer_all or self.doubts.least_confidence is not None):
            raise OptionError("--coverage decides the least confidence: leave out --least-confidence and --answer-all")
        if self.answer_all and (given := [name for name, rule in self.doubts.to_dict().items() if rule is not None]):
            raise OptionError(f"`answer_all` answers for every face: leave out {', '.join(f'`{n}`' for n in given)}")

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of EmotionPredictor, but for the models."""
        return PredictorOptions.arguments(self) | {"batch": self.batch, "turns": self.turns}

    @property
    def extras(self) -> dict[str, bool]:
        """What an album has only if it is asked for."""
        return {"annotate": self.annotate, "previews": self.previews, "excel": self.excel}


@with_options(PredictOptions)
def predict(
    photos: PhotosArgument,
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            rich_help_panel=WRITING,
            help="Folder to write to. (default: for a folder, beside it, NAME-emonet; for photos, none)",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=WRITING,
            help="Score the predictions by this CSV of path,label. (default: by folders named after expressions)",
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", rich_help_panel=WRITING, help="Print a line of JSON for each photo; write files only with --out."
        ),
    ] = False,
    engine: EngineName = "local",
    master: Master = None,
    settings: Settings = None,
    given: Given,
) -> None:
    """Name the expressions in photos: those that faces appear to have, which need not be felt.

    Stopped and run again, it goes on; photos that are new or have changed are done anew. Exit status: 0 all photos
    were read, 3 some were not, 1 none was or the call was mistaken.
    """
    options = given.choose(PredictOptions)
    given.end_if_printed(options)
    if spark := choose_spark("predict", engine, master, settings, labels=labels, json=as_json or None):
        predict_on_spark(photos, out, options, spark)
        return
    places = expand_places(photos)
    folder = places[0] if len(places) == 1 and places[0].is_dir() and (out is not None or not as_json) else None
    if folder is None:
        _refuse_writing(out, options, labels)
    predictor = open_predictor(options)
    predictor.doubts = choose_doubts(predictor, options.doubts, options.coverage, answer_all=options.answer_all)
    typer.echo("head {head}, prior {prior}".format(**predictor.answered_by), err=True)
    tally = Tally(names_unreadable=folder is not None)
    if folder is None:
        _stream(places, predictor, tally, as_json, _open_writer(out, predictor, options))
    else:
        from emonet.album import AlbumRun

        with say_how_to_resume():
            run = AlbumRun(folder, out or _beside(folder), predictor, overwrite=options.overwrite, **options.extras)
            known = _find_labels(run, folder, labels, as_json)
            _write(run, tally, as_json)
            _score(run, known, as_json)
    typer.echo(str(tally), err=as_json)
    if not tally.read:
        if not tally.unreadable:
            typer.echo(f"emonet: no photo in {', '.join(map(str, places))}; links are not followed", err=True)
        raise typer.Exit(FAILED)
    if tally.unreadable:
        raise typer.Exit(SOME_UNREADABLE)


def _beside(photos: Path) -> Path:
    folder = photos.resolve()
    if not folder.name:
        raise OptionError(f"nothing can be written beside {folder}: give a folder to write to with -o")
    return folder.with_name(f"{folder.name}-emonet")


def _write(run: AlbumRun, tally: Tally, as_json: bool) -> None:
    from emonet.album.tables import writes_parquet
    from facecrop.text import printable

    tally.others, tally.albums = run.others, run.albums
    with progress_bars({"photos": len(run)}) as advance:

        def watch(entry: Entry, known: bool) -> None:
            tally.add(entry.result, known=known)
            advance("photos", 1)
            if as_json:
                typer.echo(json.dumps(entry.result.to_dict() | run.predictor.answered_by))

        album = run.run(watch)
    if not writes_parquet():
        typer.echo('predictions.csv only; Parquet too: pip install "emonet[tables]"', err=True)
    typer.echo(f"look at {printable(album)}", err=as_json)


def _find_labels(
    run: AlbumRun, photos: Path, table: Path | None, as_json: bool
) -> Mapping[str, Emotion | Sequence[FaceLabel]]:
    """Find labels in a table, or in the folders' names where they name expressions."""
    from emonet.album import find_labels, match_labels
    from facecrop.text import as_text

    names = [as_text(photo.name) for photo in run.photos]
    if table is None:
        return find_labels(names)
    found = match_labels(table, photos, names)
    for line in label_lines(table, found):
        typer.echo(line, err=as_json)
    return {} if found.is_corrections else found.labels


def _score(run: AlbumRun, labels: Mapping[str, Emotion | Sequence[FaceLabel]], as_json: bool) -> None:
    from emonet.album import score_album

    if labels:
        show_score(run, score_album(run.entries(), labels, run.predictor.classes), err=as_json)


def _refuse_writing(out: Path | None, options: PredictOptions, labels: Path | None) -> None:
    if labels is not None:
        raise OptionError("--labels scores the photos of one folder: give a folder, and --out if there is --json")
    if options.previews:
        raise OptionError("--previews are copies for an album: give a folder of photos")
    if options.overwrite:
        raise OptionError("--overwrite is for albums: give a folder of photos, and --out if there is --json")
    if options.excel and out is None:
        raise OptionError("--excel is for the table that is written: give --out FOLDER")
    if options.annotate and out is None:
        raise OptionError("--annotate writes copies, and nothing is written next to your photos: give --out FOLDER")


def _open_writer(out: Path | None, predictor: EmotionPredictor, options: PredictOptions) -> PhotoWriter | None:
    if out is None:
        return None
    from emonet.album.copies import PhotoWriter

    return PhotoWriter(out, predictor, annotate=options.annotate, excel=options.excel)


def _answer_each(
    photos: Iterable[PhotoFile], predictor: EmotionPredictor, writer: PhotoWriter | None
) -> Iterator[PhotoResult]:
    from emonet.album.photos import list_sources
    from emonet.prediction.many import answer_photos

    if writer is not None:
        return writer.answer(photos)
    return answer_photos(predictor, list_sources(photos), lambda answer: answer.result)


def _stream(
    places: Sequence[Path], predictor: EmotionPredictor, tally: Tally, as_json: bool, writer: PhotoWriter | None
) -> None:
    """Print predictions as they come; only the writer writes."""
    found = list_places(places)
    tally.others, tally.albums = found.others, found.albums
    for result in _answer_each(found.photos, predictor, writer):
        tally.add(result)
        typer.echo(
            json.dumps(result.to_dict() | predictor.answered_by) if as_json else "\n".join(_result_lines(result))
        )
    if writer is not None:
        writer.finish()
        typer.echo(f"written to {writer.folder}", err=True)


def _result_lines(result: PhotoResult) -> Iterator[str]:
    """Yield a line for each face, and for each reason why there is none."""
    from facecrop.text import printable

    name = printable(str(result.source))
    for prediction in result.predictions:
        box = " ".join(f"{value:.0f}" for value in prediction.box)
        doubt = f"unsure ({prediction.unsure}), " if prediction.unsure else ""
        yield f"{name}: {doubt}{prediction.emotion} {prediction.confidence:.0%} at {box}"
    for rejection in result.rejections:
        yield f"{name}: {rejection.detail}"
    if result.error is not None:
        yield f"{name}: cannot be read: {result.error.reason}"
