"""Compares images that are streamed from the data set with images in memory: their pace, and the memory that they need.

    python benchmarks/stream.py STORE [--model emonet_fast] [--steps 60] [--rounds 3] [--window 8192] [--device auto]
    python benchmarks/stream.py STORE --times 1 4 --size 96

STORE is what `emonet build` wrote. The first command trains with both in turns, in the same order and with the same
options, and shows the median pace of each, and their ratio by the clock and by processor time. Reading all images into
memory, which is done once, is not counted. The second command makes data sets of so many times the images, with links
to the same files, trains some steps on each in a process of its own, and shows the most memory that this process has
had (VmHWM in /proc/self/status).
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from emonet.datasets.store import Store, open_store
from emonet.inference.devices import open_machine
from emonet.models import create_model
from emonet.training.config import TrainConfig
from emonet.training.distributed import Processes
from emonet.training.log import Silent
from emonet.training.material import Material, gather_material
from emonet.training.recipes import recipe
from emonet.training.trainer import Trainer

STORAGES = ("memory", "stream")
MIB = 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("--model", default="emonet_fast")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--window", type=int, default=8192)
    parser.add_argument("--size", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--times", type=int, nargs="+", default=[])
    parser.add_argument("--peak", choices=STORAGES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    options = {"steps": arguments.steps, "window": arguments.window, "size": arguments.size}
    config = TrainConfig.from_dict({**recipe(arguments.model), **options, "device": arguments.device})
    if arguments.peak:
        config = keep_in(config, arguments.peak)
        train(config, gather(config, arguments.store))
        print(read_peak())
    elif arguments.times:
        passed = ("model", "steps", "window", "size", "device")
        compare_memory(arguments.store, arguments.times, [f"--{name}={getattr(arguments, name)}" for name in passed])
    else:
        compare_pace(config, arguments.store, arguments.rounds)


def keep_in(config: TrainConfig, storage: str) -> TrainConfig:
    return TrainConfig.from_dict(config.to_dict() | {"storage": storage})


def gather(config: TrainConfig, store: Path) -> Material:
    """Read the training images; scoring on dev is left out."""
    return replace(gather_material(config, open_store(store)), dev=None)


class Pace(NamedTuple):
    """What a training came to."""

    rate: float  # images a second
    cpu_rate: float  # images a second of processor time, which other work on the machine does not change
    waiting: float  # share of the time


def train(config: TrainConfig, material: Material) -> Pace:
    """Train some steps, without scoring on dev."""
    machine = open_machine(config.device, config.precision)
    network = create_model(config.model, classes=len(material.train.classes), **config.arguments)
    trainer = Trainer(network, material, replace(config, all_train=True), machine, Processes(), {})
    began, cpu_began = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        rows = list(trainer.run(Path(folder) / "state", Silent()))
    images = config.steps * config.batch_size
    waited = sum(row.waiting_share * row.seconds for row in rows) / sum(row.seconds for row in rows)
    return Pace(images / (time.perf_counter() - began), images / (time.process_time() - cpu_began), waited)


def compare_pace(config: TrainConfig, store: Path, rounds: int) -> None:
    materials = {storage: gather(keep_in(config, storage), store) for storage in STORAGES}
    print(f"{config.model}, {config.steps} steps of {config.batch_size}, window {config.window}, {rounds} rounds")
    for augment_with in ("albumentations", "torch"):
        paces: dict[str, list[Pace]] = {storage: [] for storage in STORAGES}
        for _ in range(rounds):
            for storage, material in materials.items():
                chosen = TrainConfig.from_dict({**config.to_dict(), "storage": storage, "augment_with": augment_with})
                paces[storage].append(train(chosen, material))
        for storage, found in paces.items():
            pace = Pace(*map(statistics.median, zip(*found, strict=True)))
            print(f"  {augment_with:14} {storage:6} {pace.rate:7,.0f} images/s, {pace.waiting:.0%} waiting for data")
        pairs = list(zip(*paces.values(), strict=True))
        for name in ("rate", "cpu_rate"):
            ratios = [getattr(streamed, name) / getattr(memory, name) for memory, streamed in pairs]
            spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
            what = "by the clock" if name == "rate" else "by processor time"
            print(f"  {augment_with:14} streamed: {statistics.median(ratios):.2f} of memory {what} ({spread})")


def compare_memory(store: Path, times: list[int], options: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for number in times:
            larger = enlarge(open_store(store), Path(folder) / str(number), number)
            for storage in STORAGES:
                command = [sys.executable, __file__, str(larger), *options, "--peak", storage]
                result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                images = open_store(larger).splits["train"]
                print(f"  {images:9,} images, {storage:6} {int(result.stdout.split()[-1]) / MIB:7,.0f} MiB")


def enlarge(store: Store, folder: Path, times: int) -> Path:
    """Make a data set that has each training image so many times."""
    (folder / "data").mkdir(parents=True)
    description = json.loads((store.path / "dataset.json").read_text())
    shards = []
    for split, own in description["splits"].items():
        for shard in own:
            for number in range(times if split == "train" else 1):
                name = f"data/{number}-{Path(shard['name']).name}"
                (folder / name).symlink_to((store.path / shard["name"]).resolve())
                if split == "train":
                    shards.append({**shard, "name": name})
                else:
                    shard["name"] = name
    description["splits"]["train"] = shards
    (folder / "dataset.json").write_text(json.dumps(description))
    return folder


def read_peak() -> int:
    """Read the most memory that this process has had, in bytes. It is not inherited, as that of `getrusage` is."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else 0


if __name__ == "__main__":
    main()
