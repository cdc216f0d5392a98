"""What OpenCV and libjpeg do to images, in torch for a whole batch: each image has its own size, blur and quality.

Resampling is done with matrices, one per image, that `resample` applies down and across. The results are those of
OpenCV (`GaussianBlur` with a repeated edge, `INTER_AREA`, `INTER_LINEAR`, `INTER_CUBIC`), but not rounded.

`compress` removes what JPEG removes. Grey images lose what libjpeg takes from them, except for rounding. In colour
images each channel is compressed alone, whereas a JPEG file keeps brightness better than colour.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

CUBIC = -0.75  # the parameter of the cubic kernel in OpenCV
REACH = 3  # standard deviations at which a Gaussian is cut off
BLOCK = 8  # pixels of a side of a JPEG block

# The luminance quantisation table of the JPEG standard (ITU-T T.81, annex K, table K.1), for quality 50.
LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)

# The orthonormal cosine transform (frequency, place).
_COSINES = tuple(
    tuple(
        math.sqrt((1 if frequency == 0 else 2) / BLOCK) * math.cos((2 * place + 1) * frequency * math.pi / (2 * BLOCK))
        for place in range(BLOCK)
    )
    for frequency in range(BLOCK)
)


def resample(x: Tensor, matrix: Tensor) -> Tensor:
    """Apply matrices (N, out, in) to images (N, channels, in, in), down and across."""
    return matrix[:, None] @ x @ matrix.mT[:, None]  # (N, channels, out, out)


def make_blur_matrix(sigma: Tensor, size: int, most: float) -> Tensor:
    """Make the matrices (N, size, size) of Gaussian blurs.

    Args:
        sigma: Standard deviations in pixels, (N,), above 0 and at most `most`.
        size: Pixels a side.
        most: The largest possible sigma, as a number, so that the device need not be asked.
    """
    margin = math.ceil(REACH * most)
    kernel = torch.exp(-0.5 * (torch.arange(-margin, margin + 1, device=sigma.device) / sigma[:, None]) ** 2)
    kernel = kernel / kernel.sum(1, keepdim=True)  # (N, 2 margin + 1)
    # Row i holds the kernel from column i on. Such rows are windows of the padded kernel, each one step to the left.
    rows = functional.pad(kernel, (size - 1, size - 1)).unfold(1, size + 2 * margin, 1).flip(1)
    inside = rows[..., margin:-margin]
    inside[..., 0] += rows[..., :margin].sum(2)
    inside[..., -1] += rows[..., -margin:].sum(2)
    return inside


def make_shrink_matrix(length: Tensor, size: int, rows: int) -> Tensor:
    """Make the matrices (N, rows, size) that average `size` pixels to fewer.

    Args:
        length: Pixels a side that are left, (N,), whole, at most `size`.
        size: Pixels a side before.
        rows: Rows of the result; those beyond `length` repeat the last.
    """
    step = (size / length)[:, None, None]
    row = torch.arange(rows, device=length.device).minimum(length[:, None] - 1)[..., None]  # (N, rows, 1)
    pixel = torch.arange(size, device=length.device)
    covered = torch.minimum((row + 1) * step, pixel + 1) - torch.maximum(row * step, pixel)
    return covered.clamp_min(0) / step


def make_enlarge_matrix(length: Tensor, size: int, rows: int, cubic: Tensor) -> Tensor:
    """Make the matrices (N, size, rows) that enlarge what `make_shrink_matrix` shrank.

    Args:
        length: Rows that belong to the image, (N,), whole; the rows beyond are ignored.
        size: Pixels a side of the result.
        rows: Rows of the input.
        cubic: Which images are enlarged with the cubic kernel, (N,); the others linearly.
    """
    centre = torch.arange(size, device=length.device) + 0.5
    place = (centre * (length / size)[:, None] - 0.5)[..., None]  # (N, size, 1)
    taps = place.floor() + torch.arange(-1, 3, device=length.device)  # (N, size, 4)
    distance = (place - taps).abs()
    weights = torch.where(cubic[:, None, None], _weigh_cubic(distance), (1 - distance).clamp_min(0))
    row = taps.clamp_min(0).minimum(length[:, None, None] - 1).long()  # the edge is repeated
    return weights.new_zeros(len(length), size, rows).scatter_add_(2, row, weights)


def _weigh_cubic(distance: Tensor) -> Tensor:
    near = ((CUBIC + 2) * distance - (CUBIC + 3)) * distance * distance + 1
    far = ((CUBIC * distance - 5 * CUBIC) * distance + 8 * CUBIC) * distance - 4 * CUBIC
    return torch.where(distance < 1, near, torch.where(distance < 2, far, 0))


class JpegTables(NamedTuple):
    """What `compress` computes with, on the device of its images. To copy it there, a step would wait."""

    cosines: Tensor  # (frequency, place)
    luminance: Tensor  # for quality 50, (8, 8)


def make_jpeg_tables(device: torch.device, dtype: torch.dtype = torch.float32) -> JpegTables:
    """Make the tables of JPEG for images on this device."""
    return JpegTables(*(torch.tensor(table, dtype=dtype, device=device) for table in (_COSINES, LUMINANCE)))


def compress(x: Tensor, quality: Tensor, tables: JpegTables | None = None) -> Tensor:
    """Compress images as JPEG and decode them again.

    Args:
        x: Images (N, channels, height, width) with values from 0 to 255.
        quality: Whole numbers from 1 to 100, (N,).
        tables: What `make_jpeg_tables` made, for many calls; else they are made here.

    Returns:
        Whole numbers from 0 to 255, in the shape and type of `x`.
    """
    height, width = x.shape[2:]
    padded = functional.pad(x, (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate")
    cosines, luminance = tables or make_jpeg_tables(x.device, x.dtype)
    across, down = (side // BLOCK for side in padded.shape[:1:-1])
    steps = _make_quantisation(quality.to(x.dtype), luminance).tile(1, down, across)[:, None]  # (N, 1, height, width)
    kept = _transform_blocks(padded.round().sub_(128), cosines).div_(steps).round_().mul_(steps)
    decoded = _transform_blocks(kept, cosines.T).add_(128).round_().clamp_(0, 255)
    return decoded[..., :height, :width]


def _make_quantisation(quality: Tensor, luminance: Tensor) -> Tensor:
    """Make the quantisation tables (N, 8, 8), scaled as libjpeg scales them."""
    scale = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality)
    return ((luminance * scale[:, None, None] + 50) / 100).floor().clamp(1, 255)


def _transform_blocks(x: Tensor, matrix: Tensor) -> Tensor:
    """Multiply every block by a matrix from the left, and by its transpose from the right."""
    n, channels, height, width = x.shape
    across = x.reshape(-1, BLOCK) @ matrix.T
    return (matrix @ across.view(n, channels, height // BLOCK, BLOCK, width)).view_as(x)
