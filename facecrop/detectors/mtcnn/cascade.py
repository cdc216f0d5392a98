"""MTCNN's three stages over a batch of pictures: propose, judge, describe. Each thins out what the last one found.

Boxes stay on the device until the last network has answered, and come to the host then. On a card, the host waits four
times for each batch: for the cells that are taken for faces, for the boxes that pass the second network, for those that
are left after suppression, and for the result. The number of photos, levels and faces does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from facecrop.detectors.mtcnn.boxes import Array, Index, refine, square, suppress, suppress_nested
from facecrop.detectors.mtcnn.cells import CellPlaces
from facecrop.detectors.mtcnn.networks import Networks
from facecrop.detectors.mtcnn.pyramid import Group, Pictures


@dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes of all pictures of a batch; `owner` is the index of the picture each belongs to."""

    boxes: Tensor  # (n, 4)
    scores: Tensor  # (n,)
    owner: Tensor  # (n,)


@dataclass(frozen=True, slots=True)
class Found:
    """What is left after the last stage, with five landmarks each, in the memory of the host."""

    boxes: Array  # (n, 4)
    scores: Array  # (n,)
    owner: Index  # (n,)
    landmarks: Array  # (n, 5, 2)


NOTHING = Found(
    np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int64), np.empty((0, 5, 2), np.float32)
)


@torch.inference_mode()
def find(
    networks: Networks,
    pictures: Pictures,
    groups: Sequence[Group],
    factor: float,
    thresholds: tuple[float, float, float],
) -> Found:
    """The faces of a batch of pictures."""
    if not any(any(group.scales(factor)) for group in groups):
        return NOTHING
    candidates = _propose(networks, pictures, groups, factor, thresholds[0])
    if len(candidates.boxes):
        candidates = _judge(networks, pictures, candidates, thresholds[1])
    return _describe(networks, pictures, candidates, thresholds[2]) if len(candidates.boxes) else NOTHING


def _propose(
    networks: Networks, pictures: Pictures, groups: Sequence[Group], factor: float, threshold: float
) -> Candidates:
    """First stage: every cell of every level that might hold a face, squared.

    None overlaps a better one by more than half: those of a level are two cells apart, those of two levels differ in
    area by half. So there is nothing to suppress yet.
    """
    places = CellPlaces()
    found = networks.propose(places.pieces(pictures, groups, factor), threshold, picks_once=pictures.picks_once)
    cells, owner = places.boxes(found.cells)
    size = cells[:, 2:] - cells[:, :2]
    return Candidates(square(cells + found.offsets * torch.cat([size, size], dim=1)), found.scores, owner)


def _judge(networks: Networks, pictures: Pictures, candidates: Candidates, threshold: float) -> Candidates:
    """Second stage: most candidates go, the others are moved to fit."""
    boxes, owner = candidates.boxes, candidates.owner
    scores, offsets = networks.judge(pictures, boxes, owner)
    passed = (scores > threshold).nonzero().squeeze(1)
    kept = passed[suppress(boxes[passed], scores[passed], owner[passed], 0.5)]
    return Candidates(square(refine(boxes[kept], offsets[kept])), scores[kept], owner[kept])


def _describe(networks: Networks, pictures: Pictures, candidates: Candidates, threshold: float) -> Found:
    """Third stage: the final boxes (taller than wide) with their landmarks. Few are left; the host gets them now."""
    scores, offsets, points = networks.describe(pictures, candidates.boxes, candidates.owner)
    columns = [scores[:, None], candidates.owner[:, None].float(), candidates.boxes, offsets, points]
    table = torch.cat(columns, dim=1).cpu()
    scores, owner, boxes, offsets, points = table[table[:, 0] > threshold].tensor_split([1, 2, 6, 10], dim=1)
    size = boxes[:, None, 2:] - boxes[:, None, :2] + 1
    landmarks = boxes[:, None, :2] + size * points.reshape(-1, 2, 5).transpose(1, 2) - 1
    found = Found(refine(boxes, offsets).numpy(), scores[:, 0].numpy(), owner[:, 0].long().numpy(), landmarks.numpy())
    keep = suppress_nested(found.boxes, found.scores, found.owner, 0.7)
    return Found(found.boxes[keep], found.scores[keep], found.owner[keep], found.landmarks[keep])
