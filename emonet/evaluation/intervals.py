"""Compute where shares and differences lie with 95 % confidence.

Images of one person are alike: a model that fails on a face fails on most of its images. Wilson's interval, which takes
images as independent, is then too narrow. Where people or sequences are known, they are drawn in the place of images
(cluster bootstrap): people first, sequences where the person is not known, single images where neither is.

Few clusters make a bootstrap too narrow. Its percentiles are moved out as a t-interval's are (Hesterberg 2015, "What
teachers should know about the bootstrap", the expanded percentile interval); with 100 clusters it hardly matters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emonet.errors import OptionError

if TYPE_CHECKING:
    from emonet.faces import Faces

LEVEL = 0.95
RESAMPLES, PIECE = 10_000, 500  # resamples, and how many are drawn at a time
SEED = 0  # the same answers always have the same interval
WILSON = "Wilson"
KINDS = (("person", "people"), ("sequence", "sequences"), ("image", "images"))
PERSON, SEQUENCE, IMAGE = range(3)

Sums = NDArray[np.float64]
Ends = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval, and how it was computed.

    Attributes:
        low: Its lower end.
        high: Its upper end.
        method: In words, such as `cluster bootstrap over 118 people`.
    """

    low: float
    high: float
    method: str

    @property
    def ends(self) -> Ends:
        """Both ends."""
        return self.low, self.high


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """Say which images belong together, because they are of one person or sequence.

    Attributes:
        groups: The number of the cluster of each image (N,).
        kinds: Whether the cluster of each image is a person (0), a sequence (1) or the image alone (2).
    """

    groups: NDArray[np.int64]
    kinds: NDArray[np.int64]

    def part(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Clusters:
        """Return the clusters of some images, given as a mask or as rows."""
        return Clusters(np.unique(self.groups[rows], return_inverse=True)[1], self.kinds[rows])

    @property
    def count(self) -> int:
        """How many clusters there are."""
        return int(self.groups.max()) + 1 if len(self.groups) else 0

    @property
    def are_images(self) -> bool:
        """Whether each image is a cluster of its own."""
        return self.count == len(self.groups)

    @property
    def words(self) -> str:
        """Say how many clusters of which kind there are."""
        counts = [len(np.unique(self.groups[self.kinds == kind])) for kind in range(len(KINDS))]
        named = [f"{n:,} {KINDS[kind][n != 1]}" for kind, n in enumerate(counts) if n]
        return " and ".join(filter(None, (", ".join(named[:-1]), named[-1]))) if named else "no images"

    def sum(self, values: NDArray[np.floating]) -> Sums:
        """Sum values (N, columns) within each cluster."""
        return np.stack([np.bincount(self.groups, column, self.count) for column in values.T], axis=1)


def find_clusters(faces: Faces) -> Clusters:
    """Find which images are of one person, or of one sequence where the person is not known."""
    empty = np.full(len(faces), "")
    subjects = empty if faces.subjects is None else faces.subjects
    sequences = empty if faces.sequences is None else faces.sequences
    return name_clusters(faces.sources.tolist(), subjects.tolist(), sequences.tolist(), faces.keys)


def name_clusters(
    sources: list[str], subjects: list[str | None], sequences: list[str | None], keys: list[str]
) -> Clusters:
    """Find clusters by the names of people and sequences; both may be missing.

    Args:
        sources: The data set of each image: other data sets have other people of the same name.
        subjects: The person in each image.
        sequences: The sequence of each image.
        keys: The key of each image.
    """
    names, kinds = [], []
    for source, subject, sequence, key in zip(sources, subjects, sequences, keys, strict=True):
        kind = PERSON if subject else SEQUENCE if sequence else IMAGE
        kinds.append(kind)
        names.append((kind, source, (subject, sequence, key)[kind]))
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return Clusters(np.array([numbers[name] for name in names], np.int64), np.array(kinds, np.int64))


def separate_images(count: int) -> Clusters:
    """Take images as independent."""
    return Clusters(np.arange(count), np.full(count, IMAGE))


def estimate_share(right: NDArray[np.bool_], clusters: Clusters | None = None) -> Interval:
    """Compute where the share of right answers lies with 95 % confidence.

    Args:
        right: Which of the images were answered rightly (N,).
        clusters: Which images belong together; None if all are independent.
    """
    correct, n = int(right.sum()), len(right)
    if clusters is None or clusters.are_images:
        return Interval(*wilson_interval(correct, n), WILSON)
    if clusters.count == 1:  # how much people differ cannot be seen from one
        return Interval(*wilson_interval(correct, n), f"{WILSON}, within {clusters.words}")
    if correct in (0, n):  # all people are alike, and a bootstrap would have no width
        count = clusters.count
        return Interval(*wilson_interval(count if correct else 0, count), f"{WILSON} over {clusters.words}")
    interval = estimate_mean(right.astype(np.float64), clusters)
    if interval.low == interval.high:  # every person has the same share
        return Interval(*wilson_interval(correct, n), f"{WILSON}, for {clusters.words} that score alike")
    return interval


def estimate_mean(values: NDArray[np.float64], clusters: Clusters) -> Interval:
    """Compute where the mean of values (N,) lies with 95 % confidence, by a bootstrap over the clusters."""
    drawn = draw_sums(clusters.sum(np.stack([values, np.ones(len(values))], axis=1)))
    return find_interval(drawn[:, 0] / drawn[:, 1], clusters)


def find_interval(drawn: NDArray[np.float64], clusters: Clusters, count: int | None = None) -> Interval:
    """Find the interval of a statistic by its values for drawn clusters.

    Args:
        drawn: A value for each draw. NaN, of draws that held no image of a class, is left out.
        clusters: What was drawn.
        count: How many clusters hold what is measured, such as images of a class: few of them make it as wide as if
            only they were drawn. None if all do.
    """
    held = clusters.count if count is None else count
    method = f"{'' if clusters.are_images else 'cluster '}bootstrap over {clusters.words}"
    if held != clusters.count:
        method += f", {held:,} of them with this class"
    tail = _find_tail(held)
    low, high = np.quantile(drawn[np.isfinite(drawn)], (tail, 1 - tail))
    return Interval(float(low), float(high), method)


def draw_sums(sums: Sums) -> Sums:
    """Return sums over clusters that are drawn with replacement, (RESAMPLES, columns).

    Clusters with the same sums need not be told apart: how many of each kind are drawn is all that counts.
    """
    kinds, counts = np.unique(sums, axis=0, return_counts=True)
    chance, shares = np.random.default_rng(SEED), counts / len(sums)
    pieces = (chance.multinomial(len(sums), shares, PIECE) @ kinds for _ in range(RESAMPLES // PIECE))
    return np.concatenate([*pieces])


def wilson_interval(correct: int, n: int) -> Ends:
    """Compute where a share of independent images lies with 95 % confidence.

    Unlike the normal interval, it holds for few images and for shares near 1. scipy's is the same; without it, photos
    are scored where only the plain install is there.
    """
    if not 0 <= correct <= n or n < 1:
        raise OptionError(f"of at least one image, 0 to all can be correct, got {correct} of {n}")
    share, z = correct / n, NormalDist().inv_cdf((1 + LEVEL) / 2)
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2) / (1 + z**2 / n)
    return max(0.0, centre - reach), min(1.0, centre + reach)


def _find_tail(clusters: int) -> float:
    """Find the share of draws beyond each end of the interval."""
    from scipy.stats import norm, t

    if clusters < 2:
        return 0.0
    return float(norm.cdf(t.ppf((1 - LEVEL) / 2, clusters - 1) * np.sqrt(clusters / (clusters - 1))))
