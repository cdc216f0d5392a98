"""Random numbers of a training: they follow from a seed, the epoch and the image, and not from the order of the work.

A run that is stopped and resumed therefore draws the same numbers, on every machine and in every process.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from emonet.training.policies import Range


def sample_seed(*numbers: int) -> int:
    """Make a seed of 64 bits from whole numbers, such as seed, epoch and index.

    The same numbers give the same seed in every process and on every machine.
    """
    text = "/".join(map(str, numbers))
    # A digest mixes neighbours well, and is several times faster than numpy's SeedSequence.
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


class DrawTable:
    """Random numbers from 0 to 1 for each image of an epoch.

    A whole epoch is drawn at once, so the numbers of an image do not depend on its batch.

    Args:
        count: Images of an epoch.
        columns: Numbers that each image needs.
        seed: Seed of the run.
        *purpose: Tables with the same seed and different purposes are independent.
    """

    def __init__(self, count: int, columns: int, seed: int, *purpose: int) -> None:
        self._shape = count, columns
        self._seed, self._purpose = seed, purpose
        self._holds: tuple[int, torch.device] | None = None
        self._table = torch.empty(0)

    def __call__(self, epoch: int, indices: Tensor, device: torch.device) -> tuple[Tensor, ...]:
        """Return the columns of the images at `indices` (N,); each column is (N,)."""
        if self._holds != (epoch, device):  # drawn on the CPU, so that every device gets the same numbers
            generator = torch.Generator().manual_seed(sample_seed(self._seed, epoch, *self._purpose))
            self._table = torch.rand(self._shape, generator=generator).to(device)
            self._holds = epoch, device
        return self._table[indices].unbind(1)


def spread(limits: Range, draw: Tensor) -> Tensor:
    """Spread draws from 0 to 1 evenly over a range."""
    low, high = limits
    return low + (high - low) * draw


def spread_log(limits: Range, draw: Tensor) -> Tensor:
    """Spread draws from 0 to 1 over a range, evenly on a log scale."""
    low, high = limits
    return low * (high / low) ** draw


def spread_whole(limits: Range, draw: Tensor) -> Tensor:
    """Spread draws from 0 to 1 over the whole numbers of a range, both ends included."""
    low, high = limits
    return (low + (high + 1 - low) * draw).floor()


def expand(values: Tensor) -> Tensor:
    """Reshape one number per image (N,) to (N, 1, 1, 1), to be used with pixels."""
    return values[:, None, None, None]
