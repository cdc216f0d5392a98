"""Lay one face over another as well as shift and zoom allow, and correlate them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.curation.likeness import REACH, SIDE, Array

LEAST_SEEN = 0.7  # of the points must lie in both crops
MOST_ZOOM = 1.6  # between two crops, beyond what their fits say

Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]


class Look(NamedTuple):
    """How closely faces are looked at, and what is left for the next look."""

    points: int  # a side
    steps: int
    blur: float  # pixels; it lets them be farther apart
    least: float  # correlation, as a share of what is asked for at the end


LOOKS = (Look(12, 4, 1.5, 0.95), Look(24, 4, 0, 1.0))


class Sampled(NamedTuple):
    """The brightness of faces at a grid of points (n, side, side), and which points lie in their crops."""

    values: Array
    seen: Array


def lay_over(greys: Array, pairs: Indices, mirrored: Mask, places: Array, threshold: float) -> Array:
    """Lay the second face of each pair over the first, and correlate them where both are seen.

    Args:
        greys: Crops (m, SIDE, SIDE).
        pairs: Which two of them to compare (n, 2).
        mirrored: Whether the second one is to be mirrored (n,).
        places: Size, x and y of both faces (n, 2, 3), as `list_places` has them.
        threshold: The correlation that is asked for.

    Returns:
        The correlation of each pair, 0 where it is far below the threshold (n,).
    """
    correlation = np.zeros(len(pairs), np.float32)
    left, at = np.arange(len(pairs)), places[:, 1].copy()
    for look in LOOKS:
        blurred = _blur(greys, look.blur)
        first = _sample(blurred, pairs[left, 0], places[left, 0], None, look.points)
        for _ in range(look.steps):
            second = _sample(blurred, pairs[left, 1], at[left], mirrored[left], look.points)
            at[left] = _improve(first, second, at[left])
        second = _sample(blurred, pairs[left, 1], at[left], mirrored[left], look.points)
        found = _correlate(first, second)
        found[np.abs(np.log(at[left, 0] / places[left, 1, 0])) > np.log(MOST_ZOOM)] = 0
        correlation[left] = np.where(found >= threshold * look.least, found, 0)
        left = left[correlation[left] > 0]
        if not len(left):
            break
    return correlation


def _blur(greys: Array, sigma: float) -> Array:
    import cv2

    return np.stack([cv2.GaussianBlur(grey, (0, 0), sigma) for grey in greys]) if sigma else greys


def _sample(greys: Array, rows: Indices, at: Array, mirrored: Mask | None, points: int) -> Sampled:
    """Sample faces at points that cover what is compared, between pixels linearly."""
    off = (np.arange(points, dtype=np.float32) - (points - 1) / 2) * (REACH / points)
    x, y = (SIDE * (at[:, 0, None] * off + at[:, axis, None]) + (SIDE - 1) / 2 for axis in (1, 2))  # (n, points)
    if mirrored is not None:
        x[mirrored] = SIDE - 1 - x[mirrored]
    seen_x, seen_y = ((values >= 0) & (values <= SIDE - 1) for values in (x, y))
    x, y = x.clip(0, SIDE - 1.001), y.clip(0, SIDE - 1.001)
    left, top = x.astype(np.int64), y.astype(np.int64)
    right, low = (x - left)[:, None, :], (y - top)[:, :, None]
    place = (rows[:, None, None] * SIDE + top[:, :, None]) * SIDE + left[:, None, :]
    flat = greys.reshape(-1)
    upper = flat.take(place) * (1 - right) + flat.take(place + 1) * right
    lower = flat.take(place + SIDE) * (1 - right) + flat.take(place + SIDE + 1) * right
    seen = (seen_y[:, :, None] & seen_x[:, None, :]).astype(np.float32)
    return Sampled((upper * (1 - low) + lower * low).astype(np.float32), seen)


def _normalise(values: Array, seen: Array) -> Array:
    """Give each face mean 0 and length 1 over the points that are seen."""
    mean = np.einsum("nij,nij->n", values, seen) / np.maximum(seen.sum(axis=(1, 2)), 1)
    values = (values - mean[:, None, None]) * seen
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=(1, 2), keepdims=True), 1e-3), np.float32)


def _correlate(first: Sampled, second: Sampled) -> Array:
    seen = first.seen * second.seen
    correlation = np.einsum("nij,nij->n", _normalise(first.values, seen), _normalise(second.values, seen)).round(4)
    return np.where(seen.mean(axis=(1, 2)) >= LEAST_SEEN, correlation, 0)


def _improve(first: Sampled, second: Sampled, at: Array) -> Array:
    """Move and zoom the second faces by what explains their difference best (a step of Gauss and Newton)."""
    seen = first.seen * second.seen
    goal, now = _normalise(first.values, seen), _normalise(second.values, seen)
    points = now.shape[1]
    down, across = np.gradient(now, axis=(1, 2))
    off = np.arange(points, dtype=np.float32) - (points - 1) / 2
    zoom = across * off[None, None, :] + down * off[None, :, None]
    even = np.full_like(now, 1 / points)
    parts = (np.stack([across, down, zoom, now, even], axis=1) * seen[:, None]).reshape(len(at), 5, -1)
    squares = parts @ parts.transpose(0, 2, 1) + 1e-6 * np.eye(5, dtype=np.float32)
    moved = np.linalg.solve(squares, parts @ (goal - now).reshape(len(at), -1, 1))[:, :3, 0]
    farthest = points / 8
    moved = moved.clip([-farthest, -farthest, -0.12], [farthest, farthest, 0.12])
    step = at[:, :1] * REACH / points
    return np.concatenate([at[:, :1] * (1 + moved[:, 2:]), at[:, 1:] + step * moved[:, :2]], axis=1).astype(np.float32)
