"""`predictions.csv` and `predictions.parquet`: a row for each face, and for each photo without one."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

from emonet.album.entry import Entry
from emonet.atomic import write_atomically
from emonet.labels import Emotion
from emonet.prediction.table import rows, schema

CSV, PARQUET = "predictions.csv", "predictions.parquet"
ROWS = 2000  # of a group in the Parquet file, and in memory
FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets take for one, where a cell begins so


def write_tables(
    entries: Iterable[Entry], folder: Path, classes: Sequence[Emotion], facts: Mapping[str, str] | None = None
) -> None:
    """Both at once, a group of rows at a time; `facts` become metadata of the Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = schema(classes).with_metadata(dict(facts or {}))
    with ExitStack() as stack:
        as_csv = stack.enter_context(write_atomically(folder / CSV))
        as_parquet = stack.enter_context(write_atomically(folder / PARQUET))
        text = stack.enter_context(as_csv.open("w", encoding="utf-8", newline=""))
        table = csv.DictWriter(text, columns.names, lineterminator="\n")
        table.writeheader()
        parquet = stack.enter_context(pq.ParquetWriter(as_parquet, columns))
        for group in _groups(row for entry in entries for row in rows(entry.result)):
            table.writerows(map(_for_spreadsheets, group))
            parquet.write_table(pa.Table.from_pylist(group, schema=columns))


def _groups(found: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    return iter(lambda: list(islice(found, ROWS)), [])


def _for_spreadsheets(row: dict[str, Any]) -> dict[str, Any]:
    """Texts that a spreadsheet would run get an apostrophe in front, which it hides."""
    return {
        name: f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value
        for name, value in row.items()
    }
