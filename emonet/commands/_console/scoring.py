"""What `emonet predict` says about labels and about how often predictions agree with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from emonet.commands._console.output import print_table
from emonet.html.formatting import count_of

if TYPE_CHECKING:
    from emonet.album import AlbumScore, LabelTable
    from emonet.evaluation.metrics import Scores

EXAMPLES = 3  # of rows of labels that cannot be used


def label_lines(table: Path, found: LabelTable) -> Iterator[str]:
    """Yield lines that say what was taken from a table of labels, and what was not."""
    from facecrop.errors import printable

    photos = count_of(len(found.labels), "photo")
    yield f"{table.name}: labels of {photos}, by paths relative to {found.base}"
    if found.unmatched:
        named = ", ".join(map(printable, found.unmatched[:EXAMPLES])) + (", ..." * (len(found.unmatched) > EXAMPLES))
        yield f"{table.name}: {count_of(len(found.unmatched), 'row')} fit no photo: {named}"
    if found.faults:
        named = "; ".join(found.faults[:EXAMPLES]) + ("; ..." * (len(found.faults) > EXAMPLES))
        yield f"{table.name}: {count_of(len(found.faults), 'row')} cannot be used: {named}"


def score_lines(found: AlbumScore) -> Iterator[str]:
    """Yield lines with the score."""
    left_out = f"{found.without_face:,} without a face that will do"
    left_out += f", {found.unknown:,} of expressions that the model does not know" if found.unknown else ""
    yield f"{found.labelled:,} photos have a label; {left_out}"
    if found.scores is not None:
        low, high = found.scores.accuracy_interval
        yield (
            f"the largest face agrees in {found.scores.correct:,} of {found.scores.n:,}: {found.scores.accuracy:.1%} "
            f"(95 % interval {low:.1%} to {high:.1%}), macro F1 {found.scores.macro_f1:.3f}"
        )


def show_confusion(scores: Scores, *, err: bool) -> None:
    """Print the confusion matrix: rows are labels, columns answers; classes without either are left out."""
    rows, names = scores.confusion, list(scores.classes)
    seen = [place for place in range(len(names)) if sum(rows[place]) or any(row[place] for row in rows)]
    answers = [str(names[place]) for place in seen]
    cells = [(names[place], *(f"{rows[place][column]:,}" for column in seen)) for place in seen]
    print_table(("label \\ answer", *answers), cells, answers, err=err)
