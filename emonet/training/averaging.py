"""Averages of weights, which often do better than where one training, or its last step, happened to land."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

COUNT, MODULE = "n_averaged", "module."  # names in a stored state


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
        share = min(self._decay, (1 + self._updates) / (10 + self._updates)) if self._updates else 0.0
        self._updates += 1
        averages, values = zip(*self._averaged, strict=True)
        torch._foreach_lerp_(averages, values, 1 - share)
        for average, value in self._copied:
            average.copy_(value)

    def state_dict(self) -> dict[str, Tensor]:
        """Return what `load_state_dict` takes."""
        weights = {f"{MODULE}{name}": tensor for name, tensor in self.module.state_dict().items()}
        return {COUNT: torch.tensor(self._updates), **weights}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go back to a state."""
        self._updates = int(state[COUNT])
        weights = {name.removeprefix(MODULE): tensor for name, tensor in state.items() if name != COUNT}
        self.module.load_state_dict(weights)


def _tensors(network: nn.Module) -> list[Tensor]:
    """Weights and buffers themselves, so that changes of the network are seen."""
    return [tensor.detach() for tensor in network.state_dict(keep_vars=True).values()]


def mean_weights(several: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Of networks of one kind; what is counted and not weighed is the first one's."""
    return {
        name: torch.stack([weights[name] for weights in several]).mean(0) if first.is_floating_point() else first
        for name, first in several[0].items()
    }
