"""Sheets of faces: the surest right and wrong answers to each class, to see what is easy and what fools the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from emonet.atomic import write_atomically
from emonet.evaluation.parts import name_sequences
from emonet.html.formatting import percent
from emonet.html.images import EmbeddedImage, embed_png
from emonet.models.inputs import Pixels
from emonet.palette import BLACK

if TYPE_CHECKING:
    from emonet.evaluation import Evaluation

SHOWN = 4  # faces of each class, right and wrong
FACE, GAP = 152, 8  # pixels: a face's side, and between faces
LETTERS, LINE, MARGIN = 15, 20, 12  # pixels: the height of letters, of lines, and of the white around all


@dataclass(frozen=True, slots=True)
class AnsweredFace:
    """An image, and what was answered to it."""

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
        """The lines under the face."""
        if self.right:
            return (f"{self.answer} {percent(self.of_answer)}",)
        return f"said {self.answer} {percent(self.of_answer)}", f"is {self.truth} {percent(self.of_truth)}"


@dataclass(frozen=True, slots=True)
class FaceSheet:
    """The surest answers of one kind to a class, on a sheet; `image` is None where there are none."""

    kind: str
    faces: Sequence[AnsweredFace]
    of: int
    image: EmbeddedImage | None

    @property
    def alt(self) -> str:
        return "; ".join(f"{one.key}: {', '.join(one.words)}" for one in self.faces)


@dataclass(frozen=True, slots=True)
class ClassSheets:
    """A class of the answer, how many images it has, and its two sheets."""

    emotion: str
    images: int
    sheets: Sequence[FaceSheet]


def find_answer(evaluation: Evaluation, row: int) -> AnsweredFace:
    """Return what the evaluation's last view answered to an image."""
    faces, probabilities = evaluation.faces, evaluation.answers[evaluation.view][row]
    place, truth = int(probabilities.argmax()), int(faces.labels[row])
    return AnsweredFace(
        row,
        faces.keys[row],
        str(faces.classes[truth]),
        str(faces.classes[place]),
        place,
        float(probabilities[truth]),
        float(probabilities[place]),
    )


def find_surest(evaluation: Evaluation, truth: int, *, right: bool) -> list[AnsweredFace]:
    """Return the images of a class that were answered rightly, or wrongly, the most probable answers first.

    Of the frames of a sequence, which look alike, only the surest is returned.
    """
    labels, probabilities = evaluation.faces.labels, evaluation.answers[evaluation.view]
    rows = np.flatnonzero((labels == truth) & ((probabilities.argmax(1) == labels) == right))
    order = np.argsort(-probabilities[rows].max(1), kind="stable")
    names = name_sequences(evaluation.faces)
    firsts: dict[str | int, int] = {}
    for row in rows[order].tolist():
        firsts.setdefault(names[row] or row, row)
    return [find_answer(evaluation, row) for row in firsts.values()]


def draw_class_sheets(evaluation: Evaluation, folder: Path) -> list[ClassSheets]:
    """Draw two sheets for each class into the folder."""
    folder.mkdir(exist_ok=True)
    return [
        ClassSheets(
            str(emotion),
            int((evaluation.faces.labels == truth).sum()),
            [_draw_kind(evaluation, truth, kind, folder / f"{emotion}-{kind}.png") for kind in ("right", "wrong")],
        )
        for truth, emotion in enumerate(evaluation.faces.classes)
    ]


def _draw_kind(evaluation: Evaluation, truth: int, kind: str, path: Path) -> FaceSheet:
    found = find_surest(evaluation, truth, right=kind == "right")
    few = found[:SHOWN]
    if not few:
        return FaceSheet(kind, few, 0, None)
    draw_sheet(evaluation.faces.array[[one.row for one in few]], [one.words for one in few], path)
    return FaceSheet(kind, few, len(found), embed_png(path))


def draw_sheet(pixels: Pixels, captions: Sequence[Sequence[str]], path: Path) -> None:
    """Write a PNG of faces (N, height, width, channels) side by side, with lines of text under each."""
    sheet = Sheet(SHOWN * (FACE + GAP) - GAP, FACE + LINE * max(map(len, captions)))
    for number, (face, lines) in enumerate(zip(pixels, captions, strict=True)):
        left = number * (FACE + GAP)
        sheet.paste(enlarge(face, FACE), left, 0)
        sheet.write(lines, left, FACE)
    sheet.save(path)


class Sheet:
    """White paper with room for width by height pixels; the margin about them comes on top."""

    def __init__(self, width: int, height: int) -> None:
        self.image = Image.new("RGB", (width + 2 * MARGIN, height + 2 * MARGIN), "white")
        self.draw = ImageDraw.Draw(self.image)
        self.font = ImageFont.load_default(LETTERS)

    def paste(self, image: Image.Image, left: int, top: int) -> None:
        self.image.paste(image, (MARGIN + left, MARGIN + top))

    def write(self, lines: Sequence[str], left: int, top: int, colour: str = BLACK) -> None:
        for number, words in enumerate(lines):
            self.draw.text((MARGIN + left, MARGIN + top + number * LINE), words, colour, self.font)

    def save(self, path: Path) -> Path:
        with write_atomically(path) as temporary:
            self.image.save(temporary, "PNG")
        return path


def enlarge(pixels: Pixels, side: int) -> Image.Image:
    """Return a face (height, width, channels) in RGB, smoothed: for looking at the face, not at its pixels."""
    face = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).convert("RGB")
    return face.resize((side, side), Image.Resampling.BICUBIC)
