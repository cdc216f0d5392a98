"""The images of the report: those of a few rows, small, read from the chunks in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from emonet.datasets.builder.rows import read_rows_of
from emonet.datasets.store import decode
from facecrop import read_image
from facecrop.images import Image

SIDE = 72  # pixels: larger ones are reduced
COLUMNS = 8  # of a contact sheet

T = TypeVar("T")

Images = Mapping[int, Image]  # row -> its crop, or the small preview of what gave no crop


def read_images(chunks: Sequence[Path], wanted: Iterable[int]) -> Images:
    """Read the images of rows; rows that have neither crop nor preview are not in the answer."""
    images: dict[int, Image] = {}
    for row, cells in read_rows_of(chunks, sorted(set(wanted)), ["image", "preview"]):
        data = cells["image"] or cells["preview"]
        if data is not None:
            images[row] = read_image(decode({"bytes": data}), max_side=SIDE)
    return images


def spread(rows: Sequence[T], count: int) -> list[T]:
    """Choose so many of the rows, evenly from the first on; all of them where there are fewer."""
    step = max(len(rows), count)
    return [rows[number * step // count] for number in range(min(len(rows), count))]


def make_contact_sheet(images: Sequence[Image]) -> Image:
    """Lay images of one size side by side: up to COLUMNS of them, or a multiple."""
    return np.vstack([np.hstack(images[start : start + COLUMNS]) for start in range(0, len(images), COLUMNS)])
