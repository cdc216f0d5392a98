"""The data set on disk: open it, select from it, and export it."""

from __future__ import annotations

from emonet.datasets.store.info import FORMAT, StoreInfo, read_description
from emonet.datasets.store.store import CARD, DESCRIPTION, REJECTED, REPORT, Store, decode, open_store, shard_schema

__all__ = [
    "CARD",
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
