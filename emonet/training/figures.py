"""Loss and accuracy of training steps. They stay on the device until they are read, because reading waits for it."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from emonet.training.distributed import Processes

EVERY = 32  # steps between two readings where reading waits for the device
EVERY_TOGETHER = 8  # where it only waits for the other processes


def choose_reading_interval(device: torch.device, processes: Processes) -> int:
    """Choose how many steps to do between two readings: 1 where reading costs nothing."""
    if device.type != "cpu":
        return EVERY
    return 1 if processes.count == 1 else EVERY_TOGETHER


class StepFigures(NamedTuple):
    """The figures of one step, over all processes."""

    loss: float  # the sum over the images
    right: float
    images: int
    rate: float  # the learning rate
    places: list[Tensor]  # of this process's images in the training data, for each part

    @property
    def finite(self) -> bool:
        """Whether the loss is a number."""
        return math.isfinite(self.loss)


class Figures:
    """Collects the figures of steps. `read` returns those since the last reading, and forgets them.

    Args:
        processes: All processes; they must read at the same steps.
        every: Steps between two readings.
    """

    def __init__(self, processes: Processes, every: int) -> None:
        self._processes = processes
        self._every = every
        self._parts: list[tuple[Tensor, Tensor]] = []
        self._sums: list[Tensor] = []
        self._known: list[tuple[int, float, list[Tensor]]] = []

    def add(self, losses: Tensor, right: Tensor, places: Tensor) -> None:
        """Add a part of a step.

        Args:
            losses: Loss of each image.
            right: How many images were answered correctly.
            places: Places of the images in the training data.
        """
        self._parts.append((torch.stack([losses.detach().sum(), right.float()]), places))

    def end_step(self, images: int, rate: float) -> None:
        """End a step.

        Args:
            images: How many images all processes had together.
            rate: The learning rate.
        """
        sums, places = zip(*self._parts, strict=True)
        self._sums.append(torch.stack(sums).sum(0))
        self._known.append((images, rate, list(places)))
        self._parts = []

    @property
    def due(self) -> bool:
        """Whether it is time to read."""
        return len(self._sums) >= self._every

    def read(self, ask: bool = False) -> tuple[list[StepFigures], bool]:
        """Read the figures of all steps since the last reading.

        Args:
            ask: A question of the first process to all, such as whether to save now.

        Returns:
            The figures, and whether the first process asked.
        """
        asked = torch.full((1, 2), float(ask and self._processes.first), device=self._sums[0].device)
        sums = self._processes.sum(torch.stack(self._sums + list(asked))).tolist()
        rows = [StepFigures(loss, right, *known) for (loss, right), known in zip(sums[:-1], self._known, strict=True)]
        self._sums, self._known = [], []
        return rows, sums[-1][0] > 0
