"""Where a run keeps its images, and whether it can show them in any order. Decided before they are read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from emonet.datasets.store import Store
from emonet.faces import fit_in_memory
from emonet.training.config import TrainConfig
from emonet.training.log import Watch
from emonet.training.material import DEV, TRAIN, find_spec
from emonet.training.session import read_run

WINDOW = 8192  # rows of a window where images are streamed


def settle_storage(
    config: TrainConfig, store: Store, folders: Iterable[Path], processes: int, watch: Watch
) -> TrainConfig:
    """Choose to stream images that do not fit into memory, and the window that this needs.

    A window changes the order of the images, and so the weights. So a resumed run keeps its window, and a run that was
    begun without one is not streamed.

    Args:
        config: Options of the run.
        store: The data set.
        folders: Folders that may hold a part of the run.
        processes: How many processes share the memory of this machine.
        watch: Told if images do not fit.
    """
    begun = next((run for folder in folders if (run := read_run(folder)) is not None), None)
    window = config.window or (begun or {}).get("window", 0)
    storage = config.storage
    if storage == "auto" and not _fit(config, store, processes):
        storage = "disk" if begun is not None and not window else "stream"
        kept = "kept on the disk" if storage == "disk" else "streamed from the data set"
        watch.note(f"the images do not fit into memory: they are {kept}")
    return replace(config, storage=storage, window=window or (WINDOW if storage == "stream" else 0))


def _fit(config: TrainConfig, store: Store, processes: int) -> bool:
    count = sum(store.splits.get(split, 0) for split in (TRAIN, DEV))
    return fit_in_memory(count * processes, find_spec(config))
