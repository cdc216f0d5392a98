"""Which images an epoch shows, how often and in which order. The seed and the number of the epoch decide it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from emonet.errors import OptionError
from emonet.faces import Faces
from emonet.training.config import TrainConfig

Indices = NDArray[np.int64]


def count_passes(images: int, config: TrainConfig) -> int:
    """Count how often an epoch shows each image so that a small data set has about `epoch_images`."""
    return max(1, round(config.epoch_images / images)) if images else 1


def lengthen(config: TrainConfig, times: float) -> TrainConfig:
    """Give a run so many times the epochs, as shorter epochs need, with every option that counts in epochs."""
    return replace(
        config,
        epoch_images=0,
        epochs=round(config.epochs * times),
        warmup=config.warmup * times,
        patience=round(config.patience * times),
        stop_after=round(config.stop_after * times),
        average_last=round(config.average_last * times),
        augment_from={str(1 + round((int(epoch) - 1) * times)): name for epoch, name in config.augment_from.items()},
    )


class Sampling:
    """Draws the order of each epoch.

    Each source and class has a factor that says how often an epoch shows its images. For 2.5, all images are shown
    twice, and a random half of them a third time.

    Args:
        faces: The training images.
        config: Says how sources and classes are weighted and balanced, and how large a batch is.

    Raises:
        OptionError: All factors are 0.
    """

    def __init__(self, faces: Faces, config: TrainConfig) -> None:
        self._seed = (config.seed, config.order)
        self._batch_size = config.batch_size
        self._repeats = config.repeats
        self._groups = _group_images(faces, config)
        self._count = len(faces)
        self._windows = None
        if config.window and faces.groups is not None:
            self._windows = Windows(faces.groups, config.window)

    @property
    def times(self) -> NDArray[np.float64]:
        """How often an epoch shows each image, on average (N,)."""
        times = np.zeros(self._count)
        for places, count in self._groups:
            times[places] = count / len(places)
        return times

    def draw_order(self, epoch: int) -> Indices:
        """Draw the order of an epoch, as places in the data. Repeated views of an image stand side by side."""
        chance = np.random.default_rng([*self._seed, epoch])
        pieces = []
        for places, count in self._groups:
            rounds, rest = divmod(count, len(places))
            pieces += [np.tile(places, rounds), chance.permutation(places)[:rest]]
        order = chance.permutation(np.concatenate(pieces))
        if self._windows is not None:
            order = self._windows.arrange(order, chance)
        return order if self._repeats == 1 else np.repeat(order[: -(-len(order) // self._repeats)], self._repeats)

    def draw_batches(self, epoch: int) -> list[Indices]:
        """Divide the order of an epoch into batches whose sizes differ by 1 at most, so that no batch is tiny."""
        order = self.draw_order(epoch)
        count = self.count_steps()
        batches = np.array_split(order, count)
        if self._repeats == 1:
            return batches
        # Mixing pairs neighbours, which should not be two views of one image.
        chance = np.random.default_rng([*self._seed, epoch, count])
        return [chance.permutation(batch) for batch in batches]

    def count_steps(self) -> int:
        """Count the batches of an epoch."""
        return max(1, -(-self._count_shown() // self._batch_size))

    def count_smallest(self) -> int:
        """Count the images of the smallest batch of an epoch."""
        return self._count_shown() // self.count_steps()

    def _count_shown(self) -> int:
        shown = sum(count for _, count in self._groups)
        return -(-shown // self._repeats) * self._repeats


class Windows:
    """Arranges an epoch so that neighbours come from few row groups: only these are read at a time.

    Row groups are drawn at random. As many as have about `size` rows make a window, and all that an epoch shows of them
    stands together, in random order.

    Args:
        groups: The row group of each image (N,).
        size: Rows of a window.
    """

    def __init__(self, groups: Indices, size: int) -> None:
        self._groups, self._size = groups, size
        self._rows = np.bincount(groups)

    def arrange(self, order: Indices, chance: np.random.Generator) -> Indices:
        """Move images in random order into their windows; within a window, they keep their order."""
        drawn = chance.permutation(len(self._rows))
        window_of = np.empty_like(drawn)
        window_of[drawn] = (np.cumsum(self._rows[drawn]) - self._rows[drawn]) // self._size
        return order[np.argsort(window_of[self._groups[order]], kind="stable")]


def _group_images(faces: Faces, config: TrainConfig) -> list[tuple[Indices, int]]:
    """Group the images by source and class, and count how many of each group an epoch shows."""
    sources = _weigh_sources(faces, config)
    classes = _weigh_classes(faces, config)
    passes = count_passes(len(faces), config)
    groups = []
    for source in sorted(set(faces.sources.tolist())):
        for label, emotion in enumerate(faces.classes):
            places = np.flatnonzero((faces.sources == source) & (faces.labels == label))
            count = round(len(places) * sources[source] * classes[emotion]) * passes
            if count:
                groups.append((places, count))
    if not groups:
        raise OptionError("nothing to learn from: every image is left out")
    return groups


def _weigh_sources(faces: Faces, config: TrainConfig) -> dict[str, float]:
    counts = Counter(faces.sources.tolist())
    if config.balance_sources:
        return {source: len(faces) / len(counts) / count for source, count in counts.items()}
    return {source: config.source_weights.get(source, 1.0) for source in counts}


def _weigh_classes(faces: Faces, config: TrainConfig) -> dict[str, float]:
    if config.balance == "oversample":
        return {str(name): weight for name, weight in zip(faces.classes, _balance_classes(faces), strict=True)}
    return {str(emotion): config.oversample.get(emotion, 1.0) for emotion in faces.classes}


def make_class_weights(faces: Faces, config: TrainConfig) -> list[float] | None:
    """Make the weights of the classes in the loss; None where all are 1."""
    if config.balance == "weights":
        return _balance_classes(faces)
    if not config.class_weights:
        return None
    return [config.class_weights.get(emotion, 1.0) for emotion in faces.classes]


def _balance_classes(faces: Faces) -> list[float]:
    """Make weights with which all classes count the same and the sum over all images stays."""
    counts = np.bincount(faces.labels, minlength=len(faces.classes))
    present = np.count_nonzero(counts)
    return [float(len(faces) / present / count) if count else 0.0 for count in counts]
