"""Find the images of a split that are in the training data, too: a model that memorised these knows the answers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.sample import DropReason
from emonet.datasets.store import Store

COPY_OF = "a copy of "  # how rejected.parquet begins to say why a training row was left out: then comes a key
LEARNED = ("train", "dev")


def has_training_copy(store: Store, split: str) -> NDArray[np.bool_]:
    """Tell for each row of a split whether the training data hold an exact copy of it.

    Copies count that the build left out of the training data, too. So the answer is the same for a data set that was
    built with its leaks and for one that was built without.
    """
    columns = store.table(split, ["key", "duplicate_group"]).to_pydict()
    groups = dict(zip(columns["key"], columns["duplicate_group"], strict=True))
    left_out = _copied_by_rejected(store)
    others = [part for part in LEARNED if part in store.splits and part != split]
    learned = {group for part in others for group in _groups(store, part)}
    learned |= {groups[key] for key in left_out if key in groups}
    learned.discard(None)
    return np.array([key in left_out or group in learned for key, group in groups.items()], np.bool_)


def _groups(store: Store, split: str) -> list[str | None]:
    found: list[str | None] = store.table(split, ["duplicate_group"])["duplicate_group"].to_pylist()
    return found


def _copied_by_rejected(store: Store) -> set[str]:
    """The keys of images whose training copies were left out."""
    rejected = store.rejected().select(["reason", "detail"]).to_pylist()
    return {row["detail"].removeprefix(COPY_OF) for row in rejected if row["reason"] == DropReason.LEAK}
