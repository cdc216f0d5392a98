"""The section of report.html on pictures that are in the data more than once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from emonet.datasets.builder.decisions import Index
from emonet.datasets.builder.report.page import Section
from emonet.datasets.builder.report.pictures import Pictures
from emonet.datasets.curation.duplicates import NearPair
from emonet.html.page import Html, chip, code, each, join, picture, tag

SHOWN = 12  # groups or pairs of each kind
MEMBERS = 8  # that are listed of each group

LEAKS = {
    "drop": "training rows that are exact copies were left out",
    "near": "training rows that are exact or near copies were left out",
    "report": "no training row was left out for it: leaks were only to be reported",
    "keep": "no training row was left out for it, and near copies were not looked for",
}


def copies(info: Mapping[str, Any], index: Index) -> Section:
    groups = sorted(index.copy_groups(), key=lambda group: (-len(group), group[0]))  # the largest first
    emotions = index.column("emotion")
    conflicting = [group for group in groups if len({emotions[row] for row in group}) > 1]
    agreeing = [group for group in groups if len({emotions[row] for row in group}) == 1]
    crossing = _crossing(index)

    def content(pictures: Pictures) -> Html:
        rows = _Rows(index, pictures)
        return join(
            tag("ul", each("li", _facts(info, len(crossing)))),
            _blocks("Copies with conflicting labels", map(rows.group, conflicting[:SHOWN]), len(conflicting)),
            _blocks("Copies whose labels agree", map(rows.group, agreeing[:SHOWN]), len(agreeing)),
            _blocks("Near copies across splits", map(rows.pair, crossing[:SHOWN]), len(crossing)),
        )

    shown = [group[0] for group in (*conflicting[:SHOWN], *agreeing[:SHOWN])]
    shown += [row for pair in crossing[:SHOWN] for row in (pair.first, pair.second)]
    return Section("copies", "Copies", content, shown)


def _crossing(index: Index) -> list[NearPair]:
    """Near copies of which one is trained on and the other is not, the most alike first."""
    pairs = [pair for pair in index.pairs if index.split[pair.first] != index.split[pair.second]]
    return sorted(pairs, key=lambda pair: (-pair.correlation, pair.first, pair.second))


def _facts(info: Mapping[str, Any], crossing: int) -> Iterable[str]:
    numbers, options = info["copies"], info["options"]
    groups, redundant = numbers["exact_groups"], numbers["redundant_exact_copies"]
    yield f"pictures that occur more than once: {groups:,}; redundant exact copies: {redundant:,}"
    leaking, nearly = numbers["evaluated_with_a_training_copy"], numbers["evaluated_with_a_near_training_copy"]
    more = "" if options["leaks"] == "keep" else f"; with an exact or a near one: {nearly:,}"
    yield f"pictures of validation and test with an exact copy in train: {leaking:,}{more} ({LEAKS[options['leaks']]})"
    conflicts, among = numbers["conflicting_groups"], numbers["conflicting_pictures"]
    yield f"groups of exact copies whose labels contradict each other: {conflicts:,}; pictures in them: {among:,}"
    if options["leaks"] != "keep":
        pairs, least = numbers["near_pairs"], options["near"]
        yield f"pairs of near copies (correlation of {least} or more): {pairs:,}; across splits: {crossing:,}"
    blank = [f"{split} {count:,}" for split, count in numbers["blank"].items()]
    yield f"blank pictures: {', '.join(blank) or 'none'}"


def _blocks(title: str, blocks: Iterable[Html], count: int) -> Html:
    """Nothing where there is nothing to show."""
    if not count:
        return Html()
    shown = f" {SHOWN} of {count:,}" if count > SHOWN else f" {count:,}"
    return join(tag("h3", title, tag("span", shown, class_="soft")), tag("div", *blocks, class_="groups"))


class _Rows:
    """What is shown of rows: copies look the same, so that one picture stands for a group."""

    def __init__(self, index: Index, pictures: Pictures) -> None:
        self.keys, self.emotions = index.column("key"), index.column("emotion")
        self.splits, self.reasons = index.split, index.reason
        self.pictures = pictures

    def group(self, group: Sequence[int]) -> Html:
        labels = Counter(self.emotions[row] for row in group)
        title = tag(
            "div",
            tag("strong", f"{len(group):,} copies "),
            *(chip(emotion, f" {count:,}") for emotion, count in sorted(labels.items())),
        )
        more = [tag("li", f"and {len(group) - MEMBERS:,} more", class_="soft")] if len(group) > MEMBERS else []
        listed = tag("ul", *(self._line(row) for row in group[:MEMBERS]), *more)
        return tag("div", self._picture(group[0]), tag("div", title, listed))

    def pair(self, pair: NearPair) -> Html:
        rows = (pair.first, pair.second)
        listed = tag("ul", *map(self._line, rows))
        title = tag("strong", f"correlation {pair.correlation:.4f}")
        return tag("div", *map(self._picture, rows), tag("div", title, listed))

    def _line(self, row: int) -> Html:
        reason = self.reasons[row]
        out = tag("span", " left out: ", code(reason), class_="soft") if reason else ""
        return tag("li", code(self.keys[row]), f" {self.splits[row]} ", chip(self.emotions[row]), out)

    def _picture(self, row: int) -> Html:
        return picture(self.pictures.get(row), self.keys[row])
