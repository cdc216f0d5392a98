"""The moving average of a network's weights, which often does better than where the last step happened to land."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """A copy that follows the network: `update_parameters` after each step. It follows more closely at first."""

    def follow(averages: Sequence[Tensor], values: Sequence[Tensor], updates: Tensor | int) -> None:
        pace = 1 - min(decay, (1 + float(updates)) / (10 + float(updates)))
        for average, value in zip(averages, values, strict=True):
            if average.is_floating_point():
                average.lerp_(value, pace)
            else:
                average.copy_(value)  # batch norm's count of batches

    return AveragedModel(network, multi_avg_fn=follow, use_buffers=True)
