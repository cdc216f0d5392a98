"""How numbers are written on pages, and tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def percent(share: float, places: int = 1) -> str:
    """Write a share in percent."""
    return f"{100 * share:.{places}f} %"


def percent_range(low: float, high: float, places: int = 1) -> str:
    """Write two shares as a range in percent."""
    return f"{100 * low:.{places}f} to {percent(high, places)}"


def decimal(value: float | None, places: int = 3) -> str:
    """Write a number with so many places; a dash for None."""
    return "-" if value is None else f"{value:.{places}f}"


def count(value: int) -> str:
    """Write a whole number with commas between thousands."""
    return f"{value:,}"


def count_of(value: int, noun: str) -> str:
    """Write a number with its noun: `1 photo`, `1,204 photos`."""
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"


def number(value: float | str | None) -> str:
    """Write a cell of a table: whole numbers with commas, fractions in percent, a dash for None, text as it is."""
    if isinstance(value, float):
        return percent(value)
    return count(value) if isinstance(value, int) else decimal(None) if value is None else value


def markdown_table(header: Sequence[object], rows: Iterable[Sequence[object]], *, align_right: bool = False) -> str:
    """Write a table in Markdown.

    Args:
        header: The names of the columns.
        rows: As many cells as the header has.
        align_right: Whether all columns but the first are set to the right.
    """
    line = ["---", *["---:" if align_right else "---"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in (header, line, *rows))
