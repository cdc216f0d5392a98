"""The final board of the facial expression challenge of 2013, by which published models are still measured."""

from __future__ import annotations

from dataclasses import dataclass

from emonet.errors import OptionError

SOURCE = "Kaggle's private leaderboard of the Facial Expression Recognition Challenge, the first ten of 56 teams"


@dataclass(frozen=True, slots=True)
class Entry:
    """A team, and its share of right answers to PrivateTest."""

    team: str
    accuracy: float

    def __post_init__(self) -> None:
        if not 0 <= self.accuracy <= 1:
            raise OptionError(f"accuracy must be a share from 0 to 1, got {self.accuracy!r}")


ENTRIES = (
    Entry("RBM (Y. Tang)", 0.71161),
    Entry("Unsupervised", 0.69267),
    Entry("Maxim Milakov", 0.68821),
    Entry("Radu+Marius+Cristi", 0.67483),
    Entry("Lor.Voldy", 0.65254),
    Entry("ryank", 0.65087),
    Entry("Eric Cartman", 0.64474),
    Entry("Xavier Bouthillier", 0.64224),
    Entry("Alejandro Dubrovsky", 0.63109),
    Entry("sayit", 0.6219),
)
