"""Measure what answers cost: parameters, multiplications, and time on this machine."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import numpy as np

from emonet.inference.torch_classifier import TorchClassifier
from emonet.models import Network
from emonet.models._summary import summarise
from emonet.models.inputs import Pixels

BATCH = 64  # images that are answered at once, for the rate
SECONDS = 0.4  # spent on each of the two measurements


@dataclass(frozen=True, slots=True)
class Cost:
    """What answers cost.

    Times are medians, for one view. They hold for this machine and what else it did.

    Attributes:
        parameters: All numbers of the network, with the statistics of batch norm.
        trainable: Those that are learned.
        macs: Multiplications, each with an addition, for one image.
        pictures_per_second: Images, in batches.
        milliseconds: For one image alone.
        machine: The device and the precision.
    """

    parameters: int
    trainable: int
    macs: int
    pictures_per_second: float
    milliseconds: float
    machine: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON takes them."""
        return asdict(self)


def measure_cost(classify: TorchClassifier, pixels: Pixels) -> Cost:
    """Count the network of a classifier, and time it without test-time augmentation.

    Args:
        classify: The classifier, on its device.
        pixels: Some images, (N, size, size, channels).
    """
    counted = summarise(cast(Network, classify.network))
    once = replace(classify, view="none", batch_size=BATCH)
    batch = pixels[np.arange(BATCH) % len(pixels)]
    return Cost(
        parameters=counted.parameters,
        trainable=counted.trainable,
        macs=counted.macs,
        pictures_per_second=BATCH / _time(once, batch),
        milliseconds=1000 * _time(once, batch[:1]),
        machine=str(classify.machine),
    )


def _time(classify: TorchClassifier, pixels: Pixels) -> float:
    classify(pixels)  # the first call also sets things up
    times: list[float] = []
    while sum(times) < SECONDS:
        began = time.perf_counter()
        classify(pixels)
        times.append(time.perf_counter() - began)
    return float(np.median(times))
