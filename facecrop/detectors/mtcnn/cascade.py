"""MTCNN's three stages on a batch of images: propose, judge, describe. Each stage removes candidates.

Boxes stay on the device until the last network has answered. On a CUDA card, the host waits four times for each batch,
whatever the number of images, levels and faces: for the cells that are taken for faces, for the boxes that pass the
second network, for those that are left after suppression, and for the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from facecrop.detectors.mtcnn.boxes import Array, Index, make_square, refine, suppress, suppress_nested
from facecrop.detectors.mtcnn.cells import CellPlaces
from facecrop.detectors.mtcnn.networks import Networks
from facecrop.detectors.mtcnn.pyramid import Group, ImageBatch


@dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes of all images of a batch; `owner` is the index of the image that each belongs to."""

    boxes: Tensor  # (n, 4)
    scores: Tensor  # (n,)
    owner: Tensor  # (n,)


@dataclass(frozen=True, slots=True)
class Detections:
    """The faces of a batch after the last stage, with five landmarks each, in the memory of the host."""

    boxes: Array  # (n, 4)
    scores: Array  # (n,)
    owner: Index  # (n,)
    landmarks: Array  # (n, 5, 2)


NOTHING = Detections(
    np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int64), np.empty((0, 5, 2), np.float32)
)


@torch.inference_mode()
def detect_batch(
    networks: Networks,
    batch: ImageBatch,
    groups: Sequence[Group],
    factor: float,
    thresholds: tuple[float, float, float],
) -> Detections:
    """Find the faces of a batch of images."""
    if not any(any(group.scales(factor)) for group in groups):
        return NOTHING
    candidates = _propose(networks, batch, groups, factor, thresholds[0])
    if len(candidates.boxes):
        candidates = _judge(networks, batch, candidates, thresholds[1])
    return _describe(networks, batch, candidates, thresholds[2]) if len(candidates.boxes) else NOTHING


def _propose(
    networks: Networks, batch: ImageBatch, groups: Sequence[Group], factor: float, threshold: float
) -> Candidates:
    """Run the first stage: find every cell of every level that might hold a face, as a square.

    There is nothing to suppress yet, because no cell overlaps a better one by more than half: cells of one level are
    two cells apart, and cells of two levels differ in area by half.
    """
    places = CellPlaces()
    proposals = networks.propose(places.list_pieces(batch, groups, factor), threshold, picks_once=batch.picks_once)
    cells, owner = places.find_boxes(proposals.cells)
    size = cells[:, 2:] - cells[:, :2]
    return Candidates(make_square(cells + proposals.offsets * torch.cat([size, size], dim=1)), proposals.scores, owner)


def _judge(networks: Networks, batch: ImageBatch, candidates: Candidates, threshold: float) -> Candidates:
    """Run the second stage: remove most candidates, and move the others to fit."""
    boxes, owner = candidates.boxes, candidates.owner
    scores, offsets = networks.judge(batch, boxes, owner)
    passed = (scores > threshold).nonzero().squeeze(1)
    kept = passed[suppress(boxes[passed], scores[passed], owner[passed], 0.5)]
    return Candidates(make_square(refine(boxes[kept], offsets[kept])), scores[kept], owner[kept])


def _describe(networks: Networks, batch: ImageBatch, candidates: Candidates, threshold: float) -> Detections:
    """Run the third stage: find the final boxes (taller than wide) and their landmarks, and copy them to the host."""
    scores, offsets, points = networks.describe(batch, candidates.boxes, candidates.owner)
    columns = [scores[:, None], candidates.owner[:, None].float(), candidates.boxes, offsets, points]
    table = torch.cat(columns, dim=1).cpu()
    scores, owner, boxes, offsets, points = table[table[:, 0] > threshold].tensor_split([1, 2, 6, 10], dim=1)
    size = boxes[:, None, 2:] - boxes[:, None, :2] + 1
    landmarks = boxes[:, None, :2] + size * points.reshape(-1, 2, 5).transpose(1, 2) - 1
    found = Detections(
        refine(boxes, offsets).numpy(), scores[:, 0].numpy(), owner[:, 0].long().numpy(), landmarks.numpy()
    )
    keep = suppress_nested(found.boxes, found.scores, found.owner, 0.7)
    return Detections(found.boxes[keep], found.scores[keep], found.owner[keep], found.landmarks[keep])
