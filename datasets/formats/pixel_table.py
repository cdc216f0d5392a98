"""CSV files with a picture in each row, as a string of grey values: FER2013's form, and that of others after it.

    emotion,pixels,Usage
    0,70 80 82 72 ...,Training

Columns are found by name. Rows are told apart without looking at their pixels, so that a large file is listed in a
second; the pixels are read where they are needed, and then fast.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.formats.tree import Tree
from emonet.errors import DatasetError, ImageError, OptionError
from facecrop.images import Image

SIDE = 48
PIXELS = "pixels"
BATCH = 16  # rows that are parsed together: more would need memory that the system has to clear each time
MAX_ROW = 2**20  # bytes: a row of 48 x 48 has at most 9,300

SPACE, NOUGHT = ord(" "), ord("0")


class PixelText(NamedTuple):
    """The picture of one row: where its digits lie in the file. (There are many, and tuples are made fastest.)"""

    path: Path
    line: int  # of its row, the header being 1
    offset: int
    size: int

    def read(self) -> Image:
        (grey,) = read_rows([self])
        if isinstance(grey, ImageError):
            raise grey
        return np.repeat(grey[..., None], 3, axis=2)


class PixelRow(NamedTuple):
    """A row's cells without its pixels, and its picture. Rows count from 0 below the header, as FER+ counts them."""

    number: int
    cells: dict[str, str]
    image: PixelText

    @property
    def line(self) -> int:
        """The row as messages count it, and editors: the header is row 1."""
        return self.number + 2


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that has not the columns of its header."""

    number: int
    reason: str

    @property
    def line(self) -> int:
        return self.number + 2


@dataclass(frozen=True, slots=True)
class PixelTable:
    """A file of rows; `columns` are its header's names in lower case, without the spaces around them."""

    path: Path
    columns: tuple[str, ...]
    start: int  # of the first row
    end: int

    def rows(self) -> Iterator[PixelRow | BadRow]:
        place = self.columns.index(PIXELS)
        names = self.columns[:place] + self.columns[place + 1 :]
        with self.path.open("rb", buffering=2**20) as file:
            file.seek(self.start)
            number, offset = 0, self.start
            while line := file.readline(min(MAX_ROW, self.end - offset)):
                size = len(line)
                while not line.endswith(b"\n") and (rest := file.readline(min(MAX_ROW, self.end - offset - size))):
                    line, size = line[-1:] + rest, size + len(rest)  # what is so long is only counted
                if size > MAX_ROW:
                    yield BadRow(number, f"a row of {size:,} bytes")
                elif line not in (b"\n", b"\r\n"):
                    yield self._row(number, line, offset, place, names)
                number, offset = number + 1, offset + size

    def _row(self, number: int, line: bytes, offset: int, place: int, names: Sequence[str]) -> PixelRow | BadRow:
        """The cells on either side of the pixels are sought from the row's two ends: its middle is not looked at."""
        first, last = 0, len(line)
        for _ in range(place):
            first = line.find(b",", first) + 1
            if not first:
                return self._too_short(number)
        for _ in range(len(names) - place):
            last = line.rfind(b",", first, last)
            if last < 0:
                return self._too_short(number)
        beside = (line[:first] + line[last + 1 :]).decode("utf-8", "replace").split(",")
        cells = {name: cell.strip(' "\r\n') for name, cell in zip(names, beside, strict=False)}
        return PixelRow(number, cells, PixelText(self.path, number + 2, offset + first, last - first))

    def _too_short(self, number: int) -> BadRow:
        return BadRow(number, f"fewer columns than the header's {len(self.columns)}")


def open_pixel_table(tree: Tree, name: str, required: tuple[str, ...] = (PIXELS,)) -> PixelTable:
    """The table in a member of the tree; a header that lacks a required column is a DatasetError."""
    path, start, size = tree.plain_file(name)
    shown = tree.path if tree.path.is_file() else tree.path / name
    with path.open("rb") as file:
        file.seek(start)
        line = file.readline(min(size, MAX_ROW))
    if not line.strip():
        raise DatasetError(shown, "the file is empty")
    columns = header_columns(line)
    missing = [column for column in required if column not in columns]
    if missing:
        found = ", ".join(columns)
        raise DatasetError(shown, f"no column {' and '.join(missing)}; found {found[:200]}", 1)
    return PixelTable(path, columns, start + len(line), start + size)


def header_columns(line: bytes) -> tuple[str, ...]:
    (cells,) = csv.reader(io.StringIO(line.decode("utf-8-sig", "replace").rstrip("\r\n")))
    return tuple(cell.strip().lower() for cell in cells)


def parse_many(texts: Sequence[bytes]) -> NDArray[np.uint8]:
    """The grey values of pictures, (n, 48, 48). ValueError says what is wrong with the first that is wrong."""
    values = _parse_regular(texts)
    return np.stack([_parse_slowly(text) for text in texts]) if values is None else values


def _parse_regular(texts: Sequence[bytes]) -> NDArray[np.uint8] | None:
    """All numbers at once where they stand one space apart, as nearly always; None where anything is unusual.

    Four bits of a digit are its value, and those of a space are 0. So a number is 100, 10 and 1 times the three bytes
    up to its last digit, but for the hundreds of a number of one digit: there they are the number before.
    """
    symbols = np.frombuffer(b"  " + b" ".join(texts) + b" ", np.uint8)
    space, digits = symbols == SPACE, symbols & 15
    last_digits = np.flatnonzero(space[3:] > space[2:-1])
    text_ends = np.cumsum([len(text) + 1 for text in texts]) - 2
    if len(last_digits) != SIDE * SIDE * len(texts) or (last_digits[SIDE * SIDE - 1 :: SIDE * SIDE] != text_ends).any():
        return None
    hundreds = (digits[:-3] * (~space[1:-2]).view(np.uint8)).take(last_digits)
    rest = (10 * digits[1:-2] + digits[2:-1]).take(last_digits)
    too_large = (hundreds > 2) | ((hundreds == 2) & (rest > 55))
    too_long = ~(space[:-3] | space[1:-2] | space[2:-1] | space[3:])
    if too_large.any() or too_long.any() or symbols.max() > NOUGHT + 9:
        return None
    if np.count_nonzero(symbols < NOUGHT) != np.count_nonzero(space):
        return None
    images: NDArray[np.uint8] = (100 * hundreds + rest).reshape(-1, SIDE, SIDE)
    return images


def read_rows(rows: Sequence[PixelText]) -> list[NDArray[np.uint8] | ImageError]:
    """The grey pictures of rows of one file, several times faster than one by one."""
    greys: list[NDArray[np.uint8] | ImageError] = []
    with rows[0].path.open("rb", buffering=0) as file:
        for first in range(0, len(rows), BATCH):
            greys += _read_batch(file, rows[first : first + BATCH])
    return greys


def _read_batch(file: IO[bytes], rows: Sequence[PixelText]) -> list[NDArray[np.uint8] | ImageError]:
    texts = [_text(file, row) for row in rows]
    try:
        return list(parse_many(texts))
    except ValueError:
        return [_parsed(text, row) for text, row in zip(texts, rows, strict=True)]


def _text(file: IO[bytes], row: PixelText) -> bytes:
    file.seek(row.offset)
    return file.read(row.size)


def _parsed(text: bytes, row: PixelText) -> NDArray[np.uint8] | ImageError:
    try:
        return _parse_slowly(text)
    except ValueError as error:
        return ImageError(row.path, f"row {row.line}: {error}")


def _parse_slowly(text: bytes) -> NDArray[np.uint8]:
    """A row that is not quite regular, or is wrong."""
    words = text.strip(b' "').split()
    if len(words) != SIDE * SIDE:
        raise OptionError(f"{len(words)} pixels, not {SIDE * SIDE}")
    numbers = [word for word in words if not word.isdigit()]
    if numbers:
        raise OptionError(f"{numbers[0][:20].decode('utf-8', 'replace')!r} is no grey value")
    values = [int(word.lstrip(b"0")[:4] or b"0") for word in words]  # as many digits as show that it is too large
    if max(values) > 255:
        raise OptionError(f"a grey value of {max(values)}, more than 255")
    return np.array(values, np.uint8).reshape(SIDE, SIDE)
