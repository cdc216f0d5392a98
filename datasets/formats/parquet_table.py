"""Parquet files of Hugging Face: a column of encoded images, and one of labels whose names are in the metadata."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from emonet.datasets.labels import find_emotion
from emonet.datasets.sample import DropReason, Rejected, Sample
from emonet.errors import DatasetError, ImageError
from facecrop.images import Image, read_image

LABELS = ("label", "labels", "emotion")


@dataclass(frozen=True, slots=True)
class ParquetImage:
    """The image in one row of a row group. A group is read whole, and the last two are kept in memory."""

    path: Path
    group: int
    row: int

    def read(self) -> Image:
        try:
            cell = _read_images(self.path, self.group)[self.row].as_py()
        except DatasetError as error:
            raise ImageError(self.path, error.reason) from error
        try:
            return read_image((cell or {}).get("bytes") or b"")
        except ImageError as error:
            raise ImageError(self.path, f"row {self.row} of row group {self.group}: {error.reason}") from error


@lru_cache(maxsize=2)
def _read_images(path: Path, group: int) -> Any:
    return _read_column(path, group, "image")


def _read_column(path: Path, group: int, name: str) -> Any:
    """Read a column of a row group.

    Raises:
        DatasetError: The file is damaged there.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            return file.read_row_group(group, columns=[name]).column(name)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise DatasetError(path, f"column {name} of row group {group} cannot be read: {reason}") from error


@dataclass(frozen=True, slots=True)
class ParquetTable:
    """One file. `label` is its column of labels, and `names` are the names of the labels by number."""

    path: Path
    label: str
    names: tuple[str, ...]

    def samples(self, source: str, prefix: str, split: str | None) -> Iterator[Sample | Rejected]:
        """Yield a sample, or why there is none, for each row.

        Raises:
            DatasetError: The labels cannot be read.
        """
        for number, (group, row, label) in enumerate(self._labels()):
            key = f"{source}/{prefix}/{number:07d}"
            name = self.names[label] if label is not None and 0 <= label < len(self.names) else None
            emotion = find_emotion(name or "")
            if emotion is None:
                detail = f"label {label} is {name!r}, no expression"
                yield Rejected(key, source, split, DropReason.BAD_LABEL, detail)
            else:
                yield Sample(key, ParquetImage(self.path, group, row), emotion, source, split=split)

    def _labels(self) -> Iterator[tuple[int, int, int | None]]:
        """Yield the row group, the row in it, and the label of each image."""
        import pyarrow.parquet as pq

        for group in range(pq.read_metadata(self.path).num_row_groups):
            for row, label in enumerate(_read_column(self.path, group, self.label).to_pylist()):
                yield group, row, label


def open_parquet_table(path: Path) -> ParquetTable:
    """Open a Parquet file of images.

    Raises:
        DatasetError: The file is not Parquet, holds no images, or does not name its labels.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DatasetError(path, f"not a Parquet file that can be read: {error}") from error
    label = next((name for name in LABELS if name in schema.names), None)
    if label is None or "image" not in schema.names:
        found = ", ".join(schema.names)
        raise DatasetError(path, f"columns image and {' or '.join(LABELS)} are expected, found {found}")
    stored = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    feature = stored.get("info", {}).get("features", {}).get(label, {})
    if "names" not in feature:
        raise DatasetError(
            path, f"its labels ({label}) have no names, and numbers alone do not say which expression is meant"
        )
    return ParquetTable(path, label, tuple(feature["names"]))
