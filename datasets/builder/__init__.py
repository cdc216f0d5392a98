"""Build one data set on disk from data sets as they were downloaded.

A build has three stages, which `run.py` puts together:

1. Crops. `plan.py` divides the samples into chunks, `workers.py` chooses the number of processes, `chunks.py` shares
   the chunks out to them, and `work.py` does one chunk.
2. Decisions. `decisions.py` decides what needs to know all images: copies, splits, leaks, folds.
3. Files. `shards.py`, `describe.py`, `card.py`, `croissant.py` and `report/` write them; `output.py` knows the folder,
   and keeps other builds out of it.
"""

from emonet.datasets.builder.identity import identify
from emonet.datasets.builder.options import BuildOptions
from emonet.datasets.builder.run import Built, Prepared, build_dataset, prepare
from emonet.datasets.builder.workers import open_workers, worker_devices

__all__ = [
    "BuildOptions",
    "Built",
    "Prepared",
    "build_dataset",
    "identify",
    "open_workers",
    "prepare",
    "worker_devices",
]
