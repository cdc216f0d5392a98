"""The scores on FER+'s votes as a table and in words: for the page, the card and the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emonet.heads import SEEN_CLASSES
from emonet.html.page import Digits, Html, join, soft, table, tag
from emonet.report.confusion import draw_confusion
from emonet.report.figures import shown

if TYPE_CHECKING:
    from emonet.evaluation import Evaluation
    from emonet.evaluation.votes import VoteScores

VOTES_HEADER = ("view", "n", "majority", "95 %", "macro recall", "cross-entropy", "one voter")

EXPLAINED = (
    "Majority: how often the answer is what more of the ten voters saw than anything else. Macro recall is the mean "
    "over the expressions that occur; one that the head cannot answer counts as missed. Cross-entropy: of the "
    "probabilities against the shares of the votes, in nats. One voter: how often the answer is that of a voter drawn "
    "at random. Barsoum et al. report 84.99 % on PrivateTest; by the rule in their code votes of a single person are "
    "struck, and an expression must have more than half of the others."
)


def vote_rows(evaluation: Evaluation) -> list[tuple[str, ...]]:
    """Write the figures of each view, in the order of VOTES_HEADER."""
    return [(view, *_figures(scores)) for view, scores in evaluation.votes.items()]


def _figures(scores: VoteScores) -> tuple[str, ...]:
    low, high = scores.majority.accuracy_interval
    return (
        f"{scores.majority.n:,}",
        f"{scores.majority.accuracy:.2%}",
        f"{100 * low:.1f}-{100 * high:.1f}",
        f"{scores.majority.macro_recall:.2%}",
        "-" if scores.cross_entropy is None else f"{scores.cross_entropy:.4f}",
        f"{scores.one_rater:.2%}",
    )


def vote_sentences(evaluation: Evaluation) -> list[str]:
    """Say what is left out, and what the voters reach among themselves."""
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


def votes_content(evaluation: Evaluation, path: Path) -> Html:
    """Draw the confusions into the path, and make the section."""
    confusion = evaluation.votes[evaluation.view].confusion
    draw_confusion(confusion, SEEN_CLASSES, path, truth="what most people saw")
    rows = [(view, *map(set_apart, figures)) for view, *figures in vote_rows(evaluation)]
    return join(
        soft("The same answers beside what ten people each said they see in the image (FER+), which is not its label."),
        table(VOTES_HEADER, rows),
        *(tag("p", set_apart(sentence)) for sentence in vote_sentences(evaluation)),
        soft(EXPLAINED),
        shown(path, "confusion matrix: what most people saw in rows, answers in columns"),
    )


def set_apart(text: str) -> Digits:
    """Write percent signs as pages do."""
    return Digits(text.replace("%", " %"))
