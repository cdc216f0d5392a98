"""`emonet export-images`: write a data set as folders of PNG files, with metadata.csv."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from emonet.commands._console.arguments import StorePath
from emonet.commands._console.options import Given, with_options
from emonet.options import Option, check_options


@dataclass(frozen=True, slots=True)
class ExportImagesOptions:
    """The options of `emonet export-images`."""

    splits: Annotated[tuple[str, ...], Option("Write these splits.", default="all")] = ()
    sources: Annotated[tuple[str, ...], Option("Write images of these data sets.", default="all")] = ()

    def __post_init__(self) -> None:
        check_options(self)


@with_options(ExportImagesOptions)
def export_images(
    store: StorePath,
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to; it must be new or empty.")],
    given: Given,
) -> None:
    """Write a data set as folders of PNG files: OUT/SPLIT/CLASS/*.png.

    OUT/metadata.csv has a row for each image with all that the data set knows about it, and OUT/classes.txt has the
    classes in the order of the labels. Programs that read folders of classes take OUT/SPLIT, and Hugging Face's
    load_dataset takes OUT.
    """
    from emonet.datasets import open_store
    from emonet.datasets.store.imagefolder import write_imagefolder

    options = given.choose(ExportImagesOptions)
    given.end_if_printed(options)
    count = write_imagefolder(open_store(store), out, splits=options.splits, sources=options.sources)
    typer.echo(f"{count:,} images in {out}")
