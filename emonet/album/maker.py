"""What made an album: the model, the head, the detector and the rules, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from emonet.inference.loading import is_bundled
from emonet.inference.model import Model

if TYPE_CHECKING:
    from emonet.prediction import EmotionPredictor

DIGEST = 12  # letters of a model's identity that tell it from another of its name


def describe_maker(predictor: EmotionPredictor) -> dict[str, str]:
    """Describe what answers, for the metadata of tables.

    Returns:
        The `model`, its `head` and `prior`, the `detector`, the `rules` of faces, the test-time augmentation `tta` and
        the `backend`.
    """
    detector = predictor.detector
    rules = {name: value for name, value in predictor.rules.to_dict().items() if name != "detector"}
    answered = predictor.answered_by
    return {
        "model": ", ".join(map(_name_model, predictor.models)),
        "head": answered["head"],
        "prior": answered["prior"],
        "detector": " ".join([detector.name, *_format_changed(asdict(detector.options), detector.options_type())]),
        "rules": " ".join(_format_changed(rules, type(predictor.rules)())) or "any face",
        "tta": predictor.tta,
        "backend": answered["backend"],
    }


def format_maker(facts: Mapping[str, str]) -> str:
    """Write what answered as a line for people."""
    return (
        "Answered by the model {model}, head {head} (prior: {prior}); "
        "faces found by {detector}; rules: {rules}.".format(**facts)
    )


def _name_model(model: Model) -> str:
    path = model.path
    if path is None or is_bundled(path):
        name = model.model if path is None else path.stem
    else:
        name = "/".join(path.parts[-2:])
    return f"{name} ({model.identity[:DIGEST]})"


def _format_changed(values: Mapping[str, Any], default: Any) -> list[str]:
    """List the options that have other values than their defaults."""
    defaults = {field.name: getattr(default, field.name) for field in fields(default)}
    return [f"{name}={value}" for name, value in values.items() if value != defaults[name]]
