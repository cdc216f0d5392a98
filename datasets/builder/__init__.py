"""Build one data set on disk from data sets as they were downloaded.

A build has three stages, which `run.py` puts together:

1. Crops. `plan.py` divides the samples into chunks, `chunks.py` shares them out, and `work.py` does one chunk.
2. Decisions. `decisions.py` decides what needs to know all images: copies, for which it asks `search.py`, splits, leaks
   and folds.
3. Files. `shards.py`, `describe.py`, `card.py`, `croissant.py` and `report/` write them; `output.py` knows the folder,
   and keeps other builds out of it.

An engine (`engine.py`) shares out what takes long: to processes of this machine (`workers.py`), or by Spark (`spark/`).
"""

from emonet.datasets.builder.identity import identify
from emonet.datasets.builder.options import BuildOptions
from emonet.datasets.builder.plan import open_readers
from emonet.datasets.builder.run import Built, Prepared, build_dataset, prepare
from emonet.datasets.builder.workers import open_workers, worker_devices

__all__ = [
    "BuildOptions",
    "Built",
    "Prepared",
    "build_dataset",
    "identify",
    "open_readers",
    "open_workers",
    "prepare",
    "worker_devices",
]
