"""What answers cost: parameters, multiplications, and time on this machine."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from emonet.inference.classifier import Classifier
from emonet.models import Network
from emonet.models._summary import summary
from emonet.models.inputs import Pixels

BATCH = 64  # pictures, when many are to be answered
SECONDS = 0.4  # of measuring each of the two


@dataclass(frozen=True, slots=True)
class Cost:
    """Times are medians, of one view of each picture; they hold for this machine and what else it did."""

    parameters: int
    trainable: int
    macs: int
    pictures_per_second: float  # in batches
    milliseconds: float  # for one picture alone
    machine: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def measure_cost(network: Network, classify: Classifier, pixels: Pixels) -> Cost:
    """Counts a network, and times it in its classifier on some of these pictures."""
    counted = summary(network)
    once = replace(classify, view="none", batch_size=BATCH)
    batch = pixels[np.arange(BATCH) % len(pixels)]
    return Cost(
        parameters=counted.parameters,
        trainable=counted.trainable,
        macs=counted.macs,
        pictures_per_second=BATCH / _seconds(once, batch),
        milliseconds=1000 * _seconds(once, batch[:1]),
        machine=str(classify.machine),
    )


def _seconds(classify: Classifier, pixels: Pixels) -> float:
    classify(pixels)  # the first call also sets things up
    times: list[float] = []
    while sum(times) < SECONDS:
        began = time.perf_counter()
        classify(pixels)
        times.append(time.perf_counter() - began)
    return float(np.median(times))
