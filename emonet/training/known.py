"""What the models that a run begins with or is taught by know of images that others are scored or chosen on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np

from emonet.datasets.store import Store
from emonet.evaluation.remarks import list_learned_sources
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.learned import find_learned_dev
from emonet.inference.model_file import LEARNED_DEV, LEARNED_VALIDATION, TAUGHT_DEV
from emonet.training.config import TrainConfig
from emonet.training.material import Material

KNOWN = (LEARNED_VALIDATION, LEARNED_DEV, TAUGHT_DEV)  # what `describe_known` may return

Sources = set[str]


def describe_known(material: Material, config: TrainConfig, store: Store) -> dict[str, Any]:
    """Describe what the network knows beside train, itself and by its start and teachers, for its model file.

    Returns:
        Some of the keys in `KNOWN`: whether images that are published as validation were learned from, the data sets
        whose dev the network or its start learned from, and those whose dev a teacher learned from.
    """
    own = {*material.train.sources.tolist()}
    began = set() if material.start is None else _find_learned_dev(material.start, own)
    known = {
        LEARNED_VALIDATION: _knows_validation(material, store),
        LEARNED_DEV: sorted(began | (own if config.all_train else set())),
        TAUGHT_DEV: sorted(set().union(*_find_taught_dev(material, config, own))),
    }
    return {name: value for name, value in known.items() if value}


def find_learned_sources(material: Material) -> list[str] | None:
    """Find the data sets that the networks of a run learn from, also by their start and teachers.

    Returns:
        Their names; None if they are not known.
    """
    models = (*material.teachers, *filter(None, [material.start]))
    learned = [list_learned_sources(one) for one in models]
    learned += [one.about.get("sources") for one in material.teacher_labels]
    if any(one is None for one in learned):
        return None
    return sorted({*material.train.sources.tolist(), *chain.from_iterable(filter(None, learned))})


def list_warnings(material: Material, config: TrainConfig, store: Store) -> list[str]:
    """List what to know before the first step: whether the start learned from the images to choose on."""
    start, dev = material.start, material.dev
    if start is None or dev is None:
        return []
    own = {*material.train.sources.tolist()}
    if config.fold < 0:
        sources = _find_learned_dev(start, own)
    else:
        sources = set() if _left_fold(start.training, config.fold, store) else _find_learned(start, own)
    count = int(np.isin(dev.sources, sorted(sources)).sum())
    if not count:
        return []
    return [
        f"the weights to begin with learned from {count:,} of the {len(dev):,} images to choose on: what is chosen and "
        "scored there says little of other images. Begin with other weights, or learn from dev too (--all-train)"
    ]


def _find_learned_dev(model: Checkpoint, own: Sources) -> Sources:
    """Find the data sets whose dev a model learned from; those of the run where this is not known."""
    found = find_learned_dev(model.training)
    return _find_learned(model, own) if found is None else found


def _find_learned(model: Checkpoint, own: Sources) -> Sources:
    """Find the data sets that a model learned from; those of the run where this is not known."""
    learned = list_learned_sources(model)
    return own if learned is None else {*learned}


def _left_fold(training: Mapping[str, Any], fold: int, store: Store) -> bool:
    """Tell whether a model is known not to have learned from a fold of this data set."""
    config = training.get("config", {})
    is_here = training.get("identity", {}).get("data") == store.identity
    return is_here and not config.get("init") and fold in (config.get("fold"), config.get("leave_out"))


def _find_taught_dev(material: Material, config: TrainConfig, own: Sources) -> Iterator[Sources]:
    """Find for each other model the data sets whose dev the network learns of by its answers, or its start did."""
    if material.start is not None:
        yield {*material.start.training.get(TAUGHT_DEV, ())}
    for teacher in material.teachers:
        yield _find_learned_dev(teacher, own) | {*teacher.training.get(TAUGHT_DEV, ())}
    for labels in material.teacher_labels:
        yield {*labels.about.get(LEARNED_DEV, ()), *labels.about.get(TAUGHT_DEV, ())}
        if material.dev is not None and config.fold < 0 and not labels.learned_keys.isdisjoint(material.dev.keys):
            yield own


def _knows_validation(material: Material, store: Store) -> bool:
    """Tell whether the data hold what others score as validation, or a model that it learns from knows it."""
    models = (*material.teachers, *filter(None, [material.start]))
    others = (*(one.training for one in models), *(one.about for one in material.teacher_labels))
    return bool(store.info.options.get("learn_validation") or any(one.get(LEARNED_VALIDATION) for one in others))
