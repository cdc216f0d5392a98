"""Find images that are in the data more than once.

Exact copies have the same hash. Near copies have similar perceptual hashes, and their pixels correlate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha1
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.curation.likeness import shrink
from facecrop.images import Image

HASH_SIDE = 32  # pixels, before the cosine transform of the perceptual hash
HASH_BITS = 64

# Bits in which two perceptual hashes may differ. None of FER2013's 363 pairs of near copies differs in more:
#     python benchmarks/build.py FER2013.csv --near
MAX_BITS = 12

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class NearPair:
    """Two images by their indices, and the correlation of their pixels, one of them mirrored if that is said."""

    first: int
    second: int
    correlation: float
    mirrored: bool = False


def hash_pixels(image: Image) -> str:
    """Compute the SHA-1 of the pixels; of a grey image only one channel counts."""
    return sha1((image[..., 0] if is_grey(image) else image).tobytes(), usedforsecurity=False).hexdigest()


def is_grey(image: Image) -> bool:
    """Tell whether all three channels are the same."""
    red, green, blue = image[..., 0], image[..., 1], image[..., 2]
    return np.array_equal(red, green) and np.array_equal(red, blue)


def is_blank(image: Image) -> bool:
    """Tell whether all pixels are the same."""
    return bool((image == image[0, 0]).all())


def perceptual_hash(image: Image) -> int:
    """Compute 64 bits: which low frequencies of the image are stronger than the median."""
    import cv2

    small = cv2.resize(_to_grey(image), (HASH_SIDE, HASH_SIDE), interpolation=cv2.INTER_AREA)
    waves = cv2.dct(small.astype(np.float32))[:8, :8].reshape(-1)
    bits = waves > np.sort(waves[1:])[31]  # their median, in a tenth of the time that np.median takes
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def find_copies(hashes: Sequence[str | None]) -> Indices:
    """Find for each image the index of the first with the same hash.

    It is the image's own index if there is none, or if the image has no hash.
    """
    first: dict[str, int] = {}
    return np.array(
        [index if name is None else first.setdefault(name, index) for index, name in enumerate(hashes)], np.int64
    )


def find_near_pairs(
    hashes: NDArray[np.uint64], images: Callable[[Indices], Iterable[Image]], threshold: float
) -> list[NearPair]:
    """Find the pairs of images that are near copies of each other.

    Args:
        hashes: The perceptual hash of each image.
        images: Returns the images of some indices, in order.
        threshold: The least correlation of a pair.
    """
    candidates = _find_candidates(hashes)
    if not len(candidates):
        return []
    wanted, places = np.unique(candidates, return_inverse=True)
    pixels = np.stack([normalise_grey(shrink(image)) for image in images(wanted)])
    places = places.reshape(-1, 2)
    found = []
    for part, place in zip(_slice(candidates), _slice(places), strict=True):
        correlation = correlate(pixels[place[:, 0]], pixels[place[:, 1]])
        near = correlation >= threshold
        found += [NearPair(int(a), int(b), float(c)) for (a, b), c in zip(part[near], correlation[near], strict=True)]
    return sorted(found, key=lambda pair: (pair.first, pair.second))


def choose_band_width(count: int) -> int:
    """Choose how many neighbouring bits of two hashes are the same before they are compared, among so many images."""
    return max(8, int(np.log2(max(2, count))) - 7)


def join_groups(count: int, links: Iterable[tuple[int, int]]) -> Indices:
    """Join things that are linked, directly or through others.

    Args:
        count: How many things there are.
        links: Pairs of their indices.

    Returns:
        For each thing the index of the first in its group (count,).
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = np.fromiter(chain.from_iterable(links), np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(pairs), np.bool_), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, groups = connected_components(graph, directed=False)
    _, first = np.unique(groups, return_index=True)
    return np.asarray(first[groups], np.int64)


def _find_candidates(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Find pairs of indices whose hashes differ in few bits: (n, 2), sorted, each once, the smaller index first.

    Two hashes are compared only if a band of their bits is the same. The more images there are, the wider the bands:
    so the number of comparisons does not grow with the square of the number of images.
    """
    width = choose_band_width(len(hashes))
    found = []
    for start in range(0, HASH_BITS - width + 1, width):
        band = (hashes >> np.uint64(start)) & np.uint64(2**width - 1)
        order = np.argsort(band, kind="stable")
        for pairs in _pair_equals(band[order]):
            first, second = order[pairs[:, 0]], order[pairs[:, 1]]
            close = np.bitwise_count(hashes[first] ^ hashes[second]) <= MAX_BITS
            found.append(np.stack([first[close], second[close]], axis=1))
    if not found:
        return np.empty((0, 2), np.int64)
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def _pair_equals(ordered: NDArray[np.uint64]) -> Iterator[Indices]:
    """Yield pairs of places with the same value, at distance 1, 2, ... up to the length of the longest run."""
    distance, left = 1, np.arange(len(ordered) - 1)
    while len(left := left[left + distance < len(ordered)]):
        left = left[ordered[left] == ordered[left + distance]]
        yield np.stack([left, left + distance], axis=1)
        distance += 1


def _slice(array: NDArray[np.int64], size: int = 4096) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(array), size):
        yield array[start : start + size]


def correlate(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Correlate two lists of images of `normalise_grey`, one with one; rounded: the same on every machine."""
    return np.asarray(np.einsum("ij,ij->i", first, second).round(4), np.float32)


def normalise_grey(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return what `shrink` made of an image as a vector of mean 0 and length 1; zeros if it is blank."""
    small = grey.reshape(-1).astype(np.float32)
    small -= small.mean()
    return np.asarray(small / max(float(np.linalg.norm(small)), 1e-6), np.float32)


def _to_grey(image: Image) -> NDArray[np.uint8]:
    import cv2

    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
