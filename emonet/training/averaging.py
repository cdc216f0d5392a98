"""Moving averages of the weights. They often do better than the weights of any single step."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from emonet.training.config import TrainConfig

COUNT, MODULE = "n_averaged", "module."  # names in a stored state


def make_average(network: nn.Module, config: TrainConfig, steps: int, steps_an_epoch: int) -> MovingAverage | None:
    """Make the average that the options ask for; None if they ask for none."""
    if config.average_last:
        return TailAverage(network, config.average_last, steps, steps_an_epoch)
    return MovingAverage(network, config.ema) if config.ema else None


class MovingAverage:
    """A copy of a network whose weights follow the network slowly, and faster in the first steps.

    The count of updates is a Python number: a number on the device would make every step wait for the device.

    Args:
        network: The network that learns.
        decay: Share of the average that stays in each step.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(network).requires_grad_(False)
        self._decay = decay
        self._updates = 0
        pairs = list(zip(_list_tensors(self.module), _list_tensors(network), strict=True))
        self._averaged = [pair for pair in pairs if pair[0].is_floating_point()]
        self._copied = [pair for pair in pairs if not pair[0].is_floating_point()]  # batch norm counts its batches

    def update(self) -> None:
        """Follow the network. Call it after each step."""
        kept = self._choose_kept_share()
        self._updates += 1
        if kept < 1:
            averages, values = zip(*self._averaged, strict=True)
            torch._foreach_lerp_(averages, values, 1 - kept)
        for average, value in self._copied:
            average.copy_(value)

    def _choose_kept_share(self) -> float:
        """Choose how much of the average stays in this step."""
        return min(self._decay, (1 + self._updates) / (10 + self._updates)) if self._updates else 0.0

    def state_dict(self) -> dict[str, Tensor]:
        """Return what `load_state_dict` takes."""
        weights = {f"{MODULE}{name}": tensor for name, tensor in self.module.state_dict().items()}
        return {COUNT: torch.tensor(self._updates), **weights}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state_dict` returned."""
        self._updates = int(state[COUNT])
        weights = {name.removeprefix(MODULE): tensor for name, tensor in state.items() if name != COUNT}
        self.module.load_state_dict(weights)


class TailAverage(MovingAverage):
    """The mean of the network at the ends of its last epochs; before them, the network at the end of each epoch."""

    def __init__(self, network: nn.Module, last: int, steps: int, steps_an_epoch: int) -> None:
        super().__init__(network, 0.0)
        self._steps, self._steps_an_epoch = steps, steps_an_epoch
        self._before = max(0, math.ceil(steps / steps_an_epoch) - last)  # epochs that are not averaged

    def _choose_kept_share(self) -> float:
        done = self._updates + 1
        if done % self._steps_an_epoch and done != self._steps:
            return 1.0
        return 1 - 1 / max(1, math.ceil(done / self._steps_an_epoch) - self._before)


def _list_tensors(network: nn.Module) -> list[Tensor]:
    """List the weights and buffers themselves, not copies, so that later changes are seen."""
    return [tensor.detach() for tensor in network.state_dict(keep_vars=True).values()]
