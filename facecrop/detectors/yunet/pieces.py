"""Cut an image into the pieces that YuNet searches: the image at several scales, and large scales in tiles.

The network knows faces of about 20 to 300 pixels. So an image is first drawn at the scale at which its smallest faces
are as large as the network needs, and then at coarser scales for larger faces, until it is so small that no face in it
can be too large. A scale that is larger than a tile is searched in tiles, which keeps memory flat and gives every
thread something to do. Tiles overlap; each face belongs to the tile in whose core its centre lies.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

# All in pixels of the drawn image, which the network sees; `python benchmarks/yunet.py` shows why.
SMALLEST = 20  # height of the smallest faces; smaller ones are found too, if they are sharp and among others
TINY_SIDE = 96  # longer side to which tiny images are enlarged, which often are one blurred face
COARSE_SIDE = 320  # longer side of images of which a face may fill all
TILE = 1024  # longer side of a tile
MARGIN = 64  # overlap of a tile on each side, so that faces of 128 pixels lie whole in one tile at least
AROUND = 3  # how much is seen of what may be a face, in heights of its box
AGAIN_SIDE = 96  # side at which that is looked at again
STEP = 2  # from one scale to the next: of 4, a lone face of 130 to 220 pixels is 33 to 55 there, which scores low

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an image at one scale.

    Attributes:
        image: The number of the image.
        columns: The first column of the part and the one after its last, in pixels of the image.
        rows: The same of its rows.
        size_wh: The width and height at which the part is drawn.
        core: x1, y1, x2, y2 in pixels of the image: faces with their centres elsewhere belong to other pieces.
        largest: The height of the largest face that lies whole in one tile, in pixels of the image.
    """

    image: int
    columns: Range
    rows: Range
    size_wh: tuple[int, int]
    core: tuple[float, float, float, float]
    largest: float


def cut_pieces(image: int, shape: tuple[int, int], least: float) -> Iterator[Piece]:
    """Cut an image of a shape (height, width) into pieces in which faces of `least` pixels and more are found."""
    height, width = shape
    for scale in _choose_scales(max(height, width), least):
        across, down = _cut_side(width, scale), _cut_side(height, scale)
        largest = 2 * MARGIN / scale if len(across) * len(down) > 1 else math.inf
        for rows, top, bottom in down:
            for columns, left, right in across:
                size = _draw_side(columns, scale), _draw_side(rows, scale)
                yield Piece(image, columns, rows, size, (left, top, right, bottom), largest)


def frame_candidate(image: int, shape: tuple[int, int], box: Sequence[float]) -> Piece:
    """Frame a box x, y, width, height that may be a face, to look at it again, enlarged."""
    x, y, width, height = (float(value) for value in box[:4])
    side = math.ceil(AROUND * max(width, height))
    columns = _frame_side(x + width / 2, side, shape[1])
    rows = _frame_side(y + height / 2, side, shape[0])
    scale = AGAIN_SIDE / side
    size = _draw_side(columns, scale), _draw_side(rows, scale)
    return Piece(image, columns, rows, size, (x, y, x + width, y + height), math.inf)


def _frame_side(centre: float, length: int, side: int) -> Range:
    """Return the part of a side about a centre, moved inward where it would reach over an end."""
    start = min(max(0, round(centre - length / 2)), max(0, side - length))
    return start, min(side, start + length)


def _choose_scales(longer: int, least: float) -> Iterator[float]:
    """Yield the scales at which an image is searched, the finest first."""
    tiny = TINY_SIDE / longer
    scale = max(SMALLEST / least, tiny)
    yield scale
    while scale * longer > COARSE_SIDE:
        scale = max(scale / STEP, tiny)
        yield scale


def _cut_side(side: int, scale: float) -> list[tuple[Range, float, float]]:
    """Cut a side into tiles of one length; each has the range of its pixels, and the ends of its core."""
    if side * scale <= TILE:
        return [((0, side), -math.inf, math.inf)]
    overlap = 2 * MARGIN / scale
    count = math.ceil((side - overlap) / (TILE / scale - overlap))
    length = math.ceil((side + (count - 1) * overlap) / count)
    starts = [round(number * (side - length) / (count - 1)) for number in range(count)]
    middles = [(start + length + after) / 2 for start, after in pairwise(starts)]
    ends = [-math.inf, *middles, math.inf]
    return [((start, start + length), low, high) for start, low, high in zip(starts, ends[:-1], ends[1:], strict=True)]


def _draw_side(pixels: Range, scale: float) -> int:
    return max(1, round((pixels[1] - pixels[0]) * scale))
