"""CSV files with an image in each row, as a string of grey values: the format of FER2013, and of others after it.

    emotion,pixels,Usage
    0,70 80 82 72 ...,Training

Columns are found by name. Rows are found without looking at their pixels, so that a large file is listed in a second;
the pixels are parsed when an image is read, 5.5 times as fast as with csv and np.array (benchmarks/build.py).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.formats.tree import Tree
from emonet.errors import DatasetError, ImageError, OptionError
from facecrop.images import Image

SIDE = 48
PIXELS = "pixels"
DIGITS_AND_SPACE = b"0123456789 \t\n\r\x0b\x0c"
BLANK = (b"\n", b"\r\n")
MAX_ROW = 2**20  # bytes: a row of 48 x 48 has at most 9,300


class PixelText(NamedTuple):
    """The image of one row: the place of its digits in the file."""

    path: Path
    line: int  # of its row; the header is 1
    offset: int
    size: int

    def read(self) -> Image:
        """Read the image as RGB."""
        (grey,) = read_rows([self])
        if isinstance(grey, ImageError):
            raise grey
        return np.repeat(grey[..., None], 3, axis=2)


class PixelRow(NamedTuple):
    """The cells of a row without its pixels, and its image.

    Rows are counted from 0 below the header, without blank lines, as in FER+.
    """

    number: int
    cells: dict[str, str]
    image: PixelText

    @property
    def line(self) -> int:
        """The number of the row in messages and editors: the header is row 1."""
        return self.image.line


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that does not fit the header."""

    number: int
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class PixelTable:
    """A file of rows. `columns` are the names in its header, in lower case."""

    path: Path
    columns: tuple[str, ...]
    start: int  # of the first row
    end: int

    def rows(self) -> Iterator[PixelRow | BadRow]:
        """Yield all rows in order."""
        place = self.columns.index(PIXELS)
        names = self.columns[:place] + self.columns[place + 1 :]
        with self.path.open("rb", buffering=2**20) as file:
            file.seek(self.start)
            number, at, offset = 0, 2, self.start
            while line := file.readline(min(MAX_ROW, self.end - offset)):
                size = len(line)
                while not line.endswith(b"\n") and (rest := file.readline(min(MAX_ROW, self.end - offset - size))):
                    line, size = line[-1:] + rest, size + len(rest)  # so long a row is skipped, not kept
                if size > MAX_ROW:
                    yield BadRow(number, at, f"a row of {size:,} bytes")
                elif line not in BLANK:
                    yield self._parse_row(number, line, PixelText(self.path, at, offset, size), place, names)
                number, at, offset = number + (line not in BLANK), at + 1, offset + size

    def _parse_row(
        self, number: int, line: bytes, whole: PixelText, place: int, names: Sequence[str]
    ) -> PixelRow | BadRow:
        """Find the cells before the pixels from the start of the row, and those after them from its end."""
        first, last = 0, len(line)
        for _ in range(place):
            first = line.find(b",", first) + 1
            if not first:
                return self._too_short(number, whole.line)
        for _ in range(len(names) - place):
            last = line.rfind(b",", first, last)
            if last < 0:
                return self._too_short(number, whole.line)
        beside = (line[:first] + line[last + 1 :]).decode("utf-8", "replace").split(",")
        cells = {name: cell.strip(' "\r\n') for name, cell in zip(names, beside, strict=False)}
        return PixelRow(number, cells, whole._replace(offset=whole.offset + first, size=last - first))

    def _too_short(self, number: int, line: int) -> BadRow:
        return BadRow(number, line, f"fewer columns than the header's {len(self.columns)}")


def open_pixel_table(tree: Tree, name: str, required: tuple[str, ...] = (PIXELS,)) -> PixelTable:
    """Open a table of pixels.

    Raises:
        DatasetError: The file is empty, or its header lacks a required column.
    """
    path, start, size = tree.plain_file(name)
    shown = tree.path if tree.path.is_file() else tree.path / name
    with path.open("rb") as file:
        file.seek(start)
        line = file.readline(min(size, MAX_ROW))
    if b"\r" in line.rstrip(b"\r\n"):
        raise DatasetError(shown, "its lines end with CR alone, as on old Macs: save it with LF or CR LF", 1)
    if not line.strip():
        raise DatasetError(shown, "the file is empty")
    columns = parse_header(line)
    missing = [column for column in required if column not in columns]
    if missing:
        found = ", ".join(columns)
        raise DatasetError(shown, f"no column {' and '.join(missing)}; found {found[:200]}", 1)
    return PixelTable(path, columns, start + len(line), start + size)


def parse_header(line: bytes) -> tuple[str, ...]:
    """Split a header into the names of its columns, in lower case."""
    (cells,) = csv.reader(io.StringIO(line.decode("utf-8-sig", "replace").rstrip("\r\n")))
    return tuple(cell.strip().lower() for cell in cells)


def read_rows(rows: Sequence[PixelText]) -> Iterator[NDArray[np.uint8] | ImageError]:
    """Yield the grey images (48, 48) of rows of one file, or the error of a bad row."""
    with rows[0].path.open("rb", buffering=0) as file:
        for row in rows:
            file.seek(row.offset)
            try:
                yield parse_pixels(file.read(row.size))
            except OptionError as error:
                yield ImageError(row.path, f"row {row.line}: {error}")


def parse_pixels(text: bytes) -> NDArray[np.uint8]:
    """Parse the grey values of an image, (48, 48).

    Raises:
        OptionError: There are not 48 x 48 whole numbers from 0 to 255.
    """
    text = text.strip(b' "\r\n')
    if not text.translate(None, DIGITS_AND_SPACE):
        values = np.fromstring(text, np.int64, sep=" ")
        if len(values) == SIDE * SIDE and values.max() <= 255:
            return values.astype(np.uint8).reshape(SIDE, SIDE)
    raise OptionError(_find_mistake(text.split()))


def _find_mistake(words: Sequence[bytes]) -> str:
    if len(words) != SIDE * SIDE:
        return f"{len(words)} pixels, not {SIDE * SIDE}"
    for word in words:
        if not word.isdigit():
            return f"{word[:20].decode('utf-8', 'replace')!r} is no grey value"
    most = max(int(word.lstrip(b"0")[:4] or b"0") for word in words)  # a number may have millions of digits
    return f"a grey value of {most}, more than 255"
