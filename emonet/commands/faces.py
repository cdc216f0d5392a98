"""`emonet faces`: find the faces in photos; list, draw or crop them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from emonet.commands._console.arguments import ANY_FACE, FACES, RUNNING, DetectorName, FaceRules, PhotosArgument
from emonet.commands._console.endings import FAILED, SOME_UNREADABLE
from emonet.commands._console.face_files import FaceSearch, begin_output, check_output, find_shared
from emonet.commands._console.options import Given, with_options
from emonet.commands._console.places import expand_places, list_places
from emonet.commands._console.progress import progress_bars
from emonet.commands._console.tally import skipped_lines
from emonet.errors import ImageError
from emonet.html.formatting import count_of
from emonet.inference.backends import count_threads
from emonet.options import Group, Option, check_options
from facecrop import CropSpec, Face, Selection
from facecrop.detectors import DEFAULT
from facecrop.text import printable

if TYPE_CHECKING:
    from emonet.album import PhotoFile

CROPS = "Crops"  # a panel of --help
CROP = CropSpec(size=224)


@dataclass(frozen=True, slots=True)
class FacesOptions:
    """The options of `emonet faces`."""

    detector: DetectorName = DEFAULT
    device: Annotated[str, Option("Run on auto, cpu, cuda, or cuda:1 for one of several GPUs.", panel=RUNNING)] = "auto"
    detector_options: Annotated[
        Mapping[str, Any], Option("Set an option of the detector, such as min_face=40.", panel=FACES, flag="--option")
    ] = field(default_factory=dict)
    rules: FaceRules = ANY_FACE
    crop: Annotated[
        CropSpec,
        Group(
            size=Option("Side of the crops in pixels.", panel=CROPS),
            margin=Option("Margin of the crops on each side, as a share of the face's width.", panel=CROPS),
            align=Option("Turn the crops until the eyes are level.", panel=CROPS),
        ),
    ] = CROP

    def __post_init__(self) -> None:
        check_options(self)


@with_options(FacesOptions)
def faces(
    photos: PhotosArgument,
    *,
    crops: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the crops of the faces to this folder, as PHOTO-1.png."),
    ] = None,
    draw: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write copies with the faces drawn in to this folder.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON array, with one object for each photo.")
    ] = False,
    given: Given,
) -> None:
    """Find the faces in photos.

    Exit status: 0 all photos were read, 3 some were not, 1 none was or the call was mistaken.
    """
    from facecrop import open_detector
    from facecrop.side_by_side import map_photos

    options = given.choose(FacesOptions)
    given.end_if_printed(options)
    places = expand_places(photos)
    rules = replace(options.rules, detector=options.detector)
    shared = find_shared(places)
    outputs = [folder for folder in (crops, draw) if folder is not None]
    for folder in outputs:
        check_output(folder, places, shared)
    finder = open_detector(options.detector, options.device, **options.detector_options)
    typer.echo(f"{options.detector} on {finder.device}", err=True)
    found = list_places(places)
    for folder in outputs:
        begin_output(folder, shared)
    listing = JsonListing() if as_json else TableListing()
    search = FaceSearch(finder, rules, options.crop, crops, draw, shared)
    files = ((one, one.failure or one.path) for one in found.photos)
    with listing, progress_bars({"photos": len(found.photos)}) as advance:
        for photo, outcome in map_photos(files, search, threads=count_threads()):
            listing.add(photo, outcome)
            advance("photos", 1)
    for line in skipped_lines(found.others, found.albums):
        typer.echo(line, err=as_json)
    if listing.read == 0:
        raise typer.Exit(FAILED)
    if listing.unreadable:
        raise typer.Exit(SOME_UNREADABLE)


class Listing:
    """Counts the photos that could be read and those that could not; its subclasses print them."""

    def __init__(self) -> None:
        self.read = self.unreadable = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, photo: PhotoFile, outcome: Selection | ImageError) -> None:
        if isinstance(outcome, ImageError):
            self.unreadable += 1
            self.show(photo, Selection((), ()), outcome.reason)
        else:
            self.read += 1
            self.show(photo, outcome, None)

    def show(self, photo: PhotoFile, selection: Selection, error: str | None) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class JsonListing(Listing):
    """Prints a JSON array, an object a line, while the photos are read."""

    def __init__(self) -> None:
        super().__init__()
        self._opening = "["

    def show(self, photo: PhotoFile, selection: Selection, error: str | None) -> None:
        entry: dict[str, Any] = {
            "photo": printable(photo.path),
            "faces": [face.to_dict() for face in selection.faces],
            "rejections": [rejection.to_dict() for rejection in selection.rejections],
            "error": error,
        }
        typer.echo(f"{self._opening}\n{json.dumps(entry)}", nl=False)
        self._opening = ","

    def close(self) -> None:
        typer.echo("[]" if self._opening == "[" else "\n]")


class TableListing(Listing):
    """Prints a table at the end: a row a face, photos by their names, and the sums below."""

    def __init__(self) -> None:
        super().__init__()
        from rich.table import Column, Table

        name = Column("photo", overflow="fold", min_width=16)
        note = Column("why not", overflow="fold")  # a least width would be cut off at the right, where there is less
        self._table = Table(name, "face", "score", "size", "roll", note, box=None)
        self._faces = 0

    def show(self, photo: PhotoFile, selection: Selection, error: str | None) -> None:
        from rich.text import Text

        name = Text(printable(photo.name))  # as it is: brackets in a name are no markup
        if error:
            self._table.add_row(name, "", "", "", "", Text(f"cannot be read: {error}"))
        for face in selection.faces:
            self._table.add_row(name, *_columns(face), "")
        for rejection in selection.rejections:
            self._table.add_row(name, *_columns(rejection.face), Text(rejection.detail))
        self._faces += len(selection.faces)

    def close(self) -> None:
        from rich.console import Console

        console = Console()
        console.print(self._table)
        console.print(
            f"{count_of(self._faces, 'face')} in {count_of(self.read, 'photo')}; {self.unreadable:,} could not be read"
        )


def _columns(face: Face | None) -> tuple[str, str, str, str]:
    if face is None:
        return "", "", "", ""
    box = " ".join(f"{value:.0f}" for value in face.box)
    return box, f"{face.score:.3f}", f"{face.size:.0f} px", "" if face.roll is None else f"{face.roll:+.0f}°"
