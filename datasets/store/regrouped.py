"""A data set with its rows put into other splits, or left out: another look at the same files, nothing is copied."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emonet.datasets.sample import SPLITS
from emonet.datasets.store import Store
from emonet.errors import OptionError

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN = 3  # keys in a message


@dataclass(frozen=True, slots=True)
class Regrouped(Store):
    """Rows of a store in splits of their own, in the store's order. `files` are those that hold rows of a split."""

    keys: Mapping[str, frozenset[str]]  # split -> its rows

    @property
    def identity(self) -> str:
        """Another than the store's: a training on other rows, or on other splits, is another training."""
        rows = {split: sorted(keys) for split, keys in self.keys.items()}
        whole = super(Regrouped, self).identity  # slots make a class anew, which the short form would not find
        return hashlib.sha256(json.dumps([whole, rows], sort_keys=True).encode()).hexdigest()

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


def regrouped(store: Store, splits: Mapping[str, Sequence[str]], why: Mapping[str, Any]) -> Regrouped:
    """The store with these keys in these splits, and no other rows. `why` is kept in its `info`."""
    chosen = _chosen(splits)
    there = _places(store)
    if unknown := sorted(chosen.keys() - there.keys()):
        raise OptionError(f"{store.path} has no {', '.join(unknown[:SHOWN])} ({len(unknown)} unknown keys)")
    keys: dict[str, set[str]] = defaultdict(set)
    for key, split in chosen.items():
        keys[split].add(key)
    info = {
        **store.info,
        "splits": _files(store, chosen),
        "counts": _counts(there, chosen),
        "evaluated": {},  # what is missing from official splits says nothing of these
        "regrouped": dict(why),
    }
    return Regrouped(store.path, info, {split: frozenset(keys[split]) for split in info["splits"]})


def _chosen(splits: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Key -> split."""
    if wrong := sorted(set(splits) - set(SPLITS)):
        raise OptionError(f"splits are {', '.join(SPLITS)}; got {', '.join(wrong)}")
    times = Counter(key for keys in splits.values() for key in keys)
    if twice := sorted(key for key, count in times.items() if count > 1):
        raise OptionError(
            f"a row is in one split, once; more often were {', '.join(twice[:SHOWN])} ({len(twice)} keys)"
        )
    return {key: split for split, keys in splits.items() for key in keys}


def _places(store: Store) -> dict[str, tuple[str, str]]:
    """The key of every row -> source and class."""
    found: dict[str, tuple[str, str]] = {}
    for split in store.splits:
        columns = store.table(split, ["key", "source", "emotion"]).to_pydict()
        rows = zip(columns["key"], columns["source"], columns["emotion"], strict=True)
        found |= {key: (source, emotion) for key, source, emotion in rows}
    return found


def _files(store: Store, chosen: Mapping[str, str]) -> dict[str, list[dict[str, Any]]]:
    """Split -> the files that hold rows of it, and how many each."""
    import pyarrow.parquet as pq

    found: dict[str, list[dict[str, Any]]] = {split: [] for split in SPLITS}
    for path in dict.fromkeys(path for split in store.splits for path in store.files(split)):
        keys = pq.read_table(path, columns=["key"])["key"].to_pylist()
        counts = Counter(chosen[key] for key in keys if key in chosen)
        for split, count in counts.items():
            found[split].append({"name": path.name, "rows": count})
    return {split: files for split, files in found.items() if files}


def _counts(there: Mapping[str, tuple[str, str]], chosen: Mapping[str, str]) -> dict[str, Any]:
    """Source -> split -> class -> pictures."""
    counts: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for key, (source, emotion) in there.items():
        if key in chosen:
            counts[source][chosen[key]][emotion] += 1
    return {
        source: {split: dict(by_split[split]) for split in SPLITS if split in by_split}
        for source, by_split in counts.items()
    }
