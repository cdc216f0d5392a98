"""The confusion matrix: how many pictures of each class got which answer, and what share of the class they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emonet.report.figures import GREY, drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DARK = 0.55  # rates above it are written in white


def draw_confusion(
    confusion: Sequence[Sequence[int]], classes: Sequence[str], path: Path, *, truth: str = "true class"
) -> None:
    """Rows are the true classes, columns the answers. The row of a class without pictures is empty.

    `truth` is what the rows are called.
    """
    counts = np.array(confusion)
    support, answered = counts.sum(1), counts.sum(0)
    rates = np.ma.masked_invalid(np.where(support[:, None], counts, np.nan) / np.maximum(support, 1)[:, None])
    with drawn(path, 1.6 + 0.85 * len(classes)) as figure:
        axes = figure.subplots()
        axes.imshow(rates, "Blues", vmin=0, vmax=1, aspect="auto")
        _label(axes, [*map(str, classes)], support.tolist(), answered.tolist(), truth)
        for row, total in enumerate(support):
            if total:
                _write_row(axes, row, counts[row].tolist(), rates[row].tolist())
            else:
                axes.text((len(classes) - 1) / 2, row, "no pictures", ha="center", va="center", color=GREY)


def _label(axes: Axes, classes: Sequence[str], support: Sequence[int], answered: Sequence[int], truth: str) -> None:
    places = range(len(classes))
    axes.set_xticks(places, [f"{name}\n{count:,}" for name, count in zip(classes, answered, strict=True)])
    axes.set_yticks(places, [f"{name}\n{count:,}" for name, count in zip(classes, support, strict=True)])
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.tick_params(length=0, labelsize=11)
    axes.set_xlabel("answer, and how often it was given", fontsize=12, color=GREY, labelpad=8)
    axes.set_ylabel(f"{truth}, and how many pictures it has", fontsize=12, color=GREY, labelpad=8)
    axes.spines[:].set_visible(False)
    edges = [place - 0.5 for place in range(len(classes) + 1)]
    axes.set_xticks(edges, minor=True)
    axes.set_yticks(edges, minor=True)
    axes.grid(which="minor", color="#D9D9D9", linewidth=1)
    axes.tick_params(which="minor", length=0)


def _write_row(axes: Axes, row: int, counts: Sequence[int], rates: Sequence[float]) -> None:
    for column, (count, rate) in enumerate(zip(counts, rates, strict=True)):
        colour = "white" if rate > DARK else "black" if count else GREY
        weight = "bold" if row == column else "normal"
        axes.text(column, row - 0.13, f"{count:,}", ha="center", va="center", color=colour, fontsize=12, weight=weight)
        axes.text(column, row + 0.21, f"{100 * rate:.1f} %", ha="center", va="center", color=colour, fontsize=9)
