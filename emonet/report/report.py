"""report.html: everything there is to see of an evaluation, in one file that loads nothing and runs nothing.

FOLDER/report.html            the page, with all pictures in it
FOLDER/evaluation.json        the figures
FOLDER/*.png                  the drawings, to be used elsewhere
FOLDER/surest/*.png           sheets of faces, two a class
FOLDER/workings/*.png         feature maps and attention
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emonet.atomic import write_atomically
from emonet.evaluation.metrics import reliability
from emonet.evaluation.parts import ALL
from emonet.html.page import Html, Part, join, page, soft
from emonet.models import model_class
from emonet.report.board import ENTRIES
from emonet.report.calibration import draw_reliability
from emonet.report.card import model_card
from emonet.report.class_bars import Counts, draw_answers, draw_histogram, draw_mistakes
from emonet.report.confusion import draw_confusion
from emonet.report.figures import STYLE, shown
from emonet.report.head import head
from emonet.report.head_table import has_choice, heads_content
from emonet.report.inside_network import find_face, workings
from emonet.report.scores import class_table, cost_table, score_tables
from emonet.report.sizes import sizes_content
from emonet.report.standing import comparable, standing
from emonet.report.surest import Answered, surest_content
from emonet.report.votes import votes_content
from emonet.training.curves import draw_curves
from emonet.training.log import EpochRow

if TYPE_CHECKING:
    from emonet.evaluation import Evaluation

PAGE, CARD, FIGURES = "report.html", "card.md", "evaluation.json"
TRAIN = "train"


def write_report(
    evaluation: Evaluation, folder: str | os.PathLike[str], *, log: Sequence[EpochRow] = (), face: str = ""
) -> Path:
    """Writes the page and all that is in it, and gives back the page's path.

    `log` are the epochs of the training, for its curves; `face` is the key of the picture whose feature maps are shown.
    """
    chosen = find_face(evaluation, face)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / FIGURES, json.dumps(evaluation.to_dict(), indent=2) + "\n")
    _write(folder / CARD, model_card(evaluation))
    _write(folder / PAGE, page([*_parts(evaluation, folder, log, chosen)], STYLE))
    return folder / PAGE


def _write(path: Path, text: str) -> None:
    with write_atomically(path) as temporary:
        temporary.write_bytes(text.encode("utf-8", "backslashreplace"))  # not every file name is text


def _parts(evaluation: Evaluation, folder: Path, log: Sequence[EpochRow], face: Answered) -> Iterator[Part]:
    yield Part("top", f"{evaluation.name} on {evaluation.split}", head(evaluation))
    yield Part("scores", "Scores", score_tables(evaluation))
    if has_choice(evaluation):
        yield Part("heads", "Heads and priors", heads_content(evaluation))
    yield Part("classes", "Classes", _classes(evaluation, folder))
    yield Part("confusion", "Confusions", _confusion(evaluation, folder))
    if evaluation.view in evaluation.votes:
        yield Part("votes", "What people see", votes_content(evaluation, folder / "votes.png"))
    yield Part("reliability", "Calibration", _reliability(evaluation, folder))
    if evaluation.sizes:
        yield Part("sizes", "Face sizes", sizes_content(evaluation, folder / "sizes.png"))
    yield Part("surest", "Surest answers", surest_content(evaluation, folder / "surest"))
    if model_class(evaluation.checkpoint.model).fit == "gradient":
        yield Part("workings", "Inside the network", workings(evaluation, face, folder / "workings"))
    if log:
        yield Part("training", "Training", _curves(evaluation, log, folder / "curves.png"))
    yield Part("data", "Pictures by class", _histogram(evaluation, folder / "histogram.png"))
    if comparable(evaluation):
        yield Part("board", "The challenge of 2013", standing(evaluation, ENTRIES))
    yield Part("cost", "Cost", cost_table(evaluation.cost))


def _classes(evaluation: Evaluation, folder: Path) -> Html:
    confusion = evaluation.scores[evaluation.view][ALL].confusion
    draw_answers(confusion, evaluation.faces.classes, folder / "answers.png")
    draw_mistakes(confusion, evaluation.faces.classes, folder / "mistakes.png")
    return join(
        class_table(evaluation),
        shown(folder / "answers.png", "for each class its pictures, its answers, and how many of these are right"),
        shown(folder / "mistakes.png", "for each class how many of its pictures were answered wrongly"),
    )


def _confusion(evaluation: Evaluation, folder: Path) -> Html:
    path = folder / "confusion.png"
    draw_confusion(evaluation.scores[evaluation.view][ALL].confusion, evaluation.faces.classes, path)
    return join(
        soft("Of the pictures of each row's class, how many got each column's answer, and what share that is."),
        shown(path, "confusion matrix: true classes in rows, answers in columns"),
    )


def _reliability(evaluation: Evaluation, folder: Path) -> Html:
    path = folder / "reliability.png"
    bins = reliability(evaluation.answers[evaluation.view], evaluation.faces.labels)
    draw_reliability(bins, evaluation.scores[evaluation.view][ALL].calibration_error, path)
    return join(
        soft("Bars below the dashed line: the model is surer than it is right. Above it: the other way round."),
        shown(path, "reliability diagram: the share of right answers by their probability"),
    )


def _curves(evaluation: Evaluation, log: Sequence[EpochRow], path: Path) -> Html:
    draw_curves(log, path, title=evaluation.checkpoint.model)
    return shown(path, "loss, accuracy and learning rate by epoch")


def _histogram(evaluation: Evaluation, path: Path) -> Html:
    faces, info = evaluation.faces, evaluation.store.info
    there = np.bincount(faces.labels, minlength=len(faces.classes))
    learned: Counts = np.array(
        [sum(by_split.get(TRAIN, {}).get(emotion, 0) for by_split in info.counts.values()) for emotion in faces.classes]
    )
    splits = {TRAIN: learned} if learned.any() else {}
    draw_histogram({**splits, evaluation.split: there}, faces.classes, path)
    return join(
        soft("Of the data set that is scored here. The two scales differ: compare the shares."),
        shown(path, "pictures of each class in train and in the split that is scored"),
    )
