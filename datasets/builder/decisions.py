"""The second stage, without pixels: copies, splits, leaks, the hold-out and the folds, over all sources at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.builder.options import BuildOptions
from emonet.datasets.curation.duplicates import Indices, NearPair, group_copies, join_groups, near_pairs
from emonet.datasets.curation.splits import Member, assign_folds, hold_out, split_groups
from emonet.datasets.reader import Reader
from emonet.datasets.sample import DropReason
from emonet.datasets.store.leaks import COPY_OF
from emonet.errors import OptionError
from facecrop.images import Image

if TYPE_CHECKING:
    import pyarrow as pa

EVALUATED = ("validation", "test")
TRAINED = ("train", "dev")

Pictures = Callable[[Indices], Iterable[Image]]


@dataclass(slots=True)
class Index:
    """What becomes of each row of the first stage. `reason` is None for those that are in the data set."""

    rows: pa.Table
    split: list[str]
    reason: list[str | None]
    detail: list[str | None]
    fold: list[int | None]
    copies: Indices  # the first exact copy of each row
    near_groups: Indices  # the first of those that are linked by near copies
    pairs: list[NearPair] = field(default_factory=list)

    def column(self, name: str) -> list[Any]:
        values: list[Any] = self.rows.column(name).to_pylist()
        return values

    def copy_groups(self) -> list[list[int]]:
        """The rows of each group of exact copies, in the order of their first."""
        groups: dict[int, list[int]] = defaultdict(list)
        for row, first in enumerate(self.copies.tolist()):
            groups[first].append(row)
        return [group for group in groups.values() if len(group) > 1]

    def kept(self) -> NDArray[np.bool_]:
        return np.array([reason is None for reason in self.reason], bool)


def make_index(rows: pa.Table, readers: Mapping[str, Reader], options: BuildOptions, pictures: Pictures) -> Index:
    """Decides everything that is decided globally."""
    hashes = rows.column("sha1").to_pylist()
    copies = group_copies(hashes)
    pairs = [] if options.leaks == "keep" else _near(rows, copies, options.near, pictures)
    near_groups = join_groups(len(hashes), [*enumerate(copies.tolist()), *((p.first, p.second) for p in pairs)])
    index = Index(
        rows,
        split=_splits(rows, readers, options),
        reason=rows.column("reason").to_pylist(),
        detail=rows.column("detail").to_pylist(),
        fold=[None] * len(hashes),
        copies=copies,
        near_groups=near_groups,
        pairs=pairs,
    )
    _spare(index, options)
    _drop_leaks(index, options)
    if options.dev:
        _take_dev(index, options)
    if options.folds:
        _fold(index, options)
    return index


def _near(rows: pa.Table, copies: Indices, threshold: float, pictures: Pictures) -> list[NearPair]:
    """Near copies among the first of each group of exact ones; frames of one sequence are alike by nature."""
    hashes = rows.column("perceptual").to_pylist()
    firsts = np.array([i for i, name in enumerate(hashes) if name is not None and copies[i] == i], np.int64)
    found = near_pairs(
        np.array([hashes[i] for i in firsts], np.uint64), lambda wanted: pictures(firsts[wanted]), threshold
    )
    sequences = list(zip(rows.column("source").to_pylist(), rows.column("sequence").to_pylist(), strict=True))
    pairs = [NearPair(int(firsts[pair.first]), int(firsts[pair.second]), pair.correlation) for pair in found]
    return [p for p in pairs if sequences[p.first][1] is None or sequences[p.first] != sequences[p.second]]


def _splits(rows: pa.Table, readers: Mapping[str, Reader], options: BuildOptions) -> list[str]:
    """The official split, or that of the person, or `train`: nothing is claimed of data whose people are unknown."""
    official: list[str | None] = rows.column("split").to_pylist()
    sources, emotions, sizes = (rows.column(name).to_pylist() for name in ("source", "emotion", "size"))
    people = _people(rows)
    by_person = {name for name, reader in readers.items() if reader.layout.subjects and options.split != "none"}
    members: dict[str, list[Member]] = defaultdict(list)
    for split, source, person, emotion, size in zip(official, sources, people, emotions, sizes, strict=True):
        if split is None and person is not None and size is not None and source in by_person:
            members[source].append(Member(person, emotion))
    drawn: dict[str, str] = {}
    for of_source in members.values():
        drawn |= split_groups(of_source, options.shares, options.seed)
    return [split or drawn.get(person or "", "train") for split, person in zip(official, people, strict=True)]


def _people(rows: pa.Table) -> list[str | None]:
    pairs = zip(rows.column("source").to_pylist(), rows.column("subject").to_pylist(), strict=True)
    return [None if subject is None else f"{source}/{subject}" for source, subject in pairs]


def check_subjects(readers: Mapping[str, Reader], options: BuildOptions) -> None:
    """Raises where people are to be kept apart in data that do not tell them apart."""
    wanted = [name for name, asked in (("split", options.split == "subject"), ("folds", options.folds > 0)) if asked]
    for reader in readers.values():
        if wanted and reader.needs_subjects and not reader.layout.subjects:
            raise OptionError(
                f"{reader.path}: its people cannot be told apart ({reader.layout.title}), "
                f"so {' and '.join(wanted)} by subject are impossible"
            )


def _spare(index: Index, options: BuildOptions) -> None:
    """Takes back the rejection of faces that will not do where rows are never filtered, or are to be kept."""
    sizes = index.column("size")
    for i, reason in enumerate(index.reason):
        if reason is None or sizes[i] is None:  # it is in already, or there is no crop
            continue
        spared = index.split[i] in EVALUATED and not options.filter_eval
        if spared or (reason == "no_face" and options.undetected == "keep"):
            index.reason[i] = None


def _drop_leaks(index: Index, options: BuildOptions) -> None:
    """Training rows that are in an evaluated split too; this comes before whatever else is wrong with them."""
    if options.leaks not in ("drop", "near"):
        return
    for groups, reason in ((index.copies, DropReason.LEAK), (index.near_groups, DropReason.NEAR_LEAK)):
        if reason is DropReason.NEAR_LEAK and options.leaks != "near":
            continue
        evaluated = _evaluated(index, groups)
        keys = index.column("key")
        for i, group in enumerate(groups.tolist()):
            if index.split[i] == "train" and group in evaluated and index.reason[i] != DropReason.LEAK:
                other = evaluated[group]
                index.reason[i] = reason
                index.detail[i] = f"{'' if reason is DropReason.LEAK else 'nearly '}{COPY_OF}{keys[other]}"


def _evaluated(index: Index, groups: Indices) -> dict[int, int]:
    """The first evaluated row of each group that has one."""
    found: dict[int, int] = {}
    for i, group in enumerate(groups.tolist()):
        if index.split[i] in EVALUATED and index.reason[i] is None:
            found.setdefault(group, i)
    return found


def _members(index: Index, chosen: Iterable[int]) -> list[Member]:
    """With everything together that belongs together: people, sequences, copies."""
    people, sequences = _people(index.rows), index.column("sequence")
    sources, emotions = index.column("source"), index.column("emotion")
    links: dict[str, list[int]] = defaultdict(list)
    for i, person in enumerate(people):
        if person is not None:
            links[f"person {person}"].append(i)
        if sequences[i] is not None:
            links[f"sequence {sources[i]}/{sequences[i]}"].append(i)
        links[f"copies {index.near_groups[i]}"].append(i)
    groups = join_groups(len(people), ((same[0], other) for same in links.values() for other in same[1:]))
    keys = index.column("key")
    return [Member(people[groups[i]] or keys[groups[i]], (sources[i], emotions[i])) for i in chosen]


def _training(index: Index) -> list[int]:
    return [i for i, split in enumerate(index.split) if split in TRAINED and index.reason[i] is None]


def _take_dev(index: Index, options: BuildOptions) -> None:
    training = _training(index)
    members = _members(index, training)
    chosen = hold_out(members, options.dev, options.seed)
    for i, member in zip(training, members, strict=True):
        if member.group in chosen:
            index.split[i] = "dev"


def _fold(index: Index, options: BuildOptions) -> None:
    training = _training(index)
    folds = assign_folds(_members(index, training), options.folds, options.seed)
    for i, fold in zip(training, folds.tolist(), strict=True):
        index.fold[i] = fold
