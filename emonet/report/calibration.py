"""The reliability diagram: whether answers that are said to be 80 % sure are right in 80 % of the cases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from emonet.evaluation.metrics import Bin
from emonet.report.figures import BLUE, GREY, ORANGE, PALE, drawn, prepare

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_reliability(bins: Sequence[Bin], error: float, path: Path) -> None:
    """`error` is the expected calibration error, as a share."""
    from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter

    with drawn(path, 6.2) as figure:
        shares, numbers = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        prepare(shares, "share of right answers, by how sure the model was")
        _draw_bins(shares, bins)
        shares.set_title(f"calibration error: {error:.3f}", loc="right", fontsize=12, color=ORANGE)
        shares.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        shares.set_ylim(0, 1)
        prepare(numbers, "pictures")
        numbers.bar([one.low for one in bins], [one.n for one in bins], _width(bins), align="edge", color=PALE)
        numbers.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        numbers.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        numbers.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        numbers.set_xlim(0, 1)
        numbers.set_xlabel("probability of the answer, as the model says it", fontsize=12, color=GREY)


def _draw_bins(axes: Axes, bins: Sequence[Bin]) -> None:
    """A bar to what came true, a dot at what was said, and between them how far they stand apart."""
    full = [
        (one, one.confidence, one.accuracy) for one in bins if one.confidence is not None and one.accuracy is not None
    ]
    axes.plot((0, 1), (0, 1), "--", color="black", linewidth=1.2, zorder=3, label="what is said comes true")
    lows, accuracies = [one.low for one, _, _ in full], [accuracy for _, _, accuracy in full]
    axes.bar(lows, accuracies, _width(bins), align="edge", color=BLUE, edgecolor="white", label="right answers")
    said = [confidence for _, confidence, _ in full]
    axes.vlines(said, accuracies, said, color=ORANGE, linewidth=2.5, label="how far off")
    axes.legend(loc="upper left", frameon=False, fontsize=11)


def _width(bins: Sequence[Bin]) -> float:
    return 1 / len(bins)
