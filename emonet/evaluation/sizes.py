"""Accuracy by the size of the face: the same images, shrunk to what they would be in a photo of many people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emonet.errors import OptionError
from emonet.evaluation.metrics import Scores, score
from emonet.models.inputs import Pixels

SIZES = (48, 32, 24, 16, 12)
PIECE = 1024  # images that are shrunk at a time, so that memory never holds all of them twice

Classify = Callable[[Pixels], NDArray[np.floating]]


@dataclass(frozen=True, slots=True)
class SizeScores:
    """What a model scores on faces of one size.

    Attributes:
        size: Pixels a side.
        n: Images.
        accuracy: The share of them whose answer is right.
        macro_recall: The mean of the recalls of the classes that occur.
        shares: Class -> share of the answers that name it.
    """

    size: int
    n: int
    accuracy: float
    macro_recall: float
    shares: Mapping[str, float]

    @property
    def commonest(self) -> str:
        """The class that is answered most often."""
        return max(self.shares, key=self.shares.__getitem__)

    def to_dict(self) -> dict[str, Any]:
        """Return all fields, as JSON takes them."""
        return asdict(self)


def score_sizes(
    classify: Classify,
    pixels: Pixels,
    labels: NDArray[np.integer],
    classes: Sequence[str],
    sizes: Sequence[int] = SIZES,
) -> tuple[SizeScores, ...]:
    """Score a model on the same faces at several sizes, the largest first.

    Args:
        classify: Gives probabilities (N, classes) for images (N, size, size, channels).
        pixels: The faces, as large as `classify` takes them.
        labels: Places of the true classes in `classes`, (N,).
        classes: Names of the classes.
        sizes: Pixels a side. Sizes above that of `pixels` count as that one.

    Raises:
        OptionError: A size is below 1.
    """
    check_sizes(sizes)
    kept = sorted({min(size, pixels.shape[1]) for size in sizes}, reverse=True)
    return tuple(_make_scores(size, score(_answer(classify, pixels, size), labels, classes)) for size in kept)


def check_sizes(sizes: Sequence[int]) -> None:
    """Raise an OptionError for a size below 1."""
    if wrong := [size for size in sizes if size < 1]:
        raise OptionError(f"sizes must be whole numbers of pixels, at least 1, got {wrong[0]}")


def shrink_faces(pixels: Pixels, size: int) -> Pixels:
    """Shrink faces (N, side, side, channels) to a size, and enlarge them again.

    Pixels are averaged, and enlarged by the cubic kernel, as `facecrop.crop_face` enlarges faces that are too small.
    """
    import cv2

    side = pixels.shape[1]
    if size >= side:
        return pixels
    small = [cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA) for face in pixels]
    large = [cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC) for face in small]
    return np.asarray(large, np.uint8).reshape(pixels.shape)


def _answer(classify: Classify, pixels: Pixels, size: int) -> NDArray[np.floating]:
    pieces = (pixels[first : first + PIECE] for first in range(0, len(pixels), PIECE))
    return np.concatenate([classify(shrink_faces(piece, size)) for piece in pieces])


def _make_scores(size: int, scores: Scores) -> SizeScores:
    answered = np.sum(scores.confusion, axis=0) / scores.n
    shares = dict(zip(scores.classes, answered.tolist(), strict=True))
    return SizeScores(size, scores.n, scores.accuracy, scores.macro_recall, shares)
