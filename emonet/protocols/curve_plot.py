"""The plot of a learning curve: accuracy against the number of training images."""

from __future__ import annotations

from pathlib import Path

from emonet.evaluation.parts import ALL
from emonet.inference.views import view_words
from emonet.palette import BLUE, GREEN, ORANGE
from emonet.plots import open_figure, show_percent, show_values, style_axes
from emonet.protocols.result import Result

SIZE_INCHES = (10, 5.5)
COLOURS = (BLUE, ORANGE, GREEN)
MOST_BESIDE = 2  # names of views in a line of the legend


def draw_learning_curve(result: Result, path: Path) -> None:
    """Write a PNG with a line for each view; bars are the 95 % interval of the first."""
    outcomes = [outcome for one in result.rounds for outcome in one.outcomes.values()]
    images = [one.learned for one in result.rounds]
    with open_figure(path, *SIZE_INCHES, title=f"Learning curve of {result.config['model']}") as figure:
        axes = figure.subplots()
        style_axes(axes, "accuracy on validation, bars: 95 % interval", below="training images")
        axes.set_xscale("log")
        show_values(axes.xaxis, images)
        show_percent(axes.yaxis)
        for number, view in enumerate(outcomes[0].answers):
            scores = [outcome.scores[view][ALL] for outcome in outcomes]
            colour = COLOURS[number % len(COLOURS)]
            accuracy = [one.accuracy for one in scores]
            axes.plot(images, accuracy, "o-", color=colour, label=view_words(view), linewidth=2, markersize=6)
            if number == 0:
                low, high = zip(*(one.accuracy_interval for one in scores), strict=True)
                axes.vlines(images, low, high, color=colour, linewidth=1.5, alpha=0.6)
        # outside the panel, where neither a curve nor a title comes
        figure.legend(loc="outside lower right", ncols=MOST_BESIDE, frameon=False, fontsize=11)
