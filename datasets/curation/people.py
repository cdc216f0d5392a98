"""Find people who are in more than one split: a model may know them by their faces, and not by their expressions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

NAMED = 10  # people in a message


class Seen(NamedTuple):
    """Who is on one image, and its split; None where that is not known."""

    source: str
    subject: str | None
    split: str | None


def find_divided_people(images: Iterable[Seen]) -> dict[str, dict[str, Counter[str]]]:
    """Count the images of people who are in more than one split.

    Returns:
        Source -> subject -> split -> images; only sources and people of which that is so.
    """
    counts: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for source, subject, split in images:
        if subject is not None and split is not None:
            counts[source][subject][split] += 1
    divided = {
        source: {subject: splits for subject, splits in sorted(people.items()) if len(splits) > 1}
        for source, people in counts.items()
    }
    return {source: people for source, people in divided.items() if people}


def warn_of_divided_people(images: Iterable[Seen]) -> list[str]:
    """Say of each source which people are in more than one split, and how many of their images are in each."""
    images = [one for one in images if one.subject is not None]
    known = Counter(source for source, _ in {(one.source, one.subject) for one in images})
    return [_describe(source, people, known[source]) for source, people in find_divided_people(images).items()]


def _describe(source: str, people: Mapping[str, Mapping[str, int]], known: int) -> str:
    shown = [f"{name} ({_format(splits)})" for name, splits in list(people.items())[:NAMED]]
    more = f", and {len(people) - NAMED:,} more" if len(people) > NAMED else ""
    return (
        f"{source}: {len(people):,} of {known:,} people are in more than one split, so a model may know them by their "
        f"faces and scores too high: {', '.join(shown)}{more}; --split subject divides anew"
    )


def _format(splits: Mapping[str, int]) -> str:
    return ", ".join(f"{split} {count:,}" for split, count in splits.items())
