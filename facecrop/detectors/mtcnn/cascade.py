"""MTCNN's three stages over a batch of pictures: propose, judge, describe. Each thins out what the last one found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facecrop.detectors.mtcnn.boxes import Array, Index, cut_squares, refine, square, suppress, suppress_nested
from facecrop.detectors.mtcnn.networks import STRIDE, Networks, Pixels, Proposals
from facecrop.detectors.mtcnn.pyramid import CELL, Octaves, draw_level, pyramid_scales


@dataclass(frozen=True, slots=True)
class Level:
    """Pictures of one shape, drawn at one scale; `indices` says which of the batch they are."""

    scale: float
    indices: Index  # (N,)
    pixels: Pixels  # (N, H, W, 3)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes of all pictures of a batch; `owner` is the index of the picture each belongs to."""

    boxes: Array  # (n, 4)
    scores: Array  # (n,)
    owner: Index  # (n,)


@dataclass(frozen=True, slots=True)
class Found:
    """What is left after the last stage, with five landmarks each."""

    boxes: Array  # (n, 4)
    scores: Array  # (n,)
    owner: Index  # (n,)
    landmarks: Array  # (n, 5, 2)


def propose(
    networks: Networks, pictures: Sequence[Octaves], min_faces: Sequence[float], factor: float, threshold: float
) -> Candidates:
    """First stage: every cell of every level that might hold a face, squared. Pictures of one shape go together."""
    groups = defaultdict(list)
    for index, (octaves, min_face) in enumerate(zip(pictures, min_faces, strict=True)):
        groups[*octaves[0].shape[:2], min_face].append(index)
    levels = (
        Level(scale, np.array(indices), np.stack([draw_level(pictures[index], scale) for index in indices]))
        for (height, width, min_face), indices in groups.items()
        for scale in pyramid_scales(height, width, min_face, factor)
    )
    parts = [_boxes(level, networks.propose(level.pixels, threshold)) for level in levels]
    if not parts:
        return Candidates(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int64))
    return Candidates(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _boxes(level: Level, found: Proposals) -> tuple[Array, Array, Index]:
    """The cells as squares in their pictures, with scores and owners.

    None overlaps a better one by more than half: those of a level are two cells apart, those of two levels differ in
    area by half. So there is nothing to suppress yet.
    """
    corner = STRIDE * found.places[:, :0:-1] + 1  # x, y of the cell in the level
    cells = np.floor(np.hstack([corner, corner + CELL - 1]) / level.scale).astype(np.float32)
    size = cells[:, 2:] - cells[:, :2]
    return square(cells + found.offsets * np.hstack([size, size])), found.scores, level.indices[found.places[:, 0]]


def judge(networks: Networks, pictures: Sequence[Octaves], candidates: Candidates, threshold: float) -> Candidates:
    """Second stage: most candidates go, the others are moved to fit."""
    if not len(candidates.boxes):
        return candidates
    scores, offsets = networks.judge(cut_squares(pictures, candidates.boxes, candidates.owner, 24))
    passed = scores > threshold
    boxes, scores, owner, offsets = candidates.boxes[passed], scores[passed], candidates.owner[passed], offsets[passed]
    keep = suppress(boxes, scores, owner, 0.5)
    boxes = square(refine(boxes[keep], offsets[keep]))
    return Candidates(boxes, scores[keep], owner[keep])


def describe(networks: Networks, pictures: Sequence[Octaves], candidates: Candidates, threshold: float) -> Found:
    """Third stage: the final boxes (taller than wide) with their landmarks."""
    if not len(candidates.boxes):
        return Found(candidates.boxes, candidates.scores, candidates.owner, np.empty((0, 5, 2), np.float32))
    scores, offsets, points = networks.describe(cut_squares(pictures, candidates.boxes, candidates.owner, 48))
    passed = scores > threshold
    boxes, scores, owner = candidates.boxes[passed], scores[passed], candidates.owner[passed]
    size = boxes[:, None, 2:] - boxes[:, None, :2] + 1
    landmarks = boxes[:, None, :2] + size * points[passed].reshape(-1, 2, 5).transpose(0, 2, 1) - 1
    boxes = refine(boxes, offsets[passed])
    keep = suppress_nested(boxes, scores, owner, 0.7)
    return Found(boxes[keep], scores[keep], owner[keep], landmarks[keep])
