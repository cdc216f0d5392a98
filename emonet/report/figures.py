"""The plots of the report: confusions, class by class, calibration, and accuracy by the size of the face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from emonet.evaluation.metrics import Bin
from emonet.html.formatting import percent
from emonet.palette import BLUE, GREEN, INK, LINE, ORANGE, PALE
from emonet.plots import TEXT, open_figure, show_counts, show_percent, show_values, style_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from emonet.evaluation.sizes import SizeScores

WIDTH = 8.5  # inches
DARK = 0.55  # rates above it are written in white
AT_BAR: Final[dict[str, Any]] = {"padding": 5, "fontsize": 10, "color": INK}  # text at the end of a bar

Counts = NDArray[np.int64]  # of images, by class
Confusion = Sequence[Sequence[int]]


def draw_confusion(confusion: Confusion, classes: Sequence[str], path: Path, *, truth: str = "true class") -> None:
    """Draw a confusion matrix: rows are the true classes, columns the answers.

    Args:
        confusion: How many images of each class got each answer.
        classes: Their names.
        path: The PNG to write.
        truth: What the rows are called.
    """
    counts = np.array(confusion)
    support, answered = counts.sum(1), counts.sum(0)
    rates = np.ma.masked_invalid(np.where(support[:, None], counts, np.nan) / np.maximum(support, 1)[:, None])
    with open_figure(path, WIDTH, 1.6 + 0.85 * len(classes)) as figure:
        axes = figure.subplots()
        axes.imshow(rates, "Blues", vmin=0, vmax=1, aspect="auto")
        _label_matrix(axes, [*map(str, classes)], support.tolist(), answered.tolist(), truth)
        for row, total in enumerate(support):
            if total:
                _write_row(axes, row, counts[row].tolist(), rates[row].tolist())
            else:
                axes.text((len(classes) - 1) / 2, row, "no images", ha="center", va="center", color=INK)


def _label_matrix(
    axes: Axes, classes: Sequence[str], support: Sequence[int], answered: Sequence[int], truth: str
) -> None:
    places = range(len(classes))
    axes.set_xticks(places, [f"{name}\n{count:,}" for name, count in zip(classes, answered, strict=True)])
    axes.set_yticks(places, [f"{name}\n{count:,}" for name, count in zip(classes, support, strict=True)])
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.tick_params(length=0, labelsize=11)
    axes.set_xlabel("answer, and how often it was given", labelpad=8, **TEXT)
    axes.set_ylabel(f"{truth}, and how many images it has", labelpad=8, **TEXT)
    axes.spines[:].set_visible(False)
    edges = [place - 0.5 for place in range(len(classes) + 1)]
    axes.set_xticks(edges, minor=True)
    axes.set_yticks(edges, minor=True)
    axes.grid(which="minor", color=LINE, linewidth=1)
    axes.tick_params(which="minor", length=0)


def _write_row(axes: Axes, row: int, counts: Sequence[int], rates: Sequence[float]) -> None:
    for column, (count, rate) in enumerate(zip(counts, rates, strict=True)):
        colour = "white" if rate > DARK else "black" if count else INK
        weight = "bold" if row == column else "normal"
        axes.text(column, row - 0.13, f"{count:,}", ha="center", va="center", color=colour, fontsize=12, weight=weight)
        axes.text(column, row + 0.21, percent(rate), ha="center", va="center", color=colour, fontsize=9)


def draw_histogram(splits: Mapping[str, Counts], classes: Sequence[str], path: Path) -> None:
    """Draw a panel for each split. Scales differ: compare the shapes, and the shares at the bars."""
    with open_figure(path, WIDTH, 1.0 + 0.4 * len(classes)) as figure:
        panels = figure.subplots(1, len(splits), sharey=True, squeeze=False)[0]
        for axes, (split, counts) in zip(panels, splits.items(), strict=True):
            _style_classes(axes, f"{split}: {counts.sum():,} images", classes)
            bars = axes.barh(range(len(classes)), counts, 0.7, color=BLUE)
            shares = counts / max(counts.sum(), 1)
            words = [f"{count:,} ({percent(share)})" for count, share in zip(counts, shares, strict=True)]
            axes.bar_label(bars, words, **AT_BAR)
            axes.set_xlim(0, _end(counts, 0.45))


def draw_answers(confusion: Confusion, classes: Sequence[str], path: Path) -> None:
    """Draw how many images of each class there are, how often it was answered, and how often rightly."""
    counts = np.array(confusion, np.int64)
    kinds = (
        ("images of the class", counts.sum(1), PALE),
        ("answers of the class", counts.sum(0), BLUE),
        ("of these right", counts.diagonal(), GREEN),
    )
    with open_figure(path, WIDTH, 1.2 + 0.72 * len(classes)) as figure:
        axes = figure.subplots()
        _style_classes(axes, "", classes)
        for place, (name, numbers, colour) in enumerate(kinds):
            bars = axes.barh(np.arange(len(classes)) + 0.27 * (place - 1), numbers, 0.25, color=colour, label=name)
            axes.bar_label(bars, [f"{number:,}" for number in numbers], **AT_BAR)
        axes.set_xlim(0, _end(np.maximum(counts.sum(0), counts.sum(1)), 0.1))
        _write_legend_above(axes)


def draw_mistakes(confusion: Confusion, classes: Sequence[str], path: Path) -> None:
    """Draw how many images of each class were answered wrongly."""
    counts = np.array(confusion, np.int64)
    total, right = counts.sum(1), counts.diagonal()
    wrong = total - right
    with open_figure(path, WIDTH, 1.2 + 0.42 * len(classes)) as figure:
        axes = figure.subplots()
        _style_classes(axes, "", classes)
        axes.barh(range(len(classes)), wrong, 0.7, color=ORANGE, label="wrong")
        bars = axes.barh(range(len(classes)), right, 0.7, left=wrong, color=PALE, label="right")
        axes.bar_label(bars, [_say_wrong(*pair) for pair in zip(wrong, total, strict=True)], **AT_BAR)
        axes.set_xlim(0, _end(total, 0.36))
        _write_legend_above(axes)


def _say_wrong(wrong: int, total: int) -> str:
    return f"{wrong:,} of {total:,} wrong ({percent(wrong / total)})" if total else "no images"


def _style_classes(axes: Axes, title: str, classes: Sequence[str]) -> None:
    """A row for each class, the first on top, and bars to the right."""
    style_axes(axes, title)
    axes.grid(visible=False, axis="y")
    axes.set_yticks(range(len(classes)), [*map(str, classes)])
    axes.set_ylim(len(classes) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    show_counts(axes.xaxis)


def _end(counts: Counts, room: float) -> float:
    """The end of the axis: the longest bar, and such a share of it for the text there."""
    return float(max(1, counts.max())) * (1 + room)


def _write_legend_above(axes: Axes) -> None:
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.3}
    axes.legend(ncols=3, frameon=False, fontsize=11, handlelength=1, **place)


def draw_reliability(bins: Sequence[Bin], error: float, path: Path) -> None:
    """Draw whether answers that are 80 % sure are right in 80 % of the cases.

    Args:
        bins: The answers by their probability.
        error: The expected calibration error, as a share.
        path: The PNG to write.
    """
    with open_figure(path, WIDTH, 6.2) as figure:
        shares, numbers = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        style_axes(shares, "share of right answers, by how sure the model was")
        _draw_bins(shares, bins)
        shares.set_title(f"calibration error: {error:.3f}", loc="right", fontsize=12, color=ORANGE)
        show_percent(shares.yaxis)
        shares.set_ylim(0, 1)
        style_axes(numbers, "images", below="probability of the answer, as the model says it")
        numbers.bar([one.low for one in bins], [one.n for one in bins], 1 / len(bins), align="edge", color=PALE)
        show_counts(numbers.yaxis, 3)
        show_percent(numbers.xaxis)
        numbers.set_xlim(0, 1)


def _draw_bins(axes: Axes, bins: Sequence[Bin]) -> None:
    """A bar to what came true, and a line from there to what the model said."""
    full = [
        (one.low, one.confidence, one.accuracy)
        for one in bins
        if one.confidence is not None and one.accuracy is not None
    ]
    lows, said, accuracies = zip(*full, strict=True) if full else ((), (), ())
    axes.plot((0, 1), (0, 1), "--", color="black", linewidth=1.2, zorder=3, label="what is said comes true")
    bars: dict[str, Any] = {"align": "edge", "color": BLUE, "edgecolor": "white"}
    axes.bar(lows, accuracies, 1 / len(bins), label="right answers", **bars)
    axes.vlines(said, accuracies, said, color=ORANGE, linewidth=2.5, label="how far off")
    axes.legend(loc="upper left", frameon=False, fontsize=11)


def draw_sizes(sizes: Sequence[SizeScores], path: Path) -> None:
    """Draw accuracy and macro recall over the size of the face, on a log scale."""
    places = [one.size for one in sizes]
    with open_figure(path, WIDTH, 3.6) as figure:
        axes = figure.subplots()
        style_axes(axes, "right answers, by the size of the face", below="pixels a side")
        axes.set_xscale("log")
        axes.plot(places, [one.accuracy for one in sizes], "o-", color=BLUE, label="accuracy")
        axes.plot(places, [one.macro_recall for one in sizes], "s--", color=ORANGE, label="macro recall")
        show_values(axes.xaxis, places)
        show_percent(axes.yaxis)
        axes.set_ylim(0, 1)
        axes.legend(loc="lower right", frameon=False, fontsize=11)
