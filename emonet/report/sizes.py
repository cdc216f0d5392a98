"""How accuracy falls with the size of the face, and which answers small faces get."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from emonet.evaluation.parts import ALL
from emonet.html.page import Html, chip, join, soft, table
from emonet.report.figures import BLUE, GREY, ORANGE, drawn, prepare, shown

if TYPE_CHECKING:
    from emonet.evaluation import Evaluation
    from emonet.evaluation.sizes import SizeScores

EXPLAINED = (
    "The same pictures, shrunk to so many pixels a side and enlarged again as the crop of a photo enlarges small "
    "faces; without test-time augmentation."
)
SHARES = "How often each class is answered; the last row is how often it is the label."


def sizes_content(evaluation: Evaluation, path: Path) -> Html:
    """Draw the curve into a file, and lay out its tables."""
    sizes = evaluation.sizes
    draw_sizes(sizes, path)
    header = ("face size", "pictures", "accuracy", "macro recall", "commonest answer")
    rows = ((f"{one.size} px", one.n, one.accuracy, one.macro_recall, chip(one.commonest)) for one in sizes)
    return join(
        soft(EXPLAINED),
        shown(path, "accuracy and macro recall by the size of the face in pixels"),
        table(header, rows),
        soft(SHARES),
        _share_table(evaluation),
    )


def _share_table(evaluation: Evaluation) -> Html:
    scores = evaluation.scores[evaluation.view][ALL]
    rows = [(f"{one.size} px", *one.shares.values()) for one in evaluation.sizes]
    labels = ("labels", *(one.support / scores.n for one in scores.classes.values()))
    return table(("face size", *map(chip, scores.classes)), [*rows, labels])


def draw_sizes(sizes: Sequence[SizeScores], path: Path) -> None:
    """Draw accuracy and macro recall over the size, on a log scale, as a PNG."""
    from matplotlib.ticker import NullFormatter, NullLocator, PercentFormatter

    places = [one.size for one in sizes]
    with drawn(path, 3.6) as figure:
        axes = figure.subplots()
        prepare(axes, "right answers, by the size of the face")
        axes.set_xscale("log")
        axes.plot(places, [one.accuracy for one in sizes], "o-", color=BLUE, label="accuracy")
        axes.plot(places, [one.macro_recall for one in sizes], "s--", color=ORANGE, label="macro recall")
        axes.set_xticks(places, [str(place) for place in places])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        axes.set_ylim(0, 1)
        axes.set_xlabel("pixels a side", fontsize=12, color=GREY)
        axes.legend(loc="lower right", frameon=False, fontsize=11)
