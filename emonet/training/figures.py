"""The figures of training steps. They stay on the device until they are read: reading waits for the device."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from emonet.training.distributed import Processes

EVERY = 32  # steps between two readings, where a reading makes the device wait
EVERY_TOGETHER = 8  # where it makes other processes wait alone


def steps_between_readings(device: torch.device, processes: Processes) -> int:
    """One where reading costs nothing: alone, and on the processor."""
    if device.type != "cpu":
        return EVERY
    return 1 if processes.count == 1 else EVERY_TOGETHER


class StepFigures(NamedTuple):
    """What one step came to, over all processes."""

    loss: float  # the sum over the pictures
    right: float
    pictures: int
    rate: float  # of learning
    places: Tensor  # of this process's pictures in the training data

    @property
    def finite(self) -> bool:
        """Whether the loss is a number."""
        return math.isfinite(self.loss)


class Figures:
    """Collects the figures of steps; `read` gives those since the last reading, and forgets them."""

    def __init__(self, processes: Processes, every: int) -> None:
        self._processes = processes
        self._every = every
        self._sums: list[Tensor] = []
        self._known: list[tuple[int, float, Tensor]] = []

    def add(self, losses: Tensor, right: Tensor, pictures: int, rate: float, places: Tensor) -> None:
        """Note a step: the losses of this process's pictures, and how many pictures all processes had."""
        self._sums.append(torch.stack([losses.detach().sum(), right.float()]))
        self._known.append((pictures, rate, places))

    @property
    def due(self) -> bool:
        """Whether it is time to read."""
        return len(self._sums) >= self._every

    def read(self, ask: bool = False) -> tuple[list[StepFigures], bool]:
        """Give the figures of all steps since the last reading; and whether the first process asks for something.

        All processes must read at the same step.
        """
        asked = torch.full((1, 2), float(ask and self._processes.first), device=self._sums[0].device)
        sums = self._processes.summed(torch.stack(self._sums + list(asked))).tolist()
        rows = [StepFigures(loss, right, *known) for (loss, right), known in zip(sums[:-1], self._known, strict=True)]
        self._sums, self._known = [], []
        return rows, sums[-1][0] > 0
