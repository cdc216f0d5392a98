"""Soft labels of training pictures in a file: what networks answered that did not learn from them.

A Parquet file with the columns `key` (the picture's, as in the store), `fold` (null where no network learned from the
picture), and one a head, named after it, with a list of probabilities. What they are is JSON in the file's metadata.
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

FORMAT = 1
HEADER = "emonet.teacher_labels"
KEY, FOLD = "key", "fold"


@dataclass(frozen=True, slots=True, eq=False)
class TeacherLabels:
    """Soft labels for pictures, with what they are of.

    Attributes:
        keys: The pictures, each once.
        folds: The fold of each picture; -1 for those that no network learned from (N,).
        answers: The probabilities of all heads side by side (N, all heads' classes).
        heads: The heads that answered.
        about: Further facts: `model`, `arguments`, `store` (its identity), `view`, and the `sources` learned from.
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
            raise OptionError("a picture may be labelled only once")
        if not np.isfinite(self.answers).all() or (self.answers < 0).any():
            raise OptionError("probabilities must be numbers of 0 or more")

    @property
    def identity(self) -> str:
        """A hash of the pictures, the heads and their probabilities."""
        heads = [[head.name, head.classes] for head in self.heads]
        whole = hashlib.sha256(json.dumps([list(self.keys), heads]).encode())
        whole.update(self.answers.tobytes())
        return whole.hexdigest()

    def places(self, keys: Sequence[str]) -> NDArray[np.int64]:
        """Where the labels of each of these pictures stand; -1 where there are none."""
        known = {key: place for place, key in enumerate(self.keys)}
        return np.array([known.get(key, -1) for key in keys], np.int64)

    def save(self, path: Path) -> None:
        """Write the file whole, or leave the one before."""
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

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is another kind of file, or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise MissingFileError(f"no such file of teacher labels: {path}; `emonet train --out-of-fold` writes them")
    try:
        return _from_table(pq.read_table(path))
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise OptionError(f"{path} is no file of teacher labels, or a damaged one: {error}") from error


def _from_table(table: pa.Table) -> TeacherLabels:
    header = json.loads((table.schema.metadata or {})[HEADER.encode()])
    if header["format"] != FORMAT:
        raise OptionError(f"format {header['format']!r}, and this version reads {FORMAT}")
    heads = tuple(map(Head.from_dict, header["heads"]))
    return TeacherLabels(
        keys=table[KEY].to_pylist(),
        folds=np.asarray(table[FOLD].fill_null(-1).to_numpy(), np.int64),
        answers=np.concatenate([_probabilities(table[head.name], head) for head in heads], axis=1),
        heads=heads,
        about={name: value for name, value in header.items() if name not in ("format", "heads")},
    )


def _probabilities(column: pa.ChunkedArray, head: Head) -> NDArray[np.float32]:
    rows = column.to_pylist()
    if any(row is None or len(row) != len(head.classes) for row in rows):
        raise OptionError(f"{head.name} must have {len(head.classes)} probabilities in each row")
    return np.array(rows, np.float32).reshape(len(rows), len(head.classes))
