"""A protocol's result as a page: what was chosen on what, every round, and the pooled figures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emonet.evaluation.parts import ALL
from emonet.html.formatting import decimal, percent, percent_range
from emonet.html.images import embed_png
from emonet.html.render import write_page
from emonet.inference.views import view_words
from emonet.protocols.result import Pool, Result, RoundResult


def write_report(result: Result, path: Path, curve: Path | None = None) -> None:
    """Write the report of a protocol; `curve` is the PNG of a learning curve."""
    write_page(
        path,
        "protocol.html.j2",
        title=result.title,
        sections={"figures": "Figures", "rounds": "Rounds"},
        model=result.config["model"],
        rounds=len(result.rounds),
        options={name: _words(value) for name, value in result.options.items() if value},
        curve=embed_png(curve) if curve else None,
        figures=[*_figure_rows(result)],
        intervals=describe_intervals(result),
        collapsed=describe_collapsed(result),
        has_spread=any(pool.rounds > 1 for pool in result.pooled.values()),
        round_rows=[row for one in result.rounds for row in _round_rows(one)],
        pools=[_describe_pool(name, pool) for name, pool in result.pooled.items()],
    )


def _figure_rows(result: Result) -> Iterator[tuple[str | int, ...]]:
    for name, pool in result.pooled.items():
        for view, parts in pool.scores.items():
            for part, scores in parts.items():
                figures = percent(scores.accuracy, 2), percent_range(*scores.accuracy_interval, 2)
                words, macro_f1 = view_words(view), decimal(scores.macro_f1, 4)
                yield name, words, part, scores.n, *figures, macro_f1, over_rounds(pool, view, part)


def describe_intervals(result: Result) -> list[str]:
    """Say how the intervals were computed, each way once, and of what where they differ."""
    found: dict[str, list[str]] = {}
    for name, pool in result.pooled.items():
        for method in {scores.interval_method for parts in pool.scores.values() for scores in parts.values()}:
            found.setdefault(method, []).append(name)
    if len(found) == 1:
        return list(found)
    return [f"{method} ({', '.join(names)})" for method, names in sorted(found.items())]


def describe_collapsed(result: Result) -> list[str]:
    """Say which rounds answer one class nearly always."""
    return [f"{name} answers {emotion} to {percent(share)} of its images" for name, emotion, share in result.collapsed]


def over_rounds(pool: Pool, view: str, part: str) -> str:
    """Return the mean accuracy of several rounds and its standard deviation; nothing for one round."""
    spread = pool.spread.get(view, {}).get(part)
    if spread is None:
        return ""
    return f"{100 * spread['accuracy'].mean:.2f} ± {percent(spread['accuracy'].deviation, 2)}"


def _round_rows(one: RoundResult) -> Iterator[tuple[str | int, ...]]:
    for name, outcome in one.outcomes.items():
        accuracy = next(iter(outcome.scores.values()))[ALL].accuracy
        people = ", ".join(person.partition("/")[2] for person in outcome.people)
        emotion, share = outcome.commonest
        commonest = f"{emotion} {percent(share, 0)}{', collapsed' if outcome.collapsed else ''}"
        scored = (name, len(outcome.keys), people, percent(accuracy, 2), commonest)
        yield one.round.name, one.learned, one.chosen_on, *scored, one.round.chosen, one.round.left_out


def _describe_pool(name: str, pool: Pool) -> dict[str, Any]:
    """Return the scores of each class by the first view, on all images."""
    view, scores = next((view, parts[ALL]) for view, parts in pool.scores.items())
    return {
        "name": name,
        "view": view_words(view),
        "rows": [
            (emotion, one.support, *(decimal(value, 4) for value in (one.precision, one.recall, one.f1)))
            for emotion, one in scores.classes.items()
        ],
        "columns": {"": "", **dict.fromkeys(scores.classes, "number")},
        "confusion": [(emotion, *counts) for emotion, counts in zip(scores.classes, scores.confusion, strict=True)],
    }


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
