"""Bars for each class: how many pictures there are, how often it was answered, and how often wrongly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from emonet.html.page import percent
from emonet.report.figures import BLUE, GREEN, GREY, ORANGE, PALE, drawn, prepare_classes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABEL: Final[dict[str, Any]] = {"padding": 5, "fontsize": 10, "color": GREY}  # at the end of a bar

Counts = NDArray[np.int64]  # of pictures, by class


def draw_histogram(splits: Mapping[str, Counts], classes: Sequence[str], path: Path) -> None:
    """A panel for each split. Their scales differ: what can be compared is the shape, and the shares at the bars."""
    with drawn(path, 1.0 + 0.4 * len(classes)) as figure:
        panels = figure.subplots(1, len(splits), sharey=True, squeeze=False)[0]
        for axes, (split, counts) in zip(panels, splits.items(), strict=True):
            prepare_classes(axes, f"{split}: {counts.sum():,} pictures", [*map(str, classes)])
            bars = axes.barh(range(len(classes)), counts, 0.7, color=BLUE)
            shares = counts / max(counts.sum(), 1)
            words = [f"{count:,} ({percent(share)})" for count, share in zip(counts, shares, strict=True)]
            axes.bar_label(bars, words, **LABEL)
            axes.set_xlim(0, _end(counts, 0.45))


def draw_answers(confusion: Sequence[Sequence[int]], classes: Sequence[str], path: Path) -> None:
    """What there is of each class, how often it was answered, and how often that was right."""
    counts = np.array(confusion, np.int64)
    kinds = (
        ("pictures of the class", counts.sum(1), PALE),
        ("answers of the class", counts.sum(0), BLUE),
        ("of these right", counts.diagonal(), GREEN),
    )
    with drawn(path, 1.2 + 0.72 * len(classes)) as figure:
        axes = figure.subplots()
        prepare_classes(axes, "", [*map(str, classes)])
        for place, (name, numbers, colour) in enumerate(kinds):
            bars = axes.barh(np.arange(len(classes)) + 0.27 * (place - 1), numbers, 0.25, color=colour, label=name)
            axes.bar_label(bars, [f"{number:,}" for number in numbers], **LABEL)
        axes.set_xlim(0, _end(np.maximum(counts.sum(0), counts.sum(1)), 0.1))
        _write_legend(axes)


def draw_mistakes(confusion: Sequence[Sequence[int]], classes: Sequence[str], path: Path) -> None:
    """All pictures of each class, and how many of them were answered wrongly."""
    counts = np.array(confusion, np.int64)
    total, right = counts.sum(1), counts.diagonal()
    wrong = total - right
    with drawn(path, 1.2 + 0.42 * len(classes)) as figure:
        axes = figure.subplots()
        prepare_classes(axes, "", [*map(str, classes)])
        axes.barh(range(len(classes)), wrong, 0.7, color=ORANGE, label="wrong")
        bars = axes.barh(range(len(classes)), right, 0.7, left=wrong, color=PALE, label="right")
        axes.bar_label(bars, [_of(*pair) for pair in zip(wrong, total, strict=True)], **LABEL)
        axes.set_xlim(0, _end(total, 0.36))
        _write_legend(axes)


def _of(wrong: int, total: int) -> str:
    return f"{wrong:,} of {total:,} wrong ({percent(wrong / total)})" if total else "no pictures"


def _end(counts: Counts, room: float) -> float:
    """Of the axis: the longest bar, and such a share of it for what is written there."""
    return float(max(1, counts.max())) * (1 + room)


def _write_legend(axes: Axes) -> None:
    """Above the panel, where no bar comes."""
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, fontsize=11, borderaxespad=0.3, handlelength=1
    )
