"""Which augmenter a run uses, and whether what it needs is on this machine. Decided before the first step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch

from emonet.errors import MachineError, MissingPackageError
from emonet.training.choices import AugmentWith
from emonet.training.config import TrainConfig
from emonet.training.image_augmenter import ImageAugmenter
from emonet.training.log import Watch
from emonet.training.policies import find_policy
from emonet.training.record import import_writer
from emonet.training.session import read_run
from facecrop.packages import importing


def settle_augmenter(config: TrainConfig, device: torch.device, folders: Iterable[Path], watch: Watch) -> TrainConfig:
    """Replace `auto` by the augmenter that the run will use, so that the choice is stored with the run.

    A resumed run keeps its augmenter, whatever is installed now, because the other one would lead to other weights.

    Args:
        config: Options of the run.
        device: Where the network learns.
        folders: Folders that may hold a part of the run.
        watch: Told if torch augments because albumentations is missing.
    """
    if config.augment_with != "auto":
        return config
    runs = (run for folder in folders if (run := read_run(folder)) is not None)
    begun = next((run["augment_with"] for run in runs if "augment_with" in run), None)
    return replace(config, augment_with=begun or _choose_augmenter(device, watch))


def augments_with_torch(config: TrainConfig, device: torch.device) -> bool:
    """Return whether torch augments. Only runs of older versions still have `auto` here."""
    return config.augment_with == "torch" or (config.augment_with == "auto" and device.type != "cpu")


def check_packages(config: TrainConfig, device: torch.device) -> None:
    """Import everything that the options need, and compile something if the network is to be compiled.

    Raises:
        MissingPackageError: A package is not installed.
        MachineError: PyTorch cannot compile on this machine.
    """
    if not augments_with_torch(config, device):
        _check_albumentations()
    if config.tensorboard:
        import_writer()
    if config.compile:
        _check_compiler(device)


def _choose_augmenter(device: torch.device, watch: Watch) -> AugmentWith:
    """Choose albumentations on the CPU, and torch on faster devices or where albumentations is missing."""
    if device.type != "cpu":
        return "torch"
    try:
        _check_albumentations()
    except MissingPackageError as error:
        watch.note(f"torch augments the images: {error}")
        return "torch"
    return "albumentations"


def _check_albumentations() -> None:
    with importing("augmentation with albumentations", "albumentations"):
        ImageAugmenter(find_policy("none"))


def _check_compiler(device: torch.device) -> None:
    try:
        torch.compile(lambda x: x + 1)(torch.zeros(1, device=device))
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        needed = "Triton" if device.type == "cuda" else "a C++ compiler such as g++"
        raise MachineError(
            f"PyTorch cannot compile on this machine ({reason}): install {needed}, or leave out --compile"
        ) from error
