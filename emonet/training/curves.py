"""The plot of a run: loss, accuracy and learning rate against the epoch, and how far train and dev stand apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from emonet.errors import OptionError
from emonet.palette import BLUE, INK, ORANGE
from emonet.plots import TEXT, open_figure, show_percent, style_axes
from emonet.training.log import EpochRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE_INCHES = (10, 7.5)
TRAIN, DEV = BLUE, ORANGE
FEW = 20  # epochs that get a dot each: a single one is no line


def draw_curves(rows: Sequence[EpochRow], path: Path, *, title: str = "") -> None:
    """Write a PNG. The epoch that is marked has the highest dev accuracy, the first of equals."""
    if not rows:
        raise OptionError("there is nothing to draw: no epochs")
    with open_figure(path, *SIZE_INCHES, title=title) as figure:
        loss, accuracy, rate = figure.subplots(3, 1, sharex=True, height_ratios=(4, 4, 1))
        _draw_losses(loss, rows)
        _draw_accuracies(accuracy, rows)
        _draw_rates(rate, rows)
        _mark_best((loss, accuracy, rate), rows)


def _draw_losses(axes: Axes, rows: Sequence[EpochRow]) -> None:
    _style(axes, "loss")
    _draw_line(axes, rows, "train_loss", TRAIN, "train")
    _draw_line(axes, rows, "dev_loss", DEV, "dev")
    # above the panel, where no curve comes
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, fontsize=11, borderaxespad=0)


def _draw_accuracies(axes: Axes, rows: Sequence[EpochRow]) -> None:
    _style(axes, "accuracy")
    show_percent(axes.yaxis)
    _draw_line(axes, rows, "train_accuracy", TRAIN)
    _draw_line(axes, rows, "dev_accuracy", DEV)
    apart = [(row.epoch, row.dev_accuracy, row.train_accuracy) for row in rows if row.dev_accuracy is not None]
    if apart:
        epochs, dev, train = zip(*apart, strict=True)
        axes.fill_between(epochs, dev, train, color=INK, alpha=0.12, linewidth=0)
        _write_gap(axes, *apart[-1])


def _draw_rates(axes: Axes, rows: Sequence[EpochRow]) -> None:
    _style(axes, "learning rate", below="epoch")
    _draw_line(axes, rows, "learning_rate", INK)
    axes.margins(y=0.2)
    axes.set_ylim(bottom=0)


def _style(axes: Axes, title: str, *, below: str = "") -> None:
    from matplotlib.ticker import MaxNLocator

    style_axes(axes, title, below=below)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    axes.margins(x=0.02)


def _draw_line(axes: Axes, rows: Sequence[EpochRow], column: str, colour: str, label: str = "") -> None:
    """A column of the table, where it has figures."""
    points = [(row.epoch, value) for row in rows if (value := getattr(row, column)) is not None]
    if points:
        style = "o-" if len(points) <= FEW else "-"
        axes.plot(*zip(*points, strict=True), style, color=colour, label=label, linewidth=2, markersize=5)


def _write_gap(axes: Axes, epoch: int, dev: float, train: float) -> None:
    """A bar from dev to train, and beside the panel how many points it is long."""
    axes.vlines(epoch, dev, train, color=INK, linewidth=1.5)
    axes.annotate(
        f"gap\n{100 * (train - dev):+.1f}\npoints",
        (1, (train + dev) / 2),
        xycoords=("axes fraction", "data"),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize=11,
        color=INK,
    )


def _mark_best(panels: Sequence[Axes], rows: Sequence[EpochRow]) -> None:
    """A line through all panels, a dot on the accuracy, and above it how high it is."""
    scored = [(row.dev_accuracy, row.epoch) for row in rows if row.dev_accuracy is not None]
    if not scored:
        return
    highest, epoch = max(scored, key=lambda pair: pair[0])
    for axes in panels:
        axes.axvline(epoch, color=INK, linewidth=1.2, linestyle="--")
    _, accuracy, _ = panels
    accuracy.plot(epoch, highest, "o", color=DEV, markersize=9, markeredgecolor="white", zorder=3)
    words = f"highest on dev: {100 * highest:.2f} % after epoch {epoch}"
    accuracy.set_title(words, loc="right", **(TEXT | {"color": DEV}))
