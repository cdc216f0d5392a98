"""The tables of the report: scores of every part by every view, scores of each class, and what an answer costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from emonet.evaluation.cost import BATCH
from emonet.evaluation.parts import ALL
from emonet.html.page import Digits, Html, chip, facts, join, percent, soft, table, tag
from emonet.inference.views import view_words

if TYPE_CHECKING:
    from emonet.evaluation import Evaluation
    from emonet.evaluation.cost import Cost
    from emonet.evaluation.metrics import Scores

EXPLAINED = (
    "Macro figures are means over the classes that occur, weighted ones over the pictures. F{beta:g} counts recall "
    "{beta:g} times as much as precision. Kappa is the agreement beyond chance. Top 2: the true class is among the two "
    "likeliest. ECE is the expected calibration error: how far the probability of an answer is from how often it is "
    "right. The interval is Wilson's."
)


def score_tables(evaluation: Evaluation) -> Html:
    """A table for each view, so that what test-time augmentation adds is never mixed with what the model can do."""
    beta = evaluation.scores[evaluation.view][ALL].beta
    first = ("pictures", "n", "accuracy", "95 % interval", "macro F1", "weighted F1", f"macro F{beta:g}")
    header = (*first, "kappa", "top 2", "ECE", "log loss")
    tables = (
        join(
            tag("h3", view_words(view).capitalize()),
            table(header, ((part, *_cells(scores)) for part, scores in parts.items())),
        )
        for view, parts in evaluation.scores.items()
    )
    return join(*tables, soft(EXPLAINED.format(beta=beta)))


def _cells(scores: Scores) -> Iterator[object]:
    low, high = scores.accuracy_interval
    yield scores.n
    yield percent(scores.accuracy, 2)
    yield Digits(f"{100 * low:.1f} to {percent(high)}")
    yield from map(_digits, (scores.macro_f1, scores.weighted_f1, scores.macro_f_beta, scores.kappa))
    yield percent(scores.top_2)
    yield from map(_digits, (scores.calibration_error, scores.log_loss))


def _digits(value: float | None) -> Digits:
    return Digits("-" if value is None else f"{value:.3f}")


def class_table(evaluation: Evaluation) -> Html:
    """Of the last view."""
    scores = evaluation.scores[evaluation.view][ALL]
    header = ("class", "precision", "recall", "F1", f"F{scores.beta:g}", "pictures")
    rows = (
        (chip(name), *map(_digits, (one.precision, one.recall, one.f1, one.f_beta)), one.support)
        for name, one in scores.classes.items()
    )
    return table(header, rows)


def cost_table(cost: Cost) -> Html:
    """Times are those of one look at a picture, whatever the view."""
    return facts(
        {
            "parameters": f"{cost.parameters:,}, of which {cost.trainable:,} are learned",
            "multiplications": f"{cost.macs / 1e6:,.1f} million a picture, each with an addition (MACs)",
            "many at a time": f"{cost.pictures_per_second:,.0f} pictures a second, in batches of {BATCH}",
            "one at a time": f"{cost.milliseconds:.1f} ms a picture",
            "machine": f"{cost.machine}; without test-time augmentation",
        }.items()
    )
