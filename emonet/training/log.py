"""The log of a run: one row per epoch, as CSV. And `Watch`, the interface for whoever wants to see progress live."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Protocol, get_type_hints

from emonet.atomic import write_atomically
from emonet.errors import MissingFileError, OptionError


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRow:
    """The figures of one epoch. Without a dev split, its figures are None.

    Attributes:
        epoch: Number of the epoch; the first is 1.
        step: Steps of the run so far.
        learning_rate: The rate of the last step.
        train_loss: Mean loss on the augmented training images.
        train_accuracy: Accuracy on the augmented training images.
        dev_loss: Log loss on dev, for labels.
        dev_accuracy: Accuracy on dev, for labels.
        dev_macro_f1: Macro F1 on dev, for labels.
        dev_seen_loss: Log loss on dev of the head `seen`, against the votes of FER+.
        dev_seen_accuracy: Its accuracy.
        dev_seen_macro_f1: Its macro F1.
        seconds: Seconds of the epoch, without scoring dev.
        waiting_share: Share of these seconds that was spent waiting for images.
        pictures_per_second: Training images per second.
    """

    epoch: int
    step: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    dev_loss: float | None = None
    dev_accuracy: float | None = None
    dev_macro_f1: float | None = None
    dev_seen_loss: float | None = None
    dev_seen_accuracy: float | None = None
    dev_seen_macro_f1: float | None = None
    seconds: float
    waiting_share: float
    pictures_per_second: float

    @property
    def gap(self) -> float | None:
        """Training accuracy minus dev accuracy; a large gap means overfitting. None without a dev split."""
        return None if self.dev_accuracy is None else self.train_accuracy - self.dev_accuracy

    def measure_on_dev(self, measure: str) -> float:
        """Return the figure on dev that epochs are compared by.

        Args:
            measure: `accuracy`, `macro_f1` or `loss`.

        Returns:
            The mean of labels and votes where both are scored.
        """
        values = [getattr(self, f"dev_{measure}"), getattr(self, f"dev_seen_{measure}")]
        scored = [value for value in values if value is not None]
        return float(sum(scored) / len(scored))


KINDS = get_type_hints(EpochRow)
COLUMNS = [*(field.name for field in fields(EpochRow)), "gap"]
NEW = {name for name in COLUMNS if name.startswith("dev_seen")}  # columns that older logs do not have


def write_rows(path: Path, rows: Sequence[EpochRow]) -> None:
    """Write the whole log again, so that a resumed run has each epoch once.

    Args:
        path: The CSV file.
        rows: All epochs so far.
    """
    with write_atomically(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) | {"gap": row.gap} for row in rows)


def read_rows(path: Path) -> list[EpochRow]:
    """Read what `write_rows` wrote.

    Args:
        path: The CSV file, also of an older version.

    Raises:
        MissingFileError: The file does not exist.
        OptionError: It is no log of a training, or was damaged.
    """
    if not path.is_file():
        raise MissingFileError(f"no such training log: {path}; `emonet train` writes them")
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file, restval="")
        if reader.fieldnames not in (COLUMNS, [name for name in COLUMNS if name not in NEW]):
            raise OptionError(f"{path} is no training log: its first line must be {','.join(COLUMNS)}")
        try:
            return [_parse_row(cells) for cells in reader]
        except ValueError as error:
            raise OptionError(f"{path}, line {reader.line_num}: {error}") from error


def _parse_row(cells: Mapping[str, str]) -> EpochRow:
    return EpochRow(**{name: _parse_cell(kind, cells.get(name, "")) for name, kind in KINDS.items()})


def _parse_cell(kind: object, text: str) -> Any:
    if kind is int:
        return int(text)
    return None if kind == float | None and not text else float(text)


class Watch(Protocol):
    """Whoever wants to see the progress of a run."""

    def note(self, text: str) -> None:
        """Show a line of text."""

    def begin(self, title: str, steps: int, done: int) -> None:
        """Begin the training of a network: its name, all its steps, and how many are done already."""

    def step(self, loss: float, accuracy: float, rate: float) -> None:
        """Show a step: mean loss and accuracy of its batch, and the learning rate."""

    def epoch(self, row: EpochRow) -> None:
        """Show an epoch that has ended.

        The run stops if this raises an exception. The state was saved: the run can be resumed.
        """


class Silent:
    """A `Watch` that shows nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""

    def begin(self, title: str, steps: int, done: int) -> None:
        """Do nothing."""

    def step(self, loss: float, accuracy: float, rate: float) -> None:
        """Do nothing."""

    def epoch(self, row: EpochRow) -> None:
        """Do nothing."""
