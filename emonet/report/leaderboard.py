"""The place that a model would have had in the challenge of 2013 that FER2013 was made for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emonet.errors import OptionError
from emonet.heads import MEAN, SEEN
from emonet.labels import Emotion

if TYPE_CHECKING:
    from emonet.evaluation import Evaluation

SOURCE = "Kaggle's private leaderboard of the Facial Expression Recognition Challenge, the first ten of 56 teams"
PRIVATE_TEST = 3589  # images that the leaderboard was scored on
SEVEN = {emotion for emotion in Emotion if emotion != Emotion.CONTEMPT}
TOP, AROUND = 10, 3  # places that are always shown, and those above and below ours


@dataclass(frozen=True, slots=True)
class LeaderboardEntry:
    """A team, and its share of right answers on PrivateTest."""

    team: str
    accuracy: float

    def __post_init__(self) -> None:
        if not 0 <= self.accuracy <= 1:
            raise OptionError(f"accuracy must be a share from 0 to 1, got {self.accuracy!r}")


ENTRIES = (
    LeaderboardEntry("RBM (Y. Tang)", 0.71161),
    LeaderboardEntry("Unsupervised", 0.69267),
    LeaderboardEntry("Maxim Milakov", 0.68821),
    LeaderboardEntry("Radu+Marius+Cristi", 0.67483),
    LeaderboardEntry("Lor.Voldy", 0.65254),
    LeaderboardEntry("ryank", 0.65087),
    LeaderboardEntry("Eric Cartman", 0.64474),
    LeaderboardEntry("Xavier Bouthillier", 0.64224),
    LeaderboardEntry("Alejandro Dubrovsky", 0.63109),
    LeaderboardEntry("sayit", 0.6219),
)


@dataclass(frozen=True, slots=True)
class LeaderboardLine:
    """A line of the leaderboard; `entry` is None where places are left out."""

    place: str
    entry: LeaderboardEntry | None
    is_ours: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """The place of a model, and the lines of the leaderboard about it."""

    place: int | None  # None below the places that are known
    known: int  # places
    lines: Sequence[LeaderboardLine]
    on_same_images: bool
    scored_on: int = PRIVATE_TEST  # images of the leaderboard


def is_comparable(evaluation: Evaluation) -> bool:
    """Return whether the leaderboard means anything for these answers.

    All images must be FER2013's, of all its seven classes, and none left out. The leaderboard was scored on FER2013's
    labels, so the answer must be one of these: not what people see, nor the mean of both.
    """
    if evaluation.choice.head in (SEEN, MEAN):
        return False
    faces = evaluation.faces
    there = {faces.classes[label] for label in set(faces.labels.tolist())}
    return set(faces.sources.tolist()) == {"fer2013"} and there == SEVEN and not faces.left_out


def find_standing(evaluation: Evaluation, entries: Sequence[LeaderboardEntry] = ENTRIES) -> Standing:
    """Put a model on the leaderboard; of equals it comes first."""
    accuracy = evaluation.summary.accuracy
    ranked = sorted(entries, key=lambda entry: -entry.accuracy)
    place = sum(entry.accuracy > accuracy for entry in ranked)
    ranked.insert(place, LeaderboardEntry(evaluation.name, accuracy))
    return Standing(
        place + 1 if place < len(entries) else None,
        len(entries),
        [*_lines(ranked, place)],
        evaluation.split == "test" and len(evaluation.faces) == PRIVATE_TEST,
    )


def _lines(ranked: Sequence[LeaderboardEntry], ours: int) -> Iterator[LeaderboardLine]:
    """The first places and those about ours, with a line for those left out between them."""
    before = -1
    for place, entry in enumerate(ranked):
        if place >= TOP and abs(place - ours) > AROUND:
            continue
        if place > before + 1:
            yield LeaderboardLine("…", None)
        is_below = place == ours == len(ranked) - 1
        yield LeaderboardLine("-" if is_below else str(place + 1), entry, place == ours)
        before = place
