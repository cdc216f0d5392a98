"""A whole run in a folder: one network, or several that are averaged or chosen from; stopped and run again, it goes on.

RUN/model.safetensors    the result: one checkpoint, of an average too
RUN/config.toml          every option, for `--config`
RUN/log.csv, curves.png  a row an epoch, and their picture
RUN/samples.png          augmented pictures as the network sees them
RUN/state.safetensors    where it stands, while it is not finished
RUN/member-1/...         the same for each of several
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from emonet.checkpoint import Checkpoint
from emonet.datasets.store import Store
from emonet.devices import open_machine
from emonet.heads import sizes
from emonet.models import create_model
from emonet.training.config import TrainConfig
from emonet.training.distributed import joined_processes
from emonet.training.material import gather_material
from emonet.training.packages import check_packages, settle_augmenter
from emonet.training.session import MODEL, Session, check_folder, clear_folder, run_folders
from emonet.training.single import new_network, train_single
from emonet.training.watch import Silent, Watch


def train(
    config: TrainConfig, store: Store, folder: Path, watch: Watch | None = None, *, overwrite: bool = False
) -> Checkpoint:
    """Trains what the options ask for. A folder that holds another run is refused, unless it may be overwritten."""
    with joined_processes(config.device) as (processes, device), torch.random.fork_rng(devices=[]):
        watch = watch or Silent()
        machine = open_machine(device, config.precision)
        watch.note(f"{config.model} on {machine}" + (f", {processes.count} processes" if processes.count > 1 else ""))
        settled = settle_augmenter(config, machine.device, () if overwrite else run_folders(folder), watch)
        config = processes.agreed(settled)  # not every process may see the folder
        if overwrite or not (folder / MODEL).is_file():
            check_packages(config, machine.device)
        material = gather_material(config, store)
        watch.note(material.words())
        session = Session(store, material, machine, processes, watch)
        if overwrite and processes.first:
            new_network(session, config)  # one that cannot be trained costs no earlier run
            clear_folder(folder)
        processes.agreed(None)  # nobody looks into the folder before it is cleared
        if (folder / MODEL).is_file() or config.members == config.orders == 1:
            return train_single(session, config, folder)  # which checks the folder, and gives back what is finished
        check_folder(folder, session.identity(config))
        return _train_members(session, config, folder) if config.members > 1 else _train_orders(session, config, folder)


def _train_members(session: Session, config: TrainConfig, folder: Path) -> Checkpoint:
    """Several with seeds of their own, averaged into one."""
    singles = [replace(config, members=1, seed=config.seed + number) for number in range(config.members)]
    members = [
        train_single(session, single, folder / f"member-{number}") for number, single in enumerate(singles, start=1)
    ]
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
    return session.write(
        folder,
        replace(
            members[0],
            model="averaged",
            arguments=arguments,
            weights=weights,
            training=training,
            scores=session.scores(network),
        ),
    )


def _train_orders(session: Session, config: TrainConfig, folder: Path) -> Checkpoint:
    """The same network with several data orders; the best on dev stays."""
    singles = [replace(config, orders=1, order=config.order + number) for number in range(config.orders)]
    tried = [
        train_single(session, single, folder / f"order-{number}") for number, single in enumerate(singles, start=1)
    ]
    sign = -1 if config.choose_by == "loss" else 1
    name = "log_loss" if config.choose_by == "loss" else config.choose_by
    values = [_on_dev(checkpoint, name) for checkpoint in tried]
    best = max(range(len(tried)), key=lambda number: sign * values[number])
    training = {**tried[best].training, **session.about(config), "orders": {"values": values, "best": best + 1}}
    return session.write(folder, replace(tried[best], training=training))


def _on_dev(checkpoint: Checkpoint, name: str) -> float:
    """A figure on dev, the mean of labels and votes where both are scored."""
    there = [checkpoint.scores[part][name] for part in ("dev", "dev_seen") if part in checkpoint.scores]
    return float(sum(there) / len(there))
