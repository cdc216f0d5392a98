"""Finding pictures that are in the data more than once: exact copies by hash, near ones by perceptual hash and then by
correlation, and the groups that they form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha1

import numpy as np
from numpy.typing import NDArray

from facecrop.images import Image

SIDE = 48  # pixels: near copies are compared at this size
HASH_SIDE = 32  # pixels, before the cosine transform of the perceptual hash
HASH_BITS = 64

# Bits in which two perceptual hashes may differ. Of FER2013's 363 pairs of near copies, none differs in more:
#     python benchmarks/build.py FER2013.csv --near
MAX_BITS = 12

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class NearPair:
    """Two pictures by their indices, and how alike they are (1 is the same but for brightness and contrast)."""

    first: int
    second: int
    correlation: float


def content_hash(image: Image) -> str:
    """SHA-1 of the pixels; a grey picture's has one value a pixel, whatever its file was like."""
    return sha1((image[..., 0] if is_grey(image) else image).tobytes(), usedforsecurity=False).hexdigest()


def is_grey(image: Image) -> bool:
    """Whether all three channels are the same."""
    red, green, blue = image[..., 0], image[..., 1], image[..., 2]
    return np.array_equal(red, green) and np.array_equal(red, blue)


def is_blank(image: Image) -> bool:
    """Whether all pixels are the same."""
    return bool((image == image[0, 0]).all())


def perceptual_hash(image: Image) -> int:
    """64 bits: which of the coarsest waves in the picture are stronger than the median."""
    import cv2

    small = cv2.resize(_grey(image), (HASH_SIDE, HASH_SIDE), interpolation=cv2.INTER_AREA)
    waves = cv2.dct(small.astype(np.float32))[:8, :8].reshape(-1)
    bits = waves > np.median(waves[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def group_copies(hashes: Sequence[str | None]) -> Indices:
    """For each picture the index of the first with the same hash; its own where there is none, or no hash."""
    first: dict[str, int] = {}
    return np.array(
        [index if name is None else first.setdefault(name, index) for index, name in enumerate(hashes)], np.int64
    )


def near_pairs(
    hashes: NDArray[np.uint64], images: Callable[[Indices], Iterable[Image]], threshold: float
) -> list[NearPair]:
    """All pairs whose correlation reaches the threshold, by index. `images` gives the pictures of indices, in order."""
    candidates = _candidates(hashes)
    if not len(candidates):
        return []
    wanted, places = np.unique(candidates, return_inverse=True)
    pixels = np.stack([_normalised(image) for image in images(wanted)])
    places = places.reshape(-1, 2)
    found = []
    for part, place in zip(_parts(candidates), _parts(places), strict=True):
        correlation = np.einsum("ij,ij->i", pixels[place[:, 0]], pixels[place[:, 1]]).round(4)
        near = correlation >= threshold
        found += [NearPair(int(a), int(b), float(c)) for (a, b), c in zip(part[near], correlation[near], strict=True)]
    return sorted(found, key=lambda pair: (pair.first, pair.second))


def join_groups(count: int, links: Iterable[tuple[int, int]]) -> Indices:
    """For each of `count` things the first of those it is linked with, directly or through others."""
    parent = list(range(count))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for first, second in links:
        low, high = sorted((root(first), root(second)))
        parent[high] = low
    return np.array([root(index) for index in range(count)], np.int64)


def _candidates(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Pairs of indices, the smaller first, whose hashes differ in few bits; (n, 2), sorted, each once.

    Hashes are compared only where a band of their bits agrees. Bands are wider where there are more pictures, so that
    the comparisons do not grow with the square of their number.
    """
    width = max(8, int(np.log2(max(2, len(hashes)))) - 7)
    found = []
    for start in range(0, HASH_BITS - width + 1, width):
        band = (hashes >> np.uint64(start)) & np.uint64(2**width - 1)
        order = np.argsort(band, kind="stable")
        for pairs in _neighbours(band[order]):
            first, second = order[pairs[:, 0]], order[pairs[:, 1]]
            close = np.bitwise_count(hashes[first] ^ hashes[second]) <= MAX_BITS
            found.append(np.stack([first[close], second[close]], axis=1))
    if not found:
        return np.empty((0, 2), np.int64)
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def _neighbours(ordered: NDArray[np.uint64]) -> Iterator[Indices]:
    """Pairs of places that hold the same value, at growing distance: as many steps as the longest run is long."""
    distance, left = 1, np.arange(len(ordered) - 1)
    while len(left := left[left + distance < len(ordered)]):
        left = left[ordered[left] == ordered[left + distance]]
        yield np.stack([left, left + distance], axis=1)
        distance += 1


def _parts(array: NDArray[np.int64], size: int = 4096) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(array), size):
        yield array[start : start + size]


def _normalised(image: Image) -> NDArray[np.float32]:
    """The picture as a vector of mean 0 and length 1; all zero where it is blank."""
    import cv2

    small = cv2.resize(_grey(image), (SIDE, SIDE), interpolation=cv2.INTER_AREA).reshape(-1).astype(np.float32)
    small -= small.mean()
    return np.asarray(small / max(float(np.linalg.norm(small)), 1e-6), np.float32)


def _grey(image: Image) -> NDArray[np.uint8]:
    import cv2

    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
