"""Degradation with torch: the same as `picture_degrader` does, for a whole batch on the device where it lies."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from emonet.training.block_jpeg import BLOCK, compress
from emonet.training.draws import DrawTable, between, log_between, wide
from emonet.training.policies import Policy, Range
from emonet.training.resampling import blur_matrix, enlarge_matrix, resample, shrink_matrix
from emonet.training.seeds import sample_seed

DRAWS, NOISE = 1, 2  # purposes of the numbers drawn here: they differ from those of the other augmentation
SHARP = 0.01  # sigma of a Gaussian that changes nothing
PLACES = 2**20  # in the noise, at which a picture's part of it may begin


class _Draws(NamedTuple):
    """Numbers from 0 to 1, one for each sample and each thing that is left to chance."""

    degraded: Tensor  # (N,), as all that follow
    gamma: Tensor
    exponent: Tensor
    blur: Tensor
    sigma: Tensor
    shrink: Tensor
    length: Tensor
    cubic: Tensor
    noise: Tensor
    std: Tensor
    place: Tensor
    jpeg: Tensor
    quality: Tensor


class BatchDegrader:
    """The degradation of a policy for batches. Seed, epoch and index decide what happens to a sample."""

    def __init__(self, policy: Policy, count: int, seed: int = 0) -> None:
        self._policy = policy
        self._seed = seed
        self._table = DrawTable(count, len(_Draws._fields), seed, DRAWS)
        self._noise = torch.empty(0)

    def __call__(self, x: Tensor, epoch: int, indices: Tensor) -> Tensor:
        """Degrade pictures (N, channels, size, size), from 0 to 255; those that are spared stay as they are."""
        policy, size = self._policy, x.shape[-1]
        draws = _Draws(*self._table(epoch, indices, x.device))
        rows = -(-size // BLOCK) * BLOCK
        length = _lengths(policy, draws, size)
        small = resample(_with_gamma(x, policy, draws), _shrinking(policy, draws, length, size, rows))
        if policy.noise:
            small += self._noise_of(small, draws)
        small = small.clamp_(0, 255)
        if policy.jpeg:
            quality = _whole(policy.jpeg_quality, draws.quality)
            small = torch.where(wide(draws.jpeg < policy.jpeg), compress(small, quality), small)
        large = resample(small, enlarge_matrix(length, size, rows, draws.cubic < 0.5)).clamp_(0, 255)
        return torch.where(wide(draws.degraded < policy.degraded), large, x)

    def _noise_of(self, x: Tensor, draws: _Draws) -> Tensor:
        """Take a part of the same long noise for each picture, so that no batch decides which noise a sample gets."""
        count = x[0].numel()
        if len(self._noise) != PLACES + count or self._noise.device != x.device:
            chance = torch.Generator().manual_seed(sample_seed(self._seed, 0, NOISE))
            self._noise = torch.randn(PLACES + count, generator=chance).to(x.device)
        parts = self._noise.unfold(0, count, 1)[(draws.place * PLACES).long()]  # (N, count)
        std = torch.where(draws.noise < self._policy.noise, between(self._policy.noise_std, draws.std), 0)
        return (parts * std[:, None]).view_as(x)


def _lengths(policy: Policy, draws: _Draws, size: int) -> Tensor:
    """How many pixels a side are left of each picture, (N,)."""
    lengths = log_between(policy.shrink_to, draws.length).round().clamp(max=size)
    return torch.where(draws.shrink < policy.shrink, lengths, size)


def _with_gamma(x: Tensor, policy: Policy, draws: _Draws) -> Tensor:
    if not policy.gamma:
        return x
    exponent = torch.where(draws.gamma < policy.gamma, log_between(policy.gamma_exponent, draws.exponent), 1)
    return (x / 255).pow_(wide(exponent)).mul_(255)


def _shrinking(policy: Policy, draws: _Draws, length: Tensor, size: int, rows: int) -> Tensor:
    """Blurs and shrinks, (N, rows, size)."""
    matrix = shrink_matrix(length, size, rows)
    if not policy.blur:
        return matrix
    sigma = torch.where(draws.blur < policy.blur, between(policy.blur_sigma, draws.sigma), SHARP)
    return matrix @ blur_matrix(sigma, size, policy.blur_sigma[1])


def _whole(limits: Range, draw: Tensor) -> Tensor:
    """A whole number of a range, each equally likely."""
    low, high = limits
    return (low + (high + 1 - low) * draw).floor()
