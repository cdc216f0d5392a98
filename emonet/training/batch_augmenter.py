"""Augmentation with torch: the same as `picture_augmenter` does, for a whole batch on the device where it lies."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from emonet.errors import OptionError
from emonet.training.batch_degrader import BatchDegrader
from emonet.training.draws import DrawTable, between, wide
from emonet.training.policies import ASPECTS, Policy


class _Draws(NamedTuple):
    """Numbers from 0 to 1, one for each sample and each thing that is left to chance."""

    mirror: Tensor  # (N,), as all that follow
    placed: Tensor
    zoom_x: Tensor
    zoom_y: Tensor
    turn: Tensor
    shear: Tensor
    shift_x: Tensor
    shift_y: Tensor
    contrast: Tensor
    brightness: Tensor
    erase: Tensor
    area: Tensor
    aspect: Tensor
    left: Tensor
    top: Tensor
    grey: Tensor


class BatchAugmenter:
    """A policy for batches. What becomes of a sample is decided by seed, epoch and its index, which is below `count`.

    The index is the sample's number, or its place in the epoch where some are shown more than once.
    """

    def __init__(self, policy: Policy, count: int, seed: int = 0) -> None:
        self._policy = policy
        self._table = DrawTable(count, len(_Draws._fields), seed)
        self._degrade = BatchDegrader(policy, count, seed) if policy.degrades else None

    def __call__(self, pixels: Tensor, epoch: int, indices: Tensor) -> Tensor:
        """Pixels (N, channels, size, size) in uint8 as float32, still from 0 to 255; `indices` is (N,)."""
        if pixels.dtype != torch.uint8 or pixels.ndim != 4 or pixels.shape[2] != pixels.shape[3]:
            raise OptionError(f"a batch is (N, channels, size, size) in uint8, got {pixels.shape} in {pixels.dtype}")
        policy = self._policy
        draws = _Draws(*self._table(epoch, indices, pixels.device))
        if policy.mirror:
            pixels = torch.where(wide(draws.mirror < policy.mirror), pixels.flip(-1), pixels)
        x = pixels.float()
        if policy.places:
            x = _placed(x, policy, draws)
        if policy.shades:
            x = _shaded(x, policy, draws)
        if policy.erase:
            x = _erased(x, policy, draws)
        return x if self._degrade is None else self._degrade(x, epoch, indices)


def _placed(x: Tensor, policy: Policy, draws: _Draws) -> Tensor:
    matrix = torch.where(
        (draws.placed < policy.placed)[:, None, None],
        _placement(policy, draws, x.shape[-1]),
        torch.eye(2, 3, device=x.device),
    )
    grid = functional.affine_grid(matrix, list(x.shape), align_corners=False)  # (N, size, size, 2)
    return functional.grid_sample(x, grid, padding_mode="border", align_corners=False)


def _placement(policy: Policy, draws: _Draws, size: int) -> Tensor:
    """From a place in the result to that in the picture, (N, 2, 3), in half sides from the centre."""
    angle = torch.deg2rad(between(policy.turn, draws.turn))
    lean = torch.deg2rad(between(policy.shear, draws.shear)).tan()
    zoom_x = between(policy.zoom, draws.zoom_x)
    zoom_y = between(policy.zoom, draws.zoom_y) if policy.zoom_each_axis else zoom_x
    cos, sin = angle.cos(), angle.sin()
    row_x = torch.stack([cos, cos * lean - sin], dim=1) / zoom_x[:, None]
    row_y = torch.stack([sin, sin * lean + cos], dim=1) / zoom_y[:, None]
    turned = torch.stack([row_x, row_y], dim=1)  # (N, 2, 2)
    shift = between(policy.shift, torch.stack([draws.shift_x, draws.shift_y], dim=1))  # (N, 2)
    shift = torch.trunc(shift * size) * (2 / size)
    return torch.cat([turned, -turned @ shift[..., None]], dim=2)


def _shaded(x: Tensor, policy: Policy, draws: _Draws) -> Tensor:
    """In place: nobody else has these numbers yet."""
    contrast = between(policy.contrast, draws.contrast)
    brightness = between(policy.brightness, draws.brightness)
    added = brightness * (1 - contrast) * x.mean(dim=(1, 2, 3))
    return x.mul_(wide(brightness * contrast)).add_(wide(added)).clamp_(0, 255)


def _erased(x: Tensor, policy: Policy, draws: _Draws) -> Tensor:
    size = x.shape[-1]
    area = between(policy.erased, draws.area) * size**2
    aspect = between(ASPECTS, draws.aspect)
    columns = _span((area * aspect).sqrt().round(), draws.left, size)
    rows = _span((area / aspect).sqrt().round(), draws.top, size) & (draws.erase < policy.erase)[:, None]
    hole = rows[:, None, :, None] & columns[:, None, None, :]  # (N, 1, size, size)
    return torch.where(hole, wide((draws.grey * 256).floor()), x)


def _span(length: Tensor, draw: Tensor, size: int) -> Tensor:
    """Which of `size` pixels lie in a stretch of so many, (N, size); every start is equally likely."""
    first = (draw * (size - length + 1)).floor()[:, None]
    places = torch.arange(size, device=draw.device)
    return (places >= first) & (places < first + length[:, None])
