"""The report of an evaluation: a page in one file, and its plots as PNGs.

`report.py` puts together what `emonet/html/templates/evaluation.html.j2` shows. `tables.py`, `provenance.py` and
`leaderboard.py` give its numbers and words; `figures.py`, `sheets.py` and `inside_network.py` draw. `card.py` is the
same in short, as Markdown beside a model file. `comparison.py` writes the page of `emonet compare`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emonet.lazy import import_when_used

if TYPE_CHECKING:
    from emonet.report.report import write_report

__all__ = ["write_report"]

__getattr__, __dir__ = import_when_used(__name__, {"report": ("write_report",)}, "a report", "emonet[train]")
