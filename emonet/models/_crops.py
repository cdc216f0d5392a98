"""Crop images inside a network: at a random place in training, at the centre in evaluation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facecrop.errors import OptionError


class Crop(nn.Module):
    """Cut a square out of each image; images of its size pass as they are.

    Random places are drawn from torch's generator.

    Args:
        size: Pixels a side of the square.
        full: Pixels a side of the images that the size is meant for. Other images get a square that is in proportion;
            without it the square stays as it is, and smaller images are refused.
    """

    def __init__(self, size: int, full: int | None = None) -> None:
        super().__init__()
        self.size = size
        self.full = full

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, C, size, size)
        size = self.size
        if self.full is not None and x.shape[3] != self.full:
            size = round(size * x.shape[3] / self.full)
        spare_y, spare_x = x.shape[2] - size, x.shape[3] - size
        if min(spare_y, spare_x) < 0:
            raise OptionError(f"images of {x.shape[3]}x{x.shape[2]} are smaller than the crop, {size}")
        if spare_y == spare_x == 0:
            return x
        if not self.training:
            top, left = spare_y // 2, spare_x // 2
            return x[:, :, top : top + size, left : left + size]
        top_of_each = torch.randint(spare_y + 1, (len(x),), device=x.device)
        left_of_each = torch.randint(spare_x + 1, (len(x),), device=x.device)
        places = x.unfold(2, size, 1).unfold(3, size, 1)  # (N, C, spare_y + 1, spare_x + 1, size, size)
        return places[torch.arange(len(x), device=x.device), :, top_of_each, left_of_each]
