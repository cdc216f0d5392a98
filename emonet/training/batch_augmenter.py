"""Augmentation of a whole batch with torch, on its device. Draws from the same distributions as `image_augmenter`."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from emonet.errors import OptionError
from emonet.training.batch_operations import (
    BLOCK,
    JpegTables,
    compress,
    make_blur_matrix,
    make_enlarge_matrix,
    make_jpeg_tables,
    make_shrink_matrix,
    resample,
)
from emonet.training.chance import DrawTable, expand, sample_seed, spread, spread_log, spread_whole
from emonet.training.policies import ASPECTS, Policy

DEGRADATION, NOISE = 1, 2  # purposes of draws, so that degrading changes no other draw
SHARP = 0.01  # sigma of a Gaussian that changes nothing
OFFSETS = 2**20  # places in the noise at which an image's part of it may begin


class _Draws(NamedTuple):
    """Numbers from 0 to 1 for each image, all (N,)."""

    mirror: Tensor
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


class _DegradationDraws(NamedTuple):
    """Numbers from 0 to 1 for each image, all (N,)."""

    degraded: Tensor
    gamma: Tensor
    exponent: Tensor
    blur: Tensor
    sigma: Tensor
    shrink: Tensor
    length: Tensor
    cubic: Tensor
    noise: Tensor
    std: Tensor
    offset: Tensor
    jpeg: Tensor
    quality: Tensor


class BatchAugmenter:
    """Apply a policy to batches. Seed, epoch and index decide what happens to an image, whatever its batch.

    Args:
        policy: How images are augmented.
        count: Images of an epoch; every index is below it.
        seed: Seed of all draws.
    """

    def __init__(self, policy: Policy, count: int, seed: int = 0) -> None:
        self._policy = policy
        self._table = DrawTable(count, len(_Draws._fields), seed)
        self._degrade = BatchDegrader(policy, count, seed) if policy.degrades else None

    def __call__(self, pixels: Tensor, epoch: int, indices: Tensor) -> Tensor:
        """Return augmented images as float32, still from 0 to 255.

        Args:
            pixels: Images (N, channels, size, size) in uint8.
            epoch: Number of the epoch, from 0.
            indices: Index of each image (N,): its number in the data, or its place in the epoch.

        Raises:
            OptionError: The batch has another shape or type.
        """
        if pixels.dtype != torch.uint8 or pixels.ndim != 4 or pixels.shape[2] != pixels.shape[3]:
            raise OptionError(f"a batch is (N, channels, size, size) in uint8, got {pixels.shape} in {pixels.dtype}")
        policy = self._policy
        draws = _Draws(*self._table(epoch, indices, pixels.device))
        if policy.mirror:
            pixels = torch.where(expand(draws.mirror < policy.mirror), pixels.flip(-1), pixels)
        x = pixels.float()
        if policy.places:
            x = _place(x, policy, draws)
        if policy.shades:
            x = _shade(x, policy, draws)
        if policy.erase:
            x = _erase(x, policy, draws)
        return x if self._degrade is None else self._degrade(x, epoch, indices)


def _place(x: Tensor, policy: Policy, draws: _Draws) -> Tensor:
    """Zoom, turn, shear and shift in one resampling."""
    matrix = torch.where(
        (draws.placed < policy.placed)[:, None, None],
        _make_placement(policy, draws, x.shape[-1]),
        torch.eye(2, 3, device=x.device),
    )
    grid = functional.affine_grid(matrix, list(x.shape), align_corners=False)  # (N, size, size, 2)
    # What lies beyond the centres of the outermost pixels has their values: mps lacks `border` in torch 2.8.
    inside = 1 - 1 / x.shape[-1]
    return functional.grid_sample(x, grid.clamp(-inside, inside), align_corners=False)


def _make_placement(policy: Policy, draws: _Draws, size: int) -> Tensor:
    """Make matrices (N, 2, 3) from places in the result to places in the image, in half sides from the centre."""
    angle = torch.deg2rad(spread(policy.turn, draws.turn))
    lean = torch.deg2rad(spread(policy.shear, draws.shear)).tan()
    zoom_x = spread(policy.zoom, draws.zoom_x)
    zoom_y = spread(policy.zoom, draws.zoom_y) if policy.zoom_each_axis else zoom_x
    cos, sin = angle.cos(), angle.sin()
    row_x = torch.stack([cos, cos * lean - sin], dim=1) / zoom_x[:, None]
    row_y = torch.stack([sin, sin * lean + cos], dim=1) / zoom_y[:, None]
    turned = torch.stack([row_x, row_y], dim=1)  # (N, 2, 2)
    shift = spread(policy.shift, torch.stack([draws.shift_x, draws.shift_y], dim=1))  # (N, 2)
    shift = torch.trunc(shift * size) * (2 / size)
    return torch.cat([turned, -turned @ shift[..., None]], dim=2)


def _shade(x: Tensor, policy: Policy, draws: _Draws) -> Tensor:
    """Change contrast and brightness, in place: `x` is a copy already."""
    contrast = spread(policy.contrast, draws.contrast)
    brightness = spread(policy.brightness, draws.brightness)
    added = brightness * (1 - contrast) * x.mean(dim=(1, 2, 3))
    return x.mul_(expand(brightness * contrast)).add_(expand(added)).clamp_(0, 255)


def _erase(x: Tensor, policy: Policy, draws: _Draws) -> Tensor:
    """Replace a rectangle by one grey."""
    size = x.shape[-1]
    area = spread(policy.erased, draws.area) * size**2
    aspect = spread(ASPECTS, draws.aspect)
    columns = _mark_stretch((area * aspect).sqrt().round(), draws.left, size)
    rows = _mark_stretch((area / aspect).sqrt().round(), draws.top, size) & (draws.erase < policy.erase)[:, None]
    hole = rows[:, None, :, None] & columns[:, None, None, :]  # (N, 1, size, size)
    return torch.where(hole, expand((draws.grey * 256).floor()), x)


def _mark_stretch(length: Tensor, draw: Tensor, size: int) -> Tensor:
    """Mark `length` of `size` pixels, (N, size); every start is equally likely."""
    first = (draw * (size - length + 1)).floor()[:, None]
    places = torch.arange(size, device=draw.device)
    return (places >= first) & (places < first + length[:, None])


class BatchDegrader:
    """Degrade batches as a policy says. Seed, epoch and index decide what happens to an image."""

    def __init__(self, policy: Policy, count: int, seed: int = 0) -> None:
        self._policy = policy
        self._seed = seed
        self._table = DrawTable(count, len(_DegradationDraws._fields), seed, DEGRADATION)
        self._noise = torch.empty(0)
        self._tables: JpegTables | None = None

    def __call__(self, x: Tensor, epoch: int, indices: Tensor) -> Tensor:
        """Degrade images (N, channels, size, size) with values from 0 to 255; some stay as they are."""
        policy, size = self._policy, x.shape[-1]
        draws = _DegradationDraws(*self._table(epoch, indices, x.device))
        rows = -(-size // BLOCK) * BLOCK
        length = _draw_lengths(policy, draws, size)
        small = resample(_apply_gamma(x, policy, draws), _make_shrinking(policy, draws, length, size, rows))
        if policy.noise:
            small += self._draw_noise(small, draws)
        small = small.clamp_(0, 255)
        if policy.jpeg:
            quality = spread_whole(policy.jpeg_quality, draws.quality)
            compressed = compress(small, quality, self._find_tables(x.device))
            small = torch.where(expand(draws.jpeg < policy.jpeg), compressed, small)
        large = resample(small, make_enlarge_matrix(length, size, rows, draws.cubic < 0.5)).clamp_(0, 255)
        return torch.where(expand(draws.degraded < policy.degraded), large, x)

    def _find_tables(self, device: torch.device) -> JpegTables:
        if self._tables is None or self._tables.cosines.device != device:
            self._tables = make_jpeg_tables(device)
        return self._tables

    def _draw_noise(self, x: Tensor, draws: _DegradationDraws) -> Tensor:
        """Cut a part for each image from one long noise, so that the noise does not depend on the batch."""
        count = x[0].numel()
        if len(self._noise) != OFFSETS + count or self._noise.device != x.device:
            generator = torch.Generator().manual_seed(sample_seed(self._seed, 0, NOISE))
            self._noise = torch.randn(OFFSETS + count, generator=generator).to(x.device)
        parts = self._noise.unfold(0, count, 1)[(draws.offset * OFFSETS).long()]  # (N, count)
        std = torch.where(draws.noise < self._policy.noise, spread(self._policy.noise_std, draws.std), 0)
        return (parts * std[:, None]).view_as(x)


def _draw_lengths(policy: Policy, draws: _DegradationDraws, size: int) -> Tensor:
    """Draw how many pixels a side are left of each image, (N,)."""
    lengths = spread_log(policy.shrink_to, draws.length).round().clamp(max=size)
    return torch.where(draws.shrink < policy.shrink, lengths, size)


def _apply_gamma(x: Tensor, policy: Policy, draws: _DegradationDraws) -> Tensor:
    if not policy.gamma:
        return x
    exponent = torch.where(draws.gamma < policy.gamma, spread_log(policy.gamma_exponent, draws.exponent), 1)
    return (x / 255).pow_(expand(exponent)).mul_(255)


def _make_shrinking(policy: Policy, draws: _DegradationDraws, length: Tensor, size: int, rows: int) -> Tensor:
    """Make the matrices (N, rows, size) that blur and shrink."""
    matrix = make_shrink_matrix(length, size, rows)
    if not policy.blur:
        return matrix
    sigma = torch.where(draws.blur < policy.blur, spread(policy.blur_sigma, draws.sigma), SHARP)
    return matrix @ make_blur_matrix(sigma, size, policy.blur_sigma[1])
