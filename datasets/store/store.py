"""The data set on disk: Parquet shards for each split, dataset.json, rejected.parquet, report.html.

Any reader of Parquet opens the shards; `image` is Hugging Face's struct of bytes and path, and `label` its ClassLabel.
dataset.json is written last: without it there is no data set.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emonet.datasets.ferplus import VOTES
from emonet.datasets.formats.tree import file_hash
from emonet.datasets.sample import SPLITS
from emonet.errors import DatasetError, MissingFileError, OptionError
from emonet.labels import Emotion
from facecrop import CropSpec
from facecrop.images import Image

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1
DESCRIPTION = "dataset.json"
REJECTED = "rejected.parquet"
REPORT = "report.html"
CARD = "README.md"


@dataclass(frozen=True, slots=True)
class Store:
    """A finished data set. `info` is dataset.json: every option, count, version and hash of its making."""

    path: Path
    info: dict[str, Any]

    @property
    def classes(self) -> tuple[Emotion, ...]:
        """In the order of the column `label`."""
        return tuple(map(Emotion, self.info["classes"]))

    @property
    def crop(self) -> CropSpec:
        return CropSpec(**self.info["options"]["crop"])

    @property
    def splits(self) -> dict[str, int]:
        """How many pictures each split holds; only splits that hold any."""
        return {split: sum(file["rows"] for file in files) for split, files in self.info["splits"].items()}

    @property
    def identity(self) -> str:
        """A hash of the bytes of all files: the same data have the same, wherever they lie."""
        return hashlib.sha256(json.dumps(self.info["files"], sort_keys=True).encode()).hexdigest()

    def files(self, split: str) -> list[Path]:
        """The shards of a split, in order."""
        if split not in self.info["splits"]:
            raise OptionError(f"{self.path} has no split {split!r}; it has {', '.join(self.info['splits'])}")
        return [self.path / file["name"] for file in self.info["splits"][split]]

    def table(self, split: str, columns: Sequence[str] | None = None) -> pa.Table:
        """A split in memory; name the columns to leave the pictures where they are."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        chosen = None if columns is None else list(columns)
        return pa.concat_tables(pq.read_table(file, columns=chosen) for file in self.files(split))

    def batches(self, split: str, columns: Sequence[str] | None = None, size: int = 1024) -> Iterator[pa.RecordBatch]:
        """A split piece by piece."""
        import pyarrow.parquet as pq

        chosen = None if columns is None else list(columns)
        for path in self.files(split):
            with pq.ParquetFile(path) as file:
                yield from file.iter_batches(size, columns=chosen)

    def rejected(self) -> pa.Table:
        import pyarrow.parquet as pq

        return pq.read_table(self.path / REJECTED)

    def differences(self) -> list[str]:
        """What is not as it was when the data set was written; empty if every byte is."""
        found = []
        for name, expected in self.info["files"].items():
            path = self.path / name
            if not path.is_file():
                found.append(f"{name} is missing")
            elif file_hash(path) != expected:
                found.append(f"{name} has other bytes")
        shards = {path.name for split in SPLITS for path in self.path.glob(f"{split}-*.parquet")}
        return found + [f"{name} does not belong to it" for name in sorted(shards - set(self.info["files"]))]


def open_store(path: str | os.PathLike[str]) -> Store:
    """The data set in a folder that a build has finished."""
    folder = Path(path)
    if not folder.is_dir():
        raise MissingFileError(f"no such folder: {folder}; `emonet build` writes data sets")
    description = folder / DESCRIPTION
    if not description.is_file():
        raise DatasetError(folder, f"no {DESCRIPTION} in it: not a data set, or its build was not finished")
    return Store(folder, read_description(description))


def read_description(path: Path) -> dict[str, Any]:
    """A dataset.json of a format that is known."""
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DatasetError(path, f"not JSON: {error}") from error
    if not isinstance(info, dict) or info.get("format") != FORMAT:
        found = info.get("format") if isinstance(info, dict) else None
        raise DatasetError(path, f"format {found!r}, and this version reads {FORMAT}")
    return info


def decode(image: dict[str, Any]) -> Image:
    """A cell of the column `image` as RGB."""
    import cv2

    pixels = cv2.imdecode(np.frombuffer(image["bytes"], np.uint8), cv2.IMREAD_COLOR_RGB)
    return np.asarray(pixels, np.uint8)


def shard_schema(classes: Sequence[Emotion]) -> pa.Schema:
    """The columns of a shard, with what Hugging Face wants to know of them."""
    import pyarrow as pa

    numbers = pa.list_(pa.float32())
    schema = pa.schema(
        [
            ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            ("label", pa.int64()),
            ("emotion", pa.string()),
            ("source", pa.string()),
            ("subject", pa.string()),
            ("sequence", pa.string()),
            ("frame", pa.int32()),
            ("activation", pa.float32()),
            ("key", pa.string()),
            ("sha1", pa.string()),
            ("box", numbers),
            ("landmarks", pa.list_(numbers)),
            ("score", pa.float32()),
            ("detector", pa.string()),
            ("undetected", pa.string()),  # why the face would not have done, in rows that are never filtered
            ("votes", pa.list_(pa.int16())),
            ("fold", pa.int32()),
            ("duplicate_group", pa.string()),
            ("near_group", pa.string()),
        ]
    )
    described = {"info": {"features": {field.name: _feature(field, classes) for field in schema}}}
    return schema.with_metadata({"huggingface": json.dumps(described), "emonet.votes": json.dumps(VOTES)})


def _feature(field: pa.Field, classes: Sequence[Emotion]) -> Any:
    if field.name == "image":
        return {"_type": "Image"}
    if field.name == "label":
        return {"names": [str(emotion) for emotion in classes], "_type": "ClassLabel"}
    return _plain_feature(field.type)


def _plain_feature(kind: pa.DataType) -> Any:
    import pyarrow as pa

    if pa.types.is_list(kind):
        return [_plain_feature(kind.value_type)]  # in this form Hugging Face's old versions know it too
    return {"dtype": {"float": "float32"}.get(str(kind), str(kind)), "_type": "Value"}
