"""Training: from a data set on disk to a model file with its figures.

`run.py` is a whole run in its folder, `single.py` one network, `trainer.py` the loop. `config.py` holds every option
and `recipes.py` what is chosen for each network; `material.py`, `data.py`, `sampling.py` and `feeding.py` lead from the
data set to batches, `policies.py` and the two augmenters say what happens to pictures on the way. `folds.py` writes and
`teacher_labels.py` reads soft labels; `teacher_answers.py` keeps what live teachers answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emonet.training.config import TrainConfig
from emonet.training.recipes import recipe

if TYPE_CHECKING:
    from emonet.training.run import train

__all__ = ["TrainConfig", "recipe", "train"]


def __getattr__(name: str) -> Any:
    """`train` when it is first used: it brings torch, which commands that only show their help need not wait for."""
    if name != "train":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from emonet.training import run

    return run.train
