"""A whole run in a folder: one network, or several that are averaged or chosen from; stopped and run again, it goes on.

RUN/model.safetensors    the result: one checkpoint, of an average too
RUN/config.toml          every option, for `--config`
RUN/log.csv, curves.png  a row an epoch, and their picture
RUN/samples.png          augmented pictures as the network sees them
RUN/state.safetensors    where it stands, while it is not finished
RUN/member-1/...         the same for each of several
RUN/teacher_labels.parquet   what networks answered that did not learn from the picture, RUN/fold-0/... and so on
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from emonet.datasets.store import Store
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.devices import open_machine
from emonet.training.config import TrainConfig
from emonet.training.distributed import joined_processes
from emonet.training.ensemble import average
from emonet.training.folds import train_folds
from emonet.training.material import gather_material
from emonet.training.packages import check_packages, settle_augmenter
from emonet.training.session import LABELS, MODEL, Session, check_folder, clear_folder, run_folders
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
        several = config.out_of_fold or config.members > 1 or config.orders > 1
        if not several or _is_finished(folder, config):
            return train_single(session, config, folder)  # which checks the folder, and gives back what is finished
        check_folder(folder, session.identity(config))
        if config.out_of_fold:
            return train_folds(session, config, folder)
        return _train_members(session, config, folder) if config.members > 1 else _train_orders(session, config, folder)


def _is_finished(folder: Path, config: TrainConfig) -> bool:
    return (folder / MODEL).is_file() and (not config.out_of_fold or (folder / LABELS).is_file())


def _train_members(session: Session, config: TrainConfig, folder: Path) -> Checkpoint:
    """Several with seeds of their own, averaged into one."""
    singles = [replace(config, members=1, seed=config.seed + number) for number in range(config.members)]
    members = [
        train_single(session, single, folder / f"member-{number}") for number, single in enumerate(singles, start=1)
    ]
    return session.write(folder, average(session, config, members))


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
