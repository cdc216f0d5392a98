"""A whole run in its folder: one network, or several that are averaged or chosen from. A stopped run can be resumed.

RUN/model.safetensors        the result: one model file, also for an average
RUN/config.toml              every option, to be used with `--config`
RUN/log.csv, curves.png      one row per epoch, and the curves of it
RUN/samples.png              augmented images as the network sees them
RUN/state.safetensors        where the run stands, until it is finished
RUN/member-1/...             of several networks, all these files of each; order-1 and fold-0 likewise. RUN has the
                             model and config.toml
RUN/teacher_labels.parquet   soft labels of all training images, from networks that did not learn from them
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from emonet.datasets.store import Store
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.devices import open_machine
from emonet.inference.loading import RUN_MODEL
from emonet.training.config import TrainConfig
from emonet.training.distributed import join_processes
from emonet.training.ensemble import train_members, train_orders
from emonet.training.folds import train_folds
from emonet.training.known import list_warnings
from emonet.training.log import Silent, Watch
from emonet.training.material import gather_material, list_unused
from emonet.training.packages import check_packages, settle_augmenter
from emonet.training.sampling import count_passes, lengthen
from emonet.training.session import Session, check_agreement, check_contents, clear_folder, list_run_folders
from emonet.training.single import check_trainable, train_single
from emonet.training.storing import settle_storage
from emonet.training.teacher_labels import TEACHER_LABELS


def train(
    config: TrainConfig,
    store: Store,
    folder: Path,
    watch: Watch | None = None,
    *,
    overwrite: bool = False,
    draw: bool = True,
) -> Checkpoint:
    """Train what the options ask for, and write it into a folder.

    A run that was stopped is resumed, and ends in the same weights. A finished run is returned as it is.

    Args:
        config: The options.
        store: The data set.
        folder: The folder of the run; it is created.
        watch: Told about progress.
        overwrite: Whether a run that the folder holds may be replaced.
        draw: Whether to draw `curves.png` and `samples.png`.

    Returns:
        The model as it is in `folder/model.safetensors`.

    Raises:
        OptionError: The folder holds another run, or options do not fit the data.
        MissingFileError: A file that an option names does not exist.
        MissingPackageError: An option needs a package that is not installed.
        MachineError: The network is to be compiled, and PyTorch finds no compiler.
        TrainingError: The loss or the answers on dev are no numbers any more, or another process does not answer.
    """
    with join_processes(config.device, config.wait_seconds) as (processes, device), torch.random.fork_rng(devices=[]):
        watch = watch or Silent()
        machine = open_machine(device, config.precision)
        watch.note(f"{config.model} on {machine}" + (f", {processes.count} processes" if processes.count > 1 else ""))
        check_agreement(processes, config, store)
        begun = () if overwrite else list_run_folders(folder)
        config = processes.ask_first(partial(settle_augmenter, config, machine.device, begun, watch))
        config = processes.ask_first(partial(settle_storage, config, store, begun, processes.here, watch))
        if overwrite or not processes.ask_first((folder / RUN_MODEL).is_file):
            check_packages(config, machine.device)
        material = gather_material(config, store)
        check_contents(processes, material.contents)
        notes = [*list_unused(material, config), *list_warnings(material, config, store)]
        for line in (material.summarize(), *notes):
            watch.note(line)
        config = _settle_epochs(config, len(material.train), watch)
        session = Session(store, material, machine, processes, watch, draw)
        finished = not overwrite and processes.ask_first(partial(_is_finished, config, folder))
        if not finished:
            check_trainable(session, config)
        if overwrite and processes.first:
            clear_folder(folder)
        processes.wait()  # nobody looks into the folder before it is cleared
        return (train_single if finished else _choose_training(config))(session, config, folder)


def _settle_epochs(config: TrainConfig, images: int, watch: Watch) -> TrainConfig:
    """Say how often an epoch shows each image; a data set that is shown once is trained as without `epoch_images`.

    With `teacher_views` an epoch shows one view of each image: there are more epochs instead.
    """
    passes = count_passes(images, config)
    if passes == 1:
        return replace(config, epoch_images=0)
    if config.teacher_views:
        watch.note(f"the {images:,} images are few: there are {passes} times as many epochs as in the recipe")
        return lengthen(config, passes)
    watch.note(
        f"an epoch shows each of the {images:,} images {passes} times: so the recipe has as many steps as on the "
        f"{config.epoch_images:,} images that it is for; --epochs or --steps make it shorter"
    )
    return config


def _is_finished(config: TrainConfig, folder: Path) -> bool:
    return (folder / RUN_MODEL).is_file() and (not config.out_of_fold or (folder / TEACHER_LABELS).is_file())


def _choose_training(config: TrainConfig) -> Callable[[Session, TrainConfig, Path], Checkpoint]:
    """Choose what a run trains. `train_single` also returns a finished run of several networks."""
    if config.out_of_fold:
        return train_folds
    if config.members > 1:
        return train_members
    return train_orders if config.orders > 1 else train_single
