"""The heads that a run trains: which label systems, on which pictures, and what share each class has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from emonet.errors import OptionError
from emonet.faces import Faces
from emonet.heads import LABELS, SEEN, SEEN_CLASSES, Head
from emonet.training.config import TrainConfig
from emonet.training.sampling import Sampling, class_weights


def plan_heads(faces: Faces, config: TrainConfig) -> tuple[Head, ...]:
    """Choose the heads of a run, and check that the training pictures can teach each of them.

    Without `config.heads` there is one: named after the only data set, or `labels` where there are several.

    Raises:
        ValueError: A head has nothing to learn from, or the labels of a data set have no head.
    """
    sources = sorted(set(faces.sources.tolist()))
    names = list(config.heads) or [sources[0] if len(sources) == 1 else LABELS]
    if unknown := [name for name in names if name not in (SEEN, LABELS, *sources)]:
        known = ", ".join((SEEN, LABELS, *sources))
        raise OptionError(f"heads must be of {known}, got {', '.join(unknown)}")
    if SEEN in names and not votes_of(faces).any():
        raise OptionError(
            f"the head {SEEN!r} learns from FER+'s votes, and no training picture has any: "
            "`emonet build --ferplus fer2013new.csv` adds them"
        )
    heads = tuple(Head(name, SEEN_CLASSES if name == SEEN else faces.classes) for name in names)
    _check_labels(heads, faces)
    return heads


def _check_labels(heads: tuple[Head, ...], faces: Faces) -> None:
    """Raise if labels would be left unused beside others, or a head would get none."""
    names = [head.name for head in heads if head.name != SEEN]
    sources = set(faces.sources.tolist())
    if names and LABELS not in names and (without := sorted(sources - set(names))):
        raise OptionError(f"pictures from {', '.join(without)} have no head: add {LABELS!r} to heads, or one for each")
    if LABELS in names and not sources - set(names):
        raise OptionError(f"the head {LABELS!r} has nothing to learn: every data set has a head of its own")


def check_examples(heads: tuple[Head, ...], faces: Faces) -> None:
    """Raise if a head has no picture to learn from."""
    for head in heads:
        own = seen_targets(faces).any() if head.name == SEEN else labelled(head, heads, faces).any()
        if not own:
            raise OptionError(f"the head {head.name!r} has nothing to learn from")


def head_of(source: str, names: Sequence[str]) -> str:
    """Name the head that answers with the labels of a data set.

    That is its own head or `labels`; else the first that learned any labels, and `seen` where there is no other.
    """
    learned = [name for name in names if name != SEEN]
    return next((name for name in (source, LABELS, *learned) if name in names), SEEN)


def labelled(head: Head, heads: tuple[Head, ...], faces: Faces) -> NDArray[np.bool_]:
    """Say which pictures have their label answered by this head (N,)."""
    names = [one.name for one in heads]
    own = {source for source in set(faces.sources.tolist()) if head_of(source, names) == head.name}
    return np.isin(faces.sources, list(own)) if head.name != SEEN else np.zeros(len(faces), np.bool_)


def votes_of(faces: Faces) -> NDArray[np.int16]:
    """The votes for each expression (N, 8), without those that saw none or no face; zeros where nobody voted."""
    if faces.votes is None:
        return np.zeros((len(faces), len(SEEN_CLASSES)), np.int16)
    return faces.votes[:, : len(SEEN_CLASSES)]


def seen_targets(faces: Faces) -> NDArray[np.float32]:
    """What the head `seen` should answer to each picture (N, 8): the votes for each expression, as shares of all votes.

    Votes for "unknown" and "not a face" are part of all votes but no class, so a row sums to how much the picture
    counts: 1 where all saw some expression, 0 where nobody did or nobody voted.
    """
    votes = votes_of(faces).astype(np.float32)
    everybody = np.zeros(len(faces)) if faces.votes is None else faces.votes.sum(1)
    return np.asarray(votes / np.maximum(everybody, 1)[:, None], np.float32)


def with_priors(heads: tuple[Head, ...], faces: Faces, config: TrainConfig) -> tuple[Head, ...]:
    """Store with each head the share of each class in what it learns from, as often as shown and as weighed."""
    times = Sampling(faces, config).times
    weights = np.array(class_weights(faces, config) or [1.0] * len(faces.classes))
    votes = seen_targets(faces) if SEEN in [head.name for head in heads] else np.empty(0)
    labels = np.eye(len(faces.classes))[faces.labels] * weights
    return tuple(
        replace(head, prior=_shares(times @ votes))
        if head.name == SEEN
        else replace(head, prior=_shares(times * labelled(head, heads, faces) @ labels))
        for head in heads
    )


def _shares(counts: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple((counts / counts.sum()).tolist())


def without_priors(heads: tuple[Head, ...]) -> tuple[Head, ...]:
    """Store with each head that all classes are equally frequent."""
    return tuple(replace(head, prior=(1 / len(head.classes),) * len(head.classes)) for head in heads)
