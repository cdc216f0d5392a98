"""A protocol's result as a page: what was chosen on what, every round, and the pooled figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from emonet.atomic import write_atomically
from emonet.evaluation.metrics import Scores
from emonet.evaluation.parts import ALL
from emonet.html.page import Digits, Html, Part, drawing, fine, join, page, soft, table, tag
from emonet.inference.views import view_words
from emonet.protocols.result import Pool, Result, RoundResult


def write_report(result: Result, path: Path, curve: Path | None = None) -> None:
    parts = [Part("head", result.title, _head(result)), Part("figures", "Figures", _figures(result, curve))]
    parts += [Part("rounds", "Rounds", _rounds(result))]
    parts += [
        Part(f"pool-{number}", f"By class: {name}", _classes(pool))
        for number, (name, pool) in enumerate(result.pooled.items(), start=1)
    ]
    with write_atomically(path) as temporary:
        temporary.write_text(page(parts), encoding="utf-8")


def _head(result: Result) -> Html:
    options = "; ".join(f"{name} {_words(value)}" for name, value in result.options.items() if value) or "none"
    return join(
        fine("No picture that is scored was learned from or chosen on."),
        tag("p", f"Model: {result.config['model']}. Rounds: {len(result.rounds)}. Options of the protocol: {options}."),
        soft("What was chosen on what stands in the table of rounds; all options of the training in protocol.json."),
    )


def _figures(result: Result, curve: Path | None) -> Html:
    several = any(pool.rounds > 1 for pool in result.pooled.values())
    header = ("scored", "view", "pictures", "n", "accuracy", "95 % interval", "macro F1", "accuracy over rounds")
    rows = (
        (name, view_words(view), part, *_numbers(scores), Digits(over_rounds(pool, view, part)))
        for name, pool in result.pooled.items()
        for view, parts in pool.scores.items()
        for part, scores in parts.items()
    )
    columns = len(header) if several else len(header) - 1
    picture = drawing(curve, "accuracy against the number of training pictures") if curve else ""
    return join(tag("figure", picture, class_="sheets") if curve else "", table(header[:columns], _cut(rows, columns)))


def _cut(rows: Iterable[Sequence[object]], columns: int) -> Iterator[Sequence[object]]:
    return (row[:columns] for row in rows)


def _numbers(scores: Scores) -> tuple[object, ...]:
    low, high = scores.accuracy_interval
    interval = Digits(f"{100 * low:.2f} to {100 * high:.2f} %")
    return scores.n, _percent(scores.accuracy), interval, _four(scores.macro_f1)


def over_rounds(pool: Pool, view: str, part: str) -> str:
    """The mean accuracy of several rounds, and its standard deviation."""
    spread = pool.spread.get(view, {}).get(part)
    if spread is None:
        return ""
    return f"{100 * spread['accuracy'].mean:.2f} ± {100 * spread['accuracy'].deviation:.2f} %"


def _rounds(result: Result) -> Html:
    header = ("round", "train", "dev", "scored", "n", "people", "accuracy", "chosen", "copies left out")
    return table(header, (row for one in result.rounds for row in _round_rows(one)))


def _round_rows(one: RoundResult) -> Iterator[tuple[object, ...]]:
    for name, outcome in one.outcomes.items():
        accuracy = next(iter(outcome.scores.values()))[ALL].accuracy
        people = ", ".join(person.partition("/")[2] for person in outcome.people)
        numbers = (one.learned, one.chosen_on, name, len(outcome.keys), people, _percent(accuracy))
        yield (one.round.name, *numbers, one.round.chosen, one.round.left_out)


def _classes(pool: Pool) -> Html:
    """Of pictures as they are, and of all of them."""
    view, scores = next((view, parts[ALL]) for view, parts in pool.scores.items())
    by_class = (
        (
            name,
            one.support,
            *(Digits("-" if value is None else f"{value:.4f}") for value in (one.precision, one.recall, one.f1)),
        )
        for name, one in scores.classes.items()
    )
    names = list(scores.classes)
    confusion = ((name, *counts) for name, counts in zip(names, scores.confusion, strict=True))
    return join(
        soft(f"All pictures, {view_words(view)}."),
        table(("class", "pictures", "precision", "recall", "F1"), by_class),
        tag("h3", "Answers"),
        soft("A row is a class, a column what it was taken for."),
        table(("", *names), confusion),
    )


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _percent(share: float) -> Digits:
    return Digits(f"{100 * share:.2f} %")


def _four(value: float) -> Digits:
    return Digits(f"{value:.4f}")
