"""`timeline.csv` and `timeline.parquet`, with a row for each face on each frame, and `segments.csv`."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emonet.atomic import write_atomically
from emonet.labels import Emotion
from emonet.prediction.table import BOX, LANDMARKS, name_column
from emonet.video.frames import FrameResult
from emonet.video.segments import Segment

if TYPE_CHECKING:
    import pyarrow as pa

CSV, PARQUET, SEGMENTS = "timeline.csv", "timeline.parquet", "segments.csv"
GROUP = 2000  # rows that are in memory together; also a row group of the Parquet file
SEGMENT_COLUMNS = ("track", "expression", "from_s", "to_s", "strength")


def make_schema(classes: Sequence[Emotion]) -> pa.Schema:
    """Return the columns of the timeline."""
    import pyarrow as pa

    fields = [("frame", pa.int64()), ("time_s", pa.float64()), ("track", pa.int32()), ("detected", pa.bool_())]
    fields += [("classified", pa.bool_())]
    fields += [("emotion", pa.string()), ("confidence", pa.float64())]
    fields += [(name_column(emotion), pa.float64()) for emotion in classes]
    fields += [(name, pa.float64()) for name in (*BOX, "score", *LANDMARKS)]
    return pa.schema(fields)


def make_rows(result: FrameResult) -> Iterator[dict[str, Any]]:
    """Make the rows of one frame, from left to right."""
    for one in result.predictions:
        points = [value for point in one.face.landmarks or () for value in point]
        yield {
            "frame": result.index,
            "time_s": result.time_s,
            "track": one.track,
            "detected": one.detected,
            "classified": one.classified,
            "emotion": one.emotion.value,
            "confidence": one.confidence,
            **{name_column(emotion): share for emotion, share in one.probabilities.items()},
            **dict(zip(BOX, one.box, strict=True)),
            "score": one.face.score,
            **dict(zip(LANDMARKS, points, strict=False)),
        }


def write_tables(
    results: Iterable[FrameResult], folder: Path, classes: Sequence[Emotion], facts: Mapping[str, str]
) -> None:
    """Write both tables of the timeline.

    Args:
        results: The frames, in order.
        folder: Where the tables are written.
        classes: The classes of the predictor.
        facts: Metadata of the Parquet file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = make_schema(classes).with_metadata(dict(facts))
    rows = (row for result in results for row in make_rows(result))
    with ExitStack() as stack:
        as_csv = stack.enter_context(write_atomically(folder / CSV))
        as_parquet = stack.enter_context(write_atomically(folder / PARQUET))
        text = stack.enter_context(as_csv.open("w", encoding="utf-8", newline=""))
        table = csv.DictWriter(text, columns.names, lineterminator="\n")
        table.writeheader()
        parquet = stack.enter_context(pq.ParquetWriter(as_parquet, columns))
        while group := list(islice(rows, GROUP)):
            table.writerows(group)
            parquet.write_table(pa.Table.from_pylist(group, schema=columns))


def format_segments(segments: Iterable[Segment]) -> str:
    """Write segments as CSV."""
    text = StringIO()
    table = csv.DictWriter(text, SEGMENT_COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(one.to_dict() for one in segments)
    return text.getvalue()
