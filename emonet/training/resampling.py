"""Blurring, shrinking and enlarging as matrices: one for each picture of a batch, each picture with its own numbers.

`resample` applies a matrix down and across. The results are those of OpenCV (`GaussianBlur` with a repeated edge,
`INTER_AREA`, `INTER_LINEAR`, `INTER_CUBIC`) without its rounding to whole numbers.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

CUBIC = -0.75  # the free number of the cubic kernel, as OpenCV has it
REACH = 3  # standard deviations after which a Gaussian is cut off


def resample(x: Tensor, matrix: Tensor) -> Tensor:
    """Apply matrices (N, out, in) to pictures (N, channels, in, in), down and across: (N, channels, out, out)."""
    return matrix[:, None] @ x @ matrix.mT[:, None]


def blur_matrix(sigma: Tensor, size: int, most: float) -> Tensor:
    """Make the matrices (N, size, size) of Gaussian blurs.

    Args:
        sigma: Standard deviations in pixels, (N,), above 0 and at most `most`.
        size: Pixels a side.
        most: The largest possible sigma, given as a number so that no device has to be asked.
    """
    margin = math.ceil(REACH * most)
    kernel = torch.exp(-0.5 * (torch.arange(-margin, margin + 1, device=sigma.device) / sigma[:, None]) ** 2)
    kernel = kernel / kernel.sum(1, keepdim=True)  # (N, 2 margin + 1)
    # Row i has the kernel from column i on: windows of the padded kernel, each a step to the left of the one before.
    rows = functional.pad(kernel, (size - 1, size - 1)).unfold(1, size + 2 * margin, 1).flip(1)
    inside = rows[..., margin:-margin]
    inside[..., 0] += rows[..., :margin].sum(2)
    inside[..., -1] += rows[..., -margin:].sum(2)
    return inside


def shrink_matrix(length: Tensor, size: int, rows: int) -> Tensor:
    """Make the matrices (N, rows, size) that average `size` pixels to fewer.

    Args:
        length: How many pixels are left, (N,), whole, at most `size`.
        size: Pixels a side.
        rows: Rows of the result; those beyond `length` repeat the last.
    """
    step = (size / length)[:, None, None]
    row = torch.arange(rows, device=length.device).minimum(length[:, None] - 1)[..., None]  # (N, rows, 1)
    pixel = torch.arange(size, device=length.device)
    covered = torch.minimum((row + 1) * step, pixel + 1) - torch.maximum(row * step, pixel)
    return covered.clamp_min(0) / step


def enlarge_matrix(length: Tensor, size: int, rows: int, cubic: Tensor) -> Tensor:
    """Make the matrices (N, size, rows) that enlarge what `shrink_matrix` shrank.

    Args:
        length: How many of the rows are the picture, (N,), whole; those beyond them are not looked at.
        size: Pixels a side of the result.
        rows: Rows that there are.
        cubic: Which pictures are enlarged by the cubic kernel, (N,); the others linearly.
    """
    centre = torch.arange(size, device=length.device) + 0.5
    place = (centre * (length / size)[:, None] - 0.5)[..., None]  # (N, size, 1)
    taps = place.floor() + torch.arange(-1, 3, device=length.device)  # (N, size, 4)
    distance = (place - taps).abs()
    weights = torch.where(cubic[:, None, None], _cubic(distance), (1 - distance).clamp_min(0))
    row = taps.clamp_min(0).minimum(length[:, None, None] - 1).long()  # beyond the edge lies the edge again
    return weights.new_zeros(len(length), size, rows).scatter_add_(2, row, weights)


def _cubic(distance: Tensor) -> Tensor:
    near = ((CUBIC + 2) * distance - (CUBIC + 3)) * distance * distance + 1
    far = ((CUBIC * distance - 5 * CUBIC) * distance + 8 * CUBIC) * distance - 4 * CUBIC
    return torch.where(distance < 1, near, torch.where(distance < 2, far, 0))
