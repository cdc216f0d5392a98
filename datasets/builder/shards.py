"""The third stage: write the shards and the list of what was left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emonet.atomic import write_atomically
from emonet.datasets.builder.decisions import Index
from emonet.datasets.builder.rows import read_tables_of
from emonet.datasets.formats.tree import hash_file
from emonet.datasets.sample import SPLITS, Rejected
from emonet.datasets.store import REJECTED, shard_schema
from emonet.datasets.store.layout import shard_name
from emonet.datasets.store.schema import SPLIT
from emonet.labels import Emotion

if TYPE_CHECKING:
    import pyarrow as pa

SHARD_ROWS = 8192
SHARD_BYTES = 256 * 2**20
GROUP_ROWS = 1024  # of a Parquet row group, which is read as a whole

# Columns of the first stage that a shard needs.
FOUND = (
    *("key", "source", "subject", "sequence", "frame", "activation", "emotion", "votes", "image"),
    *("sha1", "box", "landmarks", "score", "detector", "reason"),
)


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """A shard before it is written: which rows it has, and what was decided about each.

    Attributes:
        name: Of its file, in the folder of the data set.
        split: Of its rows.
        classes: In the order of the column `label`.
        chunks: The files of the first stage that hold its rows.
        rows: Their numbers, counted over these files, in rising order.
        decided: Column -> a value for each row.
    """

    name: str
    split: str
    classes: tuple[Emotion, ...]
    chunks: tuple[Path, ...]
    rows: tuple[int, ...]
    decided: Mapping[str, list[Any]]


def plan_shards(index: Index, chunks: Sequence[Path], classes: Sequence[Emotion]) -> Iterator[ShardPlan]:
    """Divide what is in the data set into shards.

    Args:
        index: What was decided about each row.
        chunks: The files of the first stage.
        classes: In the order of the column `label`.
    """
    import pyarrow.parquet as pq

    ends = np.cumsum([pq.read_metadata(path).num_rows for path in chunks])
    decided = _list_decided(index)
    for split in SPLITS:
        shards = _divide(index, split)
        for number, rows in enumerate(shards):
            first, last = np.searchsorted(ends, [rows[0], rows[-1]], side="right").tolist()
            before = int(ends[first - 1]) if first else 0
            yield ShardPlan(
                shard_name(split, number, len(shards)),
                split,
                tuple(classes),
                tuple(chunks[first : last + 1]),
                tuple(row - before for row in rows),
                {name: [values[row] for row in rows] for name, values in decided.items()},
            )


def _list_decided(index: Index) -> dict[str, list[Any]]:
    keys = index.column("key")
    return {
        "fold": list(index.fold),
        "duplicate_group": _name_groups(index.copies.tolist(), keys),
        "near_group": _name_groups(index.near_groups.tolist(), keys),
    }


def _name_groups(groups: list[int], keys: Sequence[str]) -> list[str | None]:
    """Name the group of each row by the key of its first; None for a row that is alone."""
    several = {group for row, group in enumerate(groups) if row != group}
    return [keys[group] if group in several else None for group in groups]


def _divide(index: Index, split: str) -> list[list[int]]:
    """Divide the rows of a split into shards by their number and size."""
    sizes = index.column("size")
    kept = index.kept()
    shards: list[list[int]] = []
    room = 0
    for row in range(len(sizes)):
        if index.split[row] != split or not kept[row]:
            continue
        if not shards or len(shards[-1]) == SHARD_ROWS or room < sizes[row]:
            shards.append([])
            room = SHARD_BYTES
        shards[-1].append(row)
        room -= sizes[row]
    return shards


def write_shard(plan: ShardPlan, folder: Path) -> str:
    """Write a shard into the folder of a data set; return the SHA-256 of its file."""
    import pyarrow.parquet as pq

    schema = shard_schema(plan.classes)
    path, start = folder / plan.name, 0
    with write_atomically(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for rows in _read_groups(plan):
            writer.write_table(_make_group(rows, plan, start, schema))
            start += len(rows)
    return hash_file(path)


def _read_groups(plan: ShardPlan) -> Iterator[pa.Table]:
    """Read the rows of a shard in order, GROUP_ROWS at a time."""
    import pyarrow as pa

    waiting: list[pa.Table] = []
    for table in read_tables_of(plan.chunks, plan.rows, FOUND):
        waiting.append(table)
        if sum(map(len, waiting)) >= GROUP_ROWS:
            joined = pa.concat_tables(waiting)
            whole = len(joined) // GROUP_ROWS * GROUP_ROWS
            yield from (joined.slice(start, GROUP_ROWS) for start in range(0, whole, GROUP_ROWS))
            waiting = [joined.slice(whole)]
    if any(map(len, waiting)):
        yield pa.concat_tables(waiting)


def _make_group(rows: pa.Table, plan: ShardPlan, start: int, schema: pa.Schema) -> pa.Table:
    """Make a row group: what the first stage found, and what was decided about the rows from `start` on."""
    import pyarrow as pa
    import pyarrow.compute as pc

    labels = {str(emotion): number for number, emotion in enumerate(plan.classes)}
    found = {name: rows.column(name).combine_chunks() for name in FOUND}
    names = pc.binary_join_element_wise(pc.replace_substring(found["key"], "/", "_"), ".png", "")
    made = {
        "image": pa.StructArray.from_arrays([found["image"], names], fields=list(schema.field("image").type)),
        "label": pa.array([labels[emotion] for emotion in found["emotion"].to_pylist()], pa.int64()),
        SPLIT: pa.repeat(plan.split, len(rows)),
        "undetected": found["reason"],
    }
    decided = {
        name: pa.array(values[start : start + len(rows)], schema.field(name).type)
        for name, values in plan.decided.items()
    }
    columns = found | made | decided
    return pa.table([columns[name] for name in schema.names], schema=schema)


def write_rejected(index: Index, early: Sequence[Rejected], folder: Path) -> pa.Table:
    """Write what was left out, first by the readers and labels, then by the build."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    late = zip(index.column("key"), index.column("source"), index.split, index.reason, index.detail, strict=True)
    rejected = [
        *early,
        *(
            Rejected(key, source, split, reason, detail or "")
            for key, source, split, reason, detail in late
            if reason is not None
        ),
    ]
    names = ("key", "source", "split", "reason", "detail")
    columns = {name: [getattr(one, name) for one in rejected] for name in names}
    table = pa.table(columns, schema=pa.schema([(name, pa.string()) for name in names]))
    with write_atomically(folder / REJECTED) as temporary:
        pq.write_table(table, temporary, compression="zstd")
    return table
