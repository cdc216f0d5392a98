"""The user's own photos: in folders named after expressions, or listed in a CSV.

    photos/happy/anna.jpg                      folders in any of the words of labels.SYNONYMS, photos at any depth below
    photos/train/Sadness/summer/IMG_1.heic     train, validation (val, valid) or test above them tells the split
    photos.csv                                 path,label[,subject][,split] under one of the names in COLUMNS
                                               anna/1.jpg,happy,anna,train

Paths in a CSV are relative to it. What is no picture in a folder of photos is found out when it is opened, whatever
its name says. Published data sets that lost their names lie in the same way: their readers read them from here.
"""

from __future__ import annotations

import csv
import io
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar

from emonet.datasets.labels import emotion_named, split_named
from emonet.datasets.reader import Layout, Reader
from emonet.datasets.sample import Blob, DatasetError, DropReason, EncodedImage, Rejected, Sample
from emonet.datasets.tree import PICTURE_SUFFIXES, FileBlob, Tree
from emonet.labels import Emotion

COLUMNS = {
    "path": ("path", "filepath", "file", "filename", "image"),
    "label": ("label", "emotion", "expression", "facial_expression", "class"),
    "subject": ("subject", "person"),
    "split": ("split", "usage", "set"),
}

SPLIT_FOLDERS = ("train", "training", "validation", "valid", "val", "test")  # `private` holds private photos here

# Names of published pictures (FER2013, FER+, CK+, JAFFE): where they stand, nothing has been renamed.
PUBLISHED_NAME = re.compile(
    r"(Training|PublicTest|PrivateTest)_\d|fer\d{7}|S\d+_\d+_\d+|[A-Z]{2}[.\-_][A-Z]{2}\d[.\-_]\d", re.IGNORECASE
)

COPIES = (".tif", ".tiff", ".png", ".bmp", ".jpg", ".jpeg")  # the earlier, the nearer to what was published


class Folder(Reader):
    """Photos that the user labelled. In folders nobody tells who is on them; a CSV may."""

    name: ClassVar[str] = "folder"
    expected: ClassVar[str] = "folders named after expressions (photos/happy/anna.jpg) or a CSV of path,label"
    home: ClassVar[str] = "your own photos"

    def recognise(self, tree: Tree) -> Layout | None:
        photos = photos_in_folders(tree)
        if photos:
            return Layout("class folders", lambda: (photo_entry(self, photo) for photo in photos))
        tables = tables_in(tree)
        if len(tables) != 1:
            return None
        table = open_photo_table(tree, tables[0])
        entries = list(listed_photos(self, table))
        samples = [entry for entry in entries if isinstance(entry, Sample)]
        known = bool(samples) and all(sample.subject for sample in samples)
        return Layout(f"CSV ({', '.join(table.columns)})", lambda: iter(entries), subjects=known)


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
        if classes and (place.parent not in above or place.suffix.lower() in PICTURE_SUFFIXES)
    ]


def _photo_at(place: PurePosixPath, blob: Blob) -> Photo:
    folders = place.parts[:-1]
    named = {emotion: folder for folder in reversed(folders) if (emotion := emotion_named(folder))}
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
    return [photo for photo in photos_in_folders(tree) if PurePosixPath(photo.name).suffix.lower() in PICTURE_SUFFIXES]


def renamed(photos: list[Photo]) -> bool:
    """Whether no picture has a name of a published data set."""
    return not any(PUBLISHED_NAME.match(PurePosixPath(photo.name).name) for photo in photos)


def best_copy_first(names: list[str]) -> list[str]:
    """Copies of one picture, the least changed first."""
    return sorted(names, key=lambda name: (COPIES.index(PurePosixPath(name).suffix.lower()), name))


@dataclass(frozen=True, slots=True)
class PhotoTable:
    """A CSV that lists photos; `columns` are the names in its header, under which each column is known here."""

    tree: Tree
    name: str
    columns: tuple[str, ...]
    rows: list[tuple[int, list[str]]]  # numbered from 1, the header's number

    def find(self, written: str) -> tuple[str, Blob | None]:
        """Name and bytes of the file that a row names; a CSV in an archive finds the archive's members alone."""
        path = written.replace("\\", "/")
        name = posixpath.normpath(posixpath.join(posixpath.dirname(self.name), path))
        here = self.tree.members[self.name]
        if not isinstance(here, FileBlob):
            return name, self.tree.members.get(name)
        file = here.path.parent / path
        return name, FileBlob(file) if _is_file(file) else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long for the system, for one
        return False


def tables_in(tree: Tree) -> list[str]:
    return [name for name in tree.members if name.lower().endswith(".csv")]


def open_photo_table(tree: Tree, name: str) -> PhotoTable:
    """The table in a member of the tree; DatasetError where it has no column for paths or for labels."""
    shown = tree.path if tree.path.name == name else tree.path / name
    try:
        text = tree.members[name].read().decode("utf-8-sig")
        header = text.partition("\n")[0]
        delimiter = max(",;\t", key=header.count)  # spreadsheets of some countries write semicolons
        rows = [row for row in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), 1) if row[1]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(shown, f"no CSV that can be read: {error}") from error
    if not rows:
        raise DatasetError(shown, "the file is empty")
    columns = tuple(_column(cell) for cell in rows[0][1])
    for column in ("path", "label"):
        if columns.count(column) != 1:
            found = f"{columns.count(column)} columns" if column in columns else "no column"
            names = ", ".join(COLUMNS[column])
            raise DatasetError(shown, f"{found} named {names}; found {header.strip()[:200]}", rows[0][0])
    return PhotoTable(tree, name, columns, rows[1:])


def _column(cell: str) -> str:
    name = cell.strip().lower()
    return next((column for column, names in COLUMNS.items() if name in names), name)


def listed_photos(reader: Reader, table: PhotoTable) -> Iterator[Sample | Rejected]:
    """A sample, or why there is none, for each row of the table; a file that is listed again is rejected."""
    first_rows: dict[str, int] = {}
    for number, cells in table.rows:
        entry = _listed_photo(reader, table, number, [cell.strip() for cell in cells])
        if isinstance(entry, Sample) and (first := first_rows.setdefault(entry.key, number)) != number:
            again = f"row {number}: the same file as in row {first}"
            yield Rejected(entry.key, entry.source, entry.split, DropReason.BAD_ROW, again)
        else:
            yield entry


def _listed_photo(reader: Reader, table: PhotoTable, number: int, cells: list[str]) -> Sample | Rejected:
    if len(cells) != len(table.columns):
        columns = f"row {number}: {len(cells)} columns, the header has {len(table.columns)}"
        return reader.reject(f"{table.name}, row {number}", DropReason.BAD_ROW, columns)
    row = dict(zip(table.columns, cells, strict=True))
    name, blob = table.find(row["path"])
    split, emotion = split_named(row.get("split", "")), emotion_named(row["label"])
    if row.get("split") and split is None:
        return reader.reject(name, DropReason.BAD_SPLIT, f"row {number}: {row['split'][:40]!r} is no split")
    if row["label"] and emotion is None:
        return reader.reject(name, DropReason.BAD_LABEL, f"row {number}: {row['label'][:40]!r} is no expression", split)
    if blob is None:
        return reader.reject(name, DropReason.UNREADABLE, f"row {number}: there is no file {row['path']!r}", split)
    subject = row.get("subject") or None
    return Sample(f"{reader.name}/{name}", EncodedImage(blob), emotion, reader.name, subject=subject, split=split)
