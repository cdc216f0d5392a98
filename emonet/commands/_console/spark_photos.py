"""`emonet predict --engine spark`: a table of Parquet files instead of an album."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from emonet.commands._console.endings import FAILED, SOME_UNREADABLE
from emonet.commands._console.engines import SparkPlace
from emonet.errors import OptionError
from emonet.html.formatting import count_of

if TYPE_CHECKING:
    from emonet.commands.predict import PredictOptions


def predict_on_spark(photos: Sequence[Path], out: Path | None, options: PredictOptions, spark: SparkPlace) -> None:
    """Predict a folder of photos into a folder of Parquet files, and say what came of it."""
    from emonet.album.on_spark import (
        as_place,
        check_table,
        count_files,
        find_root,
        pack_predictor,
        predict_frame,
        read_photo_files,
        write_table,
    )

    if len(photos) != 1:
        raise OptionError("Spark reads one folder of photos, on any file system that it knows: give one")
    if out is None:
        raise OptionError("where should the table go? name a folder with --out")
    if given := [f"--{name}" for name, asked in options.extras.items() if asked]:
        raise OptionError(f"{', '.join(given)}: an album's, and Spark writes a table")
    packed = pack_predictor(
        options.model,
        doubts=options.doubts,
        coverage=options.coverage,
        answer_all=options.answer_all,
        **options.arguments(),
    )
    folder = as_place(photos[0])
    with spark.open() as session:
        place = as_place(out)
        check_table(session, place, folder, overwrite=options.overwrite)
        files = read_photo_files(session, folder)
        counts = write_table(predict_frame(files, packed, find_root(folder)), place)
        passed = count_files(files) - counts.photos
    unread = f"{count_of(counts.unreadable, 'photo')} cannot be read"
    typer.echo(f"{count_of(counts.photos, 'photo')}, {count_of(counts.faces, 'face')}, {unread}")
    if passed:
        typer.echo(f"emonet: Spark passes over empty files: {count_of(passed, 'photo')} not in the table", err=True)
    typer.echo(f"written to {out}, as Parquet")
    if counts.photos == counts.unreadable:
        raise typer.Exit(FAILED)
    if counts.unreadable or passed:
        raise typer.Exit(SOME_UNREADABLE)
