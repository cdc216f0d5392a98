"""The data set on disk: open it, and read its splits. `layout.py` shows its folder, and `schema.py` its columns.

dataset.json is written last: without it there is no data set.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emonet.datasets.formats.tree import hash_file
from emonet.datasets.store.info import StoreInfo, differs_from_its_hash, read_description
from emonet.datasets.store.layout import DESCRIPTION, OLD_REJECTED, REJECTED, SHARDS, find_shards
from emonet.datasets.store.schema import SPLIT, set_split
from emonet.datasets.store.shard import choose_columns, open_shard
from emonet.errors import DatasetError, ImageError, MissingFileError, OptionError
from emonet.labels import Emotion
from facecrop import CropSpec
from facecrop.images import Image
from facecrop.packages import check_installed, importing

if TYPE_CHECKING:
    import pyarrow as pa

    from emonet.datasets.store.torch_faces import FaceDataset
    from emonet.models.inputs import InputSpec


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
        sizes = {split: sum(shard.rows for shard in shards) for split, shards in self.info.splits.items()}
        return {split: size for split, size in sizes.items() if size}

    @property
    def identity(self) -> str:
        """A hash of the bytes of all files, the same wherever they are stored."""
        return hashlib.sha256(json.dumps(dict(self.info.files), sort_keys=True).encode()).hexdigest()

    def files(self, split: str) -> list[Path]:
        """List the shards of a split in order.

        Raises:
            OptionError: The data set has no such split, or nothing in it.
        """
        if split not in self.splits:
            raise OptionError(f"{self.path} has no split {split!r}; it has {', '.join(self.splits) or 'none'}")
        return [self.path / shard.name for shard in self.info.splits[split]]

    @property
    def chosen_keys(self) -> Mapping[str, frozenset[str]]:
        """Of a view: the keys of each split's rows. Empty where all rows of the files belong to their split."""
        return {}

    def table(self, split: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a split into memory.

        Args:
            split: One of `splits`.
            columns: The columns to read; all if None. Leave out `image` if you do not need the images.

        Raises:
            OptionError: There is no such split or column.
            DatasetError: A shard is missing or damaged.
        """
        import pyarrow as pa

        tables = []
        for path in self.files(split):
            with open_shard(path) as file:
                tables.append(self._choose(file.read(columns=choose_columns(file, columns)), split, columns))
        return pa.concat_tables(tables)

    def batches(self, split: str, columns: Sequence[str] | None = None, size: int = 1024) -> Iterator[pa.RecordBatch]:
        """Read a split in batches of at most `size` rows; the arguments and errors are those of `table`."""
        for path in self.files(split):
            with open_shard(path) as file:
                for batch in file.iter_batches(size, columns=choose_columns(file, columns)):
                    yield self._choose(batch, split, columns)

    def as_torch(
        self, split: str, spec: InputSpec | None = None, transform: Callable[[Image], Any] | None = None
    ) -> FaceDataset:
        """Return a split as a PyTorch data set of images and labels.

        Args:
            split: One of `splits`.
            spec: The size, channels and scaling of the images. By default they stay as they are stored, with pixels
                from 0 to 1.
            transform: What to do with an image (H, W, 3; RGB, uint8) instead of scaling it.

        Returns:
            A `torch.utils.data.Dataset` of (image, label).

        Raises:
            OptionError: There is no such split.
            MissingPackageError: PyTorch is not installed.

        Examples:
            >>> from emonet.datasets import open_store
            >>> from torch.utils.data import DataLoader
            >>> faces = open_store("merged").as_torch("train")  # doctest: +SKIP
            >>> x, label = next(iter(DataLoader(faces, batch_size=32, shuffle=True)))  # doctest: +SKIP
            >>> x.shape, label.shape  # doctest: +SKIP
            (torch.Size([32, 1, 48, 48]), torch.Size([32]))
        """
        with importing("a data set for PyTorch", "emonet[train]"):
            from emonet.datasets.store.torch_faces import FaceDataset

        return FaceDataset(self, split, spec, transform)

    def rejected(self) -> pa.Table:
        """Read what was left out: key, source, split, reason and detail."""
        with open_shard(self.path / (OLD_REJECTED if OLD_REJECTED in self.info.files else REJECTED)) as file:
            return file.read()

    def differences(self) -> list[str]:
        """Say what has changed since the data set was written; empty if nothing has.

        dataset.json is compared, too, unless it is of format 1, which has no hash of it.
        """
        found = [f"{DESCRIPTION} has other bytes"] if differs_from_its_hash(self.path / DESCRIPTION) else []
        for name, expected in self.info.files.items():
            path = self.path / name
            if not path.is_file():
                found.append(f"{name} is missing")
            elif hash_file(path) != expected:
                found.append(f"{name} has other bytes")
        shards = [*find_shards(self.path), *(self.path / SHARDS).glob("*.parquet")]  # readers take all in there
        others = {path.relative_to(self.path).as_posix() for path in shards} - set(self.info.files)
        return found + [f"{name} does not belong to it" for name in sorted(others)]

    def _choose(self, rows: Any, split: str, columns: Sequence[str] | None) -> Any:
        """Return the columns in the order that was asked for; `split` is the split that was."""
        if columns is None or SPLIT in columns:
            rows = set_split(rows, split, self.classes)
        return rows if columns is None else rows.select(list(columns))


def open_store(path: str | os.PathLike[str]) -> Store:
    r"""Open a data set that `emonet build` has written.

    Args:
        path: The folder.

    Returns:
        The data set. Its images are read when they are asked for.

    Raises:
        MissingFileError: There is no such folder.
        DatasetError: The folder holds no data set, its build was not finished, or its dataset.json is damaged.
        MissingPackageError: pyarrow is not installed.

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
    check_installed("a data set", "emonet[tables]", ["pyarrow"])
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

    pixels = cv2.imdecode(np.frombuffer(image["bytes"], np.uint8), cv2.IMREAD_COLOR_RGB) if image["bytes"] else None
    if pixels is None:
        raise ImageError(image["path"], "its bytes in the data set are no image")
    return np.asarray(pixels, np.uint8)
