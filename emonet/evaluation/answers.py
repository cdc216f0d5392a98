"""answers.parquet: what a model answered to each image, for comparisons and for tools of your own.

A row is an image, and any reader of Parquet opens the file:

key, source, split, subject, sequence    where the image stands in the data set; null where it is not known
scored                                   what the image was scored as a part of: the split, or a title of a protocol
label                                    the true class, by its name
votes                                    FER+'s votes in the order of `emonet.datasets.ferplus.VOTES`, if there are any
fold                                     the round of a protocol that scored the image; else its fold in the data set
seed                                     the seed of the training
answer_VIEW                              the class that was answered, for each view
p_VIEW_CLASS                             the probability of each class in the answer that is scored
p_VIEW_HEAD_CLASS                        the probability of each class of each head, as the network gave it

The file's metadata say in JSON, under `emonet.answers`, which model answered, which data set the images are from, and
how the answer was made.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emonet.atomic import write_atomically
from emonet.errors import DatasetError, MissingFileError, OptionError
from emonet.evaluation.intervals import Clusters, name_clusters

if TYPE_CHECKING:
    import pyarrow as pa

ANSWERS = "answers.parquet"
METADATA = b"emonet.answers"
VERSION = 1
NEEDED = ("key", "scored", "source", "label", "subject", "sequence")


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a model answered to each image.

    Attributes:
        table: A row for each image; the module's docstring lists the columns.
        about: Which model answered, which data set the images are from, and how the answer was made.

    Examples:
        `emonet evaluate MODEL STORE -o report` and `emonet protocol` write answers, and a few lines read them::

            answers = read_answers("report")
            wrong = [key for key, right in zip(answers.keys, answers.right("mirror")) if not right]
    """

    table: pa.Table
    about: Mapping[str, Any]

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def name(self) -> str:
        """The name of the model, for people."""
        return str(self.about["name"])

    @property
    def views(self) -> tuple[str, ...]:
        """The views that answered; figures are drawn of the last."""
        return tuple(self.about["views"])

    @property
    def scored(self) -> tuple[str, ...]:
        """What the images are scored as parts of: one split, or several titles of a protocol."""
        return tuple(dict.fromkeys(self.column("scored")))

    @property
    def keys(self) -> list[str]:
        """The key of each image."""
        return self.column("key")

    @property
    def labels(self) -> NDArray[np.str_]:
        """The name of the true class of each image (N,)."""
        return np.array(self.column("label"), np.str_)

    @property
    def clusters(self) -> Clusters:
        """Which images are of one person or sequence."""
        return name_clusters(*map(self.column, ("source", "subject", "sequence", "key")))

    def column(self, name: str) -> list[Any]:
        """Return a column as Python values."""
        return list(self.table[name].to_pylist())

    def answer(self, view: str) -> NDArray[np.str_]:
        """Return the name of the class that a view answered to each image (N,)."""
        self._check_view(view)
        return np.array(self.column(f"answer_{view}"), np.str_)

    def right(self, view: str) -> NDArray[np.bool_]:
        """Return which images a view answered rightly (N,)."""
        return np.asarray(self.answer(view) == self.labels, np.bool_)

    def classes(self, view: str) -> tuple[str, ...]:
        """Return the classes of the answers of a view."""
        self._check_view(view)
        there = set(self.table.column_names)
        return tuple(name for name in self.about["classes"] if f"p_{view}_{name}" in there)

    def probabilities(self, view: str, head: str = "") -> NDArray[np.float32]:
        """Return the probabilities of a view (N, classes).

        Args:
            view: One of `views`.
            head: A head of the model, whose classes `about["heads"]` names; the answer that is scored if empty.
        """
        self._check_view(view)
        if head and head not in self.about["heads"]:
            raise OptionError(f"head must be one of {', '.join(self.about['heads'])}, got {head!r}")
        names = self.about["heads"][head] if head else self.classes(view)
        start = f"p_{view}_{head}_" if head else f"p_{view}_"
        columns = [np.asarray(self.table[start + name].to_numpy(), np.float32) for name in names]
        return np.stack(columns, axis=1)

    def select(self, scored: str) -> Answers:
        """Return the images that are scored as parts of this, without columns that none of them has."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if scored not in self.scored:
            raise OptionError(f"scored must be one of {', '.join(self.scored)}, got {scored!r}")
        table = self.table.filter(pc.equal(self.table["scored"], pa.scalar(scored)))
        kept = [name for name in table.column_names if name in NEEDED or table[name].null_count < len(table)]
        return Answers(table.select(kept), self.about)

    def _check_view(self, view: str) -> None:
        if view not in self.views:
            raise OptionError(f"view must be one of {', '.join(self.views)}, got {view!r}")


def join_answers(answers: Sequence[Answers], about: Mapping[str, Any]) -> Answers:
    """Join the answers of several models, such as those of a protocol's rounds, under one description."""
    import pyarrow as pa

    classes = dict.fromkeys(name for one in answers for name in one.about["classes"])
    heads: dict[str, list[str]] = {}
    for one in answers:
        for head, names in one.about["heads"].items():
            heads[head] = list(dict.fromkeys([*heads.get(head, []), *names]))
    table = pa.concat_tables([one.table for one in answers], promote_options="default")
    return Answers(table, {**answers[0].about, "classes": list(classes), "heads": heads, **about})


def write_answers(answers: Answers, path: str | os.PathLike[str]) -> Path:
    """Write answers into a Parquet file, whole or not at all.

    Args:
        answers: What `make_answers` returned.
        path: The file.

    Returns:
        The path of the file.
    """
    import pyarrow.parquet as pq

    path = Path(path)
    about = {METADATA: json.dumps(dict(answers.about)).encode()}
    with write_atomically(path) as temporary:
        pq.write_table(answers.table.replace_schema_metadata(about), temporary)
    return path


def read_answers(path: str | os.PathLike[str]) -> Answers:
    """Read the answers that `emonet evaluate`, `emonet protocol` or `write_answers` wrote.

    Args:
        path: The file, or the folder of the evaluation.

    Raises:
        MissingFileError: There is no such file, or the folder holds no answers.
        DatasetError: The file holds something else, or is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = _find_file(Path(path))
    try:
        table = pq.read_table(file)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise DatasetError(file, f"cannot be read as Parquet: {error}") from error
    stored = (table.schema.metadata or {}).get(METADATA)
    if stored is None or (missing := set(NEEDED) - set(table.column_names)):
        why = "it has no description" if stored is None else f"it has no column {', '.join(sorted(missing))}"
        raise DatasetError(file, f"holds no answers of `emonet evaluate` or `emonet protocol`: {why}")
    about = json.loads(stored)
    if about.get("version") != VERSION:
        raise DatasetError(file, f"holds answers of version {about.get('version')}; this emonet reads {VERSION}")
    return Answers(table, about)


def _find_file(path: Path) -> Path:
    file = path / ANSWERS if path.is_dir() else path
    if not file.is_file():
        hint = "`emonet evaluate MODEL STORE -o FOLDER` and `emonet protocol` write it"
        raise MissingFileError(f"no {ANSWERS} in {path}: {hint}" if path.is_dir() else f"no such file: {file}; {hint}")
    return file
