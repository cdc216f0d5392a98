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
from emonet.prediction.table import make_rows, make_schema

CSV, PARQUET = "predictions.csv", "predictions.parquet"
GROUP = 2000  # rows that are in memory together; also a row group of the Parquet file
FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # a cell that begins so is a formula to a spreadsheet


def write_tables(
    entries: Iterable[Entry], album: Path, classes: Sequence[Emotion], facts: Mapping[str, str] | None = None
) -> None:
    """Write both tables.

    Args:
        entries: The photos.
        album: The folder to write into.
        classes: The classes of the predictor.
        facts: Metadata of the Parquet file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = make_schema(classes).with_metadata(dict(facts or {}))
    with ExitStack() as stack:
        as_csv = stack.enter_context(write_atomically(album / CSV))
        as_parquet = stack.enter_context(write_atomically(album / PARQUET))
        text = stack.enter_context(as_csv.open("w", encoding="utf-8", newline=""))
        table = csv.DictWriter(text, columns.names, lineterminator="\n")
        table.writeheader()
        parquet = stack.enter_context(pq.ParquetWriter(as_parquet, columns))
        for group in _split_groups(row for entry in entries for row in make_rows(entry.result)):
            table.writerows(map(_defuse, group))
            parquet.write_table(pa.Table.from_pylist(group, schema=columns))


def _split_groups(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    return iter(lambda: list(islice(rows, GROUP)), [])


def _defuse(row: dict[str, Any]) -> dict[str, Any]:
    """Put an apostrophe before texts that a spreadsheet would run; the spreadsheet hides it."""
    return {
        name: f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value
        for name, value in row.items()
    }
