"""The first network's cells, numbered through all pieces of all levels, and where in the pictures they lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from facecrop.detectors.mtcnn.networks import STRIDE, Piece, answer_size, pieces_of
from facecrop.detectors.mtcnn.pyramid import CELL, Group, Pictures
from facecrop.devices import to_device


class CellPlaces:
    """Hands out the pieces, and remembers the numbers of their cells."""

    def __init__(self) -> None:
        self._starts: list[int] = []  # the number of each piece's first cell
        self._rows: list[tuple[int, int, int, int]] = []  # cells of an image, columns, first row, first of the owners
        self._scales: list[float] = []
        self._owners: list[int] = []
        self._count = 0

    def pieces(self, pictures: Pictures, groups: Sequence[Group], factor: float) -> Iterator[Piece]:
        for group in groups:
            for scale in group.scales(factor):
                for piece in pieces_of(pictures.level(group, scale), pictures.level_pixels):
                    self._add(piece, group, scale)
                    yield piece

    def _add(self, piece: Piece, group: Group, scale: float) -> None:
        rows, columns = answer_size(piece.pixels)
        owners = group.indices[piece.image : piece.image + len(piece.pixels)]
        self._starts.append(self._count)
        self._rows.append((rows * columns, columns, piece.row, len(self._owners)))
        self._scales.append(scale)
        self._owners.extend(owners)
        self._count += len(owners) * rows * columns

    def boxes(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        """The boxes that cells are in their pictures, (n, 4), and the owners of these."""
        tables = (self._starts, self._rows, self._owners, self._scales)
        starts, rows, owners, scales = (to_device(torch.from_numpy(np.array(table)), cells.device) for table in tables)
        piece = torch.searchsorted(starts, cells, right=True) - 1
        size, columns, first_row, first_owner = rows[piece].unbind(1)
        place = cells - starts[piece]
        row, column = place % size // columns + first_row, place % size % columns
        corner = STRIDE * torch.stack([column, row], dim=1) + 1  # x, y in the level
        boxes = (torch.cat([corner, corner + CELL - 1], dim=1) / scales[piece, None]).floor().float()
        return boxes, owners[first_owner + place // size]
