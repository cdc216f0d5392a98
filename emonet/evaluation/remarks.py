"""What one has to know to read the figures of an evaluation, above all whether the model knows the images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from emonet.datasets.store.leaks import LEARNED
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.loading import BUNDLED, load_model
from emonet.inference.model_file import ADAPTED, LEARNED_VALIDATION, TAUGHT_DEV

if TYPE_CHECKING:
    from emonet.evaluation.evaluation import Evaluation


def count_known(evaluation: Evaluation) -> int:
    """Count the images in train and dev of this data set from sources that the model may have learned from."""
    faces, learned = evaluation.faces, list_learned_sources(evaluation.checkpoint)
    if faces.splits is None:
        return len(faces) if evaluation.split in LEARNED else 0
    known = np.isin(faces.splits, LEARNED)
    return int((known if learned is None else known & np.isin(faces.sources, learned)).sum())


def learned_validation(evaluation: Evaluation) -> bool:
    """Tell whether images of validation are scored, and the model learned from a data set that has them in train."""
    learned = list_learned_sources(evaluation.checkpoint)
    known = learned is None or bool(set(learned) & set(evaluation.faces.sources))
    is_scored = "validation" in _list_splits(evaluation)
    return known and is_scored and bool(evaluation.checkpoint.training.get(LEARNED_VALIDATION))


def was_taught_dev(evaluation: Evaluation) -> bool:
    """Tell whether images of dev are scored, and a teacher of the model learned from dev of their data set."""
    taught = set(evaluation.checkpoint.training.get(TAUGHT_DEV, ()))
    return "dev" in _list_splits(evaluation) and not taught.isdisjoint(evaluation.faces.sources)


def _list_splits(evaluation: Evaluation) -> set[str]:
    splits = evaluation.faces.splits
    return {evaluation.split} if splits is None else {*splits.tolist()}


def list_learned_sources(checkpoint: Checkpoint) -> list[str] | None:
    """List the data sets that a model learned from, also by models that it started from or was taught by.

    Returns:
        Their names; None if they are not known.
    """
    found: dict[str, None] = {}
    opened: set[str] = set()
    waiting = [checkpoint]
    while waiting:
        training = waiting.pop().training
        others = _list_other_models(training.get("config", {}))
        is_elsewhere = not others <= set(BUNDLED)  # a file may have changed, or is not here
        if ADAPTED in training or "sources" not in training or is_elsewhere:
            return None
        found |= dict.fromkeys(training["sources"])
        waiting += [load_model(name) for name in sorted(others - opened)]
        opened |= others
    return list(found)


def _list_other_models(config: Mapping[str, Any]) -> set[str]:
    """List the models that a training started from or was taught by."""
    starts = filter(None, config.get("init", "").split(","))
    return {*starts, *config.get("teacher", ()), *config.get("teacher_labels", ())}


def list_remarks(evaluation: Evaluation) -> list[str]:
    """List what one has to know to read the figures."""
    checkpoint, faces, split = evaluation.checkpoint, evaluation.faces, evaluation.split
    remarks = []
    if faces.left_out:
        left_out = ", ".join(f"{name} {count:,}" for name, count in sorted(faces.left_out.items()))
        whole = len(faces) + sum(faces.left_out.values())
        remarks.append(f"{len(faces):,} of {whole:,} images are scored; the model does not know {left_out}")
    if known := count_known(evaluation):
        where = split if split in LEARNED else f"train or dev, as are {known:,} of the {len(faces):,} images"
        remarks.append(f"the model may have learned from {where}, or been chosen on it: this is no test")
    if learned_validation(evaluation):
        remarks.append("the model learned from images that are published as validation: this is no test")
    if was_taught_dev(evaluation):
        remarks.append("a teacher of the model learned from dev: on dev the model may score better than elsewhere")
    if missing := [str(emotion) for emotion in faces.classes if emotion not in evaluation.store.classes]:
        remarks.append(f"the data know no {', '.join(missing)}: the model may answer what cannot be right")
    cut, learned = evaluation.store.crop, checkpoint.crop
    if (cut.margin, cut.align) != (learned.margin, learned.align):
        remarks.append("the faces of the data were cropped differently from those that the model learned from")
    return remarks
