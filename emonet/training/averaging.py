"""Averages of weights, which often do better than where one training, or its last step, happened to land."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from emonet.training.config import TrainConfig

COUNT, MODULE = "n_averaged", "module."  # names in a stored state


def make_average(network: nn.Module, config: TrainConfig, steps: int, steps_an_epoch: int) -> MovingAverage | None:
    """Make the average that the options ask for."""
    if config.average_last:
        return TailAverage(network, config.average_last, steps, steps_an_epoch)
    return MovingAverage(network, config.ema) if config.ema else None


class MovingAverage:
    """A copy of a network whose weights follow it; they follow more closely at first.

    The count of updates is a number of Python's: one on the device would make every step wait for it.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(network).requires_grad_(False)
        self._decay = decay
        self._updates = 0
        pairs = list(zip(_tensors(self.module), _tensors(network), strict=True))
        self._averaged = [pair for pair in pairs if pair[0].is_floating_point()]
        self._copied = [pair for pair in pairs if not pair[0].is_floating_point()]  # batch norm's count of batches

    def update(self) -> None:
        """Follow the network, after each of its steps."""
        kept = self._kept_share()
        self._updates += 1
        if kept < 1:
            averages, values = zip(*self._averaged, strict=True)
            torch._foreach_lerp_(averages, values, 1 - kept)
        for average, value in self._copied:
            average.copy_(value)

    def _kept_share(self) -> float:
        """How much of the average stays; the rest comes from the network."""
        return min(self._decay, (1 + self._updates) / (10 + self._updates)) if self._updates else 0.0

    def state_dict(self) -> dict[str, Tensor]:
        """Return what `load_state_dict` takes."""
        weights = {f"{MODULE}{name}": tensor for name, tensor in self.module.state_dict().items()}
        return {COUNT: torch.tensor(self._updates), **weights}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go back to a state."""
        self._updates = int(state[COUNT])
        weights = {name.removeprefix(MODULE): tensor for name, tensor in state.items() if name != COUNT}
        self.module.load_state_dict(weights)


class TailAverage(MovingAverage):
    """The mean of the network at the ends of its last epochs; before them, the network at the end of each epoch."""

    def __init__(self, network: nn.Module, last: int, steps: int, steps_an_epoch: int) -> None:
        super().__init__(network, 0.0)
        self._steps, self._steps_an_epoch = steps, steps_an_epoch
        self._before = math.ceil(steps / steps_an_epoch) - last  # epochs that do not count

    def _kept_share(self) -> float:
        done = self._updates + 1
        if done % self._steps_an_epoch and done != self._steps:
            return 1.0
        return 1 - 1 / max(1, math.ceil(done / self._steps_an_epoch) - self._before)


def _tensors(network: nn.Module) -> list[Tensor]:
    """Weights and buffers themselves, so that changes of the network are seen."""
    return [tensor.detach() for tensor in network.state_dict(keep_vars=True).values()]


def mean_weights(several: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Of networks of one kind; what is counted and not weighed is the first one's."""
    return {
        name: torch.stack([weights[name] for weights in several]).mean(0) if first.is_floating_point() else first
        for name, first in several[0].items()
    }
