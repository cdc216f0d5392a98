"""`predictions.csv` and `predictions.parquet`: a row for each face, and for each photo without one.

Parquet needs pyarrow, whose 170 MB not everybody installs who predicts. Without it, there is the CSV file alone.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from emonet.album.entry import Entry
from emonet.atomic import write_atomically
from emonet.labels import Emotion
from emonet.prediction.table import list_columns, make_rows, make_schema

CSV, PARQUET = "predictions.csv", "predictions.parquet"
GROUP = 2000  # rows that are in memory together; also a row group of the Parquet file
Write = Callable[[list[dict[str, Any]]], object]
FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # a cell that begins so is a formula to a spreadsheet


def write_tables(
    entries: Iterable[Entry], album: Path, classes: Sequence[Emotion], facts: Mapping[str, str] | None = None
) -> None:
    """Write both tables; without pyarrow, only the CSV file.

    Args:
        entries: The photos.
        album: The folder to write into.
        classes: The classes of the predictor.
        facts: Metadata of the Parquet file.
    """
    rows = (row for entry in entries for row in make_rows(entry.result))
    with _open_csv(album / CSV, classes) as write_csv, _open_parquet(album / PARQUET, classes, facts) as write_parquet:
        for group in iter(lambda: list(islice(rows, GROUP)), []):
            write_csv(group)
            write_parquet(group)


def writes_parquet() -> bool:
    """Tell whether the Parquet file can be written: whether pyarrow is installed."""
    return find_spec("pyarrow") is not None


@contextmanager
def _open_csv(path: Path, classes: Sequence[Emotion]) -> Iterator[Write]:
    with write_atomically(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as text:
        table = csv.DictWriter(text, list(list_columns(classes)), lineterminator="\n")
        table.writeheader()
        yield lambda rows: table.writerows(map(_defuse, rows))


@contextmanager
def _open_parquet(path: Path, classes: Sequence[Emotion], facts: Mapping[str, str] | None) -> Iterator[Write]:
    """Open the Parquet file. Without pyarrow, rows are let go, and a file of an earlier run is removed."""
    if not writes_parquet():
        path.unlink(missing_ok=True)
        yield lambda _: None
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = make_schema(classes).with_metadata(dict(facts or {}))
    with write_atomically(path) as temporary, pq.ParquetWriter(temporary, columns) as table:
        yield lambda rows: table.write_table(pa.Table.from_pylist(rows, schema=columns))


def _defuse(row: dict[str, Any]) -> dict[str, Any]:
    """Put an apostrophe before texts that a spreadsheet would run; the spreadsheet hides it."""
    return {
        name: f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value
        for name, value in row.items()
    }
