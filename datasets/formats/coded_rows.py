"""Make samples of the rows of a pixel table: codes become expressions, FER2013's `Usage` becomes splits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from emonet.datasets.formats.pixel_table import BadRow, PixelRow, PixelTable
from emonet.datasets.sample import DropReason, Rejected, Sample, Votes
from emonet.labels import Emotion

USAGES = {"training": "train", "publictest": "validation", "privatetest": "test"}

Codes = Mapping[str, Emotion]


def read_coded_rows(
    source: str,
    table: PixelTable,
    codes: Codes,
    *,
    prefix: str = "",
    split: str | None = None,
    votes: Callable[[PixelRow], Votes | None] | None = None,
) -> Iterator[Sample | Rejected]:
    """Yield a sample, or why there is none, for each row.

    Args:
        source: The name of the data set.
        table: The rows.
        codes: Code -> expression.
        prefix: Put before the number of the row to make its key.
        split: The split of all rows; None if the column `usage` says it.
        votes: Returns the votes of a row, or None.
    """
    for row in table.rows():
        key = f"{source}/{prefix}{row.number:07d}"
        if isinstance(row, BadRow):
            yield Rejected(key, source, split, DropReason.BAD_ROW, f"row {row.line}: {row.reason}")
            continue
        found = split or USAGES.get(row.cells.get("usage", "").lower())
        trouble = _find_trouble(row, found, codes)
        if trouble:
            yield Rejected(key, source, found, *trouble)
        else:
            emotion = codes[row.cells["emotion"]]
            yield Sample(key, row.image, emotion, source, split=found, votes=votes and votes(row))


def _find_trouble(row: PixelRow, split: str | None, codes: Codes) -> tuple[DropReason, str] | None:
    code = row.cells.get("emotion")
    if split is None:
        usage = row.cells.get("usage", "")[:40]
        known = "Training, PublicTest and PrivateTest"
        return DropReason.BAD_SPLIT, f"row {row.line}: Usage {usage!r}; {known} are known"
    if code is None:
        return DropReason.NO_LABEL, "the table has no labels"
    if code not in codes:
        return DropReason.BAD_LABEL, f"row {row.line}: emotion {code[:40]!r}, not {min(codes)} to {max(codes)}"
    return None
