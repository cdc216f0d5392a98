"""`emonet video`: name the expressions in a film or before a camera, over time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emonet.commands._console.endings import SOME_UNREADABLE, STOPPED, say_how_to_resume
from emonet.commands._console.options import Given, with_options
from emonet.commands._console.predictors import PredictorOptions, ViewName, open_predictor
from emonet.commands._console.progress import progress_bars
from emonet.errors import MissingFileError, OptionError, VideoError
from emonet.html.formatting import count_of
from emonet.options import Option, check_options
from emonet.video.options import VideoOptions

if TYPE_CHECKING:
    from emonet.prediction import EmotionPredictor
    from emonet.video import FrameResult, VideoRun, VideoSummary

WRITING = "Writing"  # a panel of --help


@dataclass(frozen=True, slots=True)
class VideoCommandOptions(PredictorOptions):
    """The options of `emonet video`, beside those of `VideoOptions`."""

    annotate: Annotated[bool, Option("Also write a film with the faces drawn in.", panel=WRITING)] = False
    tta: ViewName = "none"

    def __post_init__(self) -> None:
        check_options(self)
        if self.detector == "whole":
            raise OptionError("the detector 'whole' takes each frame for a face, and nothing could be followed")


@with_options(VideoCommandOptions, VideoOptions)
def video(
    source: Annotated[str, typer.Argument(metavar="FILM", help="A film, or the number of a camera: 0, 1, ...")],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", rich_help_panel=WRITING, help="Folder to write to. (default: beside FILM, NAME-emonet)"
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", rich_help_panel=WRITING, help="Print a line of JSON for each frame; write files only with --out."
        ),
    ] = False,
    given: Given,
) -> None:
    """Name the expressions in a film over time: those that faces appear to have, which need not be felt.

    Faces are followed from frame to frame, and nobody is recognised. Stopped and run again, it goes on. Before a
    camera it prints a line a second until Ctrl-C. Exit status: 0 the film was read, 3 not to its end, 1 not at all or
    the call was mistaken.
    """
    from emonet.video import VideoRun

    options, how = given.choose(VideoCommandOptions), given.choose(VideoOptions)
    given.end_if_printed(options, how)
    film = _parse_source(source)
    if isinstance(film, Path) and not film.exists():
        raise MissingFileError(f"no such film: {film}")
    predictor = open_predictor(options)
    if as_json and out is None:
        if options.annotate:
            raise OptionError("--annotate writes a film: give --out")
        _stream(film, predictor, how)
        return
    run = VideoRun(film, out or _beside(film), predictor, how, annotate=options.annotate)
    with say_how_to_resume():  # for a second Ctrl-C, while files are written
        summary = _print_lines(run, as_json) if as_json or run.film.live else _show_bar(run)
    _end(summary, live=run.film.live, err=as_json)


def _parse_source(source: str) -> Path | int:
    """Take a number for a camera, unless it is the name of a file."""
    return int(source) if source.isdecimal() and not Path(source).exists() else Path(source)


def _beside(film: Path | int) -> Path:
    if isinstance(film, int):
        return Path(f"camera-{film}-emonet")
    return film.resolve().with_name(f"{film.stem}-emonet")


def _stream(film: Path | int, predictor: EmotionPredictor, how: VideoOptions) -> None:
    """Print results as they come; nothing is written."""
    from dataclasses import asdict

    from emonet.video import predict_video

    read = 0
    try:
        for result in predict_video(film, predictor, **asdict(how)):
            typer.echo(json.dumps(result.to_dict()))
            read += 1
    except VideoError as error:
        if not read:
            raise
        typer.echo(f"emonet: {error}", err=True)
        raise typer.Exit(SOME_UNREADABLE) from error


def _show_bar(run: VideoRun) -> VideoSummary:
    done = 0
    with progress_bars({"frames": run.film.frames or 0}) as advance:

        def watch(result: FrameResult) -> None:
            nonlocal done
            advance("frames", result.index + 1 - done)
            done = result.index + 1

        return run.run(watch)


def _print_lines(run: VideoRun, as_json: bool) -> VideoSummary:
    if as_json:
        return run.run(lambda result: typer.echo(json.dumps(result.to_dict())))
    typer.echo(f"{run.film.name}: Ctrl-C ends the recording", err=True)
    return run.run(_make_ticker(typer.echo))


def _make_ticker(tell: Callable[[str], object]) -> Callable[[FrameResult], None]:
    """Return what tells of a camera's faces once a second."""
    from emonet.video.timeline import format_time

    second, frames = 0, 0

    def tick(result: FrameResult) -> None:
        nonlocal second, frames
        frames += 1
        if result.time_s < second:
            return
        faces = ", ".join(f"track {one.track} {one.emotion} {one.confidence:.0%}" for one in result.predictions)
        tell(f"{format_time(result.time_s)}  {faces or 'no face'}  ({frames} frames)")
        second, frames = int(result.time_s) + 1, 0

    return tick


def _end(summary: VideoSummary, *, live: bool, err: bool) -> None:
    """Say what was written and how the run ended."""
    from emonet.video.timeline import format_time

    tracks = len({segment.track for segment in summary.segments})
    before = f", {summary.known:,} of them done before" if summary.known else ""
    typer.echo(
        f"{count_of(summary.frames, 'frame')}{before}, up to {format_time(summary.length_s)}; "
        f"{count_of(tracks, 'track')}, {count_of(len(summary.segments), 'segment')}",
        err=err,
    )
    typer.echo(f"look at {summary.page}", err=err)
    if summary.stopped and not live:
        typer.echo("emonet: stopped; what was read is written. Run the same command again to go on", err=True)
        raise typer.Exit(STOPPED)
    if summary.fault is not None:
        typer.echo(f"emonet: {summary.fault}", err=True)
        raise typer.Exit(SOME_UNREADABLE)
