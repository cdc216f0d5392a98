"""One network from its first weights, or from where it was left off, to its file."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch

from emonet.errors import OptionError
from emonet.heads import sizes
from emonet.inference.checkpoint import Checkpoint, load_checkpoint
from emonet.inference.classifier import pictures_as_tensor
from emonet.models import Network, create_model
from emonet.models.inputs import InputSpec
from emonet.options import write_toml
from emonet.training.config import TrainConfig
from emonet.training.curves import draw_curves
from emonet.training.log import EpochRow, TensorBoardLog, write_rows
from emonet.training.packages import augments_with_torch
from emonet.training.policies import find_policy
from emonet.training.sampling import Indices, Sampling
from emonet.training.seeds import sample_seed
from emonet.training.session import CONFIG, CURVES, LOG, MODEL, SAMPLES, STATE, TENSORBOARD, Session, check_folder
from emonet.training.sheet import augmented_sheet
from emonet.training.trainer import Trainer
from emonet.training.transfer import load_start

PREPARED = 4096  # pictures that a network may compute its fixed weights from
SHOWN = 8  # pictures on the sheet of samples
DRAW_EVERY = 10.0  # seconds between two drawings of the curves, which may take longer than a small network's epoch


def train_single(session: Session, config: TrainConfig, folder: Path) -> Checkpoint:
    """Trains to the end; a run that has ended is given back as it is."""
    check_folder(folder, session.identity(config))
    if (folder / MODEL).is_file():
        session.watch.note(f"{folder} is finished")
        return load_checkpoint(folder / MODEL)
    network = new_network(session, config)
    if network.learns == "by_heart" and len(session.material.heads) > 1:
        raise OptionError(f"{config.model} memorises labels: it has one head, and no votes")
    shown = Sampling(session.material.train, config).order(0)[:SHOWN]
    if session.processes.first:
        folder.mkdir(parents=True, exist_ok=True)
        write_toml(config, folder / CONFIG, "emonet train --config this-file")
        _draw_samples(session, shown, config, folder / SAMPLES)
    learn = _learn_by_heart if network.learns == "by_heart" else _learn_by_gradient
    return session.write(folder, learn(network, session, config, folder))


def _learn_by_gradient(network: Network, session: Session, config: TrainConfig, folder: Path) -> Checkpoint:
    trainer = Trainer(network, session.material, config, session.machine, session.processes, session.identity(config))
    if (folder / STATE).is_file():
        trainer.restore(folder / STATE)
    session.watch.begin(folder.name, trainer.steps, trainer.done)
    with _Record(folder, config, trainer.progress.rows, on=session.processes.first) as record:
        for row in trainer.run(folder / STATE, session.watch):
            record.add(row, network)
    chosen = trainer.finish()
    rows = trainer.progress.rows
    training = {
        **session.about(config),
        "epochs": len(rows),
        "chosen_epoch": trainer.progress.best + 1 if config.keep == "best" else len(rows),
        "seconds": sum(row.seconds for row in rows),
    }
    return _checkpoint(session, config, chosen, training)


def _learn_by_heart(network: Network, session: Session, config: TrainConfig, folder: Path) -> Checkpoint:
    """Without steps: the network keeps the pictures themselves."""
    train = session.material.train
    session.watch.begin(folder.name, 1, 1)
    began = time.monotonic()
    network.memorise(session.material.spec.scale(pictures_as_tensor(train.pixels)), torch.from_numpy(train.labels))
    training = {**session.about(config), "epochs": 1, "chosen_epoch": 1, "seconds": time.monotonic() - began}
    return _checkpoint(session, config, network, training, {**config.arguments, "examples": len(train)})


def new_network(session: Session, config: TrainConfig) -> Network:
    """With weights that the seed decides, or those of the file to start from."""
    material = session.material
    torch.manual_seed(sample_seed(config.seed) >> 1)
    network = create_model(config.model, classes=sum(sizes(material.heads)), **config.arguments)
    for size in (material.spec.size, *config.size_from.values()):
        _check_size(network, config.model, replace(material.spec, size=size))
    if material.start is not None:
        load_start(network, material.start, material.heads, config)
    elif network.learns == "by_gradient":
        shown = Sampling(material.train, config).order(0)[:PREPARED]
        network.prepare(material.spec.scale(pictures_as_tensor(material.train.pixels[shown])))
    return network


def _check_size(network: Network, name: str, spec: InputSpec) -> None:
    """Most networks take pictures of one size and kind only."""
    own = network.input
    if (spec.size, spec.channels) == (own.size, own.channels):
        return
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, spec.channels, spec.size, spec.size))
    except (RuntimeError, ValueError) as error:
        raise OptionError(
            f"{name} takes pictures of {own.size} pixels and {own.channels} channels, "
            f"not of {spec.size} and {spec.channels}: {error}"
        ) from error


def _checkpoint(
    session: Session,
    config: TrainConfig,
    network: Network,
    training: Mapping[str, Any],
    arguments: Mapping[str, Any] | None = None,
) -> Checkpoint:
    return Checkpoint(
        model=config.model,
        arguments=dict(arguments or config.arguments),
        heads=session.material.stored_heads(config),
        crop=session.store.crop,
        detector=session.store.info["options"]["detector"],
        input=session.material.spec,
        weights=network.state_dict(),
        training=training,
        scores=session.scores(network),
    )


def _draw_samples(session: Session, shown: Indices, config: TrainConfig, path: Path) -> None:
    faces = session.material.train
    names = [str(faces.classes[label]) for label in faces.labels[shown]]
    with_torch = augments_with_torch(config, session.machine.device)
    augmented_sheet(path, faces.pixels[shown], names, find_policy(config.policy(1)), with_torch=with_torch)


class _Record:
    """The log, its curves and TensorBoard's, kept up with a run by its first process."""

    def __init__(self, folder: Path, config: TrainConfig, rows: Sequence[EpochRow], *, on: bool) -> None:
        self._folder, self._title, self._rows, self._on = folder, config.model, rows, on
        self._board = TensorBoardLog(folder / TENSORBOARD, rows) if on and config.tensorboard else None
        self._drawn = -math.inf
        if rows:
            self._write()  # anew, for a run may be killed between its state and its log

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._on and self._rows:
            self._draw()
        if self._board is not None:
            self._board.close()

    def add(self, row: EpochRow, network: Network) -> None:
        self._write()
        if self._board is not None:
            self._board.write(row, network)

    def _write(self) -> None:
        if self._on:
            write_rows(self._folder / LOG, self._rows)
        if self._on and time.monotonic() - self._drawn > DRAW_EVERY:
            self._draw()

    def _draw(self) -> None:
        draw_curves(self._rows, self._folder / CURVES, title=self._title)
        self._drawn = time.monotonic()
