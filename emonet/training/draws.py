"""Random numbers for batches: drawn for all samples when an epoch begins, whatever the batches are."""

from __future__ import annotations

import torch
from torch import Tensor

from emonet.training.policies import Range
from emonet.training.seeds import sample_seed


class DrawTable:
    """A row of numbers from 0 to 1 for each of `count` samples, anew in each epoch.

    Tables of the same seed with different `purpose` are independent.
    """

    def __init__(self, count: int, columns: int, seed: int, *purpose: int) -> None:
        self._shape = count, columns
        self._seed, self._purpose = seed, purpose
        self._drawn: tuple[int, torch.device] | None = None
        self._table = torch.empty(0)

    def __call__(self, epoch: int, indices: Tensor, device: torch.device) -> tuple[Tensor, ...]:
        """The columns, each (N,), of the samples at `indices` (N,)."""
        if self._drawn != (epoch, device):  # drawn on the CPU, so that every device gets the same numbers
            chance = torch.Generator().manual_seed(sample_seed(self._seed, epoch, *self._purpose))
            self._table = torch.rand(self._shape, generator=chance).to(device)
            self._drawn = epoch, device
        return self._table[indices].unbind(1)


def between(limits: Range, draw: Tensor) -> Tensor:
    """Spread draws from 0 to 1 evenly over a range."""
    low, high = limits
    return low + (high - low) * draw


def log_between(limits: Range, draw: Tensor) -> Tensor:
    """Spread draws from 0 to 1 over a range, evenly on a log scale."""
    low, high = limits
    return low * (high / low) ** draw


def wide(values: Tensor) -> Tensor:
    """Reshape one number a sample (N,) to (N, 1, 1, 1), to go with pixels."""
    return values[:, None, None, None]
