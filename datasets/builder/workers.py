"""Choose the number of processes for the first stage, and the device of each."""

from __future__ import annotations

import os

from emonet.datasets.builder.options import BuildOptions
from emonet.errors import OptionError
from facecrop.detectors import detector_device
from facecrop.devices import count_cards

# A process takes some hundred megabytes of a GPU before its first image, and one or two gigabytes more for a batch. Two
# processes keep a GPU busy.
WORKERS_PER_CARD = 2


def worker_devices(options: BuildOptions, chunks: int, workers: int | None = None) -> list[str]:
    """Choose the device of each worker.

    There is a worker for each core of the processor, or at most WORKERS_PER_CARD for each GPU; `cuda` without a number
    means all GPUs. There are never more workers than chunks.

    Args:
        options: The build.
        chunks: How many pieces of work there are.
        workers: How many are wanted; a GPU takes no more than WORKERS_PER_CARD.

    Returns:
        A device for each worker.

    Raises:
        OptionError: `workers` is below 1, or there is no such device.
    """
    if workers is not None and workers < 1:
        raise OptionError(f"workers must be 1 or more, got {workers}")
    places = _list_devices(detector_device(options.detector, options.device))
    wanted = min(workers or os.cpu_count() or 1, chunks)
    count = wanted if places == ["cpu"] else min(wanted, WORKERS_PER_CARD * len(places))
    return [places[index % len(places)] for index in range(count)]


def _list_devices(device: str) -> list[str]:
    return [f"cuda:{card}" for card in range(count_cards())] if device == "cuda" else [device]
