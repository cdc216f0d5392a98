"""`emonet faces`: finds the faces in a photo or in a folder of photos, and shows, draws or cuts them out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from emonet.commands._console.counts import passed_over
from emonet.commands._console.listing import JsonListing, TableListing
from emonet.commands._console.progress import progress_bars
from emonet.commands._console.status import FAILED, SOME_UNREADABLE
from emonet.errors import MissingFileError, OptionError

if TYPE_CHECKING:
    from facecrop import CropSpec, FilterRules, ImageError, Selection
    from facecrop.filtering import Allowed
    from facecrop.scanning import ScannedPhoto


def faces(
    source: Annotated[Path, typer.Argument(metavar="PHOTO_OR_FOLDER", help="A photo, or a folder of photos.")],
    detector: Annotated[str, typer.Option(help="mtcnn, dlib or whole.")] = "mtcnn",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    option: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="An option of the detector.")] = None,
    allow: Annotated[str, typer.Option(help="Which faces of a photo: all, one, largest or most_central.")] = "all",
    min_size: Annotated[float | None, typer.Option(help="Least shorter side of a face in pixels.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON array, one object for each photo.")] = False,
    crops: Annotated[Path | None, typer.Option(metavar="DIR", help="Cut the faces out into this folder.")] = None,
    draw: Annotated[Path | None, typer.Option(metavar="DIR", help="Draw the faces into copies in this folder.")] = None,
    size: Annotated[int, typer.Option(help="Crops: pixels a side.")] = 224,
    margin: Annotated[float, typer.Option(help="Crops: margin on each side, as a share of the face's width.")] = 0.125,
    align: Annotated[bool, typer.Option("--align", help="Crops: turn until the eyes are level.")] = False,
) -> None:
    """Find the faces in photos.

    Exit status: 0 all photos were read, 3 some were not, 1 none was or the call was mistaken.
    """
    from emonet.album import list_photos
    from facecrop import CropSpec, FilterRules, open_detector
    from facecrop.scanning import read_ahead, scan_photos

    if not source.exists():
        raise MissingFileError(f"no such photo or folder: {source}")
    rules = FilterRules(min_size=min_size, allow=cast("Allowed", allow), detector=detector)
    spec = CropSpec(size=size, margin=margin, align=align)
    for folder in (crops, draw):
        _check_outside(source, folder)
    finder = open_detector(detector, device, **_parsed(option or []))
    typer.echo(f"{detector} on {finder.device}", err=True)
    found = list_photos(source)
    listing = JsonListing() if as_json else TableListing(source)
    with listing, progress_bars({"photos": len(found.photos)}) as advance:
        for photo in scan_photos(read_ahead((one.path, one.failure or one.path) for one in found.photos), finder):
            listing.add(photo.name, _handled(photo, rules, spec, source, crops, draw))
            advance("photos", 1)
    for line in passed_over(found.others):
        typer.echo(line, err=as_json)
    if listing.read == 0:
        raise typer.Exit(FAILED)
    if listing.unreadable:
        raise typer.Exit(SOME_UNREADABLE)


def _check_outside(source: Path, folder: Path | None) -> None:
    if folder is None:
        return
    target, read = folder.resolve(), source.resolve()
    if target.is_relative_to(read) if read.is_dir() else target == read.parent:
        raise OptionError(f"{folder} is where the photos are read from; nothing is written next to your photos")


def _parsed(options: list[str]) -> dict[str, Any]:
    """NAME=VALUE pairs; values are read as JSON, so numbers are numbers and [0.6,0.7,0.7] is a list."""
    parsed = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not equals:
            raise OptionError(f"--option takes NAME=VALUE, got {option!r}")
        try:
            parsed[name] = json.loads(value)
        except json.JSONDecodeError:
            parsed[name] = value
    return parsed


def _handled(
    photo: ScannedPhoto[Path], rules: FilterRules, spec: CropSpec, source: Path, crops: Path | None, draw: Path | None
) -> Selection | ImageError:
    """Chooses among a photo's faces, and writes what was asked for."""
    import PIL.Image

    from facecrop import ImageError, choose_faces, crop_face
    from facecrop.drawing import draw_faces
    from facecrop.images import encode_jpeg

    image = photo.image
    if isinstance(image, ImageError):
        return image
    selection = choose_faces(image, photo.faces, rules)
    place = photo.name.relative_to(source) if source.is_dir() else Path(photo.name.name)
    if crops is not None:
        for index, face in enumerate(selection.faces):
            cut = PIL.Image.fromarray(crop_face(image, face, spec))
            cut.save(_made(crops / place.with_name(f"{place.name}-{index}.png")))
    if draw is not None:
        rejected = [rejection.face for rejection in selection.rejections if rejection.face]
        drawn = encode_jpeg(draw_faces(image, selection.faces, rejected))
        _made(draw / place.with_name(f"{place.name}.jpg")).write_bytes(drawn)
    return selection


def _made(path: Path) -> Path:
    """The path, in a folder that is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
