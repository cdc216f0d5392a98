"""The head of the report: the main figures, what has to be known to read them, and where the model comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from emonet.evaluation.parts import ALL
from emonet.html.page import Html, chip, code, facts, fine, join, percent, tag, tiles, warning
from emonet.inference.views import view_words
from emonet.report.provenance import chosen, learned_from, part_of_split

if TYPE_CHECKING:
    from emonet.evaluation import Evaluation
    from emonet.evaluation.metrics import Scores


def head(evaluation: Evaluation) -> Html:
    """What one reads first."""
    return join(
        tiles(_figures(evaluation)),
        *(_sentence(view, parts[ALL]) for view, parts in evaluation.scores.items()),
        *map(warning, evaluation.remarks),
        *_completeness(evaluation),
        facts(_facts(evaluation)),
    )


def _figures(evaluation: Evaluation) -> Iterator[tuple[str, str]]:
    """Of the last view, of which all pictures are drawn."""
    scores = evaluation.scores[evaluation.view][ALL]
    yield "accuracy", percent(scores.accuracy, 2)
    yield "macro F1", f"{scores.macro_f1:.3f}"
    yield "among the two likeliest", percent(scores.top_2)
    yield "calibration error", f"{scores.calibration_error:.3f}"
    yield "pictures", f"{scores.n:,}"
    yield "parameters", f"{evaluation.cost.parameters:,}"


def _sentence(view: str, scores: Scores) -> Html:
    low, high = map(percent, scores.accuracy_interval)
    return tag(
        "p",
        tag("strong", f"{view_words(view).capitalize()}: {percent(scores.accuracy, 2)}"),
        f", {scores.correct:,} of {scores.n:,} pictures right; with 95 % confidence between {low} and {high}. "
        f"Macro F1 {scores.macro_f1:.3f}.",
    )


def _completeness(evaluation: Evaluation) -> Iterator[Html]:
    """Whether all pictures that were published are scored; what the model does not know is among the remarks."""
    n, split = len(evaluation.faces), evaluation.split
    published = evaluation.store.info.evaluated.get(split)
    if published is not None and published.kept < published.of:
        yield warning(f"the data set has {published.kept:,} of {published.of:,} pictures of {split}")
    elif not evaluation.faces.left_out:
        yield fine(f"{split}: {n:,} of {n:,} pictures are scored")


def _facts(evaluation: Evaluation) -> Iterator[tuple[str, object]]:
    checkpoint, training = evaluation.checkpoint, evaluation.checkpoint.training
    spec = checkpoint.input
    yield "model", join(evaluation.name, " (", code(checkpoint.model), ")")
    yield "answers", f"of the head {evaluation.choice.head}, with the prior {evaluation.choice.prior}"
    yield "classes", join(*map(chip, evaluation.faces.classes))
    yield "sees", f"{spec.size} by {spec.size} pixels, {'grey' if spec.channels == 1 else 'in colour'}"
    yield "learned from", learned_from(training)
    yield "chosen", chosen(training)
    yield "scored on", join(evaluation.split, " of ", code(evaluation.store.path.name), ": ", part_of_split(evaluation))
    yield "drawn", f"all figures are of the answers {view_words(evaluation.view)}"
