"""The place that a model would have had on the final board of the challenge that FER2013 was made for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from emonet.evaluation.parts import ALL
from emonet.heads import MEAN, SEEN
from emonet.html.page import Digits, Html, bar, join, percent, soft, table, tag, warning
from emonet.inference.views import view_words
from emonet.labels import Emotion
from emonet.report.board import SOURCE, Entry

if TYPE_CHECKING:
    from emonet.evaluation import Evaluation

SEVEN = {emotion for emotion in Emotion if emotion != Emotion.CONTEMPT}
PRIVATE_TEST = 3589  # pictures that the board was scored on
TOP, AROUND = 10, 3  # places that are always shown, and those above and below ours


def comparable(evaluation: Evaluation) -> bool:
    """Whether there is any sense in it: only FER2013's pictures, of all its seven classes, none left out.

    The board is of FER2013's labels, so the answer must be meant to be one: not what people see, nor the mean of both.
    """
    if evaluation.choice.head in (SEEN, MEAN):
        return False
    faces = evaluation.faces
    there = {faces.classes[label] for label in set(faces.labels.tolist())}
    return set(faces.sources.tolist()) == {"fer2013"} and there == SEVEN and not faces.left_out


def standing(evaluation: Evaluation, entries: Sequence[Entry]) -> Html:
    """The board with our accuracy in its place."""
    accuracy = evaluation.scores[evaluation.view][ALL].accuracy
    ranked = sorted(entries, key=lambda entry: -entry.accuracy)
    place = sum(entry.accuracy > accuracy for entry in ranked)
    ranked.insert(place, Entry(evaluation.name, accuracy))
    found = f"Place {place + 1}" if place < len(entries) else f"Below the {len(entries)} places that are known"
    words = f"{found}, {view_words(evaluation.view)}."
    header = ("place", "team", "accuracy", "")
    return join(tag("p", tag("strong", words)), _caveat(evaluation), table(header, _rows(ranked, place)), soft(SOURCE))


def _caveat(evaluation: Evaluation) -> Html:
    n = len(evaluation.faces)
    if evaluation.split == "test" and n == PRIVATE_TEST:
        return soft(f"The board was scored on the same {n:,} pictures.")
    return warning(
        f"The board was scored on PrivateTest, {PRIVATE_TEST:,} other pictures than the {n:,} of {evaluation.split}: "
        "the place is only a hint."
    )


def _rows(ranked: Sequence[Entry], ours: int) -> Iterator[tuple[object, ...]]:
    """The first places and those about ours; what is left out between them is a row of its own."""
    before = -1
    for place, entry in enumerate(ranked):
        if place >= TOP and abs(place - ours) > AROUND:
            continue
        if place > before + 1:
            yield Digits("…"), "", Digits(), ""
        team = tag("strong", entry.team, " (this model)") if place == ours else entry.team
        kind = "ours" if place == ours else None
        number = Digits("-") if place == ours == len(ranked) - 1 else place + 1  # below those that are known
        yield number, team, percent(entry.accuracy, 2), bar(entry.accuracy, kind)
        before = place
