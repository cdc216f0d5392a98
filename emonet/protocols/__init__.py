"""Protocols: which rows are learned from, which are chosen on, and which are scored once at the end.

Each protocol is a dataclass of its options, and makes rounds: one training each, with what is scored after it.
`run_protocol` trains and scores them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emonet.lazy import import_when_used
from emonet.protocols.cross import Cross
from emonet.protocols.curve import LearningCurve
from emonet.protocols.official_splits import OfficialSplits
from emonet.protocols.round import Protocol, Round
from emonet.protocols.subjects import LeaveOneSubjectOut, SubjectFolds

if TYPE_CHECKING:
    from emonet.protocols.run import run_protocol

__all__ = [
    "PROTOCOLS",
    "Cross",
    "LearningCurve",
    "LeaveOneSubjectOut",
    "OfficialSplits",
    "Protocol",
    "Round",
    "SubjectFolds",
    "run_protocol",
]

PROTOCOLS: dict[str, type[Protocol]] = {
    "fer2013": OfficialSplits,
    "ckplus": SubjectFolds,
    "jaffe": LeaveOneSubjectOut,
    "cross": Cross,
    "learning-curve": LearningCurve,
}

__getattr__, __dir__ = import_when_used(__name__, {"run": ("run_protocol",)}, "a protocol", "emonet[train]")
