"""Add a head to a model file: some more rows of its last layer. The rows of the other heads stay as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from emonet.adapting.fitting import Layer
from emonet.errors import OptionError
from emonet.heads import MEAN, Head, HeadChoice
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.model_file import ADAPTED, fits_half, round_to_half
from emonet.labels import Emotion

BEFORE, EARLIER = "answered_before", "earlier"  # keys of what the training section says of an adaptation


def read_last_layer(checkpoint: Checkpoint, layer: str) -> Layer:
    """Read the rows of all heads."""
    weights, bias = (checkpoint.weights[f"{layer}.{part}"].astype(np.float64) for part in ("weight", "bias"))
    return Layer(weights, bias)


def check_name(checkpoint: Checkpoint, name: str) -> None:
    """Raise an OptionError if the model has a head of this name."""
    known = [head.name for head in checkpoint.heads]
    if name in known:
        raise OptionError(f"the model has a head {name!r} already, its heads are {', '.join(known)}: choose a --name")


def list_added(checkpoint: Checkpoint) -> list[str]:
    """List the heads that adaptations added to a model, the newest first."""
    names, about = [], checkpoint.training.get(ADAPTED)
    while about:
        names.append(about["head"])
        about = about.get(EARLIER)
    return names


def leave_out_added(checkpoint: Checkpoint) -> HeadChoice:
    """Return how a model answers without the heads that adaptations added: they may know the faces."""
    choice, added = checkpoint.choice(), list_added(checkpoint)
    if not added:
        return choice
    heads = tuple(head for head in checkpoint.heads if head.name not in added)
    if choice.head not in (MEAN, *added):
        return HeadChoice(heads, choice.head, choice.prior)
    before = checkpoint.training[ADAPTED].get(BEFORE, {})
    return HeadChoice(heads, before.get("head", heads[0].name), before.get("prior", "training"))


def add_head(
    checkpoint: Checkpoint,
    layer: str,
    new: Layer,
    name: str,
    classes: Sequence[Emotion],
    shares: Sequence[float],
    prior: str,
    about: Mapping[str, Any],
) -> Checkpoint:
    """Return a model with one more head, which answers by default.

    Its rows are rounded to 16 bits where those of the model are, so that the file can be as small.

    Args:
        checkpoint: The model.
        layer: The name of its last layer.
        new: The rows of the new head.
        name: The name of the new head.
        classes: Its classes.
        shares: The share of each class in what it learned from.
        prior: The prior that is divided out by default.
        about: What the training section says of it. What it says of earlier adaptations is kept.
    """
    earlier = checkpoint.training.get(ADAPTED)
    known: dict[str, Any] = {}
    if earlier is not None:
        known = {"data": [*dict.fromkeys((*earlier.get("data", ()), *about["data"]))], EARLIER: earlier}
    rounded = round_to_half(new.weights)
    is_half = fits_half(checkpoint.weights) and np.isfinite(rounded).all()
    rows = {"weight": rounded if is_half else new.weights, "bias": new.bias}
    grown = {
        f"{layer}.{part}": np.concatenate([checkpoint.weights[f"{layer}.{part}"], added.astype(np.float32)])
        for part, added in rows.items()
    }
    head = Head(name, tuple(classes), tuple(map(float, shares)))
    return replace(
        checkpoint,
        heads=(*checkpoint.heads, head),
        weights={**checkpoint.weights, **grown},
        training={**checkpoint.training, ADAPTED: {**about, **known}},
        default_head=name,
        default_prior=prior,
        coverage=tuple(curve for curve in checkpoint.coverage if curve.head != MEAN),  # the mean is of one more head
    )
