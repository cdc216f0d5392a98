"""Which pictures of a split were also published to be trained on: a model that learned them by heart knows them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.sample import DropReason
from emonet.datasets.store import Store

COPY_OF = "a copy of "  # what rejected.parquet says of training rows that left for this: whose copy they are
LEARNED = ("train", "dev")


def has_training_copy(store: Store, split: str) -> NDArray[np.bool_]:
    """For each row of a split, whether the other training data hold an exact copy, or did until the build left it out.

    So the same pictures are meant, whether or not a data set was built with its leaks.
    """
    pictures = store.table(split, ["key", "duplicate_group"]).to_pydict()
    groups = dict(zip(pictures["key"], pictures["duplicate_group"], strict=True))
    left = _copied_by_rejected(store)
    others = [part for part in LEARNED if part in store.splits and part != split]
    learned = {group for part in others for group in _groups(store, part)}
    learned |= {groups[key] for key in left if key in groups}
    learned.discard(None)
    return np.array([key in left or group in learned for key, group in groups.items()], np.bool_)


def _groups(store: Store, split: str) -> list[str | None]:
    found: list[str | None] = store.table(split, ["duplicate_group"])["duplicate_group"].to_pylist()
    return found


def _copied_by_rejected(store: Store) -> set[str]:
    """The keys of pictures whose training copies were left out."""
    rejected = store.rejected().select(["reason", "detail"]).to_pylist()
    return {row["detail"].removeprefix(COPY_OF) for row in rejected if row["reason"] == DropReason.LEAK}
