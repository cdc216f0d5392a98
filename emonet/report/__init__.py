"""The report of an evaluation: a page in one file, and its pictures as PNGs.

`report.py` puts the page together. `head.py`, `choice.py`, `scores.py`, `head_table.py`, `votes.py` and `standing.py`
are words and tables; `confusion.py`, `class_bars.py`, `calibration.py`, `sizes.py`, `surest.py` and `workings.py` draw:
`figures.py` says how, and `sheet.py` is what faces are laid on. `card.py` is the same in short, as Markdown beside a
model file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emonet.report.report import write_report

__all__ = ["write_report"]


def __getattr__(name: str) -> Any:
    """`write_report` when it is first used: it brings torch, for which commands that show their help need not wait."""
    if name != "write_report":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from emonet.report import report

    return report.write_report
