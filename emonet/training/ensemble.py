"""Several networks of one run: members that are averaged, or data orders of which the best is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from emonet.heads import sizes
from emonet.inference.averaging import join_arguments, join_weights
from emonet.inference.checkpoint import Checkpoint
from emonet.models import create_model
from emonet.training.config import TrainConfig
from emonet.training.scoring import measure_on_dev
from emonet.training.session import Session
from emonet.training.single import train_single


def train_members(session: Session, config: TrainConfig, folder: Path) -> Checkpoint:
    """Train several networks with seeds of their own, and average them into one."""
    about = session.describe(config)
    session.check_folder(folder, about["identity"])
    session.write_config(config, folder)
    singles = [replace(config, members=1, seed=config.seed + number) for number in range(config.members)]
    members = _train_each(session, singles, folder / "member")
    return session.write(folder, average_members(session, config, members, about))


def train_orders(session: Session, config: TrainConfig, folder: Path) -> Checkpoint:
    """Train the same network with several data orders, and keep the best on dev."""
    about = session.describe(config)
    session.check_folder(folder, about["identity"])
    session.write_config(config, folder)
    singles = [replace(config, orders=1, order=config.order + number) for number in range(config.orders)]
    tried = _train_each(session, singles, folder / "order")
    sign = -1 if config.choose_by == "loss" else 1
    values = [measure_on_dev(checkpoint.scores, config.choose_by) for checkpoint in tried]
    best = max(range(len(tried)), key=lambda number: sign * values[number])
    training = {**tried[best].training, **about, "orders": {"values": values, "best": best + 1}}
    return session.write(folder, replace(tried[best], training=training))


def _train_each(session: Session, singles: Sequence[TrainConfig], path: Path) -> list[Checkpoint]:
    """Train one network after the other, in the folders PATH-1, PATH-2 and so on."""
    return [
        train_single(session, single, path.with_name(f"{path.name}-{number}"))
        for number, single in enumerate(singles, start=1)
    ]


def average_members(
    session: Session, config: TrainConfig, members: Sequence[Checkpoint], about: dict[str, Any]
) -> Checkpoint:
    """Join networks into one that answers with the mean of their probabilities, and score it on dev.

    Args:
        session: The run.
        config: Its options.
        members: Networks of one kind that see images alike.
        about: What `session.describe` returned.
    """
    arguments, weights = join_arguments(members), join_weights(members)
    network = create_model("averaged", classes=sum(sizes(members[0].heads)), **arguments)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    training = {
        **about,
        "seconds": sum(member.training["seconds"] for member in members),
        "members": [{"training": dict(member.training), "scores": dict(member.scores)} for member in members],
    }
    return replace(
        members[0],
        model="averaged",
        arguments=arguments,
        heads=session.material.make_stored_heads(config),
        weights=weights,
        training=training,
        scores=session.score(network),
    )
