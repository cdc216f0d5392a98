"""dataset.json: what went into a data set, what came out, and what was found on the way."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from emonet.datasets.builder.decisions import EVALUATED, TRAINED, Index
from emonet.datasets.curation.duplicates import Indices
from emonet.datasets.ferplus import VOTES
from emonet.datasets.sample import SPLITS, DropReason
from emonet.datasets.store import FORMAT
from emonet.labels import Emotion

if TYPE_CHECKING:
    import pyarrow as pa

    from emonet.datasets.builder.run import Prepared

Info = dict[str, Any]

# What was never meant to be in an evaluated split, and so is not missing from it.
BY_DEFINITION = frozenset(
    {
        *(DropReason.NO_LABEL, DropReason.CORRECTED, DropReason.CONTEMPT, DropReason.NOT_IN_CLASSES, DropReason.ONSET),
        *(DropReason.AUGMENTED_COPY, DropReason.CONVERTED_COPY),
    }
)


def describe(
    prepared: Prepared, index: Index, identity: Mapping[str, Any], splits: Mapping[str, Any], rejected: pa.Table
) -> Info:
    return {
        "format": FORMAT,
        "classes": [str(emotion) for emotion in prepared.options.labels.classes],
        "splits": dict(splits),
        "counts": _counts(index),
        "rejected": _reasons(rejected),
        "evaluated": _evaluated(index, rejected),
        "copies": _copies(index),
        "sources": {name: _source(prepared, name) for name in prepared.readers},
        "votes": list(VOTES),
        **identity,
    }


def _source(prepared: Prepared, name: str) -> Info:
    reader, found = prepared.readers[name], prepared.surveys[name]
    layout = reader.layout
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for (split, emotion), count in sorted(found.counts.items(), key=lambda item: (item[0][0], _place(item[0][1]))):
        counts[split or "none"][str(emotion) if emotion else "unlabelled"] = count
    return {
        "layout": layout.title,
        "cropped_by_publisher": layout.framing is not None and layout.framing.to_dict(),
        "subjects": layout.subjects,
        "read": dict(counts),
        "notes": reader.notes,
        "differs_from_published": found.warning,
    }


def _place(emotion: Emotion | None) -> int:
    return list(Emotion).index(emotion) if emotion else len(Emotion)


def _counts(index: Index) -> Info:
    """Source -> split -> class -> pictures in the data set."""
    counts: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    columns = zip(index.column("source"), index.split, index.column("emotion"), index.reason, strict=True)
    for source, split, emotion, reason in columns:
        if reason is None:
            counts[source][split][emotion] += 1
    return {
        source: {split: {str(e): by_split[split][e] for e in Emotion if by_split[split][e]} for split in here}
        for source, by_split in counts.items()
        if (here := [split for split in SPLITS if split in by_split])
    }


def _reasons(rejected: pa.Table) -> Info:
    """Source -> reason -> how many, the commonest first."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for source, reason in zip(*(rejected.column(name).to_pylist() for name in ("source", "reason")), strict=True):
        counts[source][reason] += 1
    return {source: dict(numbers.most_common()) for source, numbers in counts.items()}


def _evaluated(index: Index, rejected: pa.Table) -> Info:
    """How many of an evaluated split's pictures are in it: a figure on fewer is a figure on an easier test."""
    kept = Counter(split for split, reason in zip(index.split, index.reason, strict=True) if reason is None)
    columns = zip(rejected.column("split").to_pylist(), rejected.column("reason").to_pylist(), strict=True)
    out = Counter(split for split, reason in columns if reason not in BY_DEFINITION)
    return {
        split: {"kept": kept[split], "of": kept[split] + out[split]} for split in EVALUATED if kept[split] + out[split]
    }


def _copies(index: Index) -> Info:
    groups, emotions = index.copy_groups(), index.column("emotion")
    conflicting = [group for group in groups if len({emotions[row] for row in group}) > 1]
    blank = Counter(split for split, is_blank in zip(index.split, index.column("blank"), strict=True) if is_blank)
    return {
        "exact_groups": len(groups),
        "redundant_exact_copies": sum(len(group) - 1 for group in groups),
        "evaluated_with_a_training_copy": _leaking(index, index.copies),
        "evaluated_with_a_near_training_copy": _leaking(index, index.near_groups),
        "near_pairs": len(index.pairs),
        "conflicting_groups": len(conflicting),
        "conflicting_pictures": sum(map(len, conflicting)),
        "blank": dict(sorted(blank.items())),
    }


def _leaking(index: Index, groups: Indices) -> int:
    """Pictures of evaluated splits that have a copy among the training rows, dropped or not."""
    trained = {group for group, split in zip(groups.tolist(), index.split, strict=True) if split in TRAINED}
    return sum(
        split in EVALUATED and group in trained for group, split in zip(groups.tolist(), index.split, strict=True)
    )
