"""The cells of the first network: their numbers through all pieces of all levels, and their boxes in the images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from facecrop.detectors.mtcnn.networks import STRIDE, Piece, count_cells, cut_level
from facecrop.detectors.mtcnn.pyramid import CELL, Group, ImageBatch
from facecrop.devices import to_device


class CellPlaces:
    """Cuts the levels of a batch into pieces, and remembers the numbers of their cells."""

    def __init__(self) -> None:
        self._starts: list[int] = []  # the number of each piece's first cell
        self._rows: list[tuple[int, int, int, int]] = []  # cells of an image, columns, first row, first of the owners
        self._scales: list[float] = []
        self._owners: list[int] = []
        self._count = 0

    def list_pieces(self, batch: ImageBatch, groups: Sequence[Group], factor: float) -> Iterator[Piece]:
        """Draw the levels of all images, and cut them into pieces."""
        for group in groups:
            for scale in group.scales(factor):
                for piece in cut_level(batch.draw_level(group, scale), batch.level_pixels):
                    self._add(piece, group, scale)
                    yield piece

    def _add(self, piece: Piece, group: Group, scale: float) -> None:
        rows, columns = count_cells(piece.pixels)
        owners = group.indices[piece.image : piece.image + len(piece.pixels)]
        self._starts.append(self._count)
        self._rows.append((rows * columns, columns, piece.row, len(self._owners)))
        self._scales.append(scale)
        self._owners.extend(owners)
        self._count += len(owners) * rows * columns

    def find_boxes(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Find the boxes of cells in their images, (n, 4), and their owners."""
        tables = (self._starts, self._rows, self._owners, self._scales)
        starts, rows, owners, scales = (to_device(torch.from_numpy(np.array(table)), cells.device) for table in tables)
        piece = torch.searchsorted(starts, cells, right=True) - 1
        size, columns, first_row, first_owner = rows[piece].unbind(1)
        place = cells - starts[piece]
        row, column = place % size // columns + first_row, place % size % columns
        corner = STRIDE * torch.stack([column, row], dim=1) + 1  # x, y in the level
        boxes = (torch.cat([corner, corner + CELL - 1], dim=1) / scales[piece, None]).floor().float()
        return boxes, owners[first_owner + place // size]
