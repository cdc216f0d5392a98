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
from emonet.datasets.formats.tree import hash_file
from emonet.datasets.sample import SPLITS
from emonet.datasets.store.info import StoreInfo, read_description
from emonet.errors import DatasetError, MissingFileError, OptionError
from emonet.labels import Emotion
from facecrop import CropSpec
from facecrop.images import Image

if TYPE_CHECKING:
    import pyarrow as pa

DESCRIPTION = "dataset.json"
REJECTED = "rejected.parquet"
REPORT = "report.html"
CARD = "README.md"


@dataclass(frozen=True, slots=True)
class Store:
    """A finished data set.

    Attributes:
        path: Its folder.
        info: What dataset.json holds: every option, count, version and hash of its making.
    """

    path: Path
    info: StoreInfo

    @property
    def classes(self) -> tuple[Emotion, ...]:
        """The classes, in the order of the column `label`."""
        return self.info.classes

    @property
    def crop(self) -> CropSpec:
        """How faces were cut out."""
        return self.info.crop

    @property
    def splits(self) -> dict[str, int]:
        """How many images each split holds; only splits that hold any."""
        return {split: sum(shard.rows for shard in shards) for split, shards in self.info.splits.items()}

    @property
    def identity(self) -> str:
        """A hash of the bytes of all files, the same wherever they are stored."""
        return hashlib.sha256(json.dumps(dict(self.info.files), sort_keys=True).encode()).hexdigest()

    def files(self, split: str) -> list[Path]:
        """List the shards of a split in order."""
        if split not in self.info.splits:
            raise OptionError(f"{self.path} has no split {split!r}; it has {', '.join(self.info.splits)}")
        return [self.path / shard.name for shard in self.info.splits[split]]

    def table(self, split: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a split into memory.

        Args:
            split: One of `splits`.
            columns: The columns to read; all if None. Leave out `image` if you do not need the images.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        chosen = None if columns is None else list(columns)
        return pa.concat_tables(pq.read_table(file, columns=chosen) for file in self.files(split))

    def batches(self, split: str, columns: Sequence[str] | None = None, size: int = 1024) -> Iterator[pa.RecordBatch]:
        """Read a split in batches of at most `size` rows."""
        import pyarrow.parquet as pq

        chosen = None if columns is None else list(columns)
        for path in self.files(split):
            with pq.ParquetFile(path) as file:
                yield from file.iter_batches(size, columns=chosen)

    def rejected(self) -> pa.Table:
        """Read what was left out: key, source, split, reason and detail."""
        import pyarrow.parquet as pq

        return pq.read_table(self.path / REJECTED)

    def differences(self) -> list[str]:
        """Say what has changed since the data set was written; empty if nothing has."""
        found = []
        for name, expected in self.info.files.items():
            path = self.path / name
            if not path.is_file():
                found.append(f"{name} is missing")
            elif hash_file(path) != expected:
                found.append(f"{name} has other bytes")
        shards = {path.name for split in SPLITS for path in self.path.glob(f"{split}-*.parquet")}
        return found + [f"{name} does not belong to it" for name in sorted(shards - set(self.info.files))]


def open_store(path: str | os.PathLike[str]) -> Store:
    r"""Open a data set that `emonet build` has written.

    Args:
        path: The folder.

    Returns:
        The data set. Its images are read when they are asked for.

    Raises:
        MissingFileError: There is no such folder.
        DatasetError: The folder holds no data set, its build was not finished, or its dataset.json is damaged.

    Examples:
        Build a data set of 14 small images, and open it:

        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from emonet.datasets.builder import BuildOptions, build_dataset, prepare
        >>> folder = Path(tempfile.mkdtemp())
        >>> images = np.random.default_rng(0).integers(0, 256, (14, 48 * 48))
        >>> rows = [f"{n % 7},{' '.join(map(str, image))},Training" for n, image in enumerate(images)]
        >>> _ = (folder / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *rows]))
        >>> options = BuildOptions({"fer2013": str(folder / "fer2013.csv")}, detector="whole", dev=7)
        >>> _ = build_dataset(prepare(options), folder / "store", workers=1)
        >>> store = open_store(folder / "store")
        >>> store.splits
        {'train': 7, 'dev': 7}
        >>> store.table("dev", ["key", "emotion"]).to_pylist()[0]
        {'key': 'fer2013/fer0000000', 'emotion': 'angry'}
    """
    folder = Path(path)
    if not folder.is_dir():
        raise MissingFileError(f"no such folder: {folder}; `emonet build` writes data sets")
    description = folder / DESCRIPTION
    if not description.is_file():
        raise DatasetError(folder, f"no {DESCRIPTION} in it: not a data set, or its build was not finished")
    return Store(folder, read_description(description))


def decode(image: dict[str, Any]) -> Image:
    """Decode a cell of the column `image` as RGB."""
    import cv2

    pixels = cv2.imdecode(np.frombuffer(image["bytes"], np.uint8), cv2.IMREAD_COLOR_RGB)
    return np.asarray(pixels, np.uint8)


def shard_schema(classes: Sequence[Emotion]) -> pa.Schema:
    """List the columns of a shard, with the metadata that Hugging Face needs."""
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
            ("undetected", pa.string()),  # why the face fails the rules, in rows that are never filtered
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
        return [_plain_feature(kind.value_type)]  # old versions of Hugging Face's library know this form, too
    return {"dtype": {"float": "float32"}.get(str(kind), str(kind)), "_type": "Value"}
