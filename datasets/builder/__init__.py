"""The build: data sets as they were downloaded become one on disk, in three stages.

`plan.py` lists what is to be read, in chunks; `workers.py` chooses how many processes share them; `work.py` does one
chunk and `chunks.py` all of them; `index.py` decides what needs to know everything; `shards.py`, `describe.py` and
`report.py` write. `run.py` puts them together.
"""

from emonet.datasets.builder.identity import identify
from emonet.datasets.builder.options import BuildOptions
from emonet.datasets.builder.run import Built, Prepared, build_dataset, prepare
from emonet.datasets.builder.workers import worker_devices

__all__ = ["BuildOptions", "Built", "Prepared", "build_dataset", "identify", "prepare", "worker_devices"]
