"""What all networks of a run share, and the files in its folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from emonet.datasets.store import Store
from emonet.errors import OptionError
from emonet.folders import check_own
from emonet.heads import sizes
from emonet.inference.checkpoint import Checkpoint, load_checkpoint
from emonet.inference.devices import Machine
from emonet.inference.loading import RUN_MODEL
from emonet.inference.torch_classifier import TorchClassifier
from emonet.models import Network
from emonet.options import write_toml
from emonet.training.config import TrainConfig
from emonet.training.distributed import Processes
from emonet.training.known import describe_known
from emonet.training.log import Watch
from emonet.training.material import Material
from emonet.training.scoring import classify_share, describe_scores
from emonet.training.state import read_identity
from emonet.training.teacher_answers import ANSWERS
from emonet.training.teacher_labels import TEACHER_LABELS
from facecrop.packages import installed_version

CONFIG = "config.toml"
LOG = "log.csv"
CURVES = "curves.png"
SAMPLES = "samples.png"
STATE = "state.safetensors"
TENSORBOARD = "tensorboard"


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """What all networks of a run share.

    Attributes:
        store: The data set.
        material: The images, heads and other models.
        machine: The device and its precision.
        processes: This process among all.
        watch: Whoever wants to see progress.
        draw: Whether to draw the curves and the samples.
    """

    store: Store
    material: Material
    machine: Machine
    processes: Processes
    watch: Watch
    draw: bool = True

    def identify(self, config: TrainConfig) -> dict[str, Any]:
        """Return what must stay the same for a run to be resumed: options and data."""
        contents = {f"content of {name}": hashes for name, hashes in self.material.contents.items()}
        return {**config.identity(), **contents, "data": self.store.identity}

    def describe(self, config: TrainConfig) -> dict[str, Any]:
        """Describe how a network is trained, for its model file. The key `identity` holds what `identify` returns."""
        train = self.material.train
        return {
            "identity": self.identify(config),
            "config": config.to_dict(),
            "pictures": len(train),
            "sources": dict(Counter(train.sources.tolist())),
            "left_out": train.left_out,
            "data_warnings": [*self.store.info.warnings],
            **describe_known(self.material, config, self.store),
            "machine": str(self.machine),
            "processes": self.processes.count,
            "versions": {name: installed_version(name) for name in ("emonet", "torch", "albumentations", "numpy")},
        }

    def check_folder(self, folder: Path, identity: Mapping[str, Any]) -> None:
        """Raise OptionError in all processes if the first finds another run in the folder."""
        self.processes.ask_first(lambda: check_folder(folder, identity))

    def write_config(self, config: TrainConfig, folder: Path) -> None:
        """Write every option of a run into its folder, which is created."""
        if self.processes.first:
            folder.mkdir(parents=True, exist_ok=True)
            write_toml(config, folder / CONFIG, "emonet train --config this-file")

    def find_finished(self, folder: Path) -> Checkpoint | None:
        """Return the model of a finished run, as the first process finds it; None if there is none."""
        path = folder / RUN_MODEL
        return self.processes.ask_first(lambda: load_checkpoint(path) if path.is_file() else None)

    def score(self, network: Network) -> dict[str, Any]:
        """Score a network on dev, for its model file; nothing where there is no dev."""
        dev, heads = self.material.dev, self.material.heads
        if dev is None:
            return {}
        classify = TorchClassifier(
            network.to(self.machine.device), self.material.spec, self.machine, heads=sizes(heads)
        )
        return describe_scores(classify_share(classify, dev.pixels, Processes()), dev, heads)

    def write(self, folder: Path, checkpoint: Checkpoint) -> Checkpoint:
        """Write the model file, and remove the state that led to it."""
        if self.processes.first:
            folder.mkdir(parents=True, exist_ok=True)
            checkpoint.save(folder / RUN_MODEL)
            for name in (STATE, ANSWERS):
                (folder / name).unlink(missing_ok=True)
        self.processes.wait()  # nobody continues before it is written
        return checkpoint


def read_run(folder: Path) -> dict[str, Any] | None:
    """Read the identity of the run that a folder holds; None if it holds none."""
    if (folder / RUN_MODEL).is_file():
        identity: dict[str, Any] = load_checkpoint(folder / RUN_MODEL).training.get("identity", {})
        return identity
    return read_identity(folder / STATE) if (folder / STATE).is_file() else None


def list_run_folders(folder: Path) -> list[Path]:
    """List the folder of a run, and those of the networks that it averages or chooses from."""
    return [folder, *folder.glob("member-*"), *folder.glob("order-*"), *folder.glob("fold-*")]


def check_own_run(folder: Path) -> None:
    """Raise OptionError if the folder holds other things than a run."""
    check_own(folder, "a training", [CONFIG, RUN_MODEL, STATE, *(part.name for part in list_run_folders(folder)[1:])])


def check_folder(folder: Path, identity: Mapping[str, Any]) -> None:
    """Raise OptionError if the folder holds another run."""
    stored = read_run(folder)
    if stored is None:
        return
    stored = TrainConfig().identity() | stored  # a run of before an option had its default
    if differing := sorted(name for name in {*stored, *identity} if stored.get(name) != identity.get(name)):
        raise OptionError(
            f"{folder} holds a run with other {', '.join(differing)}; choose another folder, or use --overwrite"
        )


def check_agreement(processes: Processes, config: TrainConfig, store: Store) -> None:
    """Check that all processes were started with the same options and data, before they work together.

    Raises:
        OptionError: They were not.
    """
    own = {**config.identity(), "data": store.identity, "part_size": config.part_size}
    first = processes.agree_on(own)
    if differing := ", ".join(sorted(name for name in own if own[name] != first.get(name))):
        raise OptionError(
            f"process {processes.rank} was started with other {differing} than process 0: "
            "give all machines the same options and a copy of the same data set"
        )


def check_contents(processes: Processes, contents: Mapping[str, list[str]]) -> None:
    """Check that the files that options name, such as teachers, are the same for all processes.

    Args:
        processes: All processes of the run; their options are the same.
        contents: Hashes of the files, by option.

    Raises:
        OptionError: They are not. It is raised in all processes.
    """
    if not contents:
        return
    first = processes.agree_on(contents)
    names = sorted(first)
    differs = processes.sum(torch.tensor([float(contents.get(name) != first[name]) for name in names]))
    if differing := ", ".join(f"`{name}`" for name, count in zip(names, differs.tolist(), strict=True) if count):
        raise OptionError(
            f"the files of {differing} are not the same for all processes: give all machines copies of the same files"
        )


def clear_folder(folder: Path) -> None:
    """Remove the files that runs write, and nothing else."""
    for place in list_run_folders(folder):
        for name in (RUN_MODEL, CONFIG, LOG, CURVES, SAMPLES, STATE, ANSWERS, TEACHER_LABELS):
            (place / name).unlink(missing_ok=True)
        for events in place.glob(f"{TENSORBOARD}/events.out.tfevents.*"):
            events.unlink()
