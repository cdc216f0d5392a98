"""Which augmenter a run uses, and whether all packages that it needs are there: settled before its first step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch

from emonet.errors import MissingPackageError
from emonet.training.config import AugmentWith, TrainConfig
from emonet.training.log import writer_class
from emonet.training.picture_augmenter import PictureAugmenter
from emonet.training.policies import find_policy
from emonet.training.session import stored_run
from emonet.training.watch import Watch
from facecrop.packages import importing


def settle_augmenter(config: TrainConfig, device: torch.device, folders: Iterable[Path], watch: Watch) -> TrainConfig:
    """Replace `auto` by the augmenter that the run will use, so that it is stored with the run.

    A run that was begun goes on with the augmenter that it began with, whatever is installed now: the other one would
    lead to other weights.

    Args:
        config: What was asked for.
        device: Where the network learns.
        folders: Those that may hold a part of the run.
        watch: Told where torch augments because albumentations is missing.
    """
    if config.augment_with != "auto":
        return config
    runs = (run for folder in folders if (run := stored_run(folder)) is not None)
    begun = next((run["augment_with"] for run in runs if "augment_with" in run), None)
    return replace(config, augment_with=begun or _best_augmenter(device, watch))


def augments_with_torch(config: TrainConfig, device: torch.device) -> bool:
    """Return whether torch augments; `auto` is left only in runs that began before it was settled."""
    return config.augment_with == "torch" or (config.augment_with == "auto" and device.type != "cpu")


def check_packages(config: TrainConfig, device: torch.device) -> None:
    """Raise MissingPackageError unless everything that the options ask for can be imported."""
    if not augments_with_torch(config, device):
        _check_albumentations()
    if config.tensorboard:
        writer_class()


def _best_augmenter(device: torch.device, watch: Watch) -> AugmentWith:
    """Albumentations where the processor is the device; on a faster one, torch."""
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
        PictureAugmenter(find_policy("none"))
