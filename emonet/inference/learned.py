"""Which data sets' dev a model learned from, by what its file says of its training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from emonet.inference.model_file import ADAPTED, LEARNED_DEV

Training = Mapping[str, Any]  # what a model file says of how the model came to be


def find_learned_dev(training: Training) -> set[str] | None:
    """Find the data sets whose dev a model, its start, or a head that was added to it, learned from.

    Returns:
        Their names; None if it learned from dev, but the file does not say of which data sets.
    """
    if training.get(ADAPTED, {}).get("data"):
        return None
    if LEARNED_DEV in training:
        return {*training[LEARNED_DEV]}
    if not training.get("config", {}).get("all_train"):
        return set()
    return {*training["sources"]} if "sources" in training else None


def learned_from_dev(training: Training, sources: Iterable[str] | None = None) -> bool:
    """Tell whether a model learned from dev of any of these data sets; of any at all if None."""
    found = find_learned_dev(training)
    if found is None or sources is None:
        return found is None or bool(found)
    return not found.isdisjoint(sources)
