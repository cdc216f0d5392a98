"""What `emonet predict` says: photos in words, what became of all of them, and how often the labels agree."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from emonet.commands._console.counts import listed, passed_over

if TYPE_CHECKING:
    from rich.table import Table

    from emonet.album import FolderScore
    from emonet.evaluation.metrics import Scores
    from emonet.prediction import PhotoResult

SCORE = "score.json"
MISTAKES = 5  # shown of those that are stored


class Tally:
    """Counts photos, and the faces in them; `others` are files that are no photos, by the endings of their names."""

    def __init__(self) -> None:
        self.others: Counter[str] = Counter()
        self.read = self.unreadable = self.known = 0
        self._faces: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()

    def add(self, result: PhotoResult, *, known: bool = False) -> None:
        self.known += known
        self.unreadable += result.error is not None
        self.read += result.error is None
        self._faces.update(prediction.emotion.value for prediction in result.predictions)
        self._left_out.update(rejection.reason.value for rejection in result.rejections)

    def __str__(self) -> str:
        """Expressions and reasons, and in the last line how many photos."""
        lines = [
            f"{name}: {listed(found)}"
            for name, found in (("faces", self._faces), ("left out", self._left_out))
            if found
        ]
        lines += passed_over(self.others)
        before = f", {self.known:,} of them done before" if self.known else ""
        total = self.read + self.unreadable
        lines.append(f"{total:,} photos{before}: {self._faces.total():,} faces; {self.unreadable:,} could not be read")
        return "\n".join(lines)


def in_words(result: PhotoResult) -> Iterator[str]:
    """A line for each face, and for each reason why there is none."""
    from facecrop.errors import printable

    name = printable(str(result.source))
    for prediction in result.predictions:
        box = " ".join(f"{value:.0f}" for value in prediction.box)
        yield f"{name}: {prediction.emotion} {prediction.confidence:.0%} at {box}"
    for rejection in result.rejections:
        yield f"{name}: {rejection.detail}"
    if result.error is not None:
        yield f"{name}: cannot be read: {result.error.reason}"


def show_score(found: FolderScore, out: Path, *, err: bool) -> None:
    """In words, and as JSON in a file."""
    from rich.console import Console

    from emonet.atomic import write_atomically
    from facecrop.errors import printable

    with write_atomically(out / SCORE) as temporary:
        temporary.write_text(json.dumps(found.to_dict(), indent=2) + "\n", encoding="utf-8")
    for line in _score_lines(found):
        typer.echo(line, err=err)
    if found.scores is not None:
        Console(stderr=err).print(_confusion(found.scores))
    for mistake in found.worst[:MISTAKES]:
        words = f"{mistake.label}, answered {mistake.answer} {mistake.confidence:.0%}"
        typer.echo(f"  {printable(mistake.path)}: {words}", err=err)


def _score_lines(found: FolderScore) -> Iterator[str]:
    left_out = f"{found.without_face:,} without a face that will do"
    left_out += f", {found.unknown:,} of expressions that the model does not know" if found.unknown else ""
    yield f"{found.labelled:,} photos have a label; {left_out}"
    if found.scores is None:
        return
    low, high = found.scores.accuracy_interval
    yield (
        f"the largest face agrees in {found.scores.correct:,} of {found.scores.n:,}: {found.scores.accuracy:.1%} "
        f"(95 % interval {low:.1%} to {high:.1%}), macro F1 {found.scores.macro_f1:.3f}"
    )


def _confusion(scores: Scores) -> Table:
    """Rows are labels, columns answers; classes without either are left out."""
    from rich.table import Column, Table

    rows, names = scores.confusion, list(scores.classes)
    seen = [place for place in range(len(names)) if sum(rows[place]) or any(row[place] for row in rows)]
    columns = [Column(names[place], justify="right", no_wrap=True) for place in seen]
    table = Table(Column("label \\ answer", no_wrap=True), *columns, box=None, pad_edge=False)
    for place in seen:
        table.add_row(names[place], *(f"{rows[place][column]:,}" for column in seen))
    return table
