"""Tries recipes: each is trained for the same computing time, with several seeds, and compared on dev.

    python benchmarks/experiments.py STORE OUT [--seeds 3] [--epochs 9] [--only NAME ...]

The baseline is today's recipe of `emonet_fast` with both heads, for so many epochs. A recipe whose steps cost more or
less gets as many steps as the baseline's computing time allows; what a step costs is measured in turns, in seconds of
this process on the processor, and kept in OUT/costs.json. Every training is kept in OUT and not repeated, so recipes
can be added. Nothing but dev is opened.

The table has, for each recipe, the mean over the seeds of dev accuracy (labels, mirrored) and of the agreement with
what most of ten people see, and the difference to the baseline in points with its 95 % interval: the seeds' mean of
each picture is one observation.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emonet.datasets import open_store
from emonet.datasets.store import Store
from emonet.evaluation.votes import seen_majority
from emonet.faces import Faces, read_faces
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.classifier import open_classifier
from emonet.inference.devices import open_machine
from emonet.training import TrainConfig, recipe, train

BASE: dict[str, Any] = {"heads": {"fer2013": 1.0, "seen": 1.0}, "augment_with": "torch", "precision": "auto"}
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
    """Which pictures one training got right on dev."""

    labels: NDArray[np.bool_]
    seen: NDArray[np.bool_]  # of those with a clear majority; empty without such a head


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("store", type=Path)
    options.add_argument("out", type=Path)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--epochs", type=int, default=9, help="of the baseline; the others get the same time")
    options.add_argument("--only", nargs="*", default=list(RECIPES), help="these recipes beside the baseline")
    given = options.parse_args()
    store = open_store(given.store)
    names = [BASELINE, *(name for name in given.only if name != BASELINE)]
    costs = {name: step_cost(store, given.out, name) for name in names}
    dev = {seed: {} for seed in range(given.seeds)}  # type: dict[int, dict[str, Answers]]
    for seed in range(given.seeds):  # seed by seed, so that a run that is stopped can already be read
        for name in names:
            steps = budget(store, given.epochs, costs[BASELINE] / costs[name])
            dev[seed][name] = answers(trained(store, given.out, name, seed, steps), store)
        print_table(names, costs, list(dev.values())[: seed + 1])


def configured(name: str, **changes: Any) -> TrainConfig:
    options = BASE | RECIPES[name]
    model = options.pop("model", "emonet_fast")
    return TrainConfig.from_dict(recipe("emonet_fast", **options) | {"model": model} | changes)


def budget(store: Store, epochs: int, ratio: float) -> int:
    """How many steps a recipe may take in the time of the baseline."""
    batches = -(-store.splits["train"] // configured(BASELINE).batch_size)
    return round(epochs * batches * ratio)


def step_cost(store: Store, out: Path, name: str) -> float:
    """Seconds of this process for a picture of the baseline's batch: measured beside the baseline, and kept."""
    path = out / "costs.json"
    kept: dict[str, float] = json.loads(path.read_text()) if path.is_file() else {}
    if name not in kept:
        measured = {one: [] for one in (BASELINE, name)}  # type: dict[str, list[float]]
        for _ in range(3):
            for one in measured:
                began = time.process_time()
                train(configured(one, steps=PROBED, keep="last"), store, out / "probe", overwrite=True)
                whole = time.process_time() - began
                began = time.process_time()
                train(configured(one, steps=1, keep="last"), store, out / "probe", overwrite=True)
                measured[one].append((whole - (time.process_time() - began)) / (PROBED - 1))
        kept[name] = min(measured[name]) / min(measured[BASELINE])
        path.write_text(json.dumps(kept, indent=1))
    return kept[name]


def trained(store: Store, out: Path, name: str, seed: int, steps: int) -> Checkpoint:
    folder = out / f"{name.replace(',', '').replace(' ', '-')}-{seed}"
    began = time.monotonic()
    checkpoint = train(configured(name, seed=seed, steps=steps, epochs=100_000, keep="last"), store, folder)
    print(f"{folder.name}: {steps} steps, {(time.monotonic() - began) / 60:.1f} minutes", flush=True)
    return checkpoint


def answers(checkpoint: Checkpoint, store: Store) -> Answers:
    """What a network says of dev and its mirror image, held against labels and majorities."""
    dev: Faces = read_faces(store, ["dev"], checkpoint.input)
    said = open_classifier(checkpoint, open_machine(), "mirror")(dev.pixels)
    majority = seen_majority(dev)
    clear = majority >= 0
    heads = [head.name for head in checkpoint.heads]
    seen = checkpoint.choice("seen")(said).argmax(1)[clear] == majority[clear] if "seen" in heads else np.empty(0, bool)
    return Answers(checkpoint.choice("fer2013")(said).argmax(1) == dev.labels, seen)


def print_table(names: Sequence[str], costs: Mapping[str, float], seeds: Sequence[Mapping[str, Answers]]) -> None:
    print(f"\n| recipe | cost of a step | dev, labels | against {BASELINE} | dev, seen | against {BASELINE} |")
    print("|---|---|---|---|---|---|")
    for name in names:
        cells = [f"{costs[name]:.2f}"]
        for field in Answers._fields:
            own, base = (np.mean([getattr(one[which], field) for one in seeds], axis=0) for which in (name, BASELINE))
            cells += [f"{own.mean():.2%}", difference(own, base)] if own.size else ["-", "-"]
        print(f"| {name} | {' | '.join(cells)} |")
    print(f"{len(seeds)} seeds", flush=True)


def difference(own: NDArray[np.float64], base: NDArray[np.float64]) -> str:
    """Points and their 95 % interval over pictures; the spread of seeds is in it as far as seeds were averaged."""
    apart = 100 * (own - base)
    half = 1.96 * apart.std(ddof=1) / len(apart) ** 0.5
    return f"{apart.mean():+.1f} ({apart.mean() - half:+.1f} to {apart.mean() + half:+.1f})"


if __name__ == "__main__":
    main()
