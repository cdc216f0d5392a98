"""`predictions.csv` and `predictions.parquet`: a row for each face, and for each photo without one.

Behind the columns of `to_table` stand the size of the photo and what answered.

Parquet needs pyarrow, whose 170 MB not everybody installs who predicts. Without it, there is the CSV file alone.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import IO, Any

from emonet.album.entry import Entry
from emonet.atomic import write_atomically
from emonet.labels import Emotion
from emonet.prediction.table import list_columns, make_rows
from facecrop.packages import importing

CSV, PARQUET = "predictions.csv", "predictions.parquet"
GROUP = 2000  # rows that are in memory together; also a row group of the Parquet file
Write = Callable[[list[dict[str, Any]]], object]
FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # a cell that begins so is a formula to a spreadsheet
SIZE = ("width", "height")  # of the photo, upright, in pixels
MAKER = ("model", "head", "detector", "rules")  # of the facts, what each row tells
BYTE_ORDER_MARK = "utf-8-sig"


def write_tables(
    entries: Iterable[Entry],
    album: Path,
    classes: Sequence[Emotion],
    facts: Mapping[str, str] | None = None,
    *,
    excel: bool = False,
) -> None:
    """Write both tables; without pyarrow, only the CSV file.

    Args:
        entries: The photos.
        album: The folder to write into.
        classes: The classes of the predictor.
        facts: What answered: metadata of the Parquet file, and some of it columns of both tables.
        excel: Begin the CSV file with a mark by which Excel knows UTF-8.
    """
    facts = facts or {}
    columns = list_columns(classes) | dict.fromkeys(SIZE, "int32") | dict.fromkeys(MAKER, "string")
    rows = (row for entry in entries for row in _make_rows(entry, {name: facts.get(name) for name in MAKER}))
    with (
        _open_csv(album / CSV, columns, excel=excel) as write_csv,
        _open_parquet(album / PARQUET, columns, facts) as write_parquet,
    ):
        for group in iter(lambda: list(islice(rows, GROUP)), []):
            write_csv(group)
            write_parquet(group)


def writes_parquet() -> bool:
    """Tell whether the Parquet file can be written: whether pyarrow is installed."""
    return find_spec("pyarrow") is not None


def _make_rows(entry: Entry, maker: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Make the rows of a photo; one that cannot be read has no size."""
    size = dict(zip(SIZE, (entry.width or None, entry.height or None), strict=True))
    return (row | size | maker for row in make_rows(entry.result))


class _Lines:
    """Ends the lines of a csv.writer as other tables of ours.

    The writer puts a cell with a lone carriage return into quotes only where its lines end with one.
    """

    def __init__(self, text: IO[str]) -> None:
        self._text = text

    def write(self, line: str) -> int:
        return self._text.write(line.removesuffix("\r\n") + "\n")


@contextmanager
def _open_csv(path: Path, columns: Mapping[str, str], *, excel: bool) -> Iterator[Write]:
    encoding = BYTE_ORDER_MARK if excel else "utf-8"
    with write_atomically(path) as temporary, temporary.open("w", encoding=encoding, newline="") as text:
        table = csv.DictWriter(_Lines(text), list(columns), lineterminator="\r\n")
        table.writeheader()
        yield lambda rows: table.writerows(map(defuse, rows))


@contextmanager
def _open_parquet(path: Path, columns: Mapping[str, str], facts: Mapping[str, str]) -> Iterator[Write]:
    """Open the Parquet file. Without pyarrow, rows are let go, and a file of an earlier run is removed."""
    if not writes_parquet():
        path.unlink(missing_ok=True)
        yield lambda _: None
        return
    with importing("a table", "emonet[tables]"):
        import pyarrow as pa
        import pyarrow.parquet as pq

    schema = pa.schema([(name, getattr(pa, kind)()) for name, kind in columns.items()]).with_metadata(dict(facts))
    with write_atomically(path) as temporary, pq.ParquetWriter(temporary, schema) as table:
        yield lambda rows: table.write_table(pa.Table.from_pylist(rows, schema=schema))


def defuse(row: dict[str, Any]) -> dict[str, Any]:
    """Put an apostrophe before texts that a spreadsheet would run; the spreadsheet hides it."""
    return {
        name: f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value
        for name, value in row.items()
    }
