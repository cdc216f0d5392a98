"""A batch on a CUDA card, drawn from summed-area tables, for all boxes of all images at once.

A table holds at each place the sum of all pixels above it and left of it. The mean over any rectangle takes four
numbers then, however large the rectangle is; fractions of pixels are interpolated, which is exact. The result is what
OpenCV draws with INTER_AREA, except for some roundings. Images go to the card once, as bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from facecrop.detectors.mtcnn.pyramid import SPARE, Group, add_border
from facecrop.devices import to_device
from facecrop.images import Image


class SummedBatch:
    """A batch of images as the tables of all their octaves; sums of bytes are exact in float64. See `ImageBatch`."""

    # Large, because a card wants much work at a time. By arithmetic, a batch takes at most 2 GB with these numbers.
    level_pixels: ClassVar[int] = 8_000_000
    window_pixels: ClassVar[int] = 2_000_000
    picks_once: ClassVar[bool] = True

    def __init__(self, images: Sequence[Image], groups: Sequence[Group], device: torch.device) -> None:
        sizes = [_count_places(group, octave) for group in groups for octave in range(group.octaves)]
        self._sums = torch.zeros(3, sum(sizes), dtype=torch.float64, device=device)
        places = iter(np.cumsum([0, *sizes]).tolist())
        self._tables: dict[Group, list[Tensor]] = {}  # views, an octave each: (3, N, H + 1, W + 1)
        shapes = np.zeros((len(images), 3), np.int64)  # height, width, octaves
        starts = np.zeros((len(images), max(group.octaves for group in groups)), np.int64)
        for group, pixels in _send_pixels(images, groups, device):
            self._tables[group] = []
            shapes[list(group.indices)] = group.height, group.width, group.octaves
            for octave, image in enumerate(_make_octaves(pixels, group)):
                _, count, height, width = image.shape
                size, start = _count_places(group, octave), next(places)
                table = self._sums[:, start : start + size].view(3, count, height + 1, width + 1)
                table[..., 1:, 1:] = image.cumsum(2, dtype=torch.int64).cumsum_(3)
                self._tables[group].append(table)
                starts[list(group.indices), octave] = start + np.arange(count) * (size // count)
        self._shapes, self._starts = (to_device(torch.from_numpy(table), device) for table in (shapes, starts))

    def draw_level(self, group: Group, scale: float) -> Tensor:
        height, width = group.level_size(scale)
        table = self._tables[group][group.find_octave(scale)]
        y, part_y = _find_edges(table.shape[2] - 1, height, table.device)
        x, part_x = _find_edges(table.shape[3] - 1, width, table.device)
        rows = torch.lerp(table[:, :, y], table[:, :, y + 1], part_y[:, None])
        corners = torch.lerp(rows[..., x], rows[..., x + 1], part_x)  # (3, N, H + 1, W + 1)
        return _take_means(corners, height * width / (table.shape[2] - 1) / (table.shape[3] - 1))

    def draw_windows(self, boxes: Tensor, owner: Tensor, side: int) -> Tensor:
        height, width, octaves = self._shapes[owner].unbind(1)
        x1, y1, x2, y2 = boxes.to(torch.int64).unbind(1)  # towards zero, as in training
        x1, y1 = x1 - 1, y1 - 1
        reduction = torch.maximum(x2 - x1, y2 - y1).double() / (side * SPARE)
        octave = torch.minimum(reduction.clamp(min=1).log2().long(), octaves - 1)
        width, height = width >> octave, height >> octave
        x, part_x, across = _find_window_edges(x1, x2, octave, width, side)
        y, part_y, down = _find_window_edges(y1, y2, octave, height, side)
        row = (width + 1)[:, None, None]
        places = self._starts[owner, octave][:, None, None] + y[:, :, None] * row + x[:, None, :]
        sums, part_x = self._sums, part_x[:, None, :]
        above = torch.lerp(sums[:, places], sums[:, places + 1], part_x)
        below = torch.lerp(sums[:, places + row], sums[:, places + row + 1], part_x)
        corners = torch.lerp(above, below, part_y[:, :, None])  # (3, n, side + 1, side + 1)
        return _take_means(corners, (side * side / (across * down))[:, None, None])


def _send_pixels(
    images: Sequence[Image], groups: Sequence[Group], device: torch.device
) -> Iterator[tuple[Group, Tensor]]:
    """Send the pixels of all groups to the card at once; yield each group's with borders, (3, N, H, W) bytes."""
    parts = [add_border(images[index], group.border).reshape(-1) for group in groups for index in group.indices]
    rest = to_device(torch.from_numpy(np.concatenate(parts)), device)
    for group in groups:
        shape = (len(group.indices), group.height, group.width, 3)
        part, rest = rest.tensor_split([int(np.prod(shape))])
        yield group, part.view(shape).permute(3, 0, 1, 2).contiguous()


def _make_octaves(image: Tensor, group: Group) -> Iterator[Tensor]:
    """Yield the images and their halves, each pixel the mean of four, rounded as OpenCV does."""
    yield image
    for _ in range(group.octaves - 1):
        height, width = (side // 2 * 2 for side in image.shape[2:])
        rows = image[:, :, 0:height:2, :width].short() + image[:, :, 1:height:2, :width]
        image = ((rows[..., 0::2] + rows[..., 1::2] + 2) >> 2).to(torch.uint8)
        yield image


def _count_places(group: Group, octave: int) -> int:
    return len(group.indices) * ((group.height >> octave) + 1) * ((group.width >> octave) + 1)


def _find_edges(length: int, count: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Find the edges of `count` equal parts of a side: whole pixels and fractions, (count + 1)."""
    edges = torch.arange(count + 1, dtype=torch.float64, device=device) * (length / count)
    whole = edges.floor().clamp(max=length - 1)
    return whole.long(), edges - whole


def _find_window_edges(
    first: Tensor, last: Tensor, octave: Tensor, length: Tensor, count: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Find the edges of the parts of spans, (n, count + 1), and the lengths of the spans, (n,).

    Spans are cut off at the ends of the octave; each has at least one pixel, wherever it lies.
    """
    first = torch.minimum(first.clamp(min=0) >> octave, length - 1)
    last = torch.maximum(torch.minimum(-(-last >> octave), length), first + 1)
    shares = torch.arange(count + 1, dtype=torch.float64, device=first.device) / count
    edges = first[:, None] + shares * (last - first)[:, None]
    whole = torch.minimum(edges.floor(), (last - 1)[:, None])
    return whole.long(), edges - whole, last - first


def _take_means(corners: Tensor, scale: float | Tensor) -> Tensor:
    """Turn the sums at the corners of cells into the means of the cells: (3, N, H + 1, W + 1) -> (N, 3, H, W)."""
    sums = corners.diff(dim=-1).diff(dim=-2)
    return (sums * scale).round().float().transpose(0, 1).contiguous()
