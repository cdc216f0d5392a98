"""Score a model on a split of a data set.

evaluation.py     answers the images of a split, and scores the answers
metrics.py        accuracy, F-scores, calibration and others
parts.py          finds the images that are scored on their own, and averages the frames of a sequence
sizes.py          scores smaller faces
votes.py          scores on FER+'s votes
head_scores.py    scores every head and prior
agreement.py      what the last two share
cost.py           measures what answers cost
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emonet.evaluation.evaluation import Evaluation, evaluate

__all__ = ["Evaluation", "evaluate"]


def __getattr__(name: str) -> Any:
    """Import both when they are first used: they bring torch, which commands do not need to show their help."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from emonet.evaluation import evaluation

    return getattr(evaluation, name)
