"""The engine that builds on Apache Spark: the functions and the results of the local engine, on many machines.

Crops are made by `work.Workshop` in the Python processes of the executors, which write the files of the first stage to
a disk that all machines share. Exact copies are found by grouping hashes, near copies by joining bands of hashes,
altered copies by the blocks of the local search; shards are written by `shards.write_shard`. The driver lists the
samples, and decides about splits and folds: what that costs is in docs/scale.md.
"""

from emonet.datasets.builder.spark.engine import SparkEngine

__all__ = ["SparkEngine"]
