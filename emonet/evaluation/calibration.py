"""How sure each head of a model is, beside how often it is right; and the temperature that makes the two agree.

A head for labels is compared with the labels, the head `seen` with what most voters saw. Faces are taken as they are
and shrunk, because a model that is right about how sure it is of large faces may be wrong about small ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.store import Store
from emonet.errors import OptionError
from emonet.evaluation.coverage import check_dev_is_new
from emonet.evaluation.metrics import score
from emonet.evaluation.parts import list_splits
from emonet.evaluation.sizes import check_sizes, shrink_faces
from emonet.evaluation.votes import seen_majority
from emonet.faces import Faces, read_faces
from emonet.heads import SEEN, Head, HeadChoice, find_labelled
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.classifier import open_classifier
from emonet.inference.devices import Machine, open_machine

SIZES = (48, 20)  # pixels a side
LOWEST, HIGHEST = 0.1, 10.0  # temperatures that are tried
EDGE = 1.01  # a temperature that is nearer to one of these, as a factor, is none
FEWEST_IMAGES = 100  # images of dev that a temperature is fitted on
VIEW = "mirror"  # what prediction does unless it is told otherwise


@dataclass(frozen=True, slots=True)
class Calibration:
    """How sure one head is of faces of one size, and how often it is right.

    Attributes:
        head: Its name.
        size: Pixels a side of the faces.
        n: Images.
        accuracy: The share of them whose answer is right.
        confidence: The mean probability of the answer.
        loss: The mean negative log-probability of the truth, which a temperature is fitted by.
        error: The expected calibration error: the mean distance between confidence and accuracy over the bins of
            `emonet.evaluation.metrics.reliability`. Of a few thousand images, some 0.02 of it are chance.
    """

    head: str
    size: int
    n: int
    accuracy: float
    confidence: float
    loss: float
    error: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON takes them."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class TemperatureFit:
    """The temperature that was found for one head, and what it changes on dev.

    Attributes:
        head: The name of the head.
        temperature: What its logits are to be divided by.
        before: For each size of faces, with the temperature that the model has.
        after: The same with the new one.
    """

    head: str
    temperature: float
    before: tuple[Calibration, ...]
    after: tuple[Calibration, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Sample:
    """What one head answered to faces of one size, and what it should have."""

    head: Head
    size: int
    probabilities: NDArray[np.float64]  # as the network gives them
    truths: NDArray[np.int64]

    def apply(self, temperature: float) -> NDArray[np.float64]:
        """Return the probabilities at a temperature."""
        raised = self.probabilities ** (1 / temperature)
        return np.asarray(raised / raised.sum(1, keepdims=True), np.float64)

    def measure_loss(self, temperature: float) -> float:
        """Compute the mean negative log-probability of the truth at a temperature."""
        own = self.apply(temperature)[np.arange(len(self.truths)), self.truths]
        return float(-np.log(np.maximum(own, np.finfo(np.float64).tiny)).mean())

    def measure(self, temperature: float) -> Calibration:
        """Compare confidence with accuracy at a temperature."""
        probabilities = self.apply(temperature)
        scores = score(probabilities, self.truths, self.head.classes)
        return Calibration(
            head=self.head.name,
            size=self.size,
            n=scores.n,
            accuracy=scores.accuracy,
            confidence=float(probabilities.max(1).mean()),
            loss=self.measure_loss(temperature),
            error=scores.calibration_error,
        )


def fit_temperatures(
    checkpoint: Checkpoint, store: Store, *, sizes: Sequence[int] = SIZES, machine: Machine | None = None
) -> tuple[TemperatureFit, ...]:
    """Find for each head the temperature with the least log-loss on dev, over faces of all sizes.

    Args:
        checkpoint: The model.
        store: The data set on whose split dev the model was chosen.
        sizes: Pixels a side that faces are shrunk to; each size counts the same.
        machine: Where the model runs; the best device if None.

    Returns:
        What was found for each head. A head that dev has nothing to compare with is left out.

    Raises:
        OptionError: The data set has no dev, the model learned from it, or dev has nothing for any head, or too few
            images for one of them; or the log-loss of a head has its least value at none of the temperatures tried.

    Examples:
        A model file is calibrated in two lines::

            found = fit_temperatures(load_model("my.safetensors"), open_store("merged"))
            set_temperatures("my.safetensors", {one.head: one.temperature for one in found})
    """
    check_dev_is_new(checkpoint, store)
    samples = _answer_faces(checkpoint, store, "dev", sizes, machine)
    by_head = [(head, [sample for sample in samples if sample.head == head]) for head in checkpoint.heads]
    found = tuple(_fit(head, own) for head, own in by_head if own)
    if not found:
        raise OptionError(f"dev of {store.path} has neither labels nor votes for the heads of the model")
    return found


def measure_calibration(
    checkpoint: Checkpoint,
    store: Store,
    split: str = "validation",
    *,
    sizes: Sequence[int] = SIZES,
    sources: Sequence[str] = (),
    machine: Machine | None = None,
) -> tuple[Calibration, ...]:
    """Measure how sure each head is of the faces of a split, and how often it is right.

    Args:
        checkpoint: The model.
        store: The data set.
        split: The split that is scored.
        sizes: Pixels a side that faces are shrunk to.
        sources: Score the images of these data sets only; all if empty.
        machine: Where the model runs; the best device if None.

    Raises:
        OptionError: The data set has no such split.
    """
    samples = _answer_faces(checkpoint, store, split, sizes, machine, sources)
    return tuple(sample.measure(sample.head.temperature) for sample in samples)


def _fit(head: Head, samples: Sequence[_Sample]) -> TemperatureFit:
    from scipy.optimize import minimize_scalar

    if (count := len(samples[0].truths)) < FEWEST_IMAGES:
        raise OptionError(
            f"a temperature is fitted on {FEWEST_IMAGES} images of dev or more, and the head {head.name} has {count} "
            "to be compared with"
        )

    def sum_losses(logarithm: float) -> float:
        return sum(sample.measure_loss(math.exp(logarithm)) for sample in samples)

    bounds = (math.log(LOWEST), math.log(HIGHEST))
    best = math.exp(minimize_scalar(sum_losses, bounds=bounds, method="bounded").x)
    if not LOWEST * EDGE < best < HIGHEST / EDGE:
        raise OptionError(
            f"no temperature from {LOWEST:g} to {HIGHEST:g} makes the log-loss of the head {head.name} on dev least: "
            "it is right about all images, or no better than chance"
        )
    before, after = (tuple(sample.measure(one) for sample in samples) for one in (head.temperature, best))
    return TemperatureFit(head.name, best, before, after)


def _answer_faces(
    checkpoint: Checkpoint,
    store: Store,
    split: str,
    sizes: Sequence[int],
    machine: Machine | None,
    sources: Sequence[str] = (),
) -> list[_Sample]:
    """Let all heads answer the faces of a split, as they are and shrunk, and keep what can be compared."""
    check_sizes(sizes)
    faces = read_faces(store, list_splits(store, split), checkpoint.input, sources=sources)
    classify = open_classifier(checkpoint, machine or open_machine(), VIEW)
    untouched = tuple(replace(head, temperature=1.0) for head in checkpoint.heads)
    samples = []
    for size in sizes:
        probabilities = classify(shrink_faces(faces.array, size))
        for head in checkpoint.heads:
            truths = _find_truths(head, checkpoint.heads, faces)
            known = truths >= 0
            own = HeadChoice(untouched, head.name)(probabilities[known]).astype(np.float64)
            samples.append(_Sample(head, size, own, truths[known]))
    return [sample for sample in samples if len(sample.truths)]


def _find_truths(head: Head, heads: Sequence[Head], faces: Faces) -> NDArray[np.int64]:
    """Find the place of the right answer among the classes of a head (N,); -1 where there is none."""
    if head.name == SEEN:
        return seen_majority(faces)
    places = [head.classes.index(emotion) if emotion in head.classes else -1 for emotion in faces.classes]
    return np.where(find_labelled(head, heads, faces.sources), np.array(places)[faces.labels], -1)
