"""A CSV that lists photos: path,label[,subject][,split]. The columns may have other usual names."""

from __future__ import annotations

import codecs
import csv
import io
import ntpath
import posixpath
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from emonet.datasets.formats.tree import FileBlob, GzipBlob, Tree
from emonet.datasets.labels import find_emotion, find_split
from emonet.datasets.reader import Reader
from emonet.datasets.sample import Blob, DropReason, EncodedImage, Rejected, Sample
from emonet.errors import DatasetError

COLUMNS = {
    "path": ("path", "filepath", "file", "filename", "file_name", "image", "image_path"),
    "label": ("label", "emotion", "expression", "facial_expression", "class"),
    "subject": ("subject", "subject_id", "person", "person_id", "participant", "identity"),
    "split": ("split", "usage", "set"),
}

NEEDED = ("path", "label")
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # how such files begin


@dataclass(frozen=True, slots=True)
class PhotoTable:
    """A CSV that lists photos.

    Attributes:
        tree: Where it lies.
        name: Its name in the tree.
        columns: Its columns, by their names in COLUMNS.
        rows: The number of each row, counted from 1 for the header, and its cells.
        base: The folder that absolute paths in it are made relative to, for keys.
        delimiter: What stands between its cells.
    """

    tree: Tree
    name: str
    columns: tuple[str, ...]
    rows: list[tuple[int, list[str]]]
    base: str = ""
    delimiter: str = ","

    def find(self, written: str) -> tuple[str, Blob | None]:
        """Find the file that a row names; in an archive, a member of the archive.

        Returns:
            Its name for keys, which is never absolute, and the file, if there is one.
        """
        found = [self._find(path) for path in spell_accents(_to_slashes(written))]
        return next((one for one in found if one[1]), found[0])

    def _find(self, path: str) -> tuple[str, Blob | None]:
        name = posixpath.normpath(posixpath.join(posixpath.dirname(self.name), _to_posix(path)))
        here = self.tree.members[self.name]
        if not isinstance(here, FileBlob | GzipBlob):
            return name, self.tree.members.get(name)
        file = here.path.parent / path
        if posixpath.isabs(name):
            name = posixpath.relpath(name, self.base)
        return name, FileBlob(file) if _is_file(file) else None


def spell_accents(name: str) -> list[str]:
    """List a name as it is written, and as other systems write it: to Macs, accents are characters of their own."""
    return list(dict.fromkeys((name, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD")))))


def _to_slashes(path: str) -> str:
    return path.replace("\\", "/")


def _to_posix(path: str) -> str:
    """Write a path for keys: a drive of Windows is a folder of the root."""
    path = _to_slashes(path)
    return f"/{path}" if ntpath.isabs(path) and not posixpath.isabs(path) else path


def _find_base(paths: Sequence[str], folder: Path) -> str:
    """Find the folder of keys: the table's own, or what its paths have in common if all lie elsewhere."""
    places = [posixpath.normpath(_to_posix(path)) for path in paths]
    own = _to_posix(str(folder.absolute()))
    if places and all(posixpath.isabs(place) and not place.startswith(f"{own}/") for place in places):
        return posixpath.commonpath([posixpath.dirname(place) for place in places])
    return own


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long for the system, for one
        return False


def open_photo_table(tree: Tree, name: str) -> PhotoTable:
    """Open a CSV of photos.

    Raises:
        DatasetError: It cannot be read, or has no column for paths or for labels.
    """
    shown = tree.path if tree.path.name == name else tree.path / name
    try:
        text = _decode(tree.members[name].read()).replace("\r\n", "\n").replace("\r", "\n")
        header = text.partition("\n")[0]
        delimiter = max(",;\t", key=header.count)  # spreadsheets of some countries write semicolons
        rows = [row for row in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), 1) if row[1]]
    except UnicodeDecodeError as error:
        raise DatasetError(shown, "not UTF-8: in Excel, save it as 'CSV UTF-8'") from error
    except (OSError, csv.Error) as error:
        raise DatasetError(shown, f"not a CSV that can be read: {error}") from error
    if not rows:
        raise DatasetError(shown, "the file is empty")
    columns = _name_columns(rows[0][1], [cells for _, cells in rows[1:]])
    for column in COLUMNS:
        if columns.count(column) > 1 or (column in NEEDED and column not in columns):
            found = f"{columns.count(column)} columns" if column in columns else "no column"
            names = ", ".join(COLUMNS[column])
            raise DatasetError(shown, f"{found} named {names}; found {header.strip()[:200]}", rows[0][0])
    here, place = tree.members[name], columns.index("path")
    folder = here.path.parent if isinstance(here, FileBlob | GzipBlob) else Path("/")
    base = _find_base([cells[place].strip() for _, cells in rows[1:] if place < len(cells)], folder)
    return PhotoTable(tree, name, columns, rows[1:], base, delimiter)


def _decode(content: bytes) -> str:
    """Decode UTF-8, or the UTF-16 that Excel writes as "Unicode text"."""
    return content.decode("utf-16" if content.startswith(UTF16) else "utf-8-sig")


def _name_columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Name columns as COLUMNS does.

    Beside a column that has its name in COLUMNS, the others keep their own, and so do labels of numbers beside words.
    """
    own = [cell.strip().lower() for cell in header]
    labels = {place for place, name in enumerate(own) if name in COLUMNS["label"]}
    numbers = {place for place in labels if _holds_numbers(place, rows)}
    if numbers < labels:
        for place in numbers:
            own[place] += " (numbers)"
    taken = COLUMNS.keys() & own
    usual = {name: column for column, known in COLUMNS.items() if column not in taken for name in known}
    return tuple(usual.get(name, name) for name in own)


def _holds_numbers(place: int, rows: Sequence[Sequence[str]]) -> bool:
    cells = [row[place].strip() for row in rows if place < len(row)]
    return bool(cells) and all(map(str.isdigit, cells))


def read_photos(reader: Reader, table: PhotoTable) -> Iterator[Sample | Rejected]:
    """Yield a sample, or why there is none, for each row. A file that is listed again is rejected."""
    first_rows: dict[str, int] = {}
    for number, cells in table.rows:
        entry = _read_photo(reader, table, number, [cell.strip() for cell in cells])
        if isinstance(entry, Sample) and (first := first_rows.setdefault(entry.key, number)) != number:
            again = f"row {number}: the same file as in row {first}"
            yield Rejected(entry.key, entry.source, entry.split, DropReason.BAD_ROW, again)
        else:
            yield entry


def _read_photo(reader: Reader, table: PhotoTable, number: int, cells: list[str]) -> Sample | Rejected:
    if len(cells) != len(table.columns):
        columns = f"row {number}: {len(cells)} columns, the header has {len(table.columns)}"
        return reader.reject(f"{table.name}, row {number}", DropReason.BAD_ROW, columns)
    row = dict(zip(table.columns, cells, strict=True))
    name, blob = table.find(row["path"])
    split, emotion = find_split(row.get("split", "")), find_emotion(row["label"])
    if row.get("split") and split is None:
        return reader.reject(name, DropReason.BAD_SPLIT, f"row {number}: {row['split'][:40]!r} is no split")
    if row["label"] and emotion is None:
        return reader.reject(name, DropReason.BAD_LABEL, f"row {number}: {row['label'][:40]!r} is no expression", split)
    if blob is None:
        return reader.reject(name, DropReason.UNREADABLE, f"row {number}: there is no file {row['path']!r}", split)
    subject = row.get("subject") or None
    return Sample(f"{reader.name}/{name}", EncodedImage(blob), emotion, reader.name, subject=subject, split=split)
