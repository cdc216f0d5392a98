"""The vote of a sequence's frames: one answer for each, as figures on CK+ are usually given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def per_sequence(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], names: Sequence[str | None]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The mean probabilities (M, classes) of the frames that share a sequence and a label, and those labels (M,).

    Pictures without a sequence are not in it. A sequence whose first frames are neutral and whose last are not counts
    once for each. In the order in which they first occur.
    """
    frames: dict[tuple[str, int], list[int]] = {}
    for row, (name, label) in enumerate(zip(names, labels.tolist(), strict=True)):
        if name is not None:
            frames.setdefault((name, label), []).append(row)
    means = [probabilities[rows].mean(0, dtype=np.float64) for rows in frames.values()]
    return np.array(means).reshape(-1, probabilities.shape[1]), np.array([label for _, label in frames], np.int64)
