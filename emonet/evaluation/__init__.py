"""Scoring a model on a split of a data set.

`evaluation.py` is what was answered and scored, `parts.py` which pictures are looked at on their own and the
vote of a sequence's frames, `sizes.py` the accuracy on smaller faces, `votes.py` the scores on FER+'s votes,
`head_scores.py` those of every head and prior, `agreement.py` what both count, and `cost.py` what the answers cost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emonet.evaluation.evaluation import Evaluation, evaluate

__all__ = ["Evaluation", "evaluate"]


def __getattr__(name: str) -> Any:
    """Both when they are first used: they bring torch, which commands that only show their help need not wait for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from emonet.evaluation import evaluation

    return getattr(evaluation, name)
