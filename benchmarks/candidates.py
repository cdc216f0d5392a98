"""Compares candidates for `emonet` and `emonet_fast`: their size, and how fast they learn on one core.

    python benchmarks/candidates.py [--rounds 3] [--batch 128] [--only NAME ...]

Each line is one network: the parameters of its file, the multiplications of a face in use (branches folded), and the
images a second of a training step in channels_last on one core, in bf16 where the processor has it: forwards,
backwards and SGD. Beside it stands the same as a multiple of today's network of that name, and how much longer the
step is with Muon. Seconds are those of this process on the processor, so that other work on the machine disturbs
little. Rounds, in which the networks take turns, are more even than one long measurement; the best of them counts.
Nothing is said of accuracy.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn

from emonet.inference.devices import Machine, open_machine
from emonet.models import Network
from emonet.models._summary import summarise
from emonet.models.plain_cnn import EmonetFast, PlainCnn
from emonet.models.se_resnet import Emonet, SEResNet
from emonet.training import TrainConfig
from emonet.training.optimizing import make_optimizer


class Candidate(NamedTuple):
    """A network and its arguments; `against` is the network whose place it would take."""

    against: str
    network: type[Network]
    arguments: Mapping[str, Any]


def plain(against: str, widths: tuple[int, ...], convolutions: tuple[int, ...], **arguments: Any) -> Candidate:
    """Whitened patches and kernels that begin as the identity, which cost little, unless told otherwise."""
    chosen = {"gates": (False,) * len(widths), "whiten": 3, "dirac": True, **arguments}
    return Candidate(against, PlainCnn, {"widths": widths, "convolutions": convolutions, **chosen})


OFF, ON = False, True
WIDTHS = (64, 128, 256, 384)
CANDIDATES: dict[str, Candidate] = {
    "emonet": Candidate("emonet", Emonet, {}),
    "white": plain("emonet", WIDTHS, (2, 2, 2, 1)),
    "white, gates": plain("emonet", WIDTHS, (2, 2, 2, 1), gates=(OFF, ON, ON, ON)),
    "white, branches": plain("emonet", WIDTHS, (2, 2, 2, 1), branches=True),
    "white, deep": plain("emonet", WIDTHS, (2, 3, 3, 1)),
    "white, wide": plain("emonet", (96, 192, 384, 384), (1, 2, 2, 1)),
    "white, pooled": plain("emonet", (32, 96, 256, 384), (2, 2, 2, 1), halve="first"),
    "emonet_fast": Candidate("emonet_fast", EmonetFast, {}),
    "fast, residual": Candidate(
        "emonet_fast", SEResNet, {"stem": (24,), "widths": (32, 64, 96, 128), "blocks": (1, 1, 1, 1)}
    ),
    "fast, plain": plain("emonet_fast", (32, 64, 128, 160), (1, 2, 2, 1), whiten=0),
    "fast, white": plain("emonet_fast", (32, 64, 128, 160), (1, 2, 2, 1)),
    "fast, gates": plain("emonet_fast", (32, 64, 128, 160), (2, 2, 2, 1), gates=(OFF, ON, ON, ON)),
    "fast, pooled": plain("emonet_fast", (16, 32, 96, 128), (1, 2, 2, 2), halve="first"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--only", nargs="+", default=list(CANDIDATES), choices=list(CANDIDATES), metavar="NAME")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    machine = open_machine("cpu")
    chosen = {name: CANDIDATES[name] for name in CANDIDATES if name in {*arguments.only, "emonet", "emonet_fast"}}
    steps = {name: Step(candidate, machine, arguments.batch) for name, candidate in chosen.items()}
    for _ in range(arguments.rounds + 1):
        for step in steps.values():
            step.measure()
    print(f"{machine}, torch {torch.__version__}, batches of {arguments.batch}\n")
    print("| network | parameters | million multiplications | images/s | beside today's | Muon's step |")
    print("|---|---|---|---|---|---|")
    for name, step in steps.items():
        times = steps[chosen[name].against].seconds / step.seconds
        rate = arguments.batch / step.seconds
        print(f"| {name} | {size(chosen[name])} | {rate:,.0f} | {times:.2f} x | +{step.muon_share:.1%} |", flush=True)


def size(candidate: Candidate) -> str:
    with torch.device("meta"):
        network = candidate.network(**candidate.arguments)
    stored = summarise(network).parameters
    network.fold()
    return f"{stored:,} | {summarise(network).macs / 1e6:.1f}"


class Step:
    """A network in training, and how long the parts of its step took."""

    def __init__(self, candidate: Candidate, machine: Machine, batch: int) -> None:
        torch.manual_seed(0)
        self._machine = machine
        self._network = candidate.network(**candidate.arguments).to(memory_format=torch.channels_last).train()
        self._x = torch.randn(batch, 1, 48, 48).contiguous(memory_format=torch.channels_last)
        self._network.prepare(self._x)
        self._labels = torch.randint(7, (batch,))
        self._sgd = make_optimizer(self._network, TrainConfig(optimizer="sgd", learning_rate=0.01))
        self._muon = make_optimizer(self._network, TrainConfig(optimizer="muon", learning_rate=0.01, rest_rate=0.01))
        self._times: list[tuple[float, float, float]] = []  # of learning, and of both optimizers' steps

    def measure(self) -> None:
        """One step; both optimizers take the same gradients."""
        self._network.zero_grad()
        self._times.append((timed(self._learn), timed(self._sgd.step), timed(self._muon.step)))

    def _learn(self) -> None:
        with self._machine.autocast():
            scores = self._network(self._x)
        torch.autograd.backward(nn.functional.cross_entropy(scores.float(), self._labels))

    @property
    def seconds(self) -> float:
        """Of the fastest step with SGD; the first one warms up."""
        learning, sgd, _ = self._best()
        return learning + sgd

    @property
    def muon_share(self) -> float:
        """What Muon takes longer than SGD, beside the whole step."""
        _, sgd, muon = self._best()
        return (muon - sgd) / self.seconds

    def _best(self) -> list[float]:
        return [min(times) for times in zip(*self._times[1:], strict=True)]


def timed(work: Callable[[], Any]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
