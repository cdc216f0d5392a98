"""JPEG's loss in torch: what is left of pictures after they were saved as JPEG and opened, a quality for each picture.

Grey pictures lose what libjpeg takes from them, but for rounding. Colours lose it in each channel on its own, where a
JPEG file keeps brightness better than colour.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

BLOCK = 8

# The luminance quantisation table of the JPEG standard (ITU-T T.81, annex K, table K.1): quality 50.
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

# Orthonormal cosine transform, (frequency, place).
_COSINES = tuple(
    tuple(
        math.sqrt((1 if frequency == 0 else 2) / BLOCK) * math.cos((2 * place + 1) * frequency * math.pi / (2 * BLOCK))
        for place in range(BLOCK)
    )
    for frequency in range(BLOCK)
)


def compress(x: Tensor, quality: Tensor) -> Tensor:
    """Save pictures as JPEG and open them again.

    Args:
        x: Pictures (N, channels, height, width) with values from 0 to 255.
        quality: Whole numbers from 1 to 100, (N,).

    Returns:
        Whole numbers from 0 to 255, in the shape and type of `x`.
    """
    height, width = x.shape[2:]
    padded = functional.pad(x, (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate")
    cosines = x.new_tensor(_COSINES)
    across, down = (side // BLOCK for side in padded.shape[:1:-1])
    steps = _steps(quality.to(x.dtype)).tile(1, down, across)[:, None]  # (N, 1, height, width)
    kept = _transform(padded.round().sub_(128), cosines).div_(steps).round_().mul_(steps)
    opened = _transform(kept, cosines.T).add_(128).round_().clamp_(0, 255)
    return opened[..., :height, :width]


def _steps(quality: Tensor) -> Tensor:
    """The quantisation tables (N, 8, 8), scaled as libjpeg scales them."""
    scale = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality)
    table = quality.new_tensor(LUMINANCE)
    return ((table * scale[:, None, None] + 50) / 100).floor().clamp(1, 255)


def _transform(x: Tensor, matrix: Tensor) -> Tensor:
    """Multiply every block by a matrix from the left, and by its transpose from the right."""
    n, channels, height, width = x.shape
    across = x.reshape(-1, BLOCK) @ matrix.T
    return (matrix @ across.view(n, channels, height // BLOCK, BLOCK, width)).view_as(x)
