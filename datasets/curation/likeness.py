"""Describe a face so that its copies are alike, whatever their crop, light and side.

A drawn face (dark eyes and mouth, bright cheeks and forehead) is laid over the crop in many sizes and at many places.
Where it fits best, the crop is cut anew: two crops of one photo are then cut nearly alike. The second best fit counts,
too, because the best may lie beyond the edge of another crop. What is cut is described by its low frequencies. The
drawn face is symmetric, so that a mirrored face has the same description, but for the sign of the odd frequencies.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from facecrop.images import Image

Array = NDArray[np.float32]
Grey = NDArray[np.uint8]
Whole = NDArray[np.int8]

SIDE = 48  # pixels of the crops that are compared
SMALL = 24  # pixels of the crop that the drawn face is laid over
CUT = 20  # pixels of what is cut out
REACH = 0.7  # of the crop's side: what is cut out where the drawn face fits in its own size
FITS = 2  # places of the face in a crop
LENGTH = 100  # of a description, in whole numbers: their sums are exact, and the same on every machine
HIGHEST = 9  # sum of the two frequencies that are described
RISE = 0.7  # a frequency f counts f ** RISE: there is less of high ones
# Even frequencies of a usual face, on the same scale; mean of FER2013's. What all faces share tells none of them.
USUAL = (
    *(-8, 9, -11, 2, -2, -13, 13, 2, 1, -7, 0, -7, 6, 29, 1),
    *(-14, -2, 21, -2, -10, -5, 1, -1, -6, -6, -12, 5, 1, -1),
)

SIZES = tuple(0.8 * 1.08**step for step in range(8))  # of the drawn face
SHIFT = 5  # pixels of the small crop that the drawn face is moved at most
FAINT = 60.0  # strength of frequencies below which a crop is nearly blank, and like no other
BOX = (9, 9)  # pixels of the small crop: what changes more slowly is light
# Parts of the drawn face: how far left and right of the middle, how far below it, half width and height, brightness.
PARTS = (
    (0.19, -0.14, 0.08, 0.05, -1.0),  # eyes
    (0.0, 0.25, 0.10, 0.04, -0.8),  # mouth
    (0.20, 0.04, 0.08, 0.08, 0.7),  # cheeks
    (0.0, -0.30, 0.13, 0.08, 0.7),  # forehead
    (0.0, 0.0, 0.04, 0.12, 0.6),  # nose
)


@dataclass(frozen=True, slots=True)
class Places:
    """The drawn face at all its places (N), and where they are.

    Attributes:
        faces: The drawn face, of length 1 (N, SMALL * SMALL).
        weights: Where it is drawn (N, SMALL * SMALL).
        at: Size, and x and y of its middle from the middle of the crop, in sides of the crop (N, 3).
    """

    faces: Array
    weights: Array
    at: Array


@cache
def list_places() -> Places:
    """List the places at which the drawn face lies in the crop, or nearly so."""
    import cv2

    middle = (SMALL - 1) / 2
    y, x = (np.mgrid[:SMALL, :SMALL] - middle) / SMALL
    face = _flatten(_draw_face(x, y))
    mask = ((1.1 - np.hypot(x / 0.375, y / 0.417)) / 0.3).clip(0, 1).astype(np.float32)
    faces, weights, at = [], [], []
    shifts = range(-SHIFT, SHIFT + 1)
    for size, down, right in ((size, down, right) for size in SIZES for down in shifts for right in shifts):
        move = np.array([[size, 0, middle * (1 - size) + right], [0, size, middle * (1 - size) + down]])
        weight = cv2.warpAffine(mask, move, (SMALL, SMALL))
        if weight.sum() < 0.9 * mask.sum() * size**2:
            continue  # a good part of it is beyond the edge
        moved = cv2.warpAffine(face, move, (SMALL, SMALL))
        moved = weight * (moved - (weight * moved).sum() / weight.sum())
        faces.append(moved.reshape(-1) / np.linalg.norm(moved))
        weights.append(weight.reshape(-1))
        at.append((size, right / SMALL, down / SMALL))
    return Places(np.array(faces, np.float32), np.array(weights, np.float32), np.array(at, np.float32))


def _draw_face(x: NDArray[np.float64], y: NDArray[np.float64]) -> Array:
    face = np.zeros(x.shape)
    for aside, below, wide, high, bright in PARTS:
        for side in (-1, 1):
            blob = np.exp(-(((x - side * aside) / wide) ** 2 + ((y - below) / high) ** 2) / 2)
            face += bright / (1 if aside else 2) * blob
    return face.astype(np.float32)


def _flatten(small: Array) -> Array:
    """Take out light, which changes slowly over a face."""
    import cv2

    return np.asarray(small - cv2.blur(small, BOX), np.float32)


@dataclass(frozen=True, slots=True)
class Likeness:
    """The descriptions of N crops, in bytes: all crops of a build are in memory together.

    Attributes:
        even: Even frequencies at each fit (N, FITS, 29), in whole numbers.
        odd: Odd frequencies (N, FITS, 25); those of the mirrored crop have the other sign.
        fits: The numbers of the places of the fits (N, FITS).
    """

    even: Whole
    odd: Whole
    fits: NDArray[np.uint16]

    def encode(self) -> list[bytes]:
        """Pack the description of each crop, to be stored."""
        numbers = np.concatenate([self.even, self.odd], axis=2)
        places = self.fits.astype("<u2")
        return [one.tobytes() + where.tobytes() for one, where in zip(numbers, places, strict=True)]

    @classmethod
    def decode(cls, packed: Iterable[bytes]) -> Likeness:
        """Unpack descriptions."""
        even, odd = _choose_frequencies()
        count = len(even) + len(odd)
        layout = np.dtype([("numbers", np.int8, (FITS, count)), ("fits", "<u2", (FITS,))])
        raw = np.fromiter(packed, np.dtype((np.void, layout.itemsize))).view(layout)
        return cls(raw["numbers"][..., : len(even)], raw["numbers"][..., len(even) :], raw["fits"])


def describe_likeness(greys: Sequence[Grey]) -> Likeness:
    """Describe crops of faces, which `shrink` has made grey and small."""
    if not greys:
        none = (np.empty((0, FITS, len(part)), np.int8) for part in _choose_frequencies())
        return Likeness(next(none), next(none), np.empty((0, FITS), np.uint16))
    fits = _find_fits(greys)
    cuts = np.array(
        [[_cut(grey, *place) for place in list_places().at[where]] for grey, where in zip(greys, fits, strict=True)],
        np.float32,
    )
    even = _choose_frequencies()[0]
    found = cuts.reshape(-1, CUT * CUT) @ _list_waves().T
    strength = np.linalg.norm(found, axis=1, keepdims=True)
    found *= LENGTH / np.maximum(strength, 1e-3)
    found[:, : len(even)] -= USUAL
    found *= LENGTH / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-3)
    found[strength[:, 0] < FAINT] = 0
    numbers = found.round().astype(np.int8).reshape(len(greys), FITS, -1)
    return Likeness(numbers[..., : len(even)], numbers[..., len(even) :], fits.astype(np.uint16))


def shrink(image: Image) -> Grey:
    """Return a crop as it is compared: grey, and of SIDE pixels."""
    import cv2

    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = grey if grey.shape == (SIDE, SIDE) else cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _find_fits(greys: Sequence[Grey]) -> NDArray[np.int64]:
    """Find the places at which the drawn face fits best, FITS of each crop, far from each other."""
    import cv2

    places = list_places()
    small = [cv2.resize(grey, (SMALL, SMALL), interpolation=cv2.INTER_AREA).astype(np.float32) for grey in greys]
    flat = np.array([_flatten(one).reshape(-1) for one in small], np.float32)
    fit = flat @ places.faces.T / np.sqrt(np.maximum((flat * flat) @ places.weights.T, 1.0))
    best = fit.round(4).argmax(axis=1)  # rounded: the same on every machine
    fit[_list_neighbours()[best]] = -np.inf
    return np.stack([best, fit.round(4).argmax(axis=1)], axis=1)


@cache
def _list_neighbours() -> NDArray[np.bool_]:
    """Tell for each pair of places whether they are so near that they count as one."""
    at = list_places().at
    off = np.abs(at[:, None] - at[None])
    near: NDArray[np.bool_] = (off[..., 0] < 0.15 * at[:, None, 0]) & (off[..., 1:] < 0.1).all(axis=2)
    return near


def _cut(grey: Grey, size: float, x: float, y: float) -> Grey:
    """Cut out what the drawn face covers at a place."""
    import cv2

    step, middle = REACH * size * SIDE / CUT, (SIDE - 1) / 2
    first = middle - step * (CUT - 1) / 2
    move = np.array([[step, 0, first + x * SIDE], [0, step, first + y * SIDE]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(grey, move, (CUT, CUT), flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8)


@cache
def _choose_frequencies() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the described frequencies of a cosine transform (CUT * CUT): the even ones across, and the odd ones."""
    down, across = np.mgrid[:CUT, :CUT]
    low = (down + across > 0) & (down + across <= HIGHEST)
    return np.flatnonzero(low & (across % 2 == 0)), np.flatnonzero(low & (across % 2 == 1))


@cache
def _list_waves() -> Array:
    """List the waves of the described frequencies (54, CUT * CUT), as strong as they count."""
    from scipy.fft import dct

    one = dct(np.eye(CUT), norm="ortho", axis=0)  # (frequency, pixel)
    down, across = np.divmod(np.concatenate(_choose_frequencies()), CUT)
    waves = np.einsum("ni,nj->nij", one[down], one[across]) * (np.hypot(down, across) ** RISE)[:, None, None]
    return np.asarray(waves.reshape(len(down), -1), np.float32)
