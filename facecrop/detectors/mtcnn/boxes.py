"""What MTCNN does with boxes between its networks, vectorised over all pictures at once.

Boxes are (n, 4) arrays of inclusive, one-based corners: the convention the networks were trained in, in which a box
is x2 - x1 + 1 wide. `owner` says which picture each box belongs to.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facecrop.detectors.mtcnn.pyramid import Octaves, draw_window

Array = NDArray[np.float32]
Index = NDArray[np.int64]


def square(boxes: Array) -> Array:
    """The squares about the same centres, as wide as the longer side."""
    side = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True)
    corner = (boxes[:, :2] + boxes[:, 2:] - side) / 2
    return np.hstack([corner, corner + side])


def refine(boxes: Array, offsets: Array) -> Array:
    """Boxes moved by the network's answer, which is in units of each box's own size."""
    size = boxes[:, 2:] - boxes[:, :2] + 1
    return boxes + offsets * np.hstack([size, size])


def suppress(boxes: Array, scores: Array, owner: Index, threshold: float) -> Index:
    """Indices of the boxes that overlap no better box of the same picture by more than `threshold` (IoU)."""
    import torch
    from torchvision.ops import batched_nms

    if len(boxes) == 0:
        return np.empty(0, np.int64)
    tensors = (torch.from_numpy(np.ascontiguousarray(array)) for array in (boxes, scores, owner))
    keep: Index = batched_nms(*tensors, threshold).numpy()
    return keep


def suppress_nested(boxes: Array, scores: Array, owner: Index, threshold: float) -> Index:
    """As `suppress`, by intersection over the smaller box, so that a box inside a better one goes as well."""
    order = np.argsort(-scores, kind="stable")
    size = boxes[:, 2:] - boxes[:, :2] + 1
    area = size.prod(axis=1)
    keep = []
    while len(order):
        best, rest = order[0], order[1:]
        keep.append(best)
        shared = np.minimum(boxes[best, 2:], boxes[rest, 2:]) - np.maximum(boxes[best, :2], boxes[rest, :2]) + 1
        overlap = shared.clip(0).prod(axis=1) / np.minimum(area[best], area[rest])
        order = rest[(overlap <= threshold) | (owner[rest] != owner[best])]
    return np.array(keep, np.int64)


def cut_squares(pictures: Sequence[Octaves], boxes: Array, owner: Index, side: int) -> NDArray[np.uint8]:
    """Each box cut from its picture and drawn at `side` pixels: (n, side, side, 3). Boxes end at the picture's edge."""
    cuts = np.empty((len(boxes), side, side, 3), np.uint8)
    corners = boxes.astype(np.int64).tolist()  # towards zero, as in training
    for cut, (x1, y1, x2, y2), index in zip(cuts, corners, owner.tolist(), strict=True):
        draw_window(pictures[index], x1 - 1, y1 - 1, x2, y2, into=cut)
    return cuts
