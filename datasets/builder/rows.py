"""What the first stage knows of each sample, and the form in which it is kept between the stages."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from emonet.atomic import write_atomically


@dataclass(slots=True)
class Row:
    """One sample after detection. Without `image` there is no crop and it can only be rejected, for `reason`.

    With both, the crop is there but will not do for training: a face too small, or none found in a picture that its
    publisher had cropped.
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
    size: int | None = None  # of the image's bytes
    preview: bytes | None = None  # of what gave no crop
    sha1: str | None = None
    perceptual: int | None = None
    blank: bool = False
    box: list[float] | None = None
    landmarks: list[list[float]] | None = None
    score: float | None = None
    detector: str | None = None
    reason: str | None = None
    detail: str | None = None


def write_rows(rows: list[Row], path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {field.name: [getattr(row, field.name) for row in rows] for field in fields(Row)}
    table = pa.table(columns, schema=_schema())
    with write_atomically(path) as temporary:
        pq.write_table(table, temporary)


def read_rows_of(
    chunks: Iterable[Path], wanted: Sequence[int], columns: Sequence[str] | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The cells of rows given in rising order, which are counted over all chunks; a chunk is in memory at a time."""
    import pyarrow.parquet as pq

    first = place = 0
    for path in chunks:
        end = first + pq.read_metadata(path).num_rows
        here = wanted[place : bisect_left(wanted, end)]
        if here:
            chosen = None if columns is None else list(columns)
            cells = pq.read_table(path, columns=chosen).take([int(row) - first for row in here]).to_pylist()
            yield from zip(here, cells, strict=True)
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
        "blank": pa.bool_(),
        "box": numbers,
        "landmarks": pa.list_(numbers),
        "score": pa.float32(),
    }
    return pa.schema([(field.name, special.get(field.name, pa.string())) for field in fields(Row)])
