"""The data set on disk: open it, select from it, and export it."""

from __future__ import annotations

from emonet.datasets.store.info import FORMAT, StoreInfo, read_description
from emonet.datasets.store.layout import CARD, CROISSANT, DESCRIPTION, REJECTED, REPORT
from emonet.datasets.store.schema import shard_schema
from emonet.datasets.store.store import Store, decode, open_store

__all__ = [
    "CARD",
    "CROISSANT",
    "DESCRIPTION",
    "FORMAT",
    "REJECTED",
    "REPORT",
    "Store",
    "StoreInfo",
    "decode",
    "open_store",
    "read_description",
    "shard_schema",
]
