"""Teacher labels: a file of soft labels for training images, from networks that did not learn from those images.

It is a Parquet file with the columns `key` (of the image in the store), `fold` (null where no network learned from the
image), and for each head a column of its name, which holds lists of probabilities. JSON in its metadata says where the
labels come from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emonet.atomic import write_atomically
from emonet.errors import MissingFileError, OptionError
from emonet.heads import Head, sizes

if TYPE_CHECKING:
    import pyarrow as pa

TEACHER_LABELS = "teacher_labels.parquet"  # the file in the folder of a run
FORMAT = 1
HEADER = "emonet.teacher_labels"
KEY, FOLD = "key", "fold"


@dataclass(frozen=True, slots=True, eq=False)
class TeacherLabels:
    """Soft labels for images, and where they come from.

    Attributes:
        keys: Keys of the images, each once.
        folds: The fold of each image (N,); -1 where no network learned from it.
        answers: The probabilities of all heads side by side (N, all heads' classes).
        heads: The heads that answered.
        about: Further facts: `model`, `arguments`, `store` (its identity), `view`, the `sources` learned from, also by
            starts and teachers (None if they are not known), and what `describe_known` says of the networks.

    Raises:
        OptionError: The arrays do not fit together, or hold no probabilities.
    """

    keys: Sequence[str]
    folds: NDArray[np.int64]
    answers: NDArray[np.float32]
    heads: tuple[Head, ...]
    about: Mapping[str, Any]

    def __post_init__(self) -> None:
        shape = (len(self.keys), sum(sizes(self.heads)))
        if self.answers.shape != shape or len(self.folds) != len(self.keys):
            raise OptionError(f"answers must be {shape} and folds {shape[:1]}, got {self.answers.shape}")
        if len(set(self.keys)) != len(self.keys):
            raise OptionError("an image may be labelled only once")
        if not np.isfinite(self.answers).all() or (self.answers < 0).any():
            raise OptionError("probabilities must be numbers of 0 or more")

    @property
    def identity(self) -> str:
        """A hash of the images, the heads and their probabilities."""
        heads = [[head.name, head.classes] for head in self.heads]
        whole = hashlib.sha256(json.dumps([list(self.keys), heads]).encode())
        whole.update(self.answers.tobytes())
        return whole.hexdigest()

    @property
    def learned_keys(self) -> set[str]:
        """The keys of the images that a network behind the labels learned from."""
        return {key for key, fold in zip(self.keys, self.folds.tolist(), strict=True) if fold >= 0}

    def find_rows(self, keys: Sequence[str]) -> NDArray[np.int64]:
        """Find the row of each of these images (N,); -1 where there is none."""
        known = {key: place for place, key in enumerate(self.keys)}
        return np.array([known.get(key, -1) for key in keys], np.int64)

    def save(self, path: Path) -> None:
        """Write the file. If that fails, an older file stays as it is."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = {
            KEY: pa.array(self.keys, pa.string()),
            FOLD: pa.array(self.folds, pa.int32(), mask=self.folds < 0),
        }
        parts = np.split(self.answers, np.cumsum(sizes(self.heads))[:-1], axis=1)
        for head, part in zip(self.heads, parts, strict=True):
            columns[head.name] = pa.array(list(part), pa.list_(pa.float32()))
        header = {"format": FORMAT, "heads": [head.to_dict() for head in self.heads], **self.about}
        table = pa.table(columns).replace_schema_metadata({HEADER: json.dumps(header)})
        with write_atomically(path) as temporary:
            pq.write_table(table, temporary, compression="zstd")


def load_teacher_labels(path: Path) -> TeacherLabels:
    """Read what `TeacherLabels.save` wrote.

    Args:
        path: A file that `emonet train --out-of-fold` wrote.

    Raises:
        MissingFileError: The file does not exist.
        OptionError: It is another kind of file, or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise MissingFileError(f"no such file of teacher labels: {path}; `emonet train --out-of-fold` writes them")
    try:
        return _parse_table(pq.read_table(path))
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise OptionError(f"{path} is no file of teacher labels, or a damaged one: {error}") from error


def _parse_table(table: pa.Table) -> TeacherLabels:
    header = json.loads((table.schema.metadata or {})[HEADER.encode()])
    if header["format"] != FORMAT:
        raise OptionError(f"it has the format {header['format']!r}, and this version reads {FORMAT}")
    heads = tuple(map(Head.from_dict, header["heads"]))
    return TeacherLabels(
        keys=table[KEY].to_pylist(),
        folds=np.asarray(table[FOLD].fill_null(-1).to_numpy(), np.int64),
        answers=np.concatenate([_read_probabilities(table[head.name], head) for head in heads], axis=1),
        heads=heads,
        about={name: value for name, value in header.items() if name not in ("format", "heads")},
    )


def _read_probabilities(column: pa.ChunkedArray, head: Head) -> NDArray[np.float32]:
    rows = column.to_pylist()
    if any(row is None or len(row) != len(head.classes) for row in rows):
        raise OptionError(f"{head.name} must have {len(head.classes)} probabilities in each row")
    return np.array(rows, np.float32).reshape(len(rows), len(head.classes))
