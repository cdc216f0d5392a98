"""Find the images of a split that are in the training data, too: a model that memorised these knows the answers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.sample import DropReason
from emonet.datasets.store import Store

COPY_OF = "a copy of "  # how rejected.parquet begins to say why a training row was left out: then comes a key
NEAR_COPY_OF = f"nearly {COPY_OF}"
LEARNED = ("train", "dev")
ALTERED = ("near", "report")  # values of `leaks` with which a build looks for copies in another crop and mirrored ones


def has_training_copy(store: Store, split: str, *, near: bool = False) -> NDArray[np.bool_]:
    """Tell for each row of a split whether the training data hold a copy of it.

    Copies count that the build left out of the training data, too. So the answer is the same for a data set that was
    built with its leaks and for one that was built without, but for blank images: those of the training data count as
    leaks where leaks are left out, and are left out as blank where they are kept.

    Args:
        store: The data set.
        split: The split whose rows are looked for.
        near: Count near copies, too: those that the build knows of. See `knows_near_copies`.
    """
    column = "near_group" if near else "duplicate_group"
    left_out, rows = _copied_by_rejected(store, near), [*_read_groups(store, split, column)]
    learned: set[int | None] = {group for key, group in rows if key in left_out}
    for part in store.splits.keys() - {split}:
        is_learned = part in LEARNED
        learned |= {group for key, group in _read_groups(store, part, column) if is_learned or key in left_out}
    learned.discard(None)
    return np.array([key in left_out or group in learned for key, group in rows], np.bool_)


def knows_near_copies(store: Store) -> bool:
    """Tell whether the build looked for copies in another crop, in another light, and for mirrored ones."""
    return store.info.options.get("leaks") in ALTERED


def _read_groups(store: Store, split: str, column: str) -> Iterator[tuple[str, int | None]]:
    columns = store.table(split, ["key", column]).to_pydict()
    return zip(columns["key"], columns[column], strict=True)


def _copied_by_rejected(store: Store, near: bool) -> set[str]:
    """Find the keys of images whose training copies were left out: the first of each group, in any split."""
    begins = {DropReason.LEAK: COPY_OF} | ({DropReason.NEAR_LEAK: NEAR_COPY_OF} if near else {})
    rejected = store.rejected().select(["reason", "detail"]).to_pylist()
    return {row["detail"].removeprefix(begins[row["reason"]]) for row in rejected if row["reason"] in begins}
