"""report.html: everything there is to see of an evaluation, in one file that loads nothing and runs nothing.

FOLDER/report.html            the page, with all images in it
FOLDER/card.md                the card of the model
FOLDER/evaluation.json        the figures
FOLDER/answers.parquet        what was answered to each image, for `emonet compare` and tools of your own
FOLDER/*.png                  the plots, to be used elsewhere
FOLDER/surest/*.png           sheets of faces, two a class
FOLDER/workings/*.png         feature maps and attention
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emonet.atomic import write_atomically
from emonet.evaluation.answer_columns import make_answers
from emonet.evaluation.answers import ANSWERS, write_answers
from emonet.evaluation.cost import BATCH
from emonet.evaluation.coverage import FIGURES
from emonet.evaluation.metrics import reliability
from emonet.evaluation.parts import ALL
from emonet.heads import SEEN_CLASSES
from emonet.html.images import EmbeddedImage, embed_png
from emonet.html.render import write_page
from emonet.inference.views import view_words
from emonet.models import model_class
from emonet.report import tables
from emonet.report.card import model_card
from emonet.report.figures import (
    Counts,
    draw_answers,
    draw_confusion,
    draw_histogram,
    draw_mistakes,
    draw_reliability,
    draw_sizes,
)
from emonet.report.inside_network import draw_workings, find_face
from emonet.report.leaderboard import SOURCE, find_standing, is_comparable
from emonet.report.provenance import chosen, learned_from, part_of_split
from emonet.report.sheets import draw_class_sheets
from emonet.training.curves import draw_curves
from emonet.training.log import EpochRow

if TYPE_CHECKING:
    from emonet.evaluation import Evaluation

PAGE, CARD = "report.html", "card.md"
TRAIN = "train"

Draw = Callable[[Path], None]


def write_report(
    evaluation: Evaluation, folder: str | os.PathLike[str], *, log: Sequence[EpochRow] = (), face: str = ""
) -> Path:
    """Write the report of an evaluation and all that is in it, and return the path of the page.

    Args:
        evaluation: The scored answers.
        folder: Where the report is written.
        log: The epochs of the training, for its curves.
        face: The key of the image whose feature maps are shown; by default the surest right answer.

    Raises:
        OptionError: The split has no image of this key.
    """
    shown = find_face(evaluation, face)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / FIGURES, json.dumps(evaluation.to_dict(), indent=2) + "\n")
    _write(folder / CARD, model_card(evaluation))
    write_answers(make_answers(evaluation), folder / ANSWERS)
    drawn: dict[str, Any] = _draw_surest(evaluation, folder / "surest")
    if model_class(evaluation.checkpoint.model).fit == "gradient":
        drawn["workings"] = draw_workings(evaluation, shown, folder / "workings")
    drawn["plots"] = _draw_plots(evaluation, folder, log)
    model = {**describe(evaluation), **drawn}
    sections = dict(_sections(evaluation, drawn))
    write_page(folder / PAGE, "evaluation.html.j2", sections=sections, **model)
    return folder / PAGE


def _write(path: Path, text: str) -> None:
    with write_atomically(path) as temporary:
        temporary.write_bytes(text.encode("utf-8", "backslashreplace"))  # not every file name is text


def _sections(evaluation: Evaluation, drawn: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the name and the heading of each section that there is something to show for."""
    yield "scores", "Scores"
    if tables.has_choice(evaluation):
        yield "heads", "Heads and priors"
    yield "classes", "Classes"
    yield "confusion", "Confusions"
    if evaluation.view in evaluation.votes:
        yield "votes", "What people see"
    yield "reliability", "Calibration"
    if evaluation.sizes:
        yield "sizes", "Face sizes"
    yield "surest", "Surest answers"
    if "workings" in drawn:
        yield "workings", "Inside the network"
    if "curves" in drawn["plots"]:
        yield "training", "Training"
    yield "data", "Images by class"
    if is_comparable(evaluation):
        yield "board", "The challenge of 2013"
    yield "cost", "Cost"


def describe(evaluation: Evaluation) -> dict[str, Any]:
    """Return what the page says of an evaluation, beside what is drawn."""
    training = evaluation.checkpoint.training
    return {
        "title": f"{evaluation.name} on {evaluation.scored}",
        "name": evaluation.name,
        "split": evaluation.split,
        "scored": evaluation.scored,
        "intervals": tables.describe_intervals(evaluation),
        "store": evaluation.store.path.name,
        "classes": evaluation.faces.classes,
        "model": evaluation.checkpoint.model,
        "input": evaluation.checkpoint.input,
        "choice": evaluation.choice,
        "cost": evaluation.cost,
        "batch": BATCH,
        "view": view_words(evaluation.view),
        "summary": evaluation.summary,
        "views": {view_words(view): parts[ALL] for view, parts in evaluation.scores.items()},
        "remarks": evaluation.remarks,
        "published": evaluation.store.info.evaluated.get(evaluation.split),
        "is_whole": not evaluation.faces.left_out,
        "learned_from": learned_from(training),
        "chosen": chosen(training),
        "part_of_split": part_of_split(evaluation),
        "score_tables": {view_words(view): tables.score_rows(parts) for view, parts in evaluation.scores.items()},
        "f_beta": tables.name_f_beta(evaluation.summary.beta),
        "class_rows": tables.class_rows(evaluation.summary),
        **(_describe_sizes(evaluation) if evaluation.sizes else {}),
        **(_describe_votes(evaluation) if evaluation.view in evaluation.votes else {}),
        **(_describe_heads(evaluation) if tables.has_choice(evaluation) else {}),
        **({"standing": find_standing(evaluation), "source": SOURCE} if is_comparable(evaluation) else {}),
    }


def _describe_votes(evaluation: Evaluation) -> dict[str, Any]:
    columns, rows = _as_table(tables.VOTES_HEADER, tables.vote_rows(evaluation), words=1)
    sentences = [_set_percent_apart(sentence) for sentence in tables.vote_sentences(evaluation)]
    return {"votes": {"columns": columns, "rows": rows, "sentences": sentences}}


def _describe_heads(evaluation: Evaluation) -> dict[str, Any]:
    columns, rows = _as_table(tables.HEADS_HEADER, tables.head_rows(evaluation), words=2)
    words, may_choose = tables.choice_words(evaluation), tables.may_choose(evaluation)
    return {"heads": {"columns": columns, "rows": rows, "words": words, "may_choose": may_choose}}


def _describe_sizes(evaluation: Evaluation) -> dict[str, Any]:
    sizes, summary = evaluation.sizes, evaluation.summary
    labels = (one.support / summary.n for one in summary.classes.values())
    return {
        "sizes": {
            "rows": [(f"{one.size} px", one.n, one.accuracy, one.macro_recall, one.commonest) for one in sizes],
            "columns": {"face size": "", **dict.fromkeys(summary.classes, "number")},
            "shares": [*((f"{one.size} px", *one.shares.values()) for one in sizes), ("labels", *labels)],
        }
    }


def _as_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, words: int
) -> tuple[dict[str, str], list[tuple[str, ...]]]:
    """Make a table of the page out of one of the terminal; the first columns are words, the others numbers."""
    columns = {name: "" if place < words else "number" for place, name in enumerate(header)}
    return columns, [(*row[:words], *map(_set_percent_apart, row[words:])) for row in rows]


def _set_percent_apart(text: str) -> str:
    return text.replace("%", " %")


def _draw_surest(evaluation: Evaluation, folder: Path) -> dict[str, Any]:
    found = draw_class_sheets(evaluation, folder)
    listed = (face for one in found for sheet in one.sheets for face in sheet.faces)
    return {
        "class_sheets": found,
        "surest_rows": [(face.key, face.truth, face.answer, face.of_answer) for face in listed],
    }


def _draw_plots(evaluation: Evaluation, folder: Path, log: Sequence[EpochRow]) -> dict[str, EmbeddedImage]:
    """Draw each plot into a PNG of its name."""
    plots = {}
    for name, draw in _plots(evaluation, log):
        path = folder / f"{name}.png"
        draw(path)
        plots[name] = embed_png(path)
    return plots


def _plots(evaluation: Evaluation, log: Sequence[EpochRow]) -> Iterator[tuple[str, Draw]]:
    """Yield the name of each plot, and what draws it."""
    classes, scores, view = evaluation.faces.classes, evaluation.summary, evaluation.view
    yield "answers", lambda path: draw_answers(scores.confusion, classes, path)
    yield "mistakes", lambda path: draw_mistakes(scores.confusion, classes, path)
    yield "confusion", lambda path: draw_confusion(scores.confusion, classes, path)
    if view in evaluation.votes:
        votes = evaluation.votes[view].confusion
        yield "votes", lambda path: draw_confusion(votes, SEEN_CLASSES, path, truth="what most people saw")
    bins = reliability(evaluation.answers[view], evaluation.faces.labels)
    yield "reliability", lambda path: draw_reliability(bins, scores.calibration_error, path)
    if evaluation.sizes:
        yield "sizes", lambda path: draw_sizes(evaluation.sizes, path)
    if log:
        yield "curves", lambda path: draw_curves(log, path, title=evaluation.checkpoint.model)
    yield "histogram", lambda path: draw_histogram(_counts(evaluation), classes, path)


def _counts(evaluation: Evaluation) -> dict[str, Counts]:
    """Count the images of each class in train, where it is there, and in the split; both of the data sets scored."""
    faces, counts = evaluation.faces, evaluation.store.info.counts
    splits = [counts[source] for source in evaluation.sources or counts]
    learned: Counts = np.array(
        [sum(by_split.get(TRAIN, {}).get(emotion, 0) for by_split in splits) for emotion in faces.classes]
    )
    there = np.bincount(faces.labels, minlength=len(faces.classes))
    return {**({TRAIN: learned} if learned.any() else {}), evaluation.split: there}
