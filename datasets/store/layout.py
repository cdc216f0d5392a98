"""Where the files of a data set are, in its folder.

    data/SPLIT-00000-of-0000N.parquet   the images and what is known about them: open this folder with any reader
    rejected/rejected.parquet           what was left out, and why; in a folder of its own, so that no glob takes it
                                        for images
    README.md                           the card, which tells Hugging Face which shards are which split
    croissant.json                      the same for readers of MLCommons Croissant
    report.html                         the same to look at
    dataset.json                        every option, count, version and hash; written last

In format 1 the shards and rejected.parquet lay beside dataset.json. Such data sets are still read.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

from emonet.datasets.sample import SPLITS

DESCRIPTION = "dataset.json"
SHARDS = "data"
REJECTED = "rejected/rejected.parquet"
REPORT = "report.html"
CARD = "README.md"
CROISSANT = "croissant.json"
BESIDE = (REJECTED, REPORT, CARD, CROISSANT)  # files of every data set beside its shards

OLD_REJECTED = "rejected.parquet"  # in format 1


def shard_name(split: str, number: int, count: int) -> str:
    """Name a shard by its place in the folder of the data set."""
    return f"{SHARDS}/{split}-{number:05d}-of-{count:05d}.parquet"


def find_shards(folder: Path) -> Iterator[Path]:
    """Find the files that have the name of a shard, where those of any format are."""
    for place, split in product((folder / SHARDS, folder), SPLITS):
        yield from place.glob(f"{split}-*-of-*.parquet")
