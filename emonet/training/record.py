"""What a run writes while it trains: its log, the curves, and events for TensorBoard."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from emonet.training.curves import draw_curves
from emonet.training.log import EpochRow, write_rows
from emonet.training.session import CURVES, LOG, TENSORBOARD
from facecrop.packages import importing

if TYPE_CHECKING:
    from torch import nn
    from torch.utils.tensorboard import SummaryWriter

DRAW_EVERY = 10.0  # seconds between two drawings of the curves, which may take longer than an epoch of a small network

TAGS = {  # TensorBoard groups them by their first word
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


class Record:
    """Keeps the log, the curves and TensorBoard's events up to date. Use it as a context manager.

    Args:
        folder: The folder of the run.
        title: Title of the curves.
        rows: All epochs so far; the trainer appends to this list.
        draw: Whether to draw the curves.
        tensorboard: Whether to write for TensorBoard.
    """

    def __init__(self, folder: Path, title: str, rows: Sequence[EpochRow], *, draw: bool, tensorboard: bool) -> None:
        self._folder, self._title, self._rows, self._draws = folder, title, rows, draw
        self._board = TensorBoardLog(folder / TENSORBOARD, rows) if tensorboard else None
        self._drawn_at = -math.inf
        if rows:
            self._write()  # a run may have been killed after it saved its state and before it wrote its log

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._rows:
            write_rows(
                self._folder / LOG, self._rows
            )  # a watch that stopped the run did so before its last row was added
            self._draw()
        if self._board is not None:
            self._board.close()

    def add(self, row: EpochRow, network: nn.Module) -> None:
        """Write an epoch that has ended; `row` is the last of the rows."""
        self._write()
        if self._board is not None:
            self._board.write(row, network)

    def _write(self) -> None:
        write_rows(self._folder / LOG, self._rows)
        if time.monotonic() - self._drawn_at > DRAW_EVERY:
            self._draw()

    def _draw(self) -> None:
        if self._draws:
            draw_curves(self._rows, self._folder / CURVES, title=self._title)
            self._drawn_at = time.monotonic()


def import_writer() -> type[SummaryWriter]:
    """Import torch's writer for TensorBoard.

    Raises:
        MissingPackageError: TensorBoard is not installed.
    """
    with importing("a log for TensorBoard", "emonet[log]"):
        from torch.utils.tensorboard import SummaryWriter
    return SummaryWriter


class TensorBoardLog:
    """The figures of the log, and histograms of the weights, in a folder that TensorBoard watches.

    Args:
        folder: The folder.
        done: The epochs that a resumed run has done; later epochs in the folder are hidden.
    """

    def __init__(self, folder: Path, done: Sequence[EpochRow] = ()) -> None:
        self._writer = import_writer()(folder, purge_step=done[-1].epoch + 1 if done else 0)

    def write(self, row: EpochRow, network: nn.Module) -> None:
        """Add an epoch, and the weights that the network has now."""
        for tag, name in TAGS.items():
            if (value := getattr(row, name)) is not None:
                self._writer.add_scalar(tag, value, row.epoch)
        for name, weight in network.named_parameters():
            self._writer.add_histogram(name, weight, row.epoch)
        self._writer.flush()

    def close(self) -> None:
        """Close the files."""
        self._writer.close()
