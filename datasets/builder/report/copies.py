"""The section of report.html on images that are in the data more than once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from emonet.datasets.builder.decisions import Index
from emonet.datasets.curation.duplicates import NearPair
from emonet.datasets.sample import DropReason
from emonet.datasets.store import StoreInfo
from emonet.datasets.store.leaks import ALTERED

SHOWN = 12  # groups or pairs of each kind
MEMBERS = 8  # that are listed of each group

LEAKS = {
    "near": "training rows that are exact or near copies were left out",
    "exact": "training rows that are exact copies were left out, near ones were not",
    "drop": "training rows that are exact copies were left out, near ones were not",
    "report": "no training row was left out for it: leaks were only to be reported",
    "keep": "no training row was left out for it, and near copies were not looked for",
}


@dataclass(frozen=True, slots=True)
class CopyLine:
    """A row that has a copy; `reason` says why it was left out, if it was."""

    key: str
    split: str
    emotion: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Copies:
    """Images that are copies of each other. Exact copies look the same, so one image stands for all."""

    images: Sequence[int]  # rows
    lines: Sequence[CopyLine]  # the first ones
    count: int
    labels: Sequence[tuple[str, int]]  # how many copies have each label
    correlation: float | None  # of near copies
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class CopyBlock:
    """Copies of one kind, the first ones of so many."""

    title: str
    shown: Sequence[Copies]
    count: int


def describe_copies(info: StoreInfo, index: Index) -> dict[str, Any]:
    """Return how many copies there are, and blocks of those that are shown."""
    groups = sorted(index.copy_groups(), key=lambda group: (-len(group), group[0]))  # the largest first
    emotions = index.column("emotion")
    conflicting = [group for group in groups if len({emotions[row] for row in group}) > 1]
    agreeing = [group for group in groups if len({emotions[row] for row in group}) == 1]
    crossing = _find_crossing_pairs(index)
    lines = _Lines(index)
    blocks = (
        CopyBlock("Copies with conflicting labels", [*map(lines.of_group, conflicting[:SHOWN])], len(conflicting)),
        CopyBlock("Copies whose labels agree", [*map(lines.of_group, agreeing[:SHOWN])], len(agreeing)),
        CopyBlock("Near copies across splits", [*map(lines.of_pair, crossing[:SHOWN])], len(crossing)),
    )
    return {"facts": [*_list_facts(info, len(crossing))], "blocks": [block for block in blocks if block.count]}


def _find_crossing_pairs(index: Index) -> list[NearPair]:
    """Near copies of which one is trained on and the other is not, the most alike first."""
    pairs = [pair for pair in index.pairs if index.split[pair.first] != index.split[pair.second]]
    return sorted(pairs, key=lambda pair: (-pair.correlation, pair.first, pair.second))


def _list_facts(info: StoreInfo, crossing: int) -> Iterator[str]:
    numbers, options = info.copies, info.options
    groups, redundant = numbers.exact_groups, numbers.redundant_exact_copies
    yield f"images that occur more than once: {groups:,}; redundant exact copies: {redundant:,}"
    leaking, nearly = numbers.evaluated_with_a_training_copy, numbers.evaluated_with_a_near_training_copy
    more = "" if options["leaks"] == "keep" else f"; with an exact or a near one: {nearly:,}"
    yield f"images of validation and test with an exact copy in train: {leaking:,}{more} ({LEAKS[options['leaks']]})"
    conflicts, among = numbers.conflicting_groups, numbers.conflicting_pictures
    yield f"groups of exact copies whose labels contradict each other: {conflicts:,}; images in them: {among:,}"
    if options["leaks"] != "keep":
        pairs, least = numbers.near_pairs, options["near"]
        kinds = f"mirrored: {numbers.mirrored_pairs:,}" if options["leaks"] in ALTERED else "as cropped, not mirrored"
        yield f"pairs of near copies (correlation of {least} or more): {pairs:,}; {kinds}; across splits: {crossing:,}"
        left = Counter[str]()
        for reasons in info.rejected.values():
            left.update({reason: reasons.get(reason, 0) for reason in (DropReason.LEAK, DropReason.NEAR_LEAK)})
        yield (
            f"training images left out for it: {left[DropReason.LEAK]:,} exact copies, "
            f"{left[DropReason.NEAR_LEAK]:,} near ones"
        )
    blank = [f"{split} {count:,}" for split, count in numbers.blank.items()]
    yield f"blank images: {', '.join(blank) or 'none'}"


class _Lines:
    """Turns rows of the index into lines of the report."""

    def __init__(self, index: Index) -> None:
        self.keys, self.emotions = index.column("key"), index.column("emotion")
        self.splits, self.reasons = index.split, index.reason

    def of_group(self, group: Sequence[int]) -> Copies:
        lines = [self._line(row) for row in group]
        labels = Counter(line.emotion for line in lines)
        return Copies(group[:1], lines[:MEMBERS], len(group), sorted(labels.items()), None)

    def of_pair(self, pair: NearPair) -> Copies:
        rows = (pair.first, pair.second)
        return Copies(rows, [self._line(row) for row in rows], len(rows), (), pair.correlation, pair.mirrored)

    def _line(self, row: int) -> CopyLine:
        return CopyLine(self.keys[row], self.splits[row], self.emotions[row], self.reasons[row])
