"""The section of report.html with contact sheets: some images of each class of each source's split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from emonet.datasets.builder.decisions import Index
from emonet.datasets.builder.report.images import COLUMNS, Images, make_contact_sheet, spread
from emonet.datasets.store import StoreInfo
from emonet.html.images import EmbeddedImage, embed_pixels

SHOWN = {"train": 24, "validation": 8, "test": 8}  # images of each class
WIDTH = 4.2  # rem on the screen, of an image


@dataclass(frozen=True, slots=True)
class ContactSheet:
    """Some images of one class of a source's split."""

    emotion: str
    rows: Sequence[int]
    of: int

    @property
    def width(self) -> str:
        """On the screen."""
        return f"{WIDTH * min(len(self.rows), COLUMNS):.4g}rem"

    def embed(self, images: Images) -> EmbeddedImage:
        return embed_pixels(make_contact_sheet([images[row] for row in self.rows]))


def plan_sheets(info: StoreInfo, index: Index) -> dict[str, list[ContactSheet]]:
    """Choose the rows of all sheets, by source and split; a split that is only held out of train looks like train."""
    rows: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    columns = zip(index.column("source"), index.split, index.column("emotion"), index.reason, strict=True)
    for row, (source, split, emotion, reason) in enumerate(columns):
        if reason is None:
            rows[source, split, emotion].append(row)
    return {
        f"{source} {split}": [
            ContactSheet(emotion, spread(found, _fill_lines(min(size, len(found)))), len(found))
            for emotion in info.classes
            if (found := rows[source, split, emotion])
        ]
        for source in info.sources
        for split, size in SHOWN.items()
        if split in info.counts.get(source, {})
    }


def _fill_lines(count: int) -> int:
    """Reduce a number of images so that no line of the sheet is broken off."""
    return count if count < COLUMNS else count - count % COLUMNS
