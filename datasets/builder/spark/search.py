"""Search for copies on Spark: by groups of hashes, by bands of perceptual hashes, by blocks of descriptions.

Rows are known by their number, which is counted over the files of the first stage and does not depend on partitions.
Candidates are those of the local search, and are then tested by its functions, so that both find the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emonet.atomic import write_atomically
from emonet.datasets.curation.duplicates import (
    HASH_BITS,
    MAX_BITS,
    Indices,
    NearPair,
    choose_band_width,
    correlate,
    normalise_grey,
)
from emonet.datasets.curation.likeness import SIDE, Likeness, shrink
from emonet.datasets.curation.near_copies import (
    PAIRS,
    Candidates,
    Strip,
    choose_candidates,
    compare_pairs,
    list_strips,
    search_strip,
)
from emonet.datasets.store import decode
from emonet.spark.session import as_pattern, as_url
from emonet.spark.tasks import collect, run_tasks

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

# Spark has no unsigned numbers: the hashes arrive as decimals, and their 64 bits are kept in signed ones.
HASH = """cast(case when perceptual >= 9223372036854775808 then perceptual - 18446744073709551616 else perceptual end
as bigint) as hash"""
PLACES = (2, 3)  # size, x and y of both faces of a pair


class SparkSearch:
    """Searches on the executors of a session.

    Args:
        session: Of Spark.
        paths: The files of the first stage, in order, in one folder.
    """

    def __init__(self, session: SparkSession, paths: Sequence[Path]) -> None:
        self._session = session
        self._paths = paths
        self._folder = paths[0].parent

    def find_copies(self, hashes: pa.ChunkedArray) -> Indices:
        from pyspark.sql import functions as F

        groups = self._rows.where("sha1 is not null").groupBy("sha1").agg(F.min("row").alias("first"), F.count("row"))
        repeated = groups.where("`count(row)` > 1").select("sha1", "first")
        found = collect(self._rows.join(repeated, "sha1").where("row != first").select("row", "first"))
        copies = np.arange(len(hashes), dtype=np.int64)
        copies[found.column("row").to_numpy()] = found.column("first").to_numpy()
        return copies

    def find_near_pairs(self, rows: Indices, hashes: NDArray[np.uint64], threshold: float) -> list[NearPair]:
        candidates = self._find_candidates(choose_band_width(len(hashes))).persist()
        try:
            pairs = self._with_greys(candidates)
            schema = "first long, second long, correlation float"
            found = collect(pairs.mapInArrow(partial(_correlate, threshold), schema))
        finally:
            candidates.unpersist()
        return _list_pairs(found, rows)

    def find_altered_copies(
        self,
        rows: Indices,
        likeness: Likeness,
        together: Indices,
        evaluated: NDArray[np.bool_],
        threshold: float,
    ) -> list[NearPair]:
        _save(self._folder, likeness, evaluated)
        work = partial(_search, self._folder)
        strips = run_tasks(self._session, self._folder / "strips.tasks", list_strips(evaluated), work)
        candidates = choose_candidates(strips, likeness, together)
        pairs = self._with_greys(self._session.createDataFrame(_tabulate(candidates, rows)))
        schema = "first long, second long, correlation double, mirrored boolean"
        # Not a partial: PySpark 4.3 looks for the annotations of a function, and fails on a partial that has some.
        found = pairs.groupBy("batch").applyInArrow(lambda table: _lay_over(threshold, table), schema)
        return _list_pairs(collect(found), rows)

    @cached_property
    def _rows(self) -> DataFrame:
        """The rows of the first stage with their numbers."""
        import pyarrow as pa
        import pyarrow.parquet as pq
        from pyspark.sql import functions as F

        counts = [pq.read_metadata(path).num_rows for path in self._paths]
        names = pa.array([path.name for path in self._paths], pa.string())
        firsts = pa.array(np.cumsum([0, *counts[:-1]]), pa.int64())
        files = self._session.createDataFrame(pa.table({"file": names, "before": firsts}))
        frame = self._session.read.option("pathGlobFilter", "*.parquet").parquet(as_pattern(as_url(self._folder)))
        columns = ("sha1", "perceptual", "image", "_metadata.file_name", "_metadata.row_index")
        numbered = frame.select(*columns).join(F.broadcast(files), F.col("file_name") == F.col("file"))
        return numbered.selectExpr("sha1", "perceptual", "image", "before + row_index as row")

    def _find_candidates(self, width: int) -> DataFrame:
        """Find pairs of different images whose hashes share a band and differ in few bits, each once."""
        from pyspark.sql import functions as F

        firsts = self._rows.where("sha1 is not null").groupBy("sha1").agg(F.min("row").alias("row")).select("row")
        hashed = self._rows.where("perceptual is not null").selectExpr("row", HASH).join(firsts, "row")
        bands = [
            F.struct(
                F.lit(start).alias("start"),
                F.shiftrightunsigned("hash", start).bitwiseAND(F.lit(2**width - 1)).alias("bits"),
            )
            for start in range(0, HASH_BITS - width + 1, width)
        ]
        one = hashed.select("row", "hash", F.explode(F.array(*bands)).alias("band"))
        first = one.selectExpr("row as first", "hash as one", "band.start", "band.bits")
        second = one.selectExpr("row as second", "hash as other", "band.start", "band.bits")
        close = F.bit_count(F.col("one").bitwiseXOR(F.col("other"))) <= MAX_BITS
        return (
            first.join(second, ["start", "bits"])
            .where("first < second")
            .where(close)
            .select("first", "second")
            .distinct()
        )

    def _with_greys(self, pairs: DataFrame) -> DataFrame:
        """Join pairs of rows with what `shrink` makes of their crops."""
        wanted = pairs.selectExpr("first as row").union(pairs.selectExpr("second as row")).distinct()
        crops = self._rows.select("row", "image").join(wanted, "row")
        greys = crops.mapInArrow(_shrink, "row long, grey binary")
        first = greys.selectExpr("row as first", "grey as one")
        second = greys.selectExpr("row as second", "grey as other")
        return pairs.join(first, "first").join(second, "second")


def _shrink(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    for batch in batches:
        crops = batch.column("image").to_pylist()
        greys = [shrink(decode({"bytes": crop})).tobytes() for crop in crops]
        yield pa.RecordBatch.from_pydict({"row": batch.column("row"), "grey": pa.array(greys, pa.binary())})


def _open_greys(column: Any) -> NDArray[np.uint8]:
    packed = column.to_pylist()
    return np.frombuffer(b"".join(packed), np.uint8).reshape(len(packed), SIDE, SIDE)


def _correlate(threshold: float, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the pairs that are near copies."""
    import pyarrow as pa

    for batch in batches:
        if not batch.num_rows:
            continue
        one, other = (
            np.stack([normalise_grey(grey) for grey in _open_greys(batch.column(name))]) for name in ("one", "other")
        )
        found = pa.RecordBatch.from_pydict(
            {"first": batch.column("first"), "second": batch.column("second"), "correlation": correlate(one, other)}
        )
        yield found.filter(pa.array(found.column("correlation").to_numpy() >= threshold))


def _save(folder: Path, likeness: Likeness, evaluated: NDArray[np.bool_]) -> None:
    """Write descriptions for the executors, which read of them what they compare."""
    for name, array in (("even", likeness.even), ("odd", likeness.odd), ("evaluated", evaluated)):
        with write_atomically(folder / f"{name}.npy") as temporary, temporary.open("wb") as file:
            np.save(file, array)


@cache
def _load(folder: Path, _saved: int) -> tuple[Likeness, NDArray[np.bool_]]:
    even, odd, evaluated = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("even", "odd", "evaluated"))
    return Likeness(even, odd, np.empty(0, np.uint16)), np.array(evaluated)


def _search(folder: Path, strip: Strip) -> NDArray[np.float64]:
    saved = (folder / "evaluated.npy").stat().st_mtime_ns  # the last that was written: another build has other files
    return search_strip(*_load(folder, saved), strip)


def _tabulate(candidates: Candidates, rows: Indices) -> pa.Table:
    """Make rows of pairs, in the batches in which the local search compares them."""
    import pyarrow as pa

    count = len(candidates.pairs)
    order = np.arange(count)
    first, second = rows[candidates.pairs.reshape(count, 2)].T
    columns = {
        "batch": pa.array(order // PAIRS, pa.int64()),
        "place": pa.array(order, pa.int64()),
        "first": pa.array(first, pa.int64()),
        "second": pa.array(second, pa.int64()),
        "mirror": pa.array(candidates.mirrored, pa.bool_()),
        "places": pa.array([places.tobytes() for places in candidates.places], pa.binary()),
    }
    return pa.table(columns)


def _lay_over(threshold: float, table: pa.Table) -> pa.Table:
    """Return the pairs of a batch that are copies."""
    import pyarrow as pa

    table = table.sort_by("place")
    pairs = np.stack([table.column(name).to_numpy() for name in ("first", "second")], axis=1)
    greys: dict[int, NDArray[np.uint8]] = {}
    for place, name in enumerate(("one", "other")):
        greys |= zip(pairs[:, place].tolist(), _open_greys(table.column(name)), strict=True)
    places = np.frombuffer(b"".join(table.column("places").to_pylist()), np.float32).reshape(-1, *PLACES)
    mirrored = np.array(table.column("mirror").to_pylist(), np.bool_)
    found = compare_pairs(Candidates(pairs, mirrored, places), greys, threshold)
    schema = pa.schema(
        [("first", pa.int64()), ("second", pa.int64()), ("correlation", pa.float64()), ("mirrored", pa.bool_())]
    )
    return pa.Table.from_pylist([{name: getattr(pair, name) for name in schema.names} for pair in found], schema=schema)


def _list_pairs(found: pa.Table, rows: Indices) -> list[NearPair]:
    """Return pairs in their order, by their places among the rows that were given."""
    first, second = (np.searchsorted(rows, found.column(name).to_numpy()).tolist() for name in ("first", "second"))
    correlation = found.column("correlation").to_pylist()
    mirrored = found.column("mirrored").to_pylist() if "mirrored" in found.column_names else [False] * len(first)
    pairs = map(NearPair, first, second, correlation, mirrored)
    return sorted(pairs, key=lambda pair: (pair.first, pair.second))
