"""Which pictures an epoch shows, how often, in which order: decided by the seed and the epoch alone."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from emonet.errors import OptionError
from emonet.faces import Faces
from emonet.training.config import TrainConfig

Indices = NDArray[np.int64]


class Sampling:
    """Every epoch shows the pictures of a source and class `times` times: whole rounds, and a fraction by lot."""

    def __init__(self, faces: Faces, config: TrainConfig) -> None:
        self._seed = (config.seed, config.order)
        self._batch_size = config.batch_size
        self._repeats = config.repeats
        self._groups = list(_groups(faces, config))
        self._count = len(faces)

    @property
    def times(self) -> NDArray[np.float64]:
        """How often an epoch shows each picture, on average (N,)."""
        times = np.zeros(self._count)
        for places, count in self._groups:
            times[places] = count / len(places)
        return times

    def order(self, epoch: int) -> Indices:
        """The places of an epoch's pictures; those that are repeated stand beside each other."""
        chance = np.random.default_rng([*self._seed, epoch])
        drawn = []
        for places, count in self._groups:
            rounds, rest = divmod(count, len(places))
            drawn += [np.tile(places, rounds), chance.permutation(places)[:rest]]
        order = chance.permutation(np.concatenate(drawn))
        return order if self._repeats == 1 else np.repeat(order[: -(-len(order) // self._repeats)], self._repeats)

    def batches(self, epoch: int, processes: int = 1) -> list[Indices]:
        """The epoch in batches that differ in size by one at most, so that none is a small remainder."""
        order = self.order(epoch)
        count = max(1, -(-len(order) // (self._batch_size * processes)))
        batches = np.array_split(order, count)
        if self._repeats == 1:
            return batches
        chance = np.random.default_rng([*self._seed, epoch, count])  # views of a picture shall not be mixed in pairs
        return [chance.permutation(batch) for batch in batches]

    def steps(self, processes: int = 1) -> int:
        """Batches in an epoch."""
        shown = sum(count for _, count in self._groups)
        shown = -(-shown // self._repeats) * self._repeats
        return max(1, -(-shown // (self._batch_size * processes)))


def _groups(faces: Faces, config: TrainConfig) -> list[tuple[Indices, int]]:
    """Pictures of one source and class, and how many of them an epoch shows."""
    sources = _source_times(faces, config)
    classes = _class_times(faces, config)
    groups = []
    for source in sorted(set(faces.sources.tolist())):
        for label, emotion in enumerate(faces.classes):
            places = np.flatnonzero((faces.sources == source) & (faces.labels == label))
            count = round(len(places) * sources[source] * classes[emotion])
            if count:
                groups.append((places, count))
    if not groups:
        raise OptionError("nothing to learn from: every picture is left out")
    return groups


def _source_times(faces: Faces, config: TrainConfig) -> dict[str, float]:
    counts = Counter(faces.sources.tolist())
    if config.balance_sources:
        return {source: len(faces) / len(counts) / count for source, count in counts.items()}
    return {source: config.source_weights.get(source, 1.0) for source in counts}


def _class_times(faces: Faces, config: TrainConfig) -> dict[str, float]:
    if config.balance == "oversample":
        return {str(name): weight for name, weight in zip(faces.classes, balanced(faces), strict=True)}
    return {str(emotion): config.oversample.get(emotion, 1.0) for emotion in faces.classes}


def class_weights(faces: Faces, config: TrainConfig) -> list[float] | None:
    """A weight a class for the loss."""
    if config.balance == "weights":
        return balanced(faces)
    if not config.class_weights:
        return None
    return [config.class_weights.get(emotion, 1.0) for emotion in faces.classes]


def balanced(faces: Faces) -> list[float]:
    """Numbers that make every class count alike and change no sum."""
    counts = np.bincount(faces.labels, minlength=len(faces.classes))
    present = np.count_nonzero(counts)
    return [float(len(faces) / present / count) if count else 0.0 for count in counts]
