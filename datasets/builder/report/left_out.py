"""The section of report.html on what is not in the data set: how much of it, why, and what it looks like."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emonet.datasets.builder.decisions import Index
from emonet.datasets.builder.report.images import spread
from emonet.datasets.sample import EVALUATED, SPLITS, DropReason
from emonet.datasets.store import StoreInfo
from facecrop import Reason

if TYPE_CHECKING:
    import pyarrow as pa

DETAILS = 5  # that are quoted for each reason
FACES = 12  # that are shown for each reason

MEANINGS: Mapping[str, str] = {
    DropReason.BAD_ROW: "a row without the columns it should have",
    DropReason.BAD_LABEL: "a label that is no expression",
    DropReason.BAD_SPLIT: "a usage that names no split",
    DropReason.UNREADABLE: "an image that will not open",
    DropReason.NO_LABEL: "the publisher gave no label",
    DropReason.CORRECTED: "dropped by hand, in the corrections",
    DropReason.CONTEMPT: "contempt, which was to be dropped",
    DropReason.NOT_IN_CLASSES: "an expression that is not among the classes",
    DropReason.NOT_SELECTED: "an angle, a light or a version of the image that was not asked for",
    DropReason.AUGMENTED_COPY: "somebody's altered copy of another image",
    DropReason.CONVERTED_COPY: "the same image in another format",
    DropReason.ONSET: "a frame before the expression has come",
    DropReason.BLANK: "all pixels are the same",
    DropReason.NOT_A_FACE: "half of the people who voted saw no face",
    DropReason.LEAK: "a training image that is in an evaluated split too",
    DropReason.NEAR_LEAK: "a training image of a photo in an evaluated split, in another crop or light, or mirrored",
    Reason.NO_FACE: "the detector found no face",
    Reason.SEVERAL_FACES: "more than one face, where one was asked for",
    Reason.NOT_CHOSEN: "another face of the image was chosen",
    Reason.TOO_SMALL: "a face of fewer pixels than asked for",
    Reason.TOO_SMALL_A_SHARE: "a face that fills less of the image than asked for",
    Reason.LOW_SCORE: "the detector was less sure than asked for",
    Reason.TOO_MUCH_ROLL: "a head tilted further than allowed",
    Reason.TOO_MUCH_YAW: "a head turned further than allowed",
    Reason.BLURRED: "less sharp than asked for",
    Reason.NO_CONTRAST: "less contrast than asked for",
}

Place = tuple[str, str]  # source and reason


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What was left out of a source for one reason: its number, some details and some images."""

    source: str
    reason: str
    count: int
    details: Mapping[str, str]  # detail -> the first key that has it
    images: Sequence[int]  # rows


@dataclass(frozen=True, slots=True)
class Kept:
    """Rows of a split that are in the data set although they would not have done for training."""

    split: str
    reasons: str
    why: str


@dataclass(frozen=True, slots=True)
class Faceless:
    """Images of a source that are in the data set although no face was found in them."""

    source: str
    count: int
    splits: Mapping[str, int]
    shares: Mapping[str, float]  # of each class
    cropped: bool  # by the publisher
    images: Sequence[int]  # rows


def describe_left_out(info: StoreInfo, index: Index, rejected: pa.Table) -> dict[str, Any]:
    """Return how much was left out, by source and reason, and what is shown of it."""
    counts = {(source, reason): count for source, reasons in info.rejected.items() for reason, count in reasons.items()}
    most = max(counts.values(), default=1)
    faces, details = _group_faces(index), _collect_details(rejected)
    return {
        "rows": [
            (source, reason, MEANINGS.get(reason, ""), count, count / _count_found(source, info), count / most)
            for (source, reason), count in counts.items()
        ],
        "kept": [*_list_kept(index)],
        "faceless": [*_list_faceless(info, index)],
        "blocks": [LeftOut(*place, count, details[place], faces[place]) for place, count in counts.items()],
    }


def _group_faces(index: Index) -> defaultdict[Place, list[int]]:
    """Rows to be shown. Frames before the expression were never cut out, and what will not open cannot be shown."""
    rows: defaultdict[Place, list[int]] = defaultdict(list)
    for row, (source, reason) in enumerate(zip(index.column("source"), index.reason, strict=True)):
        if reason is not None and reason not in (DropReason.ONSET, DropReason.UNREADABLE):
            rows[source, reason].append(row)
    for place in rows:
        rows[place] = spread(rows[place], FACES)
    return rows


def _collect_details(rejected: pa.Table) -> defaultdict[Place, dict[str, str]]:
    """The first few different details, each with the first key that has it."""
    found: defaultdict[Place, dict[str, str]] = defaultdict(dict)
    columns = (rejected.column(name).to_pylist() for name in ("source", "reason", "detail", "key"))
    for source, reason, detail, key in zip(*columns, strict=True):
        details = found[source, reason]
        if len(details) < DETAILS:
            details.setdefault(detail, key)
    return found


def _count_found(source: str, info: StoreInfo) -> int:
    """Everything there was of a source: what is in the data set and what was left out."""
    kept = (sum(numbers.values()) for numbers in info.counts.get(source, {}).values())
    return int(sum(kept) + sum(info.rejected[source].values()))


def _list_kept(index: Index) -> Iterator[Kept]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for split, reason, final in zip(index.split, index.column("reason"), index.reason, strict=True):
        if reason is not None and final is None:
            found[split][reason] += 1
    for split in (split for split in SPLITS if split in found):
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(found[split].items()))
        yield Kept(split, reasons, "it is not filtered" if split in EVALUATED else "their publisher cropped them")


def _list_faceless(info: StoreInfo, index: Index) -> Iterator[Faceless]:
    """Describe the images in which no face was found and that were kept, by source."""
    sources, emotions = index.column("source"), index.column("emotion")
    kept = index.kept()
    without = [reason == Reason.NO_FACE for reason in index.column("reason")]
    for source, splits in info.kept_without_face.items():
        rows = [row for row, name in enumerate(sources) if name == source and kept[row]]
        totals, missed = Counter(emotions[row] for row in rows), [row for row in rows if without[row]]
        counts = Counter(emotions[row] for row in missed)
        shares = {str(emotion): counts[emotion] / totals[emotion] for emotion in info.classes if totals[emotion]}
        cropped = info.sources[source].cropped_by_publisher is not None
        yield Faceless(source, len(missed), splits, shares, cropped, spread(missed, FACES))
