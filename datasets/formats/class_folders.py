"""Pictures in folders named after expressions: people's own photos, and published data sets that lost their names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from emonet.datasets.formats.tree import Tree
from emonet.datasets.labels import emotion_named, split_named
from emonet.datasets.reader import Reader
from emonet.datasets.sample import Blob, DropReason, EncodedImage, Rejected, Sample
from emonet.labels import Emotion
from facecrop.images import IMAGE_SUFFIXES

SPLIT_FOLDERS = ("train", "training", "validation", "valid", "val", "test")  # `private` holds private photos here

# Names of published pictures (FER2013, FER+, CK+, JAFFE): where they stand, nothing has been renamed.
PUBLISHED_NAME = re.compile(
    r"(Training|PublicTest|PrivateTest)_\d|fer\d{7}|S\d+_\d+_\d+|[A-Z]{2}[.\-_][A-Z]{2}\d[.\-_]\d", re.IGNORECASE
)

COPIES = (".tif", ".tiff", ".png", ".bmp", ".jpg", ".jpeg")  # the earlier, the nearer to what was published


@dataclass(frozen=True, slots=True)
class Photo:
    """A file and what the folders above it say: an expression, or why they say none, and a split."""

    name: str
    blob: Blob
    emotion: Emotion | None
    trouble: str
    split: str | None


def photos_in_folders(tree: Tree) -> list[Photo]:
    """The files in folders named after expressions, and those that ought to lie in one; none without such folders.

    Beside and above the class folders only pictures count: what else lies there is about the data.
    """
    places = [(PurePosixPath(name), blob) for name, blob in tree.members.items()]
    folders = {folder for place, _ in places for folder in place.parents}
    classes = {folder for folder in folders if emotion_named(folder.name)}
    above = {parent for folder in classes for parent in folder.parents} - classes
    return [
        _photo_at(place, blob)
        for place, blob in places
        if classes and (place.parent not in above or place.suffix.lower() in IMAGE_SUFFIXES)
    ]


def expressions_named(folders: tuple[str, ...]) -> dict[Emotion, str]:
    """The expressions that folders are named after, each with the uppermost folder that names it."""
    return {emotion: folder for folder in reversed(folders) if (emotion := emotion_named(folder))}


def _photo_at(place: PurePosixPath, blob: Blob) -> Photo:
    folders = place.parts[:-1]
    named = expressions_named(folders)
    if len(named) > 1:
        trouble = f"its folders {' and '.join(named.values())} are named after different expressions"
        return Photo(str(place), blob, None, trouble, None)
    for emotion, folder in named.items():
        return Photo(str(place), blob, emotion, "", _split_in(folders[: folders.index(folder)]))
    trouble = f"its folder {place.parent.name!r} is named after no expression" if folders else "it lies in no folder"
    return Photo(str(place), blob, None, trouble, _split_in(folders))


def _split_in(folders: tuple[str, ...]) -> str | None:
    return next((split_named(folder) for folder in reversed(folders) if folder.casefold() in SPLIT_FOLDERS), None)


def photo_entry(reader: Reader, photo: Photo) -> Sample | Rejected:
    if photo.emotion is None:
        return reader.reject(photo.name, DropReason.BAD_LABEL, photo.trouble, photo.split)
    key = f"{reader.name}/{photo.name}"
    return Sample(key, EncodedImage(photo.blob), photo.emotion, reader.name, split=photo.split)


def pictures_in_folders(tree: Tree) -> list[Photo]:
    """Those of `photos_in_folders` whose names say that they are pictures."""
    return [photo for photo in photos_in_folders(tree) if PurePosixPath(photo.name).suffix.lower() in IMAGE_SUFFIXES]


def renamed(photos: list[Photo]) -> bool:
    """Whether no picture has a name of a published data set."""
    return not any(PUBLISHED_NAME.match(PurePosixPath(photo.name).name) for photo in photos)


def best_copy_first(names: list[str]) -> list[str]:
    """Copies of one picture, the least changed first."""
    return sorted(names, key=lambda name: (COPIES.index(PurePosixPath(name).suffix.lower()), name))
