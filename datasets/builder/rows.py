"""What the first stage finds out about each sample, and the files that keep it until the later stages."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emonet.atomic import write_atomically

if TYPE_CHECKING:
    import pyarrow as pa

DECIDED_BY = (
    *("key", "source", "split", "emotion", "subject", "sequence", "frame", "activation", "size"),
    *("sha1", "perceptual", "likeness", "blank", "reason", "detail"),
)
UNIQUE = ("key", "sha1", "likeness")  # columns whose values are seldom equal


@dataclass(slots=True)
class CropRow:
    """One sample after the first stage.

    Without `image` there is no crop, and `reason` says why. With both, there is a crop that is not fit for training:
    its face is too small, or no face was found in an image that its publisher had cropped.
    """

    key: str
    source: str
    split: str | None
    emotion: str
    subject: str | None
    sequence: str | None
    frame: int | None
    votes: list[int] | None = None
    activation: float | None = None
    image: bytes | None = None
    size: int | None = None  # bytes of the image
    preview: bytes | None = None  # a small image of what gave no crop
    sha1: str | None = None
    perceptual: int | None = None
    grey: bytes | None = None  # the crop as it is compared: what `likeness.shrink` makes of it
    likeness: bytes | None = None
    blank: bool = False
    box: list[float] | None = None
    landmarks: list[list[float]] | None = None
    score: float | None = None
    detector: str | None = None
    reason: str | None = None
    detail: str | None = None


def write_rows(rows: list[CropRow], path: Path) -> None:
    """Write the rows of a chunk as a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {field.name: [getattr(row, field.name) for row in rows] for field in fields(CropRow)}
    table = pa.table(columns, schema=_schema())
    with write_atomically(path) as temporary:
        pq.write_table(table, temporary)


def has_all_columns(path: Path) -> bool:
    """Tell whether the file of a chunk has all columns; those of an older version lack some."""
    import pyarrow.parquet as pq

    return set(_schema().names) <= set(pq.read_schema(path).names)


def read_rows(paths: Iterable[Path]) -> pa.Table:
    """Read the columns that decisions need, of all rows: images are left out, for the rows are in memory together."""
    return read_columns(paths, DECIDED_BY)


def read_columns(paths: Iterable[Path], columns: Sequence[str]) -> pa.Table:
    """Read some columns of all rows of the chunks, one file after the other: side by side takes more memory."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def read(path: Path) -> pa.Table:
        with pq.ParquetFile(path) as file:  # in two thirds of the time of `read_table`
            return file.read(list(columns))

    return pa.concat_tables(map(read, paths))


def list_column(rows: pa.Table, name: str) -> list[Any]:
    """List the values of a column; equal ones are one object, so that a column of few values takes little memory."""
    values = (value for chunk in rows.column(name).chunks for value in chunk.to_pylist())
    if name in UNIQUE:
        return list(values)
    shared: dict[Any, Any] = {}
    return [shared.setdefault(value, value) for value in values]


def read_rows_of(
    chunks: Iterable[Path], wanted: Sequence[int], columns: Sequence[str] | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read some rows of the chunks, one chunk at a time.

    Args:
        chunks: The files of all chunks.
        wanted: The numbers of the rows, counted over all chunks, in rising order.
        columns: The columns to read; all if None.

    Yields:
        The number of a row and its cells.
    """
    numbers = iter(wanted)
    for table in read_tables_of(chunks, wanted, columns):
        yield from zip(islice(numbers, len(table)), table.to_pylist(), strict=True)


def read_tables_of(
    chunks: Iterable[Path], wanted: Sequence[int], columns: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """Yield the rows that `read_rows_of` reads as tables, one for each chunk that has any."""
    import pyarrow.parquet as pq

    first = place = 0
    for path in chunks:
        with pq.ParquetFile(path) as file:
            end = first + file.metadata.num_rows
            here = wanted[place : bisect_left(wanted, end)]
            if here:
                yield file.read(columns).take([int(row) - first for row in here])
        first, place = end, place + len(here)


def _schema() -> Any:
    import pyarrow as pa

    numbers = pa.list_(pa.float32())
    special = {
        "frame": pa.int32(),
        "votes": pa.list_(pa.int16()),
        "activation": pa.float32(),
        "image": pa.binary(),
        "size": pa.int32(),
        "preview": pa.binary(),
        "perceptual": pa.uint64(),
        "grey": pa.binary(),
        "likeness": pa.binary(),
        "blank": pa.bool_(),
        "box": numbers,
        "landmarks": pa.list_(numbers),
        "score": pa.float32(),
    }
    return pa.schema([(field.name, special.get(field.name, pa.string())) for field in fields(CropRow)])
