"""The tables of the report, of the card and of the terminal: scores, classes, votes, and every head and prior."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from emonet.html.formatting import decimal, percent, percent_range
from emonet.inference.learned import learned_from_dev

if TYPE_CHECKING:
    from emonet.evaluation import Evaluation
    from emonet.evaluation.agreement import Agreement
    from emonet.evaluation.metrics import Scores
    from emonet.evaluation.votes import VoteScores
    from emonet.inference.coverage import CoverageCurve

SHOWN = 3  # ways to compute the intervals of parts that are named

VOTES_HEADER = ("view", "n", "majority", "95 %", "macro recall", "cross-entropy", "one voter")
HEADS_HEADER = ("head", "prior", "labels", "labels, macro recall", "voters", "voters, macro recall")

COVERAGE_HEADER = ("coverage", "least confidence", "right")
COVERAGE_STEP = 2  # every second point is shown


def score_rows(parts: Mapping[str, Scores]) -> list[tuple[str | int, ...]]:
    """Return the scores of each part of a split, in the order of the report's table."""
    return [
        (
            part,
            scores.n,
            percent(scores.accuracy, 2),
            percent_range(*scores.accuracy_interval),
            *map(decimal, (scores.macro_f1, scores.weighted_f1, scores.macro_f_beta, scores.kappa)),
            percent(scores.top_2),
            *map(decimal, (scores.calibration_error, scores.log_loss)),
        )
        for part, scores in parts.items()
    ]


def describe_intervals(evaluation: Evaluation) -> str:
    """Say how the intervals were computed: of all images, and of parts where they have another way."""
    methods = Counter(scores.interval_method for parts in evaluation.scores.values() for scores in parts.values())
    methods.update(scores.majority.interval_method for scores in evaluation.votes.values())
    whole = evaluation.summary.interval_method
    others = [name for name, _ in methods.most_common() if name != whole]
    if not others:
        return whole
    own = f"of parts: {', '.join(others[:SHOWN])}{', and others' if len(others) > SHOWN else ''}"
    return f"{whole}; {own}"


def class_rows(scores: Scores) -> list[tuple[str | int, ...]]:
    """Return precision, recall, F1, F-beta and the number of images of each class."""
    return [
        (name, *map(decimal, (one.precision, one.recall, one.f1, one.f_beta)), one.support)
        for name, one in scores.classes.items()
    ]


def name_f_beta(beta: float) -> str:
    """Name the column of F-beta; with a beta of 1, not as that of F1 beside it."""
    name = f"F{beta:g}"
    return "F, beta 1" if name == "F1" else name


def vote_rows(evaluation: Evaluation) -> list[tuple[str, ...]]:
    """Return the scores on the votes by each view, in the order of VOTES_HEADER."""
    return [(view, *_vote_figures(scores)) for view, scores in evaluation.votes.items()]


def _vote_figures(scores: VoteScores) -> tuple[str, ...]:
    low, high = scores.majority.accuracy_interval
    return (
        f"{scores.majority.n:,}",
        f"{scores.majority.accuracy:.2%}",
        f"{100 * low:.1f}-{100 * high:.1f}",
        f"{scores.majority.macro_recall:.2%}",
        decimal(scores.cross_entropy, 4),
        f"{scores.one_rater:.2%}",
    )


def vote_sentences(evaluation: Evaluation) -> list[str]:
    """Say which images are left out, and what the voters reach among themselves."""
    scores = evaluation.votes[evaluation.view]
    sentences = []
    if scores.left_out:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in scores.left_out.items())
        sentences.append(f"Images that no expression has the most votes for are left out: {reasons}.")
    if scores.published is not None:
        sentences.append(
            f"By the rule of Barsoum et al. (2016), which keeps clearer images, the agreement with the majority is "
            f"{scores.published.accuracy:.2%} of {scores.published.n:,} (view {evaluation.view})."
        )
    if scores.two_raters is not None and scores.rater_and_others is not None:
        sentences.append(
            f"Of the voters, two agree with each other in {scores.two_raters:.1%}, and one with most of the others in "
            f"{scores.rater_and_others:.1%}."
        )
    if scores.entropy is not None:
        missing = f" {scores.votes_left_out:.1%} of the votes are for others, and left out of it."
        sentences.append(
            f"The cross-entropy is over the {len(evaluation.faces.classes)} classes of the answer, and at least "
            f"{scores.entropy:.4f}, the entropy of the votes.{missing if scores.votes_left_out else ''}"
        )
    return sentences


def has_choice(evaluation: Evaluation) -> bool:
    """Return whether the model can give more than one answer."""
    return len(evaluation.by_head.get(evaluation.view, ())) > 1


def head_rows(evaluation: Evaluation) -> list[tuple[str, ...]]:
    """Return the scores of every head and prior by the last view, in the order of HEADS_HEADER.

    The answer that is scored has a star.
    """
    chosen = evaluation.choice.head, evaluation.choice.prior
    return [
        (row.head + (" *" if (row.head, row.prior) == chosen else ""), row.prior, *_two(row.labels), *_two(row.seen))
        for row in evaluation.by_head[evaluation.view]
    ]


def _two(scores: Agreement | None) -> tuple[str, str]:
    return ("-", "-") if scores is None else (f"{scores.accuracy:.2%}", f"{scores.macro_recall:.2%}")


def coverage_rows(curve: CoverageCurve) -> list[tuple[str, ...]]:
    """Return how often the surest answers are right, by their share, in the order of COVERAGE_HEADER."""
    return [
        (f"{one.coverage:.1%}", f"{one.confidence:.3f}", f"{one.accuracy:.1%}") for one in curve.points[::COVERAGE_STEP]
    ]


def choice_words(evaluation: Evaluation) -> str:
    """Say whether a default head and prior may be chosen by this table."""
    if may_choose(evaluation):
        return "This is dev: a default head and prior may be chosen by this table."
    if evaluation.split == "dev":
        return "The model learned from dev: no default head or prior can be chosen by this table."
    return f"A default head and prior must be chosen on dev, not by this table, which is of {evaluation.split}."


def may_choose(evaluation: Evaluation) -> bool:
    """Return whether a choice by these scores is honest: on dev, and only if the model did not learn from it."""
    if evaluation.split != "dev":
        return False
    return not learned_from_dev(evaluation.checkpoint.training, evaluation.faces.sources.tolist())
