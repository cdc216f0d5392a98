"""What all networks of a run share, and the files of its folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emonet.datasets.store import Store
from emonet.errors import OptionError
from emonet.evaluation.metrics import score
from emonet.heads import sizes
from emonet.inference.checkpoint import Checkpoint, load_checkpoint
from emonet.inference.classifier import Classifier
from emonet.inference.devices import Machine
from emonet.models import Network
from emonet.training.config import TrainConfig
from emonet.training.distributed import Processes
from emonet.training.material import Material
from emonet.training.scoring import label_answers, score_dev
from emonet.training.state import stored_identity
from emonet.training.teacher_answers import ANSWERS
from emonet.training.watch import Watch
from facecrop.packages import installed_version

MODEL, CONFIG, LOG, CURVES, SAMPLES, STATE, TENSORBOARD, LABELS = (
    "model.safetensors",
    "config.toml",
    "log.csv",
    "curves.png",
    "samples.png",
    "state.safetensors",
    "tensorboard",
    "teacher_labels.parquet",
)


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """What all networks of a run share."""

    store: Store
    material: Material
    machine: Machine
    processes: Processes
    watch: Watch

    def identity(self, config: TrainConfig) -> dict[str, Any]:
        """What must be the same for a run to go on: options, data, and how many processes share a batch."""
        contents = {f"content of {name}": hashes for name, hashes in self.material.contents.items()}
        return {**config.identity(), **contents, "data": self.store.identity, "processes": self.processes.count}

    def about(self, config: TrainConfig) -> dict[str, Any]:
        """How a network was trained, for its card."""
        train = self.material.train
        return {
            "identity": self.identity(config),
            "config": config.to_dict(),
            "pictures": len(train),
            "sources": dict(Counter(train.sources.tolist())),
            "left_out": train.left_out,
            "machine": str(self.machine),
            "processes": self.processes.count,
            "versions": {name: installed_version(name) for name in ("emonet", "torch", "albumentations", "numpy")},
        }

    def scores(self, network: Network) -> dict[str, Any]:
        """Score a network on dev, where there is one, and on each source's part of it; and on the votes of dev."""
        dev, heads = self.material.dev, self.material.heads
        if dev is None:
            return {}
        classify = Classifier(network.to(self.machine.device), self.material.spec, self.machine, heads=sizes(heads))
        answers = classify(dev.pixels)
        whole = score_dev(answers, dev, heads)
        found = {"dev": whole.labels, "dev_seen": whole.seen}
        scores: dict[str, Any] = {name: part.to_dict() for name, part in found.items() if part is not None}
        if (said := label_answers(answers, dev, heads)) is not None:
            parts = {source: dev.sources == source for source in sorted(set(dev.sources.tolist()))}
            scores["dev_by_source"] = {
                source: score(said[part], dev.labels[part], dev.classes).to_dict() for source, part in parts.items()
            }
        return scores

    def write(self, folder: Path, checkpoint: Checkpoint) -> Checkpoint:
        """The result, and the end of the state that led to it."""
        if self.processes.first:
            folder.mkdir(parents=True, exist_ok=True)
            checkpoint.save(folder / MODEL)
            for name in (STATE, ANSWERS):
                (folder / name).unlink(missing_ok=True)
        self.processes.agreed(None)  # nobody goes on before it is written
        return checkpoint


def stored_run(folder: Path) -> dict[str, Any] | None:
    """Return the identity of the run that a folder holds, None if it holds none."""
    if (folder / MODEL).is_file():
        identity: dict[str, Any] = load_checkpoint(folder / MODEL).training.get("identity", {})
        return identity
    return stored_identity(folder / STATE) if (folder / STATE).is_file() else None


def run_folders(folder: Path) -> list[Path]:
    """Return the folder of a run, and those of the networks that it averages or chooses from."""
    return [folder, *folder.glob("member-*"), *folder.glob("order-*"), *folder.glob("fold-*")]


def check_folder(folder: Path, identity: Mapping[str, Any]) -> None:
    """Raises if the folder holds another run's work."""
    stored = stored_run(folder)
    if stored is None:
        return
    if differing := sorted(name for name in {*stored, *identity} if stored.get(name) != identity.get(name)):
        raise OptionError(
            f"{folder} holds a run with other {', '.join(differing)}; choose another folder or overwrite it"
        )


def clear_folder(folder: Path) -> None:
    """Removes what runs write, and nothing else."""
    for place in run_folders(folder):
        for name in (MODEL, CONFIG, LOG, CURVES, SAMPLES, STATE, ANSWERS, LABELS):
            (place / name).unlink(missing_ok=True)
        for events in place.glob(f"{TENSORBOARD}/events.out.tfevents.*"):
            events.unlink()
