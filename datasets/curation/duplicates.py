"""Find images that are in the data more than once.

Exact copies have the same hash. Near copies have similar perceptual hashes, and their pixels correlate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha1
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.curation.likeness import Grey, shrink
from facecrop.images import Image

HASH_SIDE = 32  # pixels, before the cosine transform of the perceptual hash
HASH_BITS = 64

# Bits in which two perceptual hashes may differ. None of FER2013's 363 pairs of near copies differs in more:
#     python benchmarks/build.py FER2013.csv --near
MAX_BITS = 12

BATCH = 4096  # pairs that are correlated at a time

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
    hashes: NDArray[np.uint64],
    images: Callable[[Indices], Iterable[Image]],
    threshold: float,
) -> list[NearPair]:
    """Find the pairs of images that are near copies of each other.

    Args:
        hashes: The perceptual hash of each image.
        images: Returns the images of some indices, in order.
        threshold: The least correlation of a pair.
    """
    width = choose_band_width(len(hashes))
    found = (find_close_pairs(hashes, width, band) for band in range(HASH_BITS // width))
    pairs = np.concatenate([np.empty((0, 2), np.int64), *chain.from_iterable(found)])
    greys = shrink_images(pairs, images)
    return sorted(keep_near([pairs], lambda _: greys, threshold), key=lambda pair: (pair.first, pair.second))


def choose_band_width(count: int) -> int:
    """Choose how many neighbouring bits of two hashes must agree before they are compared: more among more images."""
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


def cut_band(hashes: NDArray[np.uint64], width: int, band: int) -> NDArray[np.uint64]:
    """Return some neighbouring bits of hashes."""
    return (hashes >> np.uint64(band * width)) & np.uint64(2**width - 1)


def find_close_pairs(hashes: NDArray[np.uint64], width: int, band: int) -> Iterator[Indices]:
    """Yield pairs of indices (n, 2), the smaller first, whose hashes share a band and differ in few bits.

    Two hashes are compared only if a band of their bits is the same. The more images there are, the wider the bands:
    so the number of comparisons does not grow with the square of the number of images. A pair is found in the first
    band that it shares, and in no other.
    """
    bits = cut_band(hashes, width, band)
    order = np.argsort(bits, kind="stable")
    for places in _pair_equals(bits[order]):
        pairs = order[places]
        differ = hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]]
        close = np.flatnonzero(np.bitwise_count(differ) <= MAX_BITS)
        for earlier in range(band):
            close = close[cut_band(differ[close], width, earlier) != 0]
        yield pairs[close]


def _pair_equals(ordered: NDArray[np.uint64]) -> Iterator[Indices]:
    """Yield pairs of places with the same value, at distance 1, 2, ... up to the length of the longest run."""
    distance, left = 1, np.arange(len(ordered) - 1)
    while len(left := left[left + distance < len(ordered)]):
        left = left[ordered[left] == ordered[left + distance]]
        yield np.stack([left, left + distance], axis=1)
        distance += 1


def shrink_images(pairs: Indices, images: Callable[[Indices], Iterable[Image]]) -> dict[int, Grey]:
    """Return what `shrink` makes of the images of pairs, by their indices."""
    wanted = np.unique(pairs)
    return dict(zip(wanted.tolist(), map(shrink, images(wanted)), strict=True))


def keep_near(
    pairs: Iterable[Indices], read: Callable[[Indices], Mapping[int, Grey]], threshold: float
) -> list[NearPair]:
    """Keep of pairs of images those whose pixels correlate.

    Args:
        pairs: Their indices (n, 2), some at a time.
        read: Returns what `shrink` makes of the images of at most BATCH pairs, by their indices.
        threshold: The least correlation of a pair.
    """
    return [pair for batch in _batch(pairs) for pair in _correlate(batch, read(batch), threshold)]


def _batch(pairs: Iterable[Indices]) -> Iterator[Indices]:
    waiting = np.empty((0, 2), np.int64)
    for some in pairs:
        waiting = np.concatenate([waiting, some])
        while len(waiting) >= BATCH:
            yield waiting[:BATCH]
            waiting = waiting[BATCH:]
    if len(waiting):
        yield waiting


def _correlate(pairs: Indices, greys: Mapping[int, Grey], threshold: float) -> Iterator[NearPair]:
    used, here = np.unique(pairs, return_inverse=True)
    pixels = np.array([normalise_grey(greys[index]) for index in used.tolist()])
    first, second = here.reshape(-1, 2).T
    correlation = np.einsum("ij,ij->i", pixels[first], pixels[second]).round(4)  # rounded: the same on every machine
    for place in np.flatnonzero(correlation >= threshold).tolist():
        one, other = pairs[place].tolist()
        yield NearPair(one, other, float(correlation[place]))


def normalise_grey(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return what `shrink` made of an image as a vector of mean 0 and length 1; zeros if it is blank."""
    small = grey.reshape(-1).astype(np.float32)
    small -= small.mean()
    return np.asarray(small / max(float(np.linalg.norm(small)), 1e-6), np.float32)


def _to_grey(image: Image) -> NDArray[np.uint8]:
    import cv2

    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def join_pairs(*found: list[NearPair]) -> list[NearPair]:
    """Keep of each pair the first that was found."""
    pairs = {(pair.first, pair.second): pair for pairs in reversed(found) for pair in pairs}
    return [pairs[place] for place in sorted(pairs)]
