"""The table of every head and prior: for the page, the card and the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emonet.html.page import Html, fine, join, soft, table, tag, warning
from emonet.inference.views import view_words
from emonet.report.votes import set_apart

if TYPE_CHECKING:
    from emonet.evaluation import Evaluation
    from emonet.evaluation.agreement import Agreement

HEADS_HEADER = ("head", "prior", "labels", "labels, macro recall", "voters", "voters, macro recall")

EXPLAINED = (
    "Every answer that the model can give, on the same images. Labels and voters: how often the answer is the label, "
    "or what most voters saw. Macro recall is the mean over the classes that occur; one that a head cannot answer "
    "counts as missed. The head mean is the mean of all heads over the classes that they share. The prior training "
    "leaves the probabilities as they are, even divides out how frequent each class was in training, sqrt the square "
    "root of that."
)


def has_choice(evaluation: Evaluation) -> bool:
    """Say whether the model can give more than one answer."""
    return len(evaluation.by_head.get(evaluation.view, ())) > 1


def head_rows(evaluation: Evaluation) -> list[tuple[str, ...]]:
    """Write the figures of the last view, in the order of HEADS_HEADER; the answer that is scored has a star."""
    chosen = evaluation.choice.head, evaluation.choice.prior
    return [
        (row.head + (" *" if (row.head, row.prior) == chosen else ""), row.prior, *_two(row.labels), *_two(row.seen))
        for row in evaluation.by_head[evaluation.view]
    ]


def _two(scores: Agreement | None) -> tuple[str, str]:
    return ("-", "-") if scores is None else (f"{scores.accuracy:.2%}", f"{scores.macro_recall:.2%}")


def choice_words(evaluation: Evaluation) -> str:
    """Say whether a default may be chosen by this table, or where else."""
    if _may_choose(evaluation):
        return "This is dev: a default head and prior may be chosen by this table."
    if evaluation.split == "dev":
        return "The model learned from dev: no default head or prior can be chosen by this table."
    return f"A default head and prior must be chosen on dev, not by this table, which is of {evaluation.split}."


def _may_choose(evaluation: Evaluation) -> bool:
    """Only on dev, and only if the model did not learn from it."""
    return evaluation.split == "dev" and not evaluation.checkpoint.training.get("config", {}).get("all_train")


def heads_content(evaluation: Evaluation) -> Html:
    """Make the section."""
    rows = [(head, prior, *map(set_apart, figures)) for head, prior, *figures in head_rows(evaluation)]
    words = choice_words(evaluation)
    return join(
        fine(words) if _may_choose(evaluation) else warning(words),
        tag("p", f"{view_words(evaluation.view).capitalize()}; the answer that this report is of has a star."),
        table(HEADS_HEADER, rows),
        soft(EXPLAINED),
    )
