"""What `emonet predict` says about labels and about how often predictions agree with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from emonet.commands._console.output import print_table
from emonet.html.formatting import count_of

if TYPE_CHECKING:
    from emonet.album import AlbumRun, AlbumScore, LabelTable
    from emonet.evaluation.metrics import Scores

EXAMPLES = 3  # of rows of labels that cannot be used
SCORE = "score.json"
MISTAKES = 5  # shown of those that are stored


def label_lines(table: Path, found: LabelTable) -> Iterator[str]:
    """Yield lines that say what was taken from a table of labels, and what was not."""
    from facecrop.text import printable

    photos = count_of(len(found.labels), "photo")
    yield f"{table.name}: labels of {photos}, by paths relative to {found.base}"
    if found.is_corrections:
        yield (
            f"{table.name}: holds only the faces that you corrected; it does not say how often the model agrees with "
            "you, so nothing is scored"
        )
    elif not found.labels:
        faces = count_of(sum(map(len, found.dropped.values())), "face")
        yield f"{table.name}: no labels to score; {faces} said not to be one"
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
    yield f"{count_of(found.labelled, 'label')}: {left_out}"
    if found.scores is not None:
        low, high = found.scores.accuracy_interval
        answer = "the answer" if found.with_box else "the largest face"
        yield (
            f"{answer} agrees in {found.scores.correct:,} of {found.scores.n:,}: {found.scores.accuracy:.1%} "
            f"(95 % interval {low:.1%} to {high:.1%}), macro F1 {found.scores.macro_f1:.3f}"
        )
        yield from _sure_lines(found.scores, found.sure)


def _sure_lines(scores: Scores, sure: Scores | None) -> Iterator[str]:
    """Yield a line with the score of the sure faces, where some are unsure."""
    if sure is None:
        yield "all of these faces are unsure"
    elif sure.n < scores.n:
        low, high = sure.accuracy_interval
        yield (
            f"of the {sure.n:,} sure ones, {sure.n / scores.n:.1%}, it agrees in {sure.correct:,}: {sure.accuracy:.1%} "
            f"(95 % interval {low:.1%} to {high:.1%})"
        )


def show_score(run: AlbumRun, found: AlbumScore, *, err: bool) -> None:
    """Write the score into an album as JSON, and print it."""
    from facecrop.text import printable

    run.write_text(SCORE, json.dumps(found.to_dict(), indent=2) + "\n")
    for line in score_lines(found):
        typer.echo(line, err=err)
    if found.scores is not None:
        show_confusion(found.scores, err=err)
    for mistake in found.worst[:MISTAKES]:
        answer = f"{mistake.label}, answered {mistake.answer} {mistake.confidence:.0%}"
        typer.echo(f"  {printable(mistake.path)}: {answer}", err=err)


def show_confusion(scores: Scores, *, err: bool) -> None:
    """Print the confusion matrix: rows are labels, columns answers; classes without either are left out."""
    rows, names = scores.confusion, list(scores.classes)
    seen = [place for place in range(len(names)) if sum(rows[place]) or any(row[place] for row in rows)]
    answers = [str(names[place]) for place in seen]
    cells = [(names[place], *(f"{rows[place][column]:,}" for column in seen)) for place in seen]
    print_table(("label \\ answer", *answers), cells, answers, err=err)
