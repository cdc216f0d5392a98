"""The sections of report.html on what a data set holds: how many images of what, what is missing, how it was made."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emonet.datasets.builder.describe import BY_DEFINITION
from emonet.datasets.sample import SPLITS
from emonet.datasets.store import StoreInfo

if TYPE_CHECKING:
    import pyarrow as pa

# Where the inputs lay changes nothing about the data set, so it is in dataset.json alone.
PLACES = ("inputs", "ferplus", "relabel")


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence on the data, with lines that are set as they are."""

    text: str
    lines: str = ""


@dataclass(frozen=True, slots=True)
class EvaluatedSource:
    """How much of an evaluated split, or of a source in it, is there."""

    name: str
    kept: int
    missing: int  # without what was never to be in the split
    reasons: str  # of all that is not there


@dataclass(frozen=True, slots=True)
class EvaluatedSplit:
    """An evaluated split, and each source in it."""

    name: str
    kept: int
    of: int
    sources: list[EvaluatedSource]


def describe_overview(info: StoreInfo, rejected: pa.Table) -> dict[str, Any]:
    """Return what stands at the head of the report."""
    left_out = sum(sum(reasons.values()) for reasons in info.rejected.values())
    framed = [name for name, source in info.sources.items() if source.cropped_by_publisher]
    return {
        "totals": [*_count_by_split(info, *info.sources).items(), ("left out", left_out)],
        "warnings": info.warnings,
        "remarks": [*_list_remarks(info)],
        "evaluated": [*_list_evaluated_splits(info, rejected)],
        "classes": info.classes,
        "options": info.options,
        "versions": info.versions,
        "published_crops": [] if info.options["recrop"] else framed,
        "sources": [*_list_sources(info)],
    }


def _list_sources(info: StoreInfo) -> Iterator[tuple[object, ...]]:
    for name, source in info.sources.items():
        people = "known" if source.subjects else "not known"
        left_out = sum(info.rejected.get(name, {}).values())
        yield name, source.layout, people, sum(_count_by_split(info, name).values()), left_out


def _count_by_split(info: StoreInfo, *sources: str) -> dict[str, int]:
    """Count images by split, in the order of SPLITS; only splits that hold any."""
    totals: Counter[str] = Counter()
    for source in sources:
        for split, numbers in info.counts.get(source, {}).items():
            totals[split] += sum(numbers.values())
    return {split: totals[split] for split in SPLITS if totals[split]}


def _count_by_class(info: StoreInfo, split: str, *sources: str) -> dict[str, int]:
    """Count images of a split by class, in the order of the labels."""
    totals: Counter[str] = Counter()
    for source in sources:
        totals.update(info.counts.get(source, {}).get(split, {}))
    return {emotion: totals[emotion] for emotion in info.classes}


def _list_remarks(info: StoreInfo) -> Iterator[Remark]:
    for name, source in info.sources.items():
        yield from (Remark(f"{name}: {remark}") for remark in source.notes)
        if source.differs_from_published:
            first, *lines = source.differs_from_published.split("\n")
            yield Remark(f"{name}: {first}", "\n".join(line.removeprefix("  ") for line in lines))


def _list_evaluated_splits(info: StoreInfo, rejected: pa.Table) -> Iterator[EvaluatedSplit]:
    out: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    columns = (rejected.column(name).to_pylist() for name in ("split", "source", "reason"))
    for split, source, reason in zip(*columns, strict=True):
        out[split, source][reason] += 1
    for split, numbers in info.evaluated.items():
        kept = {source: _count_by_split(info, source).get(split, 0) for source in info.sources}
        held = [source for source in kept if kept[source] or out[split, source]]
        found = [
            _describe_completeness(split if len(held) == 1 else f"{split}, {source}", kept[source], out[split, source])
            for source in held
        ]
        yield EvaluatedSplit(split, numbers.kept, numbers.of, found)


def _describe_completeness(name: str, kept: int, out: Counter[str]) -> EvaluatedSource:
    missing = sum(count for reason, count in out.items() if reason not in BY_DEFINITION)
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(out.items()))
    return EvaluatedSource(name, kept, missing, reasons)


def describe_classes(info: StoreInfo) -> dict[str, Any]:
    """Return how many images there are of each class."""
    places = [(source, split) for source in info.sources for split in _count_by_split(info, source)]
    rows = [(source, split, *_add_sum(_count_by_class(info, split, source))) for source, split in places]
    if len(info.sources) > 1:
        totals = (
            (split, _count_by_class(info, split, *info.sources)) for split in _count_by_split(info, *info.sources)
        )
        rows += [("all", split, *_add_sum(counts)) for split, counts in totals]
    return {
        "cards": {f"{source} {split}": _count_by_class(info, split, source) for source, split in places},
        "columns": {"source": "", "split": "", **dict.fromkeys(info.classes, "number"), "all": "number"},
        "rows": rows,
    }


def _add_sum(counts: Mapping[str, int]) -> tuple[int, ...]:
    return *counts.values(), sum(counts.values())


def describe_making(info: StoreInfo) -> dict[str, Any]:
    """Return what it takes to repeat the build."""
    options = {name: value for name, value in info.options.items() if name not in PLACES}
    return {
        "inputs": info.inputs.items(),
        "options": _flatten(options),
        "versions": [(name, version or "not there") for name, version in info.versions.items()],
    }


def _flatten(options: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Yield every option by itself, as dataset.json has it."""
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", json.dumps(value, ensure_ascii=False)
