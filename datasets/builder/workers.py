"""How many processes the first stage takes, and the device that each of them looks for faces on."""

from __future__ import annotations

import os

from emonet.datasets.builder.options import BuildOptions
from emonet.errors import OptionError
from facecrop.detectors import detector_device
from facecrop.devices import count_cards

# A process takes some hundred megabytes of a card before it has seen a picture, and one or two more gigabytes for a
# batch; and two of them keep a card busy.
WORKERS_PER_CARD = 2


def worker_devices(options: BuildOptions, chunks: int, workers: int | None = None) -> list[str]:
    """Choose the device of each worker.

    On a processor there is a worker for each core, on CUDA at most WORKERS_PER_CARD for each card; `cuda` without a
    number means all cards. There are never more workers than chunks.

    Args:
        options: The build.
        chunks: How many pieces of work there are.
        workers: How many are wanted; more than there may be on a card are not given.

    Returns:
        A device for each worker.

    Raises:
        ValueError: `workers` is below 1, or there is no such device.
    """
    if workers is not None and workers < 1:
        raise OptionError(f"workers must be 1 or more, got {workers}")
    places = _places(detector_device(options.detector, options.device))
    wanted = min(workers or os.cpu_count() or 1, chunks)
    count = wanted if places == ["cpu"] else min(wanted, WORKERS_PER_CARD * len(places))
    return [places[index % len(places)] for index in range(count)]


def _places(device: str) -> list[str]:
    return [f"cuda:{card}" for card in range(count_cards())] if device == "cuda" else [device]
