"""The section of report.html on what is not in the data set: how much of it, why, and what it looks like."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from emonet.datasets.builder.decisions import EVALUATED, Index
from emonet.datasets.builder.report.page import Section
from emonet.datasets.builder.report.pictures import Pictures, spread
from emonet.datasets.sample import SPLITS, DropReason
from emonet.html.page import Html, bar, code, each, join, picture, soft, table, tag
from facecrop import Reason

if TYPE_CHECKING:
    import pyarrow as pa

DETAILS = 5  # that are quoted for each reason
FACES = 12  # that are shown for each reason

MEANINGS: Mapping[str, str] = {
    DropReason.BAD_ROW: "a row without the columns it should have",
    DropReason.BAD_LABEL: "a label that is no expression",
    DropReason.BAD_SPLIT: "a usage that names no split",
    DropReason.UNREADABLE: "a picture that will not open",
    DropReason.NO_LABEL: "the publisher gave no label",
    DropReason.CORRECTED: "dropped by hand, in the corrections",
    DropReason.CONTEMPT: "contempt, which was to be dropped",
    DropReason.NOT_IN_CLASSES: "an expression that is not among the classes",
    DropReason.AUGMENTED_COPY: "somebody's altered copy of another picture",
    DropReason.CONVERTED_COPY: "the same picture in another format",
    DropReason.ONSET: "a frame before the expression has come",
    DropReason.BLANK: "all pixels are the same",
    DropReason.NOT_A_FACE: "half of the people who voted saw no face",
    DropReason.LEAK: "a training picture that is in an evaluated split too",
    DropReason.NEAR_LEAK: "a training picture that is nearly one of an evaluated split",
    Reason.NO_FACE: "the detector found no face",
    Reason.SEVERAL_FACES: "more than one face, where one was asked for",
    Reason.NOT_CHOSEN: "another face of the picture was chosen",
    Reason.TOO_SMALL: "a face of fewer pixels than asked for",
    Reason.TOO_SMALL_A_SHARE: "a face that fills less of the picture than asked for",
    Reason.LOW_SCORE: "the detector was less sure than asked for",
    Reason.TOO_MUCH_ROLL: "a head tilted further than allowed",
    Reason.TOO_MUCH_YAW: "a head turned further than allowed",
    Reason.BLURRED: "less sharp than asked for",
    Reason.NO_CONTRAST: "less contrast than asked for",
}

Place = tuple[str, str]  # source and reason


def rejections(info: Mapping[str, Any], index: Index, rejected: pa.Table) -> Section:
    faces = _faces(index)
    quoted = _quoted(rejected)
    counts = {
        (source, reason): count for source, reasons in info["rejected"].items() for reason, count in reasons.items()
    }

    def content(pictures: Pictures) -> Html:
        keys = index.column("key")
        blocks = (
            _block(place, count, quoted[place], {keys[row]: pictures[row] for row in faces[place] if row in pictures})
            for place, count in counts.items()
        )
        return join(_summary(info, counts), _spared(index), *blocks)

    return Section("rejected", "What was left out", content, [row for rows in faces.values() for row in rows])


def _faces(index: Index) -> defaultdict[Place, list[int]]:
    """Rows to be shown. Frames before the expression were never cut out, and what will not open cannot be shown."""
    rows: defaultdict[Place, list[int]] = defaultdict(list)
    for row, (source, reason) in enumerate(zip(index.column("source"), index.reason, strict=True)):
        if reason is not None and reason not in (DropReason.ONSET, DropReason.UNREADABLE):
            rows[source, reason].append(row)
    for place in rows:
        rows[place] = spread(rows[place], FACES)
    return rows


def _quoted(rejected: pa.Table) -> defaultdict[Place, dict[str, str]]:
    """The first few different details, each with the first key that has it."""
    quoted: defaultdict[Place, dict[str, str]] = defaultdict(dict)
    columns = (rejected.column(name).to_pylist() for name in ("source", "reason", "detail", "key"))
    for source, reason, detail, key in zip(*columns, strict=True):
        details = quoted[source, reason]
        if len(details) < DETAILS:
            details.setdefault(detail, key)
    return quoted


def _summary(info: Mapping[str, Any], counts: Mapping[Place, int]) -> Html:
    if not counts:
        return soft("Nothing was left out.")
    most = max(counts.values())
    rows = (
        (source, code(reason), MEANINGS.get(reason, ""), count, count / _found(source, info), bar(count / most))
        for (source, reason), count in counts.items()
    )
    return table(("source", "reason", "what it means", "number", "of the source", ""), rows)


def _found(source: str, info: Mapping[str, Any]) -> int:
    """Everything there was of a source: what is in the data set and what was left out."""
    kept = (sum(numbers.values()) for numbers in info["counts"].get(source, {}).values())
    return int(sum(kept) + sum(info["rejected"][source].values()))


def _spared(index: Index) -> Html:
    """Rows that are in the data set although they would not have done for training."""
    spared: dict[str, Counter[str]] = defaultdict(Counter)
    for split, reason, final in zip(index.split, index.column("reason"), index.reason, strict=True):
        if reason is not None and final is None:
            spared[split][reason] += 1
    return each("p", (_kept_anyway(split, spared[split]) for split in SPLITS if split in spared))


def _kept_anyway(split: str, reasons: Counter[str]) -> Html:
    why = "it is not filtered" if split in EVALUATED else "as asked for"
    counted = ", ".join(f"{reason} {count:,}" for reason, count in sorted(reasons.items()))
    return join("Kept in ", split, " all the same, and marked: ", code(counted), f" ({why}).")


def _block(place: Place, count: int, details: Mapping[str, str], faces: Mapping[str, Any]) -> Html:
    """Details and faces of one reason."""
    source, reason = place
    quotes = tag("ul", *(tag("li", code(key), " ", detail) for detail, key in details.items()), class_="soft")
    shown = tag("div", *(picture(image, key) for key, image in faces.items()), class_="faces")
    heading = join(source, ": ", code(reason), tag("span", f" {count:,}", class_="soft"))
    return join(tag("h3", heading), quotes, shown if faces else "")
