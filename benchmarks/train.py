"""Compares `emonet train` with the loop that one would write with torchvision instead, in one run.

    python benchmarks/train.py STORE [--models emonet_fast emonet] [--steps 100] [--device auto]

STORE is what `emonet build` wrote. The plain loop reads its images as PNG files through torchvision's ImageFolder,
augments them with torchvision's transforms of the same ranges, in as many processes as there are cores, and takes the
usual steps in the usual order. Network, optimiser, batch size and precision are the same. Both are timed over the same
number of steps, the start of their processes included; decoding into memory, which ours does once, is timed on its
own. Of --rounds rounds, in which the loops take turns, the medians are shown. On a GPU the arithmetic of a second is
put beside what the card does in a large matrix product.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from emonet.datasets.store import Store, open_store
from emonet.datasets.store.imagefolder import write_imagefolder
from emonet.inference.devices import Machine, open_machine
from emonet.models import create_model
from emonet.models._summary import summarise
from emonet.training.config import TrainConfig
from emonet.training.distributed import Processes
from emonet.training.log import Silent
from emonet.training.material import Material, gather_material
from emonet.training.recipes import recipe
from emonet.training.trainer import Trainer

MEAN, STD = 0.5, 0.25  # of the plain loop's images


class Pace(NamedTuple):
    """What a loop came to."""

    rate: float  # images a second
    waiting: float  # share of the time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("--models", nargs="+", default=["emonet_fast", "emonet"])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    machine = open_machine(arguments.device)
    store = open_store(arguments.store)
    print(f"{machine}, torch {torch.__version__}, {os.cpu_count()} cores, {arguments.steps} steps")
    with tempfile.TemporaryDirectory() as folder:
        write_imagefolder(store, folder)
        for model in arguments.models:
            compare(model, store, Path(folder), machine, arguments.steps, arguments.rounds)


def compare(model: str, store: Store, folder: Path, machine: Machine, steps: int, rounds: int) -> None:
    config = TrainConfig.from_dict(
        {**recipe(model), "steps": steps, "mixup": 0.0, "ema": 0.0, "device": machine.device.type}
    )
    began = time.perf_counter()
    material = gather_material(config, store)
    decoding = time.perf_counter() - began
    loops: dict[str, Callable[[], Pace]] = {
        "plain loop": lambda: plain(config, folder, machine),
        "emonet, albumentations": lambda: ours(config, material, machine, "albumentations"),
        "emonet, torch": lambda: ours(config, material, machine, "torch"),
    }
    paces: dict[str, list[Pace]] = {name: [] for name in loops}
    for _ in range(rounds):
        for name, loop in loops.items():
            paces[name].append(loop())
    medians = {name: Pace(*map(statistics.median, zip(*found, strict=True))) for name, found in paces.items()}
    print(f"\n{model}: {len(material.train):,} images decoded in {decoding:.1f} s")
    for name, pace in medians.items():
        times = pace.rate / medians["plain loop"].rate
        print(f"  {name:24} {pace.rate:8,.0f} images/s, {pace.waiting:4.0%} waiting for data, {times:.2f} times")
    if machine.device.type == "cuda":
        print_arithmetic(model, max(pace.rate for pace in medians.values()), machine)


def plain(config: TrainConfig, folder: Path, machine: Machine) -> Pace:
    transform = transforms.Compose(
        [
            transforms.Grayscale(),
            transforms.RandomHorizontalFlip(),
            transforms.RandomAffine(
                15, translate=(0.06, 0.06), scale=(0.85, 1.15), interpolation=transforms.InterpolationMode.BILINEAR
            ),
            transforms.ColorJitter(brightness=0.3, contrast=0.3),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
            transforms.RandomErasing(0.5, scale=(0.02, 0.2), ratio=(0.5, 2)),
        ]
    )
    images = datasets.ImageFolder(str(folder / "train"), transform)
    workers = min(8, os.cpu_count() or 1)
    loader = DataLoader(images, config.batch_size, shuffle=True, num_workers=workers, drop_last=True)
    network = create_model(config.model, classes=len(images.classes)).to(machine.device).train()
    optimizer = torch.optim.SGD(
        network.parameters(), config.learning_rate, momentum=0.9, nesterov=True, weight_decay=config.weight_decay
    )
    criterion = nn.CrossEntropyLoss(label_smoothing=config.smoothing)
    waited, done = 0.0, 0
    began = time.perf_counter()
    batches = iter(endless(loader))
    for _ in range(config.steps):
        asked = time.perf_counter()
        x, labels = next(batches)
        waited += time.perf_counter() - asked
        x, labels = x.to(machine.device), labels.to(machine.device)
        with machine.autocast():
            scores = network(x)
        loss = criterion(scores.float(), labels)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), config.clip)
        optimizer.step()
        loss.item()
        done += len(x)
    seconds = time.perf_counter() - began
    return Pace(done / seconds, waited / seconds)


def endless(loader: Iterable[list[torch.Tensor]]) -> Iterator[list[torch.Tensor]]:
    while True:
        yield from loader


def ours(config: TrainConfig, material: Material, machine: Machine, augment_with: str) -> Pace:
    """Without scoring on dev and writing files, which the plain loop does not do either."""
    config = TrainConfig.from_dict(config.to_dict() | {"augment_with": augment_with, "all_train": True})
    network = create_model(config.model, classes=len(material.train.classes))
    trainer = Trainer(network, replace(material, dev=None), config, machine, Processes(), {})
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        rows = list(trainer.run(Path(folder) / "state", Silent()))
    seconds = time.perf_counter() - began
    waited = sum(row.waiting_share * row.seconds for row in rows)
    return Pace(config.steps * config.batch_size / seconds, waited / seconds)


def print_arithmetic(model: str, rate: float, machine: Machine) -> None:
    """An image costs two operations a multiplication, once forwards and twice backwards."""
    macs = summarise(create_model(model)).macs
    done = rate * macs * 6 / 1e12
    card = matrix_product(machine)
    print(f"  {done:.2f} TFLOP/s of {card:.0f} in a matrix product, {done / card:.1%}")


def matrix_product(machine: Machine) -> float:
    """TFLOP/s of a large product in the same precision."""
    side, repeats = 8192, 20
    a = torch.randn(side, side, device=machine.device, dtype=torch.bfloat16 if machine.bf16 else torch.float32)
    for _ in range(3):
        a @ a
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(repeats):
        a @ a
    torch.cuda.synchronize()
    return 2 * side**3 * repeats / (time.perf_counter() - began) / 1e12


if __name__ == "__main__":
    main()
