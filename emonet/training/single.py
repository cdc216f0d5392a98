"""One network, from its first weights or the state of a stopped run to its model file."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from emonet.errors import OptionError
from emonet.heads import sizes
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.torch_classifier import images_as_tensor
from emonet.models import Network, create_model
from emonet.models.apl_fmp import AplFmp
from emonet.models.inputs import InputSpec
from emonet.training.chance import sample_seed
from emonet.training.config import TrainConfig
from emonet.training.feeding import Planner
from emonet.training.objective import make_targets
from emonet.training.packages import augments_with_torch
from emonet.training.policies import find_policy
from emonet.training.record import Record
from emonet.training.sampling import Sampling
from emonet.training.session import SAMPLES, STATE, Session
from emonet.training.sheet import draw_sheet
from emonet.training.trainer import Trainer
from emonet.training.transfer import load_start

PREPARED = 4096  # images from which a network may compute its fixed weights
SHOWN = 8  # images on the sheet of samples


def train_single(session: Session, config: TrainConfig, folder: Path) -> Checkpoint:
    """Train one network to the end. A finished run is loaded and returned as it is.

    Raises:
        OptionError: The folder holds another run, or the network cannot be trained with these options.
        TrainingError: The loss is no number any more.
    """
    about = session.describe(config)
    session.check_folder(folder, about["identity"])
    finished = session.find_finished(folder)
    if finished is not None:
        session.watch.note(f"{folder} is finished")
        return finished
    network = make_network(session, config)
    session.write_config(config, folder)
    if session.processes.first and session.draw:
        _draw_samples(session, config, folder / SAMPLES)
    train = _memorise if network.fit == "memorise" else _train_by_steps
    return session.write(folder, train(network, session, config, folder, about))


def _train_by_steps(
    network: Network, session: Session, config: TrainConfig, folder: Path, about: Mapping[str, Any]
) -> Checkpoint:
    trainer = Trainer(network, session.material, config, session.machine, session.processes, about["identity"])
    trainer.restore(folder / STATE)
    session.watch.begin(folder.name, trainer.steps, trainer.done)
    rows = trainer.progress.rows
    shown = {"draw": session.draw, "tensorboard": config.tensorboard}
    with Record(folder, config.model, rows, **shown) if session.processes.first else nullcontext() as record:
        for row in trainer.run(folder / STATE, session.watch):
            if record is not None:
                record.add(row, network)
    chosen = trainer.finish()
    training = {
        **about,
        "epochs": len(rows),
        "chosen_epoch": trainer.progress.best + 1 if config.keep == "best" else len(rows),
        "seconds": sum(row.seconds for row in rows),
    }
    return _make_checkpoint(session, config, chosen, training)


def _memorise(
    network: Network, session: Session, config: TrainConfig, folder: Path, about: Mapping[str, Any]
) -> Checkpoint:
    """Let the network keep the training images themselves, without steps."""
    train = session.material.train
    session.watch.begin(folder.name, 1, 1)
    began = time.monotonic()
    network.memorise(session.material.spec.scale(images_as_tensor(train.array)), torch.from_numpy(train.labels))
    training = {**about, "epochs": 1, "chosen_epoch": 1, "seconds": time.monotonic() - began}
    return _make_checkpoint(session, config, network, training, {**config.arguments, "examples": len(train)})


def check_trainable(session: Session, config: TrainConfig) -> None:
    """Find out whether a run can begin, before anything is written or removed.

    Raises:
        OptionError: The network, the data or the number of processes do not fit the options.
    """
    material = session.material
    network = make_network(session, config)
    _check_draws(network, len(material.heads))
    if network.fit == "memorise":
        if len(material.heads) > 1:
            raise OptionError(f"{config.model} memorises labels: it has one head, and no votes")
        if config.out_of_fold:
            raise OptionError(f"{config.model} memorises images: `out_of_fold` needs a network that learns in steps")
        return
    make_targets(material.train, material.heads, config)
    Planner(Sampling(material.train, config), session.processes, config.part_size)


def _check_draws(network: Network, heads: int) -> None:
    """Raise if answers are averaged over draws as if the logits of several heads had one softmax."""
    draws = max((one.draws for one in network.modules() if isinstance(one, AplFmp)), default=1)
    if heads > 1 and draws > 1:
        raise OptionError(f"draws must be 1 where a network has several heads, here {heads}, got {draws}")


def make_network(session: Session, config: TrainConfig) -> Network:
    """Make the network with its first weights, which the seed or the models to start from decide.

    Raises:
        OptionError: The network cannot take images of these sizes, or they are larger than those of the run.
    """
    material = session.material
    torch.manual_seed(sample_seed(config.seed) >> 1)
    network = create_model(config.model, classes=sum(sizes(material.heads)), **config.arguments)
    if larger := [size for size in config.size_from.values() if size > material.spec.size]:
        raise OptionError(f"`size_from` shrinks images, which have {material.spec.size} pixels, got {larger[0]}")
    for size in (material.spec.size, *config.size_from.values()):
        _check_size(network, config.model, replace(material.spec, size=size))
    if material.start is not None:
        load_start(network, material.start, material.heads, config)
    elif network.fit == "gradient":
        shown = Sampling(material.train, config).draw_order(0)[:PREPARED]
        network.prepare(material.spec.scale(images_as_tensor(material.train.pixels[shown])))
    return network


def _check_size(network: Network, name: str, spec: InputSpec) -> None:
    """Raise if the network cannot take such images; most networks take one size and kind only."""
    own = network.input
    if (spec.size, spec.channels) == (own.size, own.channels):
        return
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, spec.channels, spec.size, spec.size))
    except (RuntimeError, ValueError) as error:
        raise OptionError(
            f"{name} takes images of {own.size} pixels and {own.channels} channels, "
            f"not of {spec.size} and {spec.channels}: {error}"
        ) from error


def _make_checkpoint(
    session: Session,
    config: TrainConfig,
    network: Network,
    training: Mapping[str, Any],
    arguments: Mapping[str, Any] | None = None,
) -> Checkpoint:
    return Checkpoint(
        model=config.model,
        arguments=dict(arguments or config.arguments),
        heads=session.material.make_stored_heads(config),
        crop=session.store.crop,
        detector=session.store.info.detector,
        input=session.material.spec,
        weights=network.state_dict(),
        training=training,
        scores=session.score(network),
    )


def _draw_samples(session: Session, config: TrainConfig, path: Path) -> None:
    faces = session.material.train
    shown = Sampling(faces, config).draw_order(0)[:SHOWN]
    names = [str(faces.classes[label]) for label in faces.labels[shown]]
    with_torch = augments_with_torch(config, session.machine.device)
    draw_sheet(path, faces.pixels[shown], names, find_policy(config.policy(1)), with_torch=with_torch)
