"""Protocols: which rows are learned from, chosen on and scored, so that a figure can be stood by.

`rows.py` is what is known of pictures, `round.py` one training and what it is scored on; `fer2013.py`, `people.py`,
`cross.py` and `curve.py` are the protocols. `run.py` trains and scores their rounds, `result.py` holds what came out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emonet.protocols.cross import Cross
from emonet.protocols.curve import LearningCurve
from emonet.protocols.fer2013 import Fer2013
from emonet.protocols.people import CkPlus, Jaffe
from emonet.protocols.round import Protocol, Round

if TYPE_CHECKING:
    from emonet.protocols.run import run_protocol

__all__ = ["PROTOCOLS", "CkPlus", "Cross", "Fer2013", "Jaffe", "LearningCurve", "Protocol", "Round", "run_protocol"]

PROTOCOLS: dict[str, type[Protocol]] = {
    "fer2013": Fer2013,
    "ckplus": CkPlus,
    "jaffe": Jaffe,
    "cross": Cross,
    "learning-curve": LearningCurve,
}


def __getattr__(name: str) -> Any:
    """`run_protocol` when it is first used: it brings torch, which commands that only show their help need not."""
    if name != "run_protocol":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from emonet.protocols import run

    return run.run_protocol
