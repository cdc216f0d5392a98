"""The geometry of boxes between MTCNN's networks, for all images at once and on their device.

Boxes are (n, 4) tensors of inclusive, one-based corners: the convention the networks were trained in, in which a box
is x2 - x1 + 1 wide. `owner` tells the image that each box belongs to.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float32]
Index = NDArray[np.int64]


def make_square(boxes: Tensor) -> Tensor:
    """Make boxes squares about the same centres, as wide as their longer sides."""
    side = (boxes[:, 2:] - boxes[:, :2]).amax(dim=1, keepdim=True)
    corner = (boxes[:, :2] + boxes[:, 2:] - side) / 2
    return torch.cat([corner, corner + side], dim=1)


def refine(boxes: Tensor, offsets: Tensor) -> Tensor:
    """Move boxes by the offsets of a network, which are in widths and heights of each box."""
    size = boxes[:, 2:] - boxes[:, :2] + 1
    return boxes + offsets * torch.cat([size, size], dim=1)


def suppress(boxes: Tensor, scores: Tensor, owner: Tensor, threshold: float) -> Tensor:
    """Return the indices of boxes that overlap no better box of the same image by more than `threshold` (IoU)."""
    from torchvision.ops import nms

    if len(boxes) == 0:
        return torch.empty_like(owner)
    # The boxes of different images are moved apart, as `batched_nms` does; but with many boxes, `batched_nms` waits for
    # the card once for each image, and it moves them in single precision.
    boxes = boxes.double()
    apart = boxes + (owner * (boxes.max() - boxes.min() + 1))[:, None]
    keep: Tensor = nms(apart, scores.double(), threshold)
    return keep


def suppress_nested(boxes: Array, scores: Array, owner: Index, threshold: float) -> Index:
    """Do as `suppress`, by intersection over the smaller box: a box inside a better one is removed as well."""
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
