"""Text files with a row a line: blanks between the cells (`train_00001.jpg 5`), or a CSV; read without keeping them."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from emonet.datasets.formats.tree import Tree
from emonet.errors import DatasetError

MAX_LINE = 2**20  # bytes; a row of AffectNet's lists has about 1,500


def read_text_rows(tree: Tree, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number, counted from 1, and the cells of each line that holds any.

    Raises:
        DatasetError: It cannot be read, or is no text.
    """
    for number, line in enumerate(_read_lines(tree, name), 1):
        if cells := line.split():
            yield number, cells


def read_csv_rows(tree: Tree, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number, counted from 1 for the header, and the cells of each row of a CSV that holds any.

    Raises:
        DatasetError: It cannot be read, or is no CSV.
    """
    try:
        yield from (row for row in enumerate(csv.reader(_read_lines(tree, name)), 1) if row[1])
    except csv.Error as error:
        raise DatasetError(_show(tree, name), f"not a CSV that can be read: {error}") from error


def _read_lines(tree: Tree, name: str) -> Iterator[str]:
    shown = _show(tree, name)
    try:
        path, offset, size = tree.plain_file(name)
        with path.open("rb") as file:
            file.seek(offset)
            encoding = "utf-8-sig"
            while line := file.readline(min(MAX_LINE, size)):
                if b"\0" in line or len(line) == MAX_LINE:
                    raise DatasetError(shown, "not a text with a row a line")
                yield line.decode(encoding)
                size, encoding = size - len(line), "utf-8"
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(shown, f"not a text that can be read: {error}") from error


def _show(tree: Tree, name: str) -> str:
    return str(tree.path if tree.path.name == name else tree.path / name)
