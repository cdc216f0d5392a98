"""Find altered copies: crops of one photo that were cut, lit, packed or mirrored in different ways.

Descriptions of faces are compared with each other (likeness.py). Pairs that are alike are laid over each other, as well
as shift and zoom allow, and are near copies if their pixels correlate then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.curation.duplicates import Indices, NearPair, shrink_images
from emonet.datasets.curation.likeness import FITS, LENGTH, Array, Grey, Likeness, list_places
from emonet.datasets.curation.overlay import lay_over
from facecrop.images import Image
from facecrop.threads import use_one_thread

ALIKE = 0.77  # least likeness of a pair that is laid over: python benchmarks/near_copies.py FER2013.csv
BLOCK = 512  # descriptions that are compared with MANY others at a time
MANY = 2048
TILE = (256, 256)  # of these and of those at a time: how alike they are stays in a core's cache
MOST = 1024  # pairs of a block that are looked at: the most alike ones, where all images are of one person
PAIRS = 1024  # that are laid over each other at a time

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Pairs of faces that may be copies.

    Attributes:
        pairs: Their indices, the smaller first (n, 2).
        mirrored: Whether the second face is to be mirrored (n,).
        places: Size, x and y of both faces, the second mirrored if it is to be (n, 2, 3).
    """

    pairs: Indices
    mirrored: Mask
    places: Array

    def batches(self) -> Iterator[Candidates]:
        """Yield PAIRS of them at a time."""
        for start in range(0, len(self.pairs), PAIRS):
            part = slice(start, start + PAIRS)
            yield Candidates(self.pairs[part], self.mirrored[part], self.places[part])


def find_altered_copies(
    likeness: Likeness,
    together: Indices,
    evaluated: Mask,
    images: Callable[[Indices], Iterable[Image]],
    threshold: float,
) -> list[NearPair]:
    """Find the pairs of crops that show one photo, whatever their crop, light and side.

    All are compared at their best fits, and evaluated ones with the others at all fits, mirrored or not.

    Args:
        likeness: The descriptions of the crops.
        together: A number for each crop; those with the same number are not compared, unless it is negative.
        evaluated: Which crops are of evaluated splits. They are compared more thoroughly with all others.
        images: Returns the crops of some indices, given in rising order.
        threshold: The least correlation of a pair.
    """
    with use_one_thread():
        strips = [search_strip(likeness, evaluated, strip) for strip in list_strips(evaluated)]
    candidates = choose_candidates(strips, likeness, together)
    greys = shrink_images(candidates.pairs, images)
    return [pair for batch in candidates.batches() for pair in compare_pairs(batch, greys, threshold)]


def compare_pairs(candidates: Candidates, greys: Mapping[int, Grey], threshold: float) -> list[NearPair]:
    """Lay the faces of some pairs over each other, and find those that are copies.

    Args:
        candidates: The pairs, at most PAIRS.
        greys: What `shrink` made of the crops of the pairs, by their indices.
        threshold: The least correlation of a pair.
    """
    used, here = np.unique(candidates.pairs, return_inverse=True)
    stack = np.array([greys[index] for index in used.tolist()], np.float32)
    correlation = lay_over(stack, here.reshape(-1, 2), candidates.mirrored, candidates.places, threshold)
    found = []
    for index in np.flatnonzero(correlation >= threshold).tolist():
        first, second = candidates.pairs[index].tolist()
        found.append(NearPair(first, second, float(correlation[index]), bool(candidates.mirrored[index])))
    return found


class Strip(NamedTuple):
    """A part of the search: BLOCK descriptions, which are compared with many others.

    Attributes:
        thorough: Compare evaluated crops with the others at all fits; otherwise all crops at their best fits.
        start: The first of the descriptions, counted among those that the search compares.
    """

    thorough: bool
    start: int


def list_strips(evaluated: Mask) -> list[Strip]:
    """List the parts of the search, which can be done in any order."""
    strips = [Strip(False, start) for start in range(0, len(evaluated), BLOCK)]
    if evaluated.any() and not evaluated.all():
        strips += [Strip(True, start) for start in range(0, int(evaluated.sum()) * FITS, BLOCK)]
    return strips


def search_strip(likeness: Likeness, evaluated: Mask, strip: Strip) -> NDArray[np.float64]:
    """Find pairs of descriptions that are alike: both entries, whether mirrored, and how alike (n, 4).

    What odd frequencies add has the other sign if one face is mirrored.
    """
    entries = np.arange(len(evaluated) * FITS)
    best, tested = entries[::FITS], np.repeat(evaluated, FITS)
    these, those = (entries[tested], entries[~tested]) if strip.thorough else (best, best)
    first = 0 if strip.thorough else strip.start // MANY * MANY  # each pair once
    these = these[strip.start : strip.start + BLOCK]
    room = np.empty((3, *TILE), np.float32)  # to ask for it anew each time may take longer than to fill it
    found = [
        _compare_block(likeness, these, those[other : other + MANY], room, rising=not strip.thorough)
        for other in range(first, len(those), MANY)
    ]
    return np.concatenate(found or [np.empty((0, 4))])


def _compare_block(likeness: Likeness, a: Indices, b: Indices, room: Array, *, rising: bool) -> NDArray[np.float64]:
    """Compare descriptions with others, a tile of both at a time. The room for a tile (3, *TILE) is written over."""
    even_a, odd_a = _unpack(likeness, a)
    even_b, odd_b = (part.T for part in _unpack(likeness, b))
    least = ALIKE * LENGTH**2
    found = [np.empty((0, 4))]
    for row, column in product(range(0, len(a), TILE[0]), range(0, len(b), TILE[1])):
        rows, columns = slice(row, row + TILE[0]), slice(column, column + TILE[1])
        sides, either, alike = room[:, : len(a[rows]), : len(b[columns])]
        np.matmul(odd_a[rows], odd_b[:, columns], out=sides)
        np.matmul(even_a[rows], even_b[:, columns], out=alike)
        alike += np.abs(sides, out=either)
        if len(hits := np.flatnonzero(alike >= least)):
            here, there = np.divmod(hits, alike.shape[1])
            pairs = (a[rows][here], b[columns][there], sides[here, there] < 0, alike[here, there])
            found.append(np.stack(pairs, axis=1))
    joined = np.concatenate(found)
    joined = joined[np.lexsort((joined[:, 1], joined[:, 0]))]  # whatever the size of tiles
    if rising:
        joined = joined[joined[:, 0] < joined[:, 1]]
    return joined if len(joined) <= MOST else joined[np.argsort(-joined[:, 3], kind="stable")[:MOST]]


def _unpack(likeness: Likeness, entries: Indices) -> tuple[Array, Array]:
    """Unpack the even and odd frequencies of some descriptions (n, 29) and (n, 25)."""
    places = np.divmod(entries, FITS)  # to flatten what is packed would copy all of it
    return likeness.even[places].astype(np.float32), likeness.odd[places].astype(np.float32)


def choose_candidates(strips: Sequence[NDArray[np.float64]], likeness: Likeness, together: Indices) -> Candidates:
    """Keep of each pair the fits at which it is most alike; leave out pairs that are not to be compared.

    Args:
        strips: What `search_strip` found, in the order of `list_strips`.
        likeness: The descriptions of the crops.
        together: As in `find_altered_copies`.
    """
    found = np.concatenate([*strips, np.empty((0, 4))])
    entries = found[:, :2].astype(np.int64)
    entries.sort(axis=1)
    rows = entries // FITS
    apart = (together[rows[:, 0]] != together[rows[:, 1]]) | (together[rows[:, 0]] < 0)
    rest = np.flatnonzero(apart)
    order = rest[np.lexsort((-found[rest, 3], rows[rest, 1], rows[rest, 0]))]
    pairs, first = np.unique(rows[order], axis=0, return_index=True)
    chosen = order[first]
    mirrored = found[chosen, 2].astype(np.bool_)
    places = list_places().at[likeness.fits.reshape(-1)[entries[chosen]]]
    places[mirrored, 1, 1] *= -1
    return Candidates(pairs, mirrored, places)
