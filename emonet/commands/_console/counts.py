"""Counts in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator


def listed(found: Counter[str]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in found.most_common())


def passed_over(others: Counter[str]) -> Iterator[str]:
    """A line about files that are no photos, by the endings of their names; none if there are none."""
    from facecrop.errors import printable

    if others:
        by_ending = Counter({printable(ending) or "without an ending": count for ending, count in others.items()})
        yield f"passed over, for they are no pictures: {listed(by_ending)}"
