"""The plots of a search: its course, and the score against the values of each parameter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from emonet.palette import BLUE, INK, ORANGE, PALE
from emonet.plots import open_figure, show_counts, show_percent, style_axes
from emonet.tuning.domains import Range, show_value
from emonet.tuning.space import Parameter
from emonet.tuning.study import Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 10.0  # inches
COLUMNS = 3  # panels beside each other
LONG = 12  # letters of a value that are written below an axis
MARGIN = 0.05  # beside a range, as a share of it
MANY = 4  # values whose names stand beside each other


def draw_history(trials: Sequence[Trial], path: Path, measure: str, *, lowest: bool) -> None:
    """Draw the score of each complete trial, the best so far, and where trials were stopped early or failed."""
    complete = [one for one in trials if one.score is not None]
    others = [one.number for one in trials if one.state in ("pruned", "failed")]
    with open_figure(path, WIDTH, 4.5) as figure:
        axes = figure.subplots()
        style_axes(axes, f"{measure} of each trial", below="trial")
        show_counts(axes.xaxis, 10)
        _show_scores(axes, measure)
        numbers, scores = [one.number for one in complete], [one.score or 0.0 for one in complete]
        axes.plot(numbers, scores, "o", color=BLUE, markersize=6, label="complete")
        best = list(accumulate(scores, min if lowest else max))
        axes.step(numbers, best, where="post", color=ORANGE, linewidth=2, label="best so far")
        if others:
            axes.plot(
                others,
                [0.02] * len(others),
                "x",
                color=INK,
                transform=axes.get_xaxis_transform(),
                label="pruned or failed",
            )
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False, fontsize=11)


def draw_values(trials: Sequence[Trial], parameters: Sequence[Parameter], path: Path, measure: str) -> None:
    """Draw the scores of complete trials against the values of each parameter, a panel for each."""
    complete = [one for one in trials if one.score is not None]
    rows = math.ceil(len(parameters) / COLUMNS)
    with open_figure(path, WIDTH, 0.4 + 2.6 * rows) as figure:
        figure.set_layout_engine("constrained", h_pad=0.12)  # inches between rows
        panels = figure.subplots(rows, min(COLUMNS, len(parameters)), sharey=True, squeeze=False).flatten()
        for axes in panels[len(parameters) :]:
            axes.set_visible(False)
        for axes, one in zip(panels, parameters, strict=False):
            _draw_values(axes, one, complete, measure)


def _draw_values(axes: Axes, one: Parameter, complete: Sequence[Trial], measure: str) -> None:
    style_axes(axes, one.name)
    axes.title.set_fontsize(11)
    _show_scores(axes, measure)
    scores = [trial.score or 0.0 for trial in complete]
    if isinstance(one.domain, Range):
        axes.plot([trial.values[one.name] for trial in complete], scores, "o", color=BLUE, markersize=5, alpha=0.7)
        _show_range(axes, one.domain)
        return
    values = list(one.domain.values)
    places = [values.index(trial.values[one.name]) for trial in complete]
    axes.plot(places, scores, "o", color=BLUE, markersize=5, alpha=0.7)
    turned = len(values) > MANY
    axes.set_xticks(range(len(values)), [show_value(value)[:LONG] for value in values], rotation=45 if turned else 0)
    axes.set_xlim(-0.5, len(values) - 0.5)


def _show_range(axes: Axes, domain: Range) -> None:
    """Show all of a range, with a tick at both ends and in the middle."""
    from matplotlib.ticker import NullLocator

    low, high = domain.low, domain.high
    if domain.log:
        axes.set_xscale("log")
        axes.set_xlim(low * (low / high) ** MARGIN, high * (high / low) ** MARGIN)
    else:
        axes.set_xlim(low - MARGIN * (high - low), high + MARGIN * (high - low))
    middle = math.sqrt(low * high) if domain.log else (low + high) / 2
    axes.set_xticks([low, middle, high], [f"{number:.2g}" for number in (low, middle, high)])
    axes.xaxis.set_minor_locator(NullLocator())


def _show_scores(axes: Axes, measure: str) -> None:
    if measure == "accuracy":
        show_percent(axes.yaxis)
    axes.spines["left"].set_color(PALE)
