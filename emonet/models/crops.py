"""Cropping inside a network: another place for every picture while it learns, the centre when it is used."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Crop(nn.Module):
    """Cuts squares of `size` pixels; pictures of that size pass as they are. Draws from torch's generator."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (N, C, size, size)
        spare_y, spare_x = x.shape[2] - self.size, x.shape[3] - self.size
        if min(spare_y, spare_x) < 0:
            raise ValueError(f"pictures of {x.shape[3]}x{x.shape[2]} are smaller than the crop, {self.size}")
        if spare_y == spare_x == 0:
            return x
        if not self.training:
            top, left = spare_y // 2, spare_x // 2
            return x[:, :, top : top + self.size, left : left + self.size]
        top_of_each = torch.randint(spare_y + 1, (len(x),), device=x.device)
        left_of_each = torch.randint(spare_x + 1, (len(x),), device=x.device)
        places = x.unfold(2, self.size, 1).unfold(3, self.size, 1)  # (N, C, spare_y + 1, spare_x + 1, size, size)
        return places[torch.arange(len(x), device=x.device), :, top_of_each, left_of_each]
