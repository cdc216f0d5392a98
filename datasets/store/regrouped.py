"""A view of a data set: the same files, with rows in other splits or left out. Nothing is copied."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from emonet.datasets.sample import SPLITS
from emonet.datasets.store import Store
from emonet.datasets.store.info import Counts, Shard
from emonet.datasets.store.shard import open_shard
from emonet.errors import OptionError

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN = 3  # keys in a message


@dataclass(frozen=True, slots=True)
class Regrouped(Store):
    """Rows of a store in other splits, in the order of the store; the column `split` says the split of the view.

    Attributes:
        keys: Split -> the keys of its rows.
    """

    keys: Mapping[str, frozenset[str]]

    @property
    def identity(self) -> str:
        """A hash of the files and of the rows in each split."""
        rows = {split: sorted(keys) for split, keys in self.keys.items()}
        whole = super(Regrouped, self).identity  # `super()` fails here: slots=True makes a new class
        return hashlib.sha256(json.dumps([whole, rows], sort_keys=True).encode()).hexdigest()

    @property
    def chosen_keys(self) -> Mapping[str, frozenset[str]]:
        return self.keys

    def table(self, split: str, columns: Sequence[str] | None = None) -> pa.Table:
        import pyarrow as pa

        return pa.Table.from_batches(list(self.batches(split, columns)))

    def batches(self, split: str, columns: Sequence[str] | None = None, size: int = 1024) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa
        import pyarrow.compute as pc

        read = columns if columns is None or "key" in columns else [*columns, "key"]
        own = pa.array(sorted(self.keys.get(split, ())), pa.string())
        for batch in Store.batches(self, split, read, size):
            kept = batch.filter(pc.is_in(batch.column("key"), own))
            if kept.num_rows:
                yield kept if read is columns else kept.drop_columns(["key"])


def regroup(store: Store, splits: Mapping[str, Sequence[str]], why: Mapping[str, Any]) -> Regrouped:
    """Make a view of a data set that holds these rows and no others.

    Args:
        store: The data set, or a view of it.
        splits: Split -> the keys of its rows.
        why: What the view is for; it is kept in its `info.regrouped`.

    Raises:
        OptionError: A split or a key is not known, or a key is named twice.
    """
    split_of = _map_keys_to_splits(splits)
    rows = _read_sources_and_classes(store)
    if unknown := sorted(split_of.keys() - rows.keys()):
        raise OptionError(f"{store.path} has no {', '.join(unknown[:SHOWN])} ({len(unknown)} unknown keys)")
    keys: dict[str, set[str]] = defaultdict(set)
    for key, split in split_of.items():
        keys[split].add(key)
    shards = _select_shards(store, split_of)
    info = replace(
        store.info,
        splits=shards,
        counts=_count_images(rows, split_of),
        evaluated={},  # how complete the official splits are says nothing about these
        regrouped=dict(why),
    )
    return Regrouped(store.path, info, {split: frozenset(keys[split]) for split in shards})


def _map_keys_to_splits(splits: Mapping[str, Sequence[str]]) -> dict[str, str]:
    if wrong := sorted(set(splits) - set(SPLITS)):
        raise OptionError(f"splits are {', '.join(SPLITS)}; got {', '.join(wrong)}")
    times = Counter(key for keys in splits.values() for key in keys)
    if twice := sorted(key for key, count in times.items() if count > 1):
        raise OptionError(f"a row may be named once; named twice: {', '.join(twice[:SHOWN])} ({len(twice)} keys)")
    return {key: split for split, keys in splits.items() for key in keys}


def _read_sources_and_classes(store: Store) -> dict[str, tuple[str, str]]:
    """Key -> source and class, for all rows."""
    found: dict[str, tuple[str, str]] = {}
    for split in store.splits:
        columns = store.table(split, ["key", "source", "emotion"]).to_pydict()
        rows = zip(columns["key"], columns["source"], columns["emotion"], strict=True)
        found |= {key: (source, emotion) for key, source, emotion in rows}
    return found


def _select_shards(store: Store, split_of: Mapping[str, str]) -> dict[str, tuple[Shard, ...]]:
    """Split -> the files that hold rows of it, with the number of these rows."""
    found: dict[str, list[Shard]] = {split: [] for split in SPLITS}
    for path in dict.fromkeys(path for split in store.splits for path in store.files(split)):
        with open_shard(path) as file:
            keys = file.read(columns=["key"])["key"].to_pylist()
        counts = Counter(split_of[key] for key in keys if key in split_of)
        for split, count in counts.items():
            found[split].append(Shard(path.relative_to(store.path).as_posix(), count))
    return {split: tuple(shards) for split, shards in found.items() if shards}


def _count_images(rows: Mapping[str, tuple[str, str]], split_of: Mapping[str, str]) -> Counts:
    counts: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for key, (source, emotion) in rows.items():
        if key in split_of:
            counts[source][split_of[key]][emotion] += 1
    return {
        source: {split: dict(by_split[split]) for split in SPLITS if split in by_split}
        for source, by_split in counts.items()
    }
