"""The record of a run: a row an epoch, as CSV and for TensorBoard."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emonet.atomic import write_atomically
from emonet.errors import MissingFileError, OptionError
from facecrop.packages import importing

if TYPE_CHECKING:
    from torch import nn
    from torch.utils.tensorboard import SummaryWriter

TAGS = {  # in TensorBoard, which groups them by their first word
    "loss/train": "train_loss",
    "loss/dev": "dev_loss",
    "accuracy/train": "train_accuracy",
    "accuracy/dev": "dev_accuracy",
    "accuracy/gap": "gap",
    "macro_f1/dev": "dev_macro_f1",
    "accuracy/dev_seen": "dev_seen_accuracy",
    "learning_rate": "learning_rate",
    "speed/seconds": "seconds",
    "speed/waiting_share": "waiting_share",
    "speed/pictures_per_second": "pictures_per_second",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRow:
    """What one epoch came to. A run without a dev split has None for its figures."""

    epoch: int  # that ended: the first is 1
    step: int  # steps of the run so far
    learning_rate: float  # of the epoch's last step
    train_loss: float
    train_accuracy: float
    dev_loss: float | None = None
    dev_accuracy: float | None = None
    dev_macro_f1: float | None = None
    dev_seen_loss: float | None = None  # these three of the head that learns from votes
    dev_seen_accuracy: float | None = None
    dev_seen_macro_f1: float | None = None
    seconds: float
    waiting_share: float  # of these seconds, for pictures
    pictures_per_second: float

    @property
    def gap(self) -> float | None:
        """Train less dev accuracy: how much better the network knows what it learned from."""
        return None if self.dev_accuracy is None else self.train_accuracy - self.dev_accuracy

    def chosen_by(self, measure: str) -> float:
        """The figure on dev that the best epoch is chosen by: the mean of labels and votes where both are scored."""
        values = [getattr(self, f"dev_{measure}"), getattr(self, f"dev_seen_{measure}")]
        there = [value for value in values if value is not None]
        return float(sum(there) / len(there))


COLUMNS = [*(field.name for field in fields(EpochRow)), "gap"]
NEW = {name for name in COLUMNS if name.startswith("dev_seen")}  # columns that logs of before do not have


def write_rows(path: Path, rows: Sequence[EpochRow]) -> None:
    """Writes the whole table anew, so that a run that goes on has each epoch once."""
    with write_atomically(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) | {"gap": row.gap} for row in rows)


def read_rows(path: Path) -> list[EpochRow]:
    """What `write_rows` wrote."""
    if not path.is_file():
        raise MissingFileError(f"no such training log: {path}; `emonet train` writes them")
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file, restval="")
        if reader.fieldnames not in (COLUMNS, [name for name in COLUMNS if name not in NEW]):
            raise OptionError(f"{path} is no training log: its first line must be {','.join(COLUMNS)}")
        try:
            return [_row(cells) for cells in reader]
        except ValueError as error:
            raise OptionError(f"{path}, line {reader.line_num}: {error}") from error


def _row(cells: Mapping[str, str]) -> EpochRow:
    return EpochRow(**{field.name: _value(str(field.type), cells.get(field.name, "")) for field in fields(EpochRow)})


def _value(kind: str, text: str) -> Any:
    if kind == "float | None" and not text:
        return None
    return int(text) if kind == "int" else float(text)


def writer_class() -> type[SummaryWriter]:
    """Return torch's writer for TensorBoard, or raise MissingPackageError."""
    with importing("a log for TensorBoard", "emonet[log]"):
        from torch.utils.tensorboard import SummaryWriter
    return SummaryWriter


class TensorBoardLog:
    """The same figures and histograms of the weights, in a folder that TensorBoard watches.

    `done` are the rows of a run that goes on: whatever the folder holds of later epochs is hidden.
    """

    def __init__(self, folder: Path, done: Sequence[EpochRow] = ()) -> None:
        self._writer = writer_class()(folder, purge_step=done[-1].epoch + 1 if done else 0)

    def write(self, row: EpochRow, network: nn.Module) -> None:
        """Adds an epoch, and its weights as the network has them now."""
        for tag, name in TAGS.items():
            if (value := getattr(row, name)) is not None:
                self._writer.add_scalar(tag, value, row.epoch)
        for name, weight in network.named_parameters():
            self._writer.add_histogram(name, weight, row.epoch)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()
