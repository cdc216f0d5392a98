"""How figures of the report are drawn: their size, colours and axes, the PNG they end in, and how a page shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from emonet.atomic import write_atomically
from emonet.html.page import Html, drawing, tag

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_INCHES, DPI = 8.5, 150
# Okabe and Ito's, which the colour-blind tell apart; the two greys are for text and for what is only there to compare.
BLUE, ORANGE, GREEN, GREY, PALE = "#0072B2", "#D55E00", "#009E73", "#595959", "#B8B8B8"


@contextmanager
def drawn(path: Path, height_inches: float) -> Iterator[Figure]:
    """Yields a figure; after the block it is a PNG."""
    from matplotlib.figure import Figure

    figure = Figure((WIDTH_INCHES, height_inches), DPI, layout="constrained")
    yield figure
    with write_atomically(path) as temporary:
        figure.savefig(temporary, format="png")


def prepare(axes: Axes, title: str) -> None:
    """What all panels have in common."""
    axes.set_title(title, loc="left", fontsize=12, color=GREY)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#E5E5E5")
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=11, color=GREY)


def prepare_classes(axes: Axes, title: str, classes: Sequence[str]) -> None:
    """A panel with a row for each class, the first on top, and bars to the right."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    prepare(axes, title)
    axes.grid(visible=False, axis="y")
    axes.set_yticks(range(len(classes)), classes)
    axes.set_ylim(len(classes) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def shown(path: Path, words: str) -> Html:
    """A figure on a page; on a phone it keeps a size that can be read, and scrolls sideways."""
    return tag("figure", drawing(path, words), class_="drawing wide")


STYLE = """
.drawing img { width: 100%; min-width: 34rem; max-width: 54rem; height: auto; background: white; }
.sheets > figure { flex: 1 1 30rem; min-width: 0; max-width: 41rem; overflow-x: auto; }
.sheets img { background: white; min-width: 28rem; }
.track i.ours { background: var(--warn); }
.drawing { margin: .8rem 0 1.4rem; }
details { margin: 1.2rem 0; }
summary { cursor: pointer; color: var(--soft); }
@media print { .drawing img, .sheets img { min-width: 0; max-width: 100%; } .sheets > figure { flex-basis: 40%; }
  .soft { break-after: avoid; } }
"""
