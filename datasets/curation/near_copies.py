"""Find altered copies: crops of one photo that were cut, lit, packed or mirrored in different ways.

Descriptions of faces are compared with each other (likeness.py). Pairs that are alike are laid over each other, as well
as shift and zoom allow, and are near copies if their pixels correlate then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.curation.duplicates import Indices, NearPair
from emonet.datasets.curation.likeness import FITS, LENGTH, Array, Likeness, list_places, shrink
from emonet.datasets.curation.overlay import lay_over
from facecrop.images import Image

ALIKE = 0.77  # least likeness of a pair that is laid over: python benchmarks/near_copies.py FER2013.csv
BLOCK = 512  # descriptions that are compared with MANY others at a time
MANY = 2048
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


def find_altered_copies(
    likeness: Likeness,
    together: Indices,
    evaluated: Mask,
    images: Callable[[Indices], Iterable[Image]],
    threshold: float,
) -> list[NearPair]:
    """Find the pairs of crops that show one photo, whatever their crop, light and side.

    Args:
        likeness: The descriptions of the crops.
        together: A number for each crop; those with the same number are not compared, unless it is negative.
        evaluated: Which crops are of evaluated splits. They are compared more thoroughly with all others.
        images: Returns the crops of some indices, given in rising order.
        threshold: The least correlation of a pair.
    """
    candidates = find_candidates(likeness, together, evaluated)
    wanted, rows = np.unique(candidates.pairs, return_inverse=True)
    greys = [shrink(image) for image in images(wanted)]
    rows = rows.reshape(-1, 2)
    found = []
    for start in range(0, len(rows), PAIRS):
        part = slice(start, start + PAIRS)
        used, here = np.unique(rows[part], return_inverse=True)
        stack = np.array([greys[row] for row in used], np.float32)
        mirrored, places = candidates.mirrored[part], candidates.places[part]
        correlation = lay_over(stack, here.reshape(-1, 2), mirrored, places, threshold)
        for index in np.flatnonzero(correlation >= threshold).tolist():
            first, second = candidates.pairs[start + index].tolist()
            found.append(NearPair(first, second, float(correlation[index]), bool(mirrored[index])))
    return found


def find_candidates(likeness: Likeness, together: Indices, evaluated: Mask) -> Candidates:
    """Find pairs of faces that are alike.

    All are compared at their best fits, and evaluated ones with the others at all fits, mirrored or not.
    """
    entries = np.arange(len(likeness.fits) * FITS)
    best, tested = entries[::FITS], np.repeat(evaluated, FITS)
    searches = [_search(likeness, best, best, ordered=True)]
    if evaluated.any() and not evaluated.all():
        searches.append(_search(likeness, entries[tested], entries[~tested], ordered=False))
    found = np.concatenate([part for search in searches for part in search] or [np.empty((0, 4))])
    return _choose_best(found, likeness, together)


def _search(likeness: Likeness, these: Indices, those: Indices, *, ordered: bool) -> Iterator[NDArray[np.float64]]:
    """Yield pairs of descriptions that are alike: both entries, whether mirrored, and how alike.

    What odd frequencies add has the other sign if one face is mirrored.
    """
    parts = [part.reshape(-1, part.shape[-1]) for part in (likeness.even, likeness.odd)]
    least = ALIKE * LENGTH**2
    for start in range(0, len(these), BLOCK):
        for other in range(start // MANY * MANY if ordered else 0, len(those), MANY):
            a, b = these[start : start + BLOCK], those[other : other + MANY]
            alike, odd = (part[a] @ part[b].T for part in parts)
            total = np.abs(odd)
            total += alike
            rows, columns = np.divmod(np.flatnonzero(total >= least), len(b))
            if ordered:
                rising = a[rows] < b[columns]
                rows, columns = rows[rising], columns[rising]
            if len(rows) > MOST:
                chosen = np.argsort(-total[rows, columns], kind="stable")[:MOST]
                rows, columns = rows[chosen], columns[chosen]
            yield np.stack([a[rows], b[columns], odd[rows, columns] < 0, total[rows, columns]], axis=1)


def _choose_best(found: NDArray[np.float64], likeness: Likeness, together: Indices) -> Candidates:
    """Keep of each pair the fits at which it is most alike; leave out pairs that are not to be compared."""
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
