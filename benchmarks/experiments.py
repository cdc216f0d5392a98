"""Compare recipes: each is trained for the same computing time, with several seeds, and scored on dev.

    python benchmarks/experiments.py STORE OUT [--seeds 3] [--epochs 5] [--only NAME ...] [--results FILE]
    python benchmarks/experiments.py --table [--results FILE]      # print the table of what is there; trains nothing

The baseline is a small `se_resnet` (the `emonet_fast` of before) with SGD and both heads, for so many epochs. A recipe
whose steps cost more or less gets as many steps as the computing time of the baseline allows. What a step costs is
measured in turns with the baseline, in seconds of this process on the processor. FILE (results/experiments.json unless
given) keeps the costs and which images of dev each training got right, so that a comparison may take several days.
Nothing but dev is opened.

The table has, for each recipe, the mean over the seeds of the accuracy on dev (labels; averaged over an image and its
mirror image), the same for what most of ten people see, and both differences to the baseline in points, with a 95 %
interval: an image counts as one observation, the mean over the seeds.
"""

from __future__ import annotations

import argparse
import base64
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emonet.atomic import write_atomically
from emonet.datasets import open_store
from emonet.datasets.store import Store
from emonet.evaluation.votes import seen_majority
from emonet.faces import Faces, read_faces
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.classifier import open_classifier
from emonet.inference.devices import open_machine
from emonet.training import TrainConfig, train

RESULTS = Path(__file__).parents[1] / "results" / "experiments.json"

BASE: dict[str, Any] = {
    "model": "se_resnet",
    "arguments": {"stem": [24], "widths": [32, 64, 96, 128], "blocks": [1, 1, 1, 1], "dropout": 0.2},
    "optimizer": "sgd",
    "smoothing": 0.1,
    "ema": 0.999,
    "clip": 5.0,
    "heads": {"fer2013": 1.0, "seen": 1.0},
    "augment_with": "torch",
    "precision": "auto",
}
BASELINE = "sgd"
MUON: dict[str, Any] = {"optimizer": "muon", "learning_rate": 0.02, "rest_rate": 0.1}
RECIPES: dict[str, dict[str, Any]] = {
    BASELINE: {},
    "muon": MUON,
    "muon 0.01": MUON | {"learning_rate": 0.01},
    "muon 0.04": MUON | {"learning_rate": 0.04},
    "muon, labels alone": MUON | {"heads": {"fer2013": 1.0}},
    "muon, votes half": MUON | {"heads": {"fer2013": 1.0, "seen": 0.5}},
    "muon, no smoothing": MUON | {"smoothing": 0.0},
    "muon, trapezoid": MUON | {"schedule": "trapezoid", "decay_share": 0.4},
    "muon, batches of 64": MUON | {"batch_size": 64},
    "muon, mixup": MUON | {"mixup": 0.2, "mix_until": 0.85},
    "muon, no average": MUON | {"ema": 0.0},
    "muon, degraded": MUON | {"augment": "degraded"},
    "muon, logits": MUON | {"balance": "logits"},
    "muon, mean of 3 epochs": MUON | {"ema": 0.0, "average_last": 3},
    "muon, mirrored in turn": MUON | {"alternate_mirror": True},
    "muon, two views": MUON | {"repeats": 2},
    "muon, growing": MUON | {"size_from": {"0": 32, "0.5": 48}},
    "muon, plain": MUON
    | {
        "model": "plain_cnn",
        "arguments": {"widths": [32, 64, 128, 160], "convolutions": [1, 2, 2, 1], "gates": [False] * 4},
    },
    "muon, white": MUON
    | {
        "model": "plain_cnn",
        "arguments": {
            "widths": [32, 64, 128, 160],
            "convolutions": [1, 2, 2, 1],
            "gates": [False] * 4,
            "whiten": 3,
            "dirac": True,
        },
    },
}
PROBED = 24  # steps in which costs are measured


class Answers(NamedTuple):
    """Which images one training got right on dev."""

    labels: NDArray[np.bool_]
    seen: NDArray[np.bool_]  # of those with a clear majority; empty without such a head


class Results:
    """What is known so far, in a file that is written after each training."""

    def __init__(self, path: Path, setting: Mapping[str, Any] | None = None) -> None:
        self._path = path
        stored: dict[str, Any] = {"setting": setting, "costs": {}, "runs": {}}
        if path.is_file():
            stored = json.loads(path.read_text())
        self._setting: Mapping[str, Any] = stored["setting"]
        self.costs: dict[str, float] = stored["costs"]  # of a step, the baseline's being 1
        self.runs: dict[str, dict[str, Any]] = stored["runs"]  # recipe -> seed -> steps and right images
        if setting is not None and self._setting != setting:
            raise SystemExit(f"{path} is of {self._setting}, not of {setting}: give another --results")

    def answers(self, name: str) -> dict[str, Answers]:
        """Find which images each training of a recipe got right, by seed."""
        return {
            seed: Answers(*(unpack(run[field]) for field in Answers._fields)) for seed, run in self.runs[name].items()
        }

    def add(self, name: str, seed: int, steps: int, found: Answers) -> None:
        """Keep one training."""
        packed = {field: pack(value) for field, value in found._asdict().items()}
        self.runs.setdefault(name, {})[str(seed)] = {"steps": steps, **packed}
        self.save()

    def save(self) -> None:
        """Write the file, whole or not at all."""
        with write_atomically(self._path) as temporary:
            stored = {"setting": self._setting, "costs": self.costs, "runs": self.runs}
            temporary.write_text(json.dumps(stored, indent=1) + "\n")


def pack(right: NDArray[np.bool_]) -> list[Any]:
    """Write which images are right in few letters: how many there are, and their bits."""
    return [len(right), base64.b64encode(np.packbits(right).tobytes()).decode()]


def unpack(stored: Sequence[Any]) -> NDArray[np.bool_]:
    """Read what `pack` wrote."""
    count, text = stored
    return np.unpackbits(np.frombuffer(base64.b64decode(text), np.uint8), count=count).astype(np.bool_)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("store", type=Path, nargs="?")
    options.add_argument("out", type=Path, nargs="?")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--epochs", type=int, default=5, help="of the baseline; the others get the same time")
    options.add_argument("--only", nargs="*", default=list(RECIPES), help="these recipes beside the baseline")
    options.add_argument("--results", type=Path, default=RESULTS)
    options.add_argument("--table", action="store_true", help="print the table and stop")
    given = options.parse_args()
    if not given.table:
        compare(open_store(given.store), given.out, given)
    print_table(Results(given.results))


def compare(store: Store, out: Path, given: argparse.Namespace) -> None:
    """Train what is missing, recipe by recipe, so that each is complete as early as possible."""
    results = Results(given.results, {"data": store.identity, "epochs": given.epochs})
    for name in [BASELINE, *(name for name in given.only if name != BASELINE)]:
        if name not in results.costs:
            results.costs[name] = step_cost(store, out, name)
            results.save()
        for seed in range(given.seeds):
            if str(seed) not in results.runs.get(name, {}):
                steps = budget(store, given.epochs, results.costs[BASELINE] / results.costs[name])
                results.add(name, seed, steps, find_right(trained(store, out, name, seed, steps), store))


def configured(name: str, **changes: Any) -> TrainConfig:
    return TrainConfig.from_dict(BASE | RECIPES[name] | changes)


def budget(store: Store, epochs: int, ratio: float) -> int:
    """How many steps a recipe may take in the time of the baseline."""
    batches = -(-store.splits["train"] // configured(BASELINE).batch_size)
    return round(epochs * batches * ratio)


def step_cost(store: Store, out: Path, name: str) -> float:
    """Measure the computing time of a step, the baseline's being 1."""
    measured: dict[str, list[float]] = {one: [] for one in (BASELINE, name)}
    for _ in range(3):
        for one in measured:
            began = time.process_time()
            train(configured(one, steps=PROBED, keep="last"), store, out / "probe", overwrite=True)
            whole = time.process_time() - began
            began = time.process_time()
            train(configured(one, steps=1, keep="last"), store, out / "probe", overwrite=True)
            measured[one].append((whole - (time.process_time() - began)) / (PROBED - 1))
    return min(measured[name]) / min(measured[BASELINE])


def trained(store: Store, out: Path, name: str, seed: int, steps: int) -> Checkpoint:
    folder = out / f"{name.replace(',', '').replace(' ', '-')}-{seed}"
    began = time.monotonic()
    checkpoint = train(configured(name, seed=seed, steps=steps, epochs=100_000, keep="last"), store, folder)
    print(f"{folder.name}: {steps} steps, {(time.monotonic() - began) / 60:.1f} minutes", flush=True)
    return checkpoint


def find_right(checkpoint: Checkpoint, store: Store) -> Answers:
    """Score a network on dev and its mirror image, by labels and by majorities."""
    dev: Faces = read_faces(store, ["dev"], checkpoint.input)
    said = open_classifier(checkpoint, open_machine(), "mirror")(dev.array)
    majority = seen_majority(dev)
    clear = majority >= 0
    heads = [head.name for head in checkpoint.heads]
    seen = checkpoint.choice("seen")(said).argmax(1)[clear] == majority[clear] if "seen" in heads else np.empty(0, bool)
    return Answers(checkpoint.choice("fer2013")(said).argmax(1) == dev.labels, seen)


def print_table(results: Results) -> None:
    base = results.answers(BASELINE)
    print(f"\n| recipe | seeds | cost of a step | dev, labels | against {BASELINE} | dev, seen | against {BASELINE} |")
    print("|---|---|---|---|---|---|---|")
    for name in results.runs:
        answers = {seed: one for seed, one in results.answers(name).items() if seed in base}
        cells = [f"{len(answers)}", f"{results.costs[name]:.2f}"]
        for field in Answers._fields:
            own, theirs = (np.mean([getattr(of[seed], field) for seed in answers], axis=0) for of in (answers, base))
            cells += [f"{own.mean():.2%}", difference(own, theirs)] if own.size else ["-", "-"]
        print(f"| {name} | {' | '.join(cells)} |")


def difference(own: NDArray[np.float64], base: NDArray[np.float64]) -> str:
    """Points and their 95 % interval over images; the spread of seeds is in it as far as seeds were averaged."""
    apart = 100 * (own - base)
    half = 1.96 * apart.std(ddof=1) / len(apart) ** 0.5
    return f"{apart.mean():+.1f} ({apart.mean() - half:+.1f} to {apart.mean() + half:+.1f})"


if __name__ == "__main__":
    main()
