"""The pictures of report.html: those of a few rows, small, read from the chunks in one pass."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from emonet.datasets.store import decode
from facecrop.images import Image

SIDE = 72  # pixels: larger ones are reduced
QUALITY = 88
COLUMNS = 8  # of a contact sheet

T = TypeVar("T")

Pictures = Mapping[int, Image]  # row -> its crop, or the small picture of what gave none


def read_pictures(chunks: Sequence[Path], wanted: Iterable[int]) -> Pictures:
    """What rows that have neither crop nor preview show is nothing, and they are not in the answer."""
    import pyarrow.parquet as pq

    pictures: dict[int, Image] = {}
    first, left = 0, sorted(set(wanted))
    for path in chunks:
        end = first + pq.read_metadata(path).num_rows
        here = [row for row in left if row < end]
        left = left[len(here) :]
        if here:
            columns = pq.read_table(path, columns=["image", "preview"])
            for row in here:
                data = columns["image"][row - first].as_py() or columns["preview"][row - first].as_py()
                if data is not None:
                    pictures[row] = _reduced(decode({"bytes": data}))
        first = end
    return pictures


def spread(rows: Sequence[T], count: int) -> list[T]:
    """So many of the rows, evenly from the first on; all of them where there are fewer."""
    step = max(len(rows), count)
    return [rows[number * step // count] for number in range(min(len(rows), count))]


def contact_sheet(images: Sequence[Image]) -> Image:
    """Pictures of one size side by side: up to COLUMNS of them, or a multiple."""
    return np.vstack([np.hstack(images[start : start + COLUMNS]) for start in range(0, len(images), COLUMNS)])


def data_uri(image: Image) -> str:
    import cv2

    grey = (image == image[..., :1]).all()
    _, data = cv2.imencode(".jpg", image[..., 0] if grey else image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"


def _reduced(image: Image) -> Image:
    import cv2

    share = SIDE / max(image.shape[:2])
    if share >= 1:
        return image
    size_wh = (max(1, round(image.shape[1] * share)), max(1, round(image.shape[0] * share)))
    return np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
