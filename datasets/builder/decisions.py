"""The second stage, without pixels: copies, splits, leaks, the hold-out and the folds, over all sources at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.builder.options import BuildOptions
from emonet.datasets.builder.rows import list_column
from emonet.datasets.builder.search import CopySearch
from emonet.datasets.curation.duplicates import Indices, NearPair, join_groups, join_pairs
from emonet.datasets.curation.likeness import Likeness
from emonet.datasets.curation.people import Seen, warn_of_divided_people
from emonet.datasets.curation.splits import (
    Member,
    assign_folds,
    hold_out,
    split_groups,
    warn_of_empty_splits,
    warn_of_shortage,
)
from emonet.datasets.reader import Reader
from emonet.datasets.sample import EVALUATED, DropReason
from emonet.datasets.store.leaks import ALTERED, COPY_OF, LEARNED, NEAR_COPY_OF
from emonet.errors import OptionError

if TYPE_CHECKING:
    import pyarrow as pa


Reasons = list[str | None]  # of each row; None if it is in the data set


@dataclass(frozen=True, slots=True)
class Index:
    """What is decided about each row of the first stage.

    Attributes:
        rows: What the first stage found.
        split: The split of each row.
        reason: Why a row is left out; None if it is in the data set.
        detail: More about the reason.
        fold: Of training rows; None for others, or without folds.
        copies: The first exact copy of each row.
        near_groups: The first row of each group of near and exact copies.
        pairs: Near copies.
        warnings: What makes figures on the data set doubtful.
    """

    rows: pa.Table
    split: list[str]
    reason: Reasons
    detail: Reasons
    fold: list[int | None]
    copies: Indices
    near_groups: Indices
    pairs: list[NearPair] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def column(self, name: str) -> list[Any]:
        """Return what the first stage found, for all rows."""
        return list_column(self.rows, name)

    def copy_groups(self) -> list[list[int]]:
        """List the rows of each group of exact copies, in the order of their first."""
        groups: dict[int, list[int]] = defaultdict(list)
        for row, first in enumerate(self.copies.tolist()):
            groups[first].append(row)
        return [group for group in groups.values() if len(group) > 1]

    def kept(self) -> NDArray[np.bool_]:
        """Tell for each row whether it is in the data set."""
        return np.array([reason is None for reason in self.reason], bool)


def make_index(rows: pa.Table, readers: Mapping[str, Reader], options: BuildOptions, search: CopySearch) -> Index:
    """Decide what needs to know all rows.

    Args:
        rows: What the first stage found.
        readers: The readers of the sources.
        options: The build.
        search: Finds copies.
    """
    copies = search.find_copies(rows.column("sha1"))
    official, warnings = _choose_splits(rows, readers, options)
    learned = options.learn_validation and "validation" in official
    official = [options.move_split(split) for split in official]
    pairs = [] if options.leaks == "keep" else _find_pairs(rows, official, copies, options, search)
    near_groups = join_groups(len(copies), chain(enumerate(copies), ((p.first, p.second) for p in pairs)))
    reason = _spare_rows(rows, official, options)
    reason, detail = _drop_leaks(rows, official, reason, copies, near_groups, options)
    members = _make_members(rows, near_groups) if options.dev or options.folds else []
    split = _take_dev(official, reason, members, options) if options.dev else official
    fold = _choose_folds(split, reason, members, options)
    warnings += warn_of_divided_people(_list_people(rows, split, reason))
    if learned:
        warnings.append("validation was moved to train: of models that learn from it, score test alone")
    if options.dev:
        training = ((members[row], split[row] == "dev") for row in _find_training_rows(split, reason))
        warnings += warn_of_shortage(training, options.dev)
    return Index(rows, split, reason, detail, fold, copies, near_groups, pairs, warnings)


def check_subjects(readers: Mapping[str, Reader], options: BuildOptions) -> None:
    """Raise OptionError for splits or folds by subject of data without subjects."""
    wanted = [name for name, asked in (("split", options.split == "subject"), ("folds", options.folds > 0)) if asked]
    for reader in readers.values():
        if wanted and reader.needs_subjects and not reader.layout.subjects:
            raise OptionError(
                f"{reader.path}: its people cannot be told apart ({reader.layout.title}), "
                f"so {' and '.join(wanted)} by subject are impossible"
            )


def list_resplit(readers: Mapping[str, Reader], options: BuildOptions) -> set[str]:
    """List the sources whose own splits are not used, because they are to be split by subject."""
    return {name for name, reader in readers.items() if options.split == "subject" and reader.layout.subjects}


def _list_people(rows: pa.Table, split: Sequence[str], reason: Reasons) -> Iterator[Seen]:
    columns = (list_column(rows, "source"), list_column(rows, "subject"), split, reason)
    for source, subject, name, why in zip(*columns, strict=True):
        if why is None:
            yield Seen(source, subject, name)


def _find_pairs(
    rows: pa.Table, split: Sequence[str], copies: Indices, options: BuildOptions, search: CopySearch
) -> list[NearPair]:
    """Find near copies among different images; frames of one sequence look alike and do not count.

    Copies in another crop and mirrored ones are looked for only if they are to be dropped or reported: for the same
    options the answer stays what it was before these were known.
    """
    hashes = rows.column("perceptual")
    is_first = hashes.is_valid().to_numpy() & (copies == np.arange(len(copies)))
    firsts = np.flatnonzero(is_first)
    found = search.find_near_pairs(firsts, hashes.filter(is_first).to_numpy(), options.near)
    if options.leaks in ALTERED:
        packed = rows.column("likeness").filter(is_first).chunks
        likeness = Likeness.decode(one for chunk in packed for one in chunk.to_pylist())
        together = np.array(_number_people(rows, split), np.int64)[firsts]
        evaluated = np.array([name in EVALUATED for name in split], np.bool_)[firsts]
        found = join_pairs(found, search.find_altered_copies(firsts, likeness, together, evaluated, options.near))
    sources, sequences = list_column(rows, "source"), list_column(rows, "sequence")
    pairs = [replace(pair, first=int(firsts[pair.first]), second=int(firsts[pair.second])) for pair in found]
    return [
        p
        for p in pairs
        if sequences[p.first] is None
        or (sources[p.first], sequences[p.first]) != (sources[p.second], sequences[p.second])
    ]


def _number_people(rows: pa.Table, split: Sequence[str]) -> list[int]:
    """Give images of one person in one split the same number, and -1 to those of nobody knows whom.

    All images of a person look alike, and no model can profit from it as long as they are in one split.
    """
    numbers: dict[tuple[str, str], int] = {}
    names = zip(_name_subjects(rows), split, strict=True)
    return [-1 if subject is None else numbers.setdefault((subject, name), len(numbers)) for subject, name in names]


def _choose_splits(rows: pa.Table, readers: Mapping[str, Reader], options: BuildOptions) -> tuple[list[str], list[str]]:
    """Return the official split of each row, or else that of its subject, known or drawn; and warnings."""
    sources, emotions, sizes = (list_column(rows, name) for name in ("source", "emotion", "size"))
    resplit = list_resplit(readers, options)
    published: list[str | None] = list_column(rows, "split")
    official = [None if source in resplit else split for source, split in zip(sources, published, strict=True)]
    subjects = _name_subjects(rows)
    by_subject = {name for name, reader in readers.items() if reader.layout.subjects and options.split != "none"}
    known = {
        subject: split
        for split, source, subject in zip(official, sources, subjects, strict=True)
        if split and source in by_subject
    }
    official = [split or known.get(subject) for split, subject in zip(official, subjects, strict=True)]
    members: dict[str, list[Member]] = defaultdict(list)
    for split, source, subject, emotion, size in zip(official, sources, subjects, emotions, sizes, strict=True):
        if split is None and subject is not None and size is not None and source in by_subject:
            members[source].append(Member(subject, emotion))
    drawn: dict[str, str] = {}
    warnings: list[str] = []
    for name, of_source in members.items():
        own = split_groups(of_source, options.shares, options.seed)
        held = {*own.values(), *(split for split, one in zip(official, sources, strict=True) if split and one == name)}
        warnings += warn_of_empty_splits(name, len(own), held, options.shares)
        drawn |= own
    rest = next((split for split, share in options.shares.items() if share == 1), "train")
    return [
        split or drawn.get(subject or "", rest) for split, subject in zip(official, subjects, strict=True)
    ], warnings


def _name_subjects(rows: pa.Table) -> list[str | None]:
    pairs = zip(list_column(rows, "source"), list_column(rows, "subject"), strict=True)
    names = (None if subject is None else f"{source}/{subject}" for source, subject in pairs)
    shared: dict[str | None, str | None] = {}
    return [shared.setdefault(name, name) for name in names]


def _spare_rows(rows: pa.Table, split: Sequence[str], options: BuildOptions) -> Reasons:
    """Take back reasons of the first stage: of evaluated splits, and of crops that may be without a face."""
    stays = set() if options.filter_eval else set(EVALUATED)
    columns = zip(list_column(rows, "reason"), split, list_column(rows, "size"), strict=True)
    return [
        None
        if size is not None and (name in stays or (reason == "no_face" and options.undetected == "keep"))
        else reason
        for reason, name, size in columns
    ]


def _drop_leaks(
    rows: pa.Table,
    split: Sequence[str],
    reason: Reasons,
    copies: Indices,
    near_groups: Indices,
    options: BuildOptions,
) -> tuple[Reasons, Reasons]:
    """Leave out training rows that are copies of an evaluated row; return reasons and details."""
    kinds = [(near_groups, DropReason.NEAR_LEAK, NEAR_COPY_OF)] if options.leaks == "near" else []
    if options.leaks in ("exact", "drop", "near"):
        kinds.append((copies, DropReason.LEAK, COPY_OF))  # last: it replaces the other reasons
    keys, reason, detail = list_column(rows, "key"), list(reason), list_column(rows, "detail")
    for groups, leak, words in kinds:
        evaluated = _find_evaluated(split, reason, groups)
        for row, group in enumerate(groups.tolist()):
            if split[row] == "train" and group in evaluated:
                reason[row], detail[row] = leak, f"{words}{keys[evaluated[group]]}"
    return reason, detail


def _find_evaluated(split: Sequence[str], reason: Reasons, groups: Indices) -> dict[int, int]:
    """Find the first evaluated row of each group that has one."""
    found: dict[int, int] = {}
    for row, group in enumerate(groups.tolist()):
        if split[row] in EVALUATED and reason[row] is None:
            found.setdefault(group, row)
    return found


def _make_members(rows: pa.Table, near_groups: Indices) -> list[Member]:
    """Group all rows that belong together: of a subject, of a sequence, copies."""
    subjects, keys = _name_subjects(rows), list_column(rows, "key")
    sources, emotions, sequences = (list_column(rows, name) for name in ("source", "emotion", "sequence"))
    links = _link_people_and_sequences(subjects, sources, sequences)
    groups = join_groups(len(keys), chain(enumerate(near_groups), links)).tolist()
    labels: dict[tuple[str, str], tuple[str, str]] = {}
    return [
        Member(subjects[group] or keys[group], labels.setdefault(label, label), label[0])
        for group, label in zip(groups, zip(sources, emotions, strict=True), strict=True)
    ]


def _link_people_and_sequences(
    subjects: Sequence[str | None], sources: Sequence[str], sequences: Sequence[str | None]
) -> Iterator[tuple[int, int]]:
    """Link each row with the first of its subject, and with the first of its sequence."""
    first: dict[tuple[str, ...], int] = {}
    for row, (subject, source, sequence) in enumerate(zip(subjects, sources, sequences, strict=True)):
        if subject is not None:
            yield first.setdefault(("subject", subject), row), row
        if sequence is not None:
            yield first.setdefault(("sequence", source, sequence), row), row


def _find_training_rows(split: Sequence[str], reason: Reasons) -> list[int]:
    return [row for row, name in enumerate(split) if name in LEARNED and reason[row] is None]


def _take_dev(split: Sequence[str], reason: Reasons, members: Sequence[Member], options: BuildOptions) -> list[str]:
    """Move some groups of training rows to dev; return all splits."""
    training = _find_training_rows(split, reason)
    chosen = hold_out([members[row] for row in training], options.dev, options.seed)
    moved = {row for row in training if members[row].group in chosen}
    return ["dev" if row in moved else name for row, name in enumerate(split)]


def _choose_folds(
    split: Sequence[str], reason: Reasons, members: Sequence[Member], options: BuildOptions
) -> list[int | None]:
    if not options.folds:
        return [None] * len(split)
    training = _find_training_rows(split, reason)
    folds = assign_folds([members[row] for row in training], options.folds, options.seed).tolist()
    found: list[int | None] = [None] * len(split)
    for row, fold in zip(training, folds, strict=True):
        found[row] = fold
    return found
