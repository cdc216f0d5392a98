"""How plots look: their axes, and the PNG files that they are written to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emonet.atomic import write_atomically
from emonet.palette import INK, LINE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

DPI = 150
TEXT: dict[str, Any] = {"fontsize": 12, "color": INK}  # titles of panels and labels of axes


@contextmanager
def open_figure(path: Path, width: float, height: float, title: str = "") -> Iterator[Figure]:
    """Yield a figure, and write it as a PNG when the block ends.

    Args:
        path: The PNG to write.
        width: In inches.
        height: In inches.
        title: What is written over all panels.
    """
    from matplotlib.figure import Figure

    figure = Figure((width, height), DPI, layout="constrained")
    yield figure
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=14, fontweight="bold", parse_math=False)
    with write_atomically(path) as temporary:
        figure.savefig(temporary, format="png")


def style_axes(axes: Axes, title: str = "", *, below: str = "") -> None:
    """Give a panel its title, its grid and the label of its x axis."""
    axes.set_title(title, loc="left", **TEXT)
    axes.set_xlabel(below, **TEXT)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=LINE)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=11, color=INK)


def show_percent(axis: Axis) -> None:
    """Write the numbers of an axis, which are shares, in percent."""
    from matplotlib.ticker import PercentFormatter

    axis.set_major_formatter(PercentFormatter(1, symbol=" %"))


def show_counts(axis: Axis, ticks: int = 5) -> None:
    """Write the numbers of an axis as whole numbers, about so many of them."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    axis.set_major_locator(MaxNLocator(nbins=ticks, integer=True, min_n_ticks=1))
    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def show_values(axis: Axis, values: list[int]) -> None:
    """Put a tick at each of these values of a logarithmic axis, and at no others."""
    from matplotlib.ticker import NullFormatter, NullLocator

    axis.set_ticks(values, [f"{value:,}" for value in values])
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
