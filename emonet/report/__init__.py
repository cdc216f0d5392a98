"""The report of an evaluation: a page in one file, and its plots as PNGs.

`report.py` puts together what `emonet/html/templates/evaluation.html.j2` shows. `tables.py`, `provenance.py` and
`leaderboard.py` give its numbers and words; `figures.py`, `sheets.py` and `inside_network.py` draw. `card.py` is the
same in short, as Markdown beside a model file. `comparison.py` writes the page of `emonet compare`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facecrop.packages import importing

if TYPE_CHECKING:
    from emonet.report.report import write_report

__all__ = ["write_report"]


def __getattr__(name: str) -> Any:
    """Import `write_report` when it is first used: it brings torch, which commands that show their help do without."""
    if name != "write_report":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with importing("a report", "emonet[train]"):
        from emonet.report import report

    return report.write_report
