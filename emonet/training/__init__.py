"""Training: from a data set on disk to a model file and its scores.

run.py         a whole run: single.py (one network), ensemble.py (several), folds.py (out of fold, for soft labels)
config.py      every option; recipes.py holds the options that each network is trained with by default
material.py    what a run learns from: images, heads.py, other models (transfer.py), teacher_labels.py
sampling.py    which images an epoch shows; feeding.py makes batches, with image_augmenter.py or batch_augmenter.py
trainer.py     the loop: examples.py (input and targets), objective.py (targets and loss), optimizing.py, averaging.py
state.py       what a stopped run is resumed from; chance.py: random numbers that do not depend on the stop
log.py         one row per epoch; record.py writes it, and the curves
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emonet.lazy import import_when_used
from emonet.training.config import TrainConfig
from emonet.training.recipes import recipe

if TYPE_CHECKING:
    from emonet.training.run import train

__all__ = ["TrainConfig", "recipe", "train"]

__getattr__, __dir__ = import_when_used(__name__, {"run": ("train",)}, "training", "emonet[train]")
