"""The picture of a learning curve: accuracy against the number of training pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from emonet.atomic import write_atomically
from emonet.evaluation.parts import ALL
from emonet.inference.views import view_words
from emonet.protocols.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE_INCHES = (10, 5.5)
DPI = 150
COLOURS = ("#0072B2", "#D55E00", "#009E73")  # of Okabe and Ito, which the colour-blind tell apart
GREY = "#595959"


def draw_learning_curve(result: Result, path: Path) -> None:
    """Writes a PNG: a line a view; bars are the first one's 95 % interval."""
    from matplotlib.figure import Figure

    outcomes = [outcome for one in result.rounds for outcome in one.outcomes.values()]
    pictures = [one.learned for one in result.rounds]
    figure = Figure(SIZE_INCHES, DPI, layout="constrained")
    axes = figure.subplots()
    _prepare(axes, pictures)
    for number, view in enumerate(outcomes[0].answers):
        scores = [outcome.scores[view][ALL] for outcome in outcomes]
        colour = COLOURS[number % len(COLOURS)]
        accuracy = [one.accuracy for one in scores]
        axes.plot(pictures, accuracy, "o-", color=colour, label=view_words(view), linewidth=2, markersize=6)
        if number == 0:
            low, high = zip(*(one.accuracy_interval for one in scores), strict=True)
            axes.vlines(pictures, low, high, color=colour, linewidth=1.5, alpha=0.6)
    # above the panel, where no curve comes
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(COLOURS), frameon=False, fontsize=11)
    title = f"Learning curve of {result.config['model']}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=14, fontweight="bold", parse_math=False)
    with write_atomically(path) as temporary:
        figure.savefig(temporary, format="png")


def _prepare(axes: Axes, pictures: Sequence[int]) -> None:
    from matplotlib.ticker import FuncFormatter, NullLocator, PercentFormatter

    axes.set_title("accuracy on validation, bars: 95 % interval", loc="left", fontsize=12, color=GREY)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#E5E5E5")
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=11, color=GREY)
    axes.set_xscale("log")
    axes.set_xticks(pictures)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.set_xlabel("training pictures", fontsize=12, color=GREY)
