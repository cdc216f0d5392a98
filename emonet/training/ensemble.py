"""Several networks of a run as one, which gives the mean of their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from emonet.heads import sizes
from emonet.inference.checkpoint import Checkpoint
from emonet.models import create_model
from emonet.training.config import TrainConfig
from emonet.training.session import Session


def average(session: Session, config: TrainConfig, members: Sequence[Checkpoint]) -> Checkpoint:
    """Average networks of one kind, which see images alike, and score the average on dev."""
    counts = sizes(members[0].heads)
    arguments: dict[str, Any] = {
        "model": config.model,
        "members": len(members),
        "arguments": dict(members[0].arguments),
    } | ({"heads": list(counts)} if len(counts) > 1 else {})
    weights = {
        f"members.{place}.{name}": tensor
        for place, member in enumerate(members)
        for name, tensor in member.weights.items()
    }
    network = create_model("averaged", classes=sum(counts), **arguments)
    network.load_state_dict(weights)
    training = {
        **session.about(config),
        "seconds": sum(member.training["seconds"] for member in members),
        "members": [{"training": dict(member.training), "scores": dict(member.scores)} for member in members],
    }
    return replace(
        members[0],
        model="averaged",
        arguments=arguments,
        heads=session.material.stored_heads(config),
        weights=weights,
        training=training,
        scores=session.scores(network),
    )
