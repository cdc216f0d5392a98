"""The heads that a run trains: which label systems, on which images, and how frequent each class is in training."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from emonet.errors import OptionError
from emonet.faces import Faces
from emonet.heads import LABELS, SEEN, SEEN_CLASSES, Head, find_labelled
from emonet.training.config import TrainConfig
from emonet.training.sampling import Sampling, make_class_weights


def plan_heads(faces: Faces, config: TrainConfig, held_out: Collection[str] = ()) -> tuple[Head, ...]:
    """Choose the heads of a run, and check that the training images can teach each of them.

    Without `config.heads` there is one head, named after the only data set, or `labels` where there are several.

    Args:
        faces: The training images.
        config: The options.
        held_out: The data sets of the fold to choose on. They count for the name, so that it is the same for each fold.

    Raises:
        OptionError: A head has nothing to learn from, or the labels of a data set have no head.
    """
    sources = sorted(set(faces.sources.tolist()))
    names = list(config.heads) or [sources[0] if {*sources, *held_out} == {*sources[:1]} else LABELS]
    if unknown := [name for name in names if name not in (SEEN, LABELS, *sources)]:
        known = ", ".join((SEEN, LABELS, *sources))
        raise OptionError(f"`heads` must be of {known}, got {', '.join(unknown)}")
    if SEEN in names and not select_votes(faces).any():
        raise OptionError(
            f"the head {SEEN!r} learns from the votes of FER+, and no training image has any: "
            "`emonet build --ferplus fer2013new.csv` adds them"
        )
    heads = tuple(Head(name, SEEN_CLASSES if name == SEEN else faces.classes) for name in names)
    _check_labels(heads, faces)
    return heads


def _check_labels(heads: tuple[Head, ...], faces: Faces) -> None:
    """Raise if a data set has no head for its labels, or the head `labels` no data set."""
    names = [head.name for head in heads if head.name != SEEN]
    sources = set(faces.sources.tolist())
    if names and LABELS not in names and (without := sorted(sources - set(names))):
        raise OptionError(f"images from {', '.join(without)} have no head: add {LABELS!r} to `heads`, or one for each")
    if LABELS in names and not sources - set(names):
        raise OptionError(f"the head {LABELS!r} has nothing to learn: every data set has a head of its own")


def check_examples(heads: tuple[Head, ...], faces: Faces) -> None:
    """Raise OptionError if a head has no image to learn from."""
    for head in heads:
        own = make_seen_targets(faces).any() if head.name == SEEN else find_labelled(head, heads, faces.sources).any()
        if not own:
            raise OptionError(f"the head {head.name!r} has nothing to learn from")


def select_votes(faces: Faces) -> NDArray[np.int16]:
    """Select the votes for expressions (N, 8); zeros where nobody voted.

    The other votes are for "unknown" and "not a face".
    """
    if faces.votes is None:
        return np.zeros((len(faces), len(SEEN_CLASSES)), np.int16)
    return faces.votes[:, : len(SEEN_CLASSES)]


def make_seen_targets(faces: Faces) -> NDArray[np.float32]:
    """Make the targets of the head `seen` (N, 8): the votes for each expression, as shares of all votes.

    Votes for "unknown" and "not a face" count as votes but have no class. So a row sums to the weight of the image: 1
    where everybody saw an expression, 0 where nobody did or nobody voted.
    """
    votes = select_votes(faces).astype(np.float32)
    everybody = np.zeros(len(faces)) if faces.votes is None else faces.votes.sum(1)
    return np.asarray(votes / np.maximum(everybody, 1)[:, None], np.float32)


def add_priors(heads: tuple[Head, ...], faces: Faces, config: TrainConfig) -> tuple[Head, ...]:
    """Return the heads with the share of each class in what they learn from, sampling and weights included.

    Raises:
        OptionError: A head has nothing to learn from, because its images or classes have the weight 0.
    """
    times = Sampling(faces, config).times
    weights = np.array(make_class_weights(faces, config) or [1.0] * len(faces.classes))
    votes = make_seen_targets(faces) if SEEN in [head.name for head in heads] else np.empty(0)
    labels = np.eye(len(faces.classes))[faces.labels] * weights
    return tuple(
        replace(head, prior=_normalise(head, times @ votes))
        if head.name == SEEN
        else replace(head, prior=_normalise(head, times * find_labelled(head, heads, faces.sources) @ labels))
        for head in heads
    )


def _normalise(head: Head, counts: NDArray[np.float64]) -> tuple[float, ...]:
    if not (total := counts.sum()) > 0:
        raise OptionError(f"the head {head.name!r} has nothing to learn from: no image that it learns is ever shown")
    return tuple((counts / total).tolist())


def set_even_priors(heads: tuple[Head, ...]) -> tuple[Head, ...]:
    """Return the heads with equally frequent classes."""
    return tuple(replace(head, prior=(1 / len(head.classes),) * len(head.classes)) for head in heads)
