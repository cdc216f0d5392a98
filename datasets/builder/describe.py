"""Make the content of dataset.json: what a data set was built from, what is in it, and what was found."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from emonet.datasets.builder.decisions import Index
from emonet.datasets.curation.duplicates import Indices
from emonet.datasets.ferplus import VOTES
from emonet.datasets.sample import EVALUATED, SPLITS, DropReason
from emonet.datasets.store import StoreInfo
from emonet.datasets.store.info import Completeness, CopyCounts, Counts, Shard, SourceInfo
from emonet.datasets.store.leaks import LEARNED
from emonet.labels import Emotion
from facecrop import Reason

if TYPE_CHECKING:
    import pyarrow as pa

    from emonet.datasets.builder.run import Prepared

# Reasons for which nothing is missing from an evaluated split: it was never meant to be there.
BY_DEFINITION = frozenset(
    {
        *(DropReason.NO_LABEL, DropReason.CORRECTED, DropReason.CONTEMPT, DropReason.NOT_IN_CLASSES, DropReason.ONSET),
        *(DropReason.NOT_SELECTED, DropReason.AUGMENTED_COPY, DropReason.CONVERTED_COPY),
    }
)


def describe(
    prepared: Prepared,
    index: Index,
    identity: Mapping[str, Any],
    splits: Mapping[str, Sequence[Shard]],
    rejected: pa.Table,
) -> StoreInfo:
    """Describe a data set; the hashes of its files are not known yet."""
    return StoreInfo(
        classes=prepared.options.labels.classes,
        splits={split: tuple(shards) for split, shards in splits.items()},
        counts=_count_images(index),
        rejected=_count_reasons(rejected),
        evaluated=_measure_completeness(index, rejected, prepared.options.evaluated),
        copies=_count_copies(index),
        sources={name: _describe_source(prepared, name) for name in prepared.readers},
        votes=VOTES,
        files={},
        kept_without_face=_count_without_face(index),
        warnings=tuple(index.warnings),
        **identity,
    )


def _describe_source(prepared: Prepared, name: str) -> SourceInfo:
    reader, found = prepared.readers[name], prepared.surveys[name]
    layout = reader.layout
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for (split, emotion), count in sorted(found.counts.items(), key=lambda item: (item[0][0], _place(item[0][1]))):
        counts[split or "none"][str(emotion) if emotion else "unlabelled"] = count
    return SourceInfo(layout.title, layout.framing, layout.subjects, dict(counts), tuple(reader.notes), found.warning)


def _place(emotion: Emotion | None) -> int:
    return list(Emotion).index(emotion) if emotion else len(Emotion)


def _count_images(index: Index) -> Counts:
    """Count the images in the data set by source, split and class."""
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


def _count_without_face(index: Index) -> dict[str, dict[str, int]]:
    """Count the images in the data set in which no face was found, by source and split."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    columns = zip(index.column("source"), index.split, index.column("reason"), index.reason, strict=True)
    for source, split, found, final in columns:
        if found == Reason.NO_FACE and final is None:
            counts[source][split] += 1
    return {source: {split: splits[split] for split in SPLITS if splits[split]} for source, splits in counts.items()}


def _count_reasons(rejected: pa.Table) -> dict[str, dict[str, int]]:
    """Count what was left out by source and reason, the most frequent reason first."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for source, reason in zip(*(rejected.column(name).to_pylist() for name in ("source", "reason")), strict=True):
        counts[source][reason] += 1
    return {source: dict(numbers.most_common()) for source, numbers in counts.items()}


def _measure_completeness(index: Index, rejected: pa.Table, evaluated: Sequence[str]) -> dict[str, Completeness]:
    """Count how many images of an evaluated split are in it: a split that lacks images is an easier test."""
    kept = Counter(split for split, reason in zip(index.split, index.reason, strict=True) if reason is None)
    columns = zip(rejected.column("split").to_pylist(), rejected.column("reason").to_pylist(), strict=True)
    out = Counter(split for split, reason in columns if reason not in BY_DEFINITION)
    totals = {split: kept[split] + out[split] for split in evaluated}
    return {split: Completeness(kept[split], total) for split, total in totals.items() if total}


def _count_copies(index: Index) -> CopyCounts:
    groups, emotions = index.copy_groups(), index.column("emotion")
    conflicting = [group for group in groups if len({emotions[row] for row in group}) > 1]
    blank = Counter(split for split, is_blank in zip(index.split, index.column("blank"), strict=True) if is_blank)
    return CopyCounts(
        exact_groups=len(groups),
        redundant_exact_copies=sum(len(group) - 1 for group in groups),
        evaluated_with_a_training_copy=_count_leaks(index, index.copies),
        evaluated_with_a_near_training_copy=_count_leaks(index, index.near_groups),
        near_pairs=len(index.pairs),
        conflicting_groups=len(conflicting),
        conflicting_pictures=sum(map(len, conflicting)),
        blank=dict(sorted(blank.items())),
        mirrored_pairs=sum(pair.mirrored for pair in index.pairs),
    )


def _count_leaks(index: Index, groups: Indices) -> int:
    """Count the images of evaluated splits that have a copy among the training rows, left out or not."""
    trained = {group for group, split in zip(groups.tolist(), index.split, strict=True) if split in LEARNED}
    return sum(
        split in EVALUATED and group in trained for group, split in zip(groups.tolist(), index.split, strict=True)
    )
