"""Averages of weights, which often do better than where one training, or its last step, happened to land."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """A copy that follows the network: `update_parameters` after each step. It follows more closely at first."""

    def follow(averages: Sequence[Tensor], values: Sequence[Tensor], _: Tensor | int) -> None:
        updates = float(average.n_averaged)  # stays on the host; what is passed here is a copy on the device
        if averages[0].is_floating_point():
            torch._foreach_lerp_([*averages], [*values], 1 - min(decay, (1 + updates) / (10 + updates)))
        else:
            torch._foreach_copy_([*averages], [*values])  # batch norm's count of batches

    average = AveragedModel(network, multi_avg_fn=follow, use_buffers=True)
    return average


def mean_weights(several: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Of networks of one kind; what is counted and not weighed is the first one's."""
    return {
        name: torch.stack([weights[name] for weights in several]).mean(0) if first.is_floating_point() else first
        for name, first in several[0].items()
    }
