"""The third stage: write the shards and the list of what was left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emonet.atomic import write_atomically
from emonet.datasets.builder.decisions import Index
from emonet.datasets.builder.rows import read_rows_of
from emonet.datasets.sample import SPLITS, Rejected
from emonet.datasets.store import REJECTED, shard_schema
from emonet.datasets.store.info import Shard
from emonet.datasets.store.layout import shard_name
from emonet.labels import Emotion

if TYPE_CHECKING:
    import pyarrow as pa

SHARD_ROWS = 8192
SHARD_BYTES = 256 * 2**20
GROUP_ROWS = 1024  # of a Parquet row group, which is read as a whole


def write_shards(
    index: Index, chunks: Sequence[Path], classes: Sequence[Emotion], folder: Path
) -> dict[str, list[Shard]]:
    """Write the shards of every split.

    Args:
        index: What was decided about each row.
        chunks: The files of the first stage.
        classes: In the order of the column `label`.
        folder: Where to write.

    Returns:
        Split -> its shards.
    """
    written: dict[str, list[Shard]] = {}
    for split in SPLITS:
        shards = _divide(index, split)
        rows = _read_rows(index, chunks, classes, [row for shard in shards for row in shard])
        for number, shard in enumerate(shards):
            name = shard_name(split, number, len(shards))
            _write_shard(rows, len(shard), folder / name, classes)
            written.setdefault(split, []).append(Shard(name, len(shard)))
    return written


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


def _read_rows(
    index: Index, chunks: Sequence[Path], classes: Sequence[Emotion], wanted: Sequence[int]
) -> Iterator[dict[str, Any]]:
    """Read the rows of a split in order, one chunk after the other."""
    labels = {str(emotion): number for number, emotion in enumerate(classes)}
    keys = index.column("key")
    copies, near = index.copies.tolist(), index.near_groups.tolist()
    in_copies, in_near = _find_groups(copies), _find_groups(near)
    for row, cells in read_rows_of(chunks, wanted):
        cells["image"] = {"bytes": cells["image"], "path": f"{cells['key'].replace('/', '_')}.png"}
        cells["label"] = labels[cells["emotion"]]
        cells["split"] = index.split[row]
        cells["undetected"] = cells["reason"]
        cells["fold"] = index.fold[row]
        cells["duplicate_group"] = keys[copies[row]] if copies[row] in in_copies else None
        cells["near_group"] = keys[near[row]] if near[row] in in_near else None
        yield cells


def _find_groups(groups: list[int]) -> set[int]:
    """Find the groups that hold more than one row."""
    return {group for row, group in enumerate(groups) if row != group}


def _write_shard(rows: Iterator[dict[str, Any]], count: int, path: Path, classes: Sequence[Emotion]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = shard_schema(classes)
    with write_atomically(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for start in range(0, count, GROUP_ROWS):
            group = [next(rows) for _ in range(min(GROUP_ROWS, count - start))]
            columns = {name: [cells[name] for cells in group] for name in schema.names}
            writer.write_table(pa.table(columns, schema=schema))


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
