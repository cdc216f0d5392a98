"""Average models: the weights of networks that had the same start, or the answers of any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emonet.errors import OptionError
from emonet.heads import sizes
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.learned import find_learned_dev
from emonet.inference.model_file import ADAPTED, LEARNED_DEV, LEARNED_VALIDATION, TAUGHT_DEV

HALF_LEVEL = 0.5 / 255  # of the grey levels that a mean or a deviation is measured in


def average_weights(models: Sequence[Checkpoint]) -> Checkpoint:
    """Average the weights of models into one network, as large and as fast as each of them.

    Networks that were trained from the same weights are often better in the middle (Wortsman et al., 2022). What they
    count, such as batches, is taken from the first.

    Args:
        models: Models of one network.

    Returns:
        A model that is in no file yet. Its heads have no temperatures, for these belong to the answers of each model.

    Raises:
        OptionError: The models are of different networks, see images differently, or have other heads or classes.

    Examples:
        >>> from emonet.inference import load_model
        >>> from emonet.inference.averaging import average_weights
        >>> model = load_model("emonet_fast")
        >>> average_weights([model, model]).model
        'emonet_fast'
    """
    first = _check_alike(models)
    if any((one.model, one.arguments) != (first.model, first.arguments) for one in models):
        raise OptionError(f"{_name(models)} have no mean weights: they are of different networks")
    weights = {
        name: np.stack([one.weights[name] for one in models]).mean(0, np.float32)
        if np.issubdtype(array.dtype, np.floating)
        else array
        for name, array in first.weights.items()
    }
    return _describe(models, model=first.model, arguments=first.arguments, weights=weights)


def average_answers(models: Sequence[Checkpoint]) -> Checkpoint:
    """Join models into one that answers with the mean of their probabilities.

    Each is as sure as its temperatures let it be. Together they are as large and as slow as all of them.

    Args:
        models: Models of any networks that take the same images.

    Returns:
        A model that is in no file yet. Its heads have no temperatures of their own.

    Raises:
        OptionError: The models see images differently, or have other heads or classes.
    """
    _check_alike(models)
    return _describe(models, model="averaged", arguments=join_arguments(models), weights=join_weights(models))


def join_arguments(members: Sequence[Checkpoint]) -> dict[str, Any]:
    """Write the arguments of the network `averaged` that holds several networks, which answer the same classes."""
    described = [
        {
            "model": one.model,
            "arguments": dict(one.arguments),
            "temperatures": [head.temperature for head in one.heads],
        }
        for one in members
    ]
    return {"members": described, "heads": list(sizes(members[0].heads))}


def join_weights(members: Sequence[Checkpoint]) -> dict[str, NDArray[Any]]:
    """Name the weights of several networks as the network `averaged`, which holds them all, does."""
    return {
        f"members.{place}.{name}": array for place, one in enumerate(members) for name, array in one.weights.items()
    }


def _see_alike(one: Checkpoint, other: Checkpoint) -> bool:
    """Tell whether two models see the same crops, scaled alike to half a grey level: each has its own images' mean."""
    unscaled, others = ((replace(model.input, mean=(), std=()), model.crop) for model in (one, other))
    scale, other_scale = ((*model.input.mean, *model.input.std) for model in (one, other))
    if unscaled != others or len(scale) != len(other_scale):
        return False
    return np.allclose(scale, other_scale, rtol=0, atol=HALF_LEVEL)


def _check_alike(models: Sequence[Checkpoint]) -> Checkpoint:
    """Refuse models that cannot stand for each other; return the first."""
    if not models:
        raise OptionError("there is nothing to average: no models were given")
    first = models[0]
    answers = [(head.name, head.classes) for head in first.heads]
    for one in models:
        if [head.name for head in one.heads] != [head.name for head in first.heads]:
            raise OptionError(f"{_name(models)} have no mean: they have other heads")
        if [(head.name, head.classes) for head in one.heads] != answers:
            raise OptionError(f"{_name(models)} have no mean: they answer other classes")
        if not _see_alike(one, first):
            raise OptionError(f"{_name(models)} have no mean: they do not see images alike")
    return first


def _describe(models: Sequence[Checkpoint], **parts: Any) -> Checkpoint:
    first = models[0]
    heads = tuple(
        replace(head, temperature=1.0, prior=_average_priors([one.heads[place].prior for one in models]))
        for place, head in enumerate(first.heads)
    )
    training = _join_trainings([one.training for one in models])
    training["members"] = [{"training": dict(one.training), "scores": dict(one.scores)} for one in models]
    return replace(first, heads=heads, training=training, scores={}, coverage=(), **parts)


def _average_priors(priors: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    """Average the class shares of a head; there are none where a model has none."""
    return tuple(np.mean(priors, axis=0).tolist()) if all(priors) else ()


def _join_trainings(trainings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Describe how all models came to be, so that nothing counts as unseen that one of them has learned from."""
    known = _join_known(trainings)
    if not all("sources" in one and "config" in one for one in trainings):
        return known
    first = trainings[0]
    kept = {name: value for name, value in first.items() if name not in ("epochs", "chosen_epoch")}  # each has its own
    same_data = all(one["identity"]["data"] == first["identity"]["data"] for one in trainings)
    config = {
        **first["config"],
        "init": ",".join(_list_once(name for one in trainings for name in one["config"]["init"].split(",") if name)),
        "teacher": _join_lists(one["config"].get("teacher", ()) for one in trainings),
        "teacher_labels": _join_lists(one["config"].get("teacher_labels", ()) for one in trainings),
        "all_train": any(one["config"]["all_train"] for one in trainings),
        **{name: _join_folds([one["config"].get(name, -1) for one in trainings]) for name in ("fold", "leave_out")},
    }
    return {
        **kept,
        **known,
        "config": config,
        "identity": {**first["identity"], "data": first["identity"]["data"] if same_data else None},
        "sources": {name: count for one in reversed(trainings) for name, count in one["sources"].items()},
        "seconds": sum(one.get("seconds", 0.0) for one in trainings),
    }


def _join_known(trainings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Join what the models know of images that others are scored on, and of the data that heads were added from."""
    known: dict[str, Any] = {
        LEARNED_VALIDATION: any(one.get(LEARNED_VALIDATION) for one in trainings),
        LEARNED_DEV: _join_lists(sorted(find_learned_dev(one) or ()) for one in trainings),
        TAUGHT_DEV: _join_lists(one.get(TAUGHT_DEV, ()) for one in trainings),
    }
    if adapted := [one[ADAPTED] for one in trainings if ADAPTED in one]:
        known[ADAPTED] = {**adapted[0], "data": _join_lists(one.get("data", ()) for one in adapted)}
    return {name: value for name, value in known.items() if value}


def _join_folds(folds: Sequence[int]) -> int:
    """Return the fold that all models left alone, -1 if there is none: another has learned from it then."""
    return folds[0] if len({*folds}) == 1 else -1


def _join_lists(lists: Iterable[Iterable[str]]) -> list[str]:
    return _list_once(chain.from_iterable(lists))


def _list_once(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _name(models: Sequence[Checkpoint]) -> str:
    return " and ".join(str(one.shown) for one in models)
