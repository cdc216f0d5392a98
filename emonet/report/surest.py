"""The surest right and wrong answers to each class as small sheets of faces: what is easy, and what fools the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emonet.html.page import Html, chip, code, drawing, join, percent, soft, table, tag
from emonet.models.inputs import Pixels
from emonet.report.sheet import LINE, Sheet, enlarged

if TYPE_CHECKING:
    from emonet.evaluation import Evaluation

SHOWN = 4  # faces of each class, right and wrong
FACE, GAP = 152, 8  # pixels: a face's side, and between faces


@dataclass(frozen=True, slots=True)
class Answered:
    """A picture, and what was answered to it."""

    row: int
    key: str
    truth: str
    answer: str
    place: int  # of the answer among the classes
    of_truth: float  # their probabilities
    of_answer: float

    @property
    def right(self) -> bool:
        return self.answer == self.truth

    @property
    def words(self) -> tuple[str, ...]:
        """What is written under the face."""
        if self.right:
            return (f"{self.answer} {percent(self.of_answer)}",)
        return f"said {self.answer} {percent(self.of_answer)}", f"is {self.truth} {percent(self.of_truth)}"


def answered(evaluation: Evaluation, row: int) -> Answered:
    """What the evaluation's last view made of a picture."""
    faces, probabilities = evaluation.faces, evaluation.answers[evaluation.view][row]
    place, truth = int(probabilities.argmax()), int(faces.labels[row])
    return Answered(
        row,
        faces.keys[row],
        str(faces.classes[truth]),
        str(faces.classes[place]),
        place,
        float(probabilities[truth]),
        float(probabilities[place]),
    )


def surest(evaluation: Evaluation, truth: int, *, right: bool) -> list[Answered]:
    """The pictures of a class that were answered rightly, or wrongly: those with the most probable answers first."""
    labels, probabilities = evaluation.faces.labels, evaluation.answers[evaluation.view]
    rows = np.flatnonzero((labels == truth) & ((probabilities.argmax(1) == labels) == right))
    order = np.argsort(-probabilities[rows].max(1), kind="stable")
    return [answered(evaluation, int(row)) for row in rows[order]]


def surest_content(evaluation: Evaluation, folder: Path) -> Html:
    """Two sheets for each class, drawn into the folder, and the keys of what they show."""
    folder.mkdir(exist_ok=True)
    blocks, listed = [], []
    for truth, emotion in enumerate(evaluation.faces.classes):
        kinds = {kind: surest(evaluation, truth, right=kind == "right") for kind in ("right", "wrong")}
        there = int((evaluation.faces.labels == truth).sum())
        sheets = (_sheet(evaluation, kind, found, folder / f"{emotion}-{kind}.png") for kind, found in kinds.items())
        shown = tag("div", *sheets, class_="sheets") if there else soft("There are no pictures.")
        blocks.append(join(tag("h3", chip(emotion)), shown))
        listed += kinds["right"][:SHOWN] + kinds["wrong"][:SHOWN]
    return join(*blocks, _keys(listed))


def _sheet(evaluation: Evaluation, kind: str, found: Sequence[Answered], path: Path) -> Html:
    """The first of what was found, which is in order."""
    few = found[:SHOWN]
    if not few:
        return tag("figure", soft(f"None was answered {kind}ly."))
    draw_sheet(evaluation.faces.pixels[[one.row for one in few]], [one.words for one in few], path)
    words = "; ".join(f"{one.key}: {', '.join(one.words)}" for one in few)
    return tag("figure", tag("figcaption", f"{kind}: the surest {len(few)} of {len(found):,}"), drawing(path, words))


def _keys(listed: Sequence[Answered]) -> Html:
    header = ("key", "true class", "answer", "its probability")
    rows = ((code(one.key), chip(one.truth), chip(one.answer), one.of_answer) for one in listed)
    return tag("details", tag("summary", "The keys of these pictures"), table(header, rows))


def draw_sheet(pixels: Pixels, captions: Sequence[Sequence[str]], path: Path) -> None:
    """Writes a PNG of faces (N, height, width, channels) side by side, with lines of words under each."""
    sheet = Sheet(SHOWN * (FACE + GAP) - GAP, FACE + LINE * max(map(len, captions)))
    for number, (picture, lines) in enumerate(zip(pixels, captions, strict=True)):
        left = number * (FACE + GAP)
        sheet.paste(enlarged(picture, FACE), left, 0)
        sheet.write(lines, left, FACE)
    sheet.save(path)
