"""Images in folders named after expressions: the user's own photos, and published data whose files were renamed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from emonet.datasets.formats.tree import Tree
from emonet.datasets.labels import find_emotion, find_split, is_code
from emonet.datasets.reader import Reader
from emonet.datasets.sample import Blob, DropReason, EncodedImage, Rejected, Sample
from emonet.labels import Emotion
from facecrop.images import IMAGE_SUFFIXES

SPLIT_FOLDERS = ("train", "training", "validation", "valid", "val", "test")  # not `private`: it holds private photos

# File names of published images: FER2013, FER+, CK+ and JAFFE; RAF-DB, KDEF, RaFD and SFEW.
PUBLISHED_NAME = re.compile(
    r"(Training|PublicTest|PrivateTest)_\d|fer\d{7}|S\d+_\d+_\d+|[A-Z]{2}[.\-_][A-Z]{2}\d[.\-_]\d|"
    r"(train|test)_\d{4,5}(_aligned)?\.|[AB][FM]\d\d(AF|AN|DI|HA|NE|SA|SU)|Rafd\d{3}_\d\d_|.+_\d{9}_\d{8}\.",
    re.IGNORECASE,
)

PUBLISHED_PLACE = re.compile(r"(^|/)P\d{3}/[^/]+/\d{3}\.[^/]+$")  # Oulu-CASIA's files are known by their folders

COPIES = (".tif", ".tiff", ".png", ".bmp", ".jpg", ".jpeg")  # the nearest to what was published first


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """A file with the expression and the split that the folders above it name; `trouble` says why there is none."""

    name: str
    blob: Blob
    emotion: Emotion | None
    trouble: str
    split: str | None


def find_labelled_files(tree: Tree) -> list[LabelledFile]:
    """List the files in folders named after expressions, and the images beside such folders, which have no label.

    The list is empty if no folder is named after an expression.
    """
    places = [(PurePosixPath(name), blob) for name, blob in tree.members.items()]
    folders = {folder for place, _ in places for folder in place.parents}
    classes = {folder for folder in folders if find_emotion(folder.name)}
    above = {parent for folder in classes for parent in folder.parents} - classes
    return [
        _label_file(place, blob)
        for place, blob in places
        if classes and (place.parent not in above or place.suffix.lower() in IMAGE_SUFFIXES)
    ]


def find_expressions(folders: tuple[str, ...]) -> dict[Emotion, str]:
    """Find the expressions that folders are named after, each with the uppermost folder that names it.

    A folder `AN` is named after anger only where no folder has a word for a name: below `sad` it is a person.
    """
    words = tuple(folder for folder in folders if not is_code(folder))
    return _name_expressions(words) or _name_expressions(folders)


def _name_expressions(folders: tuple[str, ...]) -> dict[Emotion, str]:
    return {emotion: folder for folder in reversed(folders) if (emotion := find_emotion(folder))}


def _label_file(place: PurePosixPath, blob: Blob) -> LabelledFile:
    folders = place.parts[:-1]
    named = find_expressions(folders)
    if len(named) > 1:
        trouble = f"its folders {' and '.join(named.values())} are named after different expressions"
        return LabelledFile(str(place), blob, None, trouble, None)
    for emotion, folder in named.items():
        return LabelledFile(str(place), blob, emotion, "", _find_folder_split(folders[: folders.index(folder)]))
    trouble = f"its folder {place.parent.name!r} is named after no expression" if folders else "it lies in no folder"
    return LabelledFile(str(place), blob, None, trouble, _find_folder_split(folders))


def _find_folder_split(folders: tuple[str, ...]) -> str | None:
    return next((find_split(folder) for folder in reversed(folders) if folder.casefold() in SPLIT_FOLDERS), None)


def list_passed_splits(files: Iterable[LabelledFile]) -> list[str]:
    """List the folders that are named after a split and name none: those below an expression, and `dev`."""
    found = set()
    for file in files:
        folders = PurePosixPath(file.name).parts[:-1]
        classes = [folders.index(folder) for folder in find_expressions(folders).values()]
        for place, folder in enumerate(folders):
            is_below = bool(classes) and place > classes[0]
            if folder.casefold() == "dev" or (is_below and folder.casefold() in SPLIT_FOLDERS):
                found.add("/".join(folders[: place + 1]))
    return sorted(found)


def make_entry(reader: Reader, file: LabelledFile) -> Sample | Rejected:
    """Make a sample of a file, or a record of why it has no label."""
    if file.emotion is None:
        return reader.reject(file.name, DropReason.BAD_LABEL, file.trouble, file.split)
    key = f"{reader.name}/{file.name}"
    return Sample(key, EncodedImage(file.blob), file.emotion, reader.name, split=file.split)


def find_labelled_images(tree: Tree) -> list[LabelledFile]:
    """List those of `find_labelled_files` that have the suffix of an image file."""
    return [file for file in find_labelled_files(tree) if PurePosixPath(file.name).suffix.lower() in IMAGE_SUFFIXES]


def were_renamed(files: list[LabelledFile]) -> bool:
    """Tell whether there are files, and none has the name or the place of a published image."""
    return bool(files) and not any(map(_is_published, files))


def _is_published(file: LabelledFile) -> bool:
    known = PUBLISHED_NAME.match(PurePosixPath(file.name).name) or PUBLISHED_PLACE.search(file.name)
    return known is not None


def sort_copies(names: list[str]) -> list[str]:
    """Sort copies of one image, the least changed first."""
    return sorted(names, key=lambda name: (COPIES.index(PurePosixPath(name).suffix.lower()), name))
