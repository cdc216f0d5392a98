"""The optimizer of a run, and its learning rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from emonet.training.config import TrainConfig
from emonet.training.muon import Muon

KERNELS = (nn.Linear, nn.modules.conv._ConvNd)
RATE_SHARE = "rate_share"  # of a parameter group: its learning rate as a multiple of the others'


def make_optimizer(network: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Make the optimizer that the options ask for.

    By default weight decay affects kernels only, not biases, batch norm and the slopes of activations. The fused
    variants go through each number once, which takes a ninth of the time on a CPU.

    Args:
        network: The network whose parameters are optimized.
        config: Options of the run.
    """
    learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if config.optimizer == "muon":
        return _make_muon(network, learned, config)
    groups = _group_by_decay(network, learned, config)
    if config.optimizer == "sgd":
        nesterov = config.momentum > 0
        return torch.optim.SGD(groups, config.learning_rate, momentum=config.momentum, nesterov=nesterov, fused=True)
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, config.learning_rate, fused=True)


def _group_by_decay(
    network: nn.Module, parameters: Sequence[nn.Parameter], config: TrainConfig
) -> list[dict[str, Any]]:
    kernels = {id(module.weight) for module in network.modules() if isinstance(module, KERNELS)}
    decaying = [parameter for parameter in parameters if config.decay == "all" or id(parameter) in kernels]
    free = [parameter for parameter in parameters if config.decay != "all" and id(parameter) not in kernels]
    groups = [{"params": decaying, "weight_decay": config.weight_decay}, {"params": free, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def _make_muon(network: nn.Module, learned: Sequence[nn.Parameter], config: TrainConfig) -> Muon:
    """Make Muon for convolutions that see all channels; SGD takes the rest, grouped convolutions included."""
    convolutions = [module for module in network.modules() if isinstance(module, nn.modules.conv._ConvNd)]
    orthogonal = {id(module.weight) for module in convolutions if module.groups == 1 and not module.transposed}
    kernels = [parameter for parameter in learned if id(parameter) in orthogonal]
    rest = _group_by_decay(network, [parameter for parameter in learned if id(parameter) not in orthogonal], config)
    share = config.rest_rate / config.learning_rate if config.learning_rate else 0.0
    groups = [{"params": kernels, "orthogonal": True}, *({**group, RATE_SHARE: share} for group in rest)]
    return Muon(groups if kernels else groups[1:], config.learning_rate, momentum=config.momentum)


class LearningRate:
    """The learning rate of each step.

    Args:
        config: Options of the run.
        steps: Steps of the whole run.
        steps_an_epoch: Steps of an epoch.

    Attributes:
        drops: How often the schedule `plateau` has lowered the rate.
    """

    def __init__(self, config: TrainConfig, steps: int, steps_an_epoch: int) -> None:
        self._config = config
        self._steps = steps
        self._warmup = min(steps, round(config.warmup * steps_an_epoch))
        self.drops = 0

    def at(self, step: int) -> float:
        """Return the rate of a step; the first is 0."""
        rate = self._config.learning_rate
        if step < self._warmup:
            return rate * (step + 1) / self._warmup
        done = min(1.0, (step - self._warmup) / max(1, self._steps - self._warmup))
        if self._config.schedule == "cosine":
            return rate * (1 + math.cos(math.pi * done)) / 2
        if self._config.schedule == "trapezoid":
            return rate * min(1.0, (1 - done) / self._config.decay_share)
        return rate * self._config.factor**self.drops

    def observe(self, stale: int) -> None:
        """Lower the rate on a plateau. Call it after each epoch, with the number of epochs since the best one."""
        if self._config.schedule == "plateau" and stale and stale % self._config.patience == 0:
            self.drops += 1


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all groups; some have a fixed multiple of it."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get(RATE_SHARE, 1.0)
