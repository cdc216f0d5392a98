"""The sections of report.html on what is in the data set: how many of what, what is missing, what it looks like."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emonet.datasets.builder.decisions import Index
from emonet.datasets.builder.describe import BY_DEFINITION
from emonet.datasets.builder.report.page import Section
from emonet.datasets.builder.report.pictures import COLUMNS, Pictures, contact_sheet, spread
from emonet.datasets.sample import SPLITS
from emonet.html.page import Html, bars, chip, facts, fine, join, picture, soft, table, tag, tiles, warning

if TYPE_CHECKING:
    import pyarrow as pa

SHEETS = {"train": 24, "validation": 8, "test": 8}  # pictures of each class

Info = Mapping[str, Any]


def overview(info: Info, rejected: pa.Table) -> Section:
    def content(_: Pictures) -> Html:
        left_out = sum(sum(reasons.values()) for reasons in info["rejected"].values())
        numbers = {**_by_split(info, *info["sources"]), "left out": left_out}
        header = ("source", "recognised as", "people", "in the data set", "left out")
        return join(
            tiles((name, f"{count:,}") for name, count in numbers.items()),
            *_remarks(info),
            *_completeness(info, rejected),
            facts(_facts(info)),
            table(header, _sources(info)),
        )

    return Section("top", f"Data set: {', '.join(info['sources'])}", content)


def _facts(info: Info) -> Iterator[tuple[str, object]]:
    options, versions = info["options"], info["versions"]
    yield "classes", join(*map(chip, info["classes"]))
    yield "crop", _crop(options["crop"])
    framed = [name for name, source in info["sources"].items() if source["cropped_by_publisher"]]
    if framed and not options["recrop"]:
        yield "published crops", f"kept as they are: {', '.join(framed)}"
    yield "detector", f"{options['detector']} on {options['device']}"
    yield "made with", f"emonet {versions['emonet']}, Python {versions['python']}"


def _crop(crop: Info) -> str:
    colour, turned = "grey" if crop["grey"] else "in colour", "eyes level" if crop["align"] else "not turned"
    margin = f"{100 * crop['margin']:.4g} % of the face's width around it"
    return f"{crop['size']} by {crop['size']} pixels, {colour}, {margin}, {turned}"


def _sources(info: Info) -> Iterator[tuple[object, ...]]:
    for name, source in info["sources"].items():
        people = "known" if source["subjects"] else "not known"
        left_out = sum(info["rejected"].get(name, {}).values())
        yield name, source["layout"], people, sum(_by_split(info, name).values()), left_out


def _by_split(info: Info, *sources: str) -> dict[str, int]:
    """Split -> pictures, in the order of SPLITS; only splits that hold any."""
    totals: Counter[str] = Counter()
    for source in sources:
        for split, numbers in info["counts"].get(source, {}).items():
            totals[split] += sum(numbers.values())
    return {split: totals[split] for split in SPLITS if totals[split]}


def _by_class(info: Info, split: str, *sources: str) -> dict[str, int]:
    """Class -> pictures of a split, in the order of the labels."""
    totals: Counter[str] = Counter()
    for source in sources:
        totals.update(info["counts"].get(source, {}).get(split, {}))
    return {emotion: totals[emotion] for emotion in info["classes"]}


def _remarks(info: Info) -> Iterator[Html]:
    for name, source in info["sources"].items():
        yield from (warning(f"{name}: {remark}") for remark in source["notes"])
        if source["differs_from_published"]:
            first, *lines = source["differs_from_published"].split("\n")
            yield warning(f"{name}: {first}", "\n".join(line.removeprefix("  ") for line in lines))


def _completeness(info: Info, rejected: pa.Table) -> Iterator[Html]:
    """n of n for each evaluated split, and for each source in it where there are several."""
    out: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    columns = (rejected.column(name).to_pylist() for name in ("split", "source", "reason"))
    for split, source, reason in zip(*columns, strict=True):
        out[split, source][reason] += 1
    for split, numbers in info["evaluated"].items():
        kept = {source: _by_split(info, source).get(split, 0) for source in info["sources"]}
        held = [source for source in kept if kept[source] or out[split, source]]
        if len(held) > 1:
            yield tag("p", f"{split}: {numbers['kept']:,} of {numbers['of']:,} from {len(held)} sources, of these:")
        for source in held:
            yield _verdict(split if len(held) == 1 else f"{split}, {source}", kept[source], out[split, source])
    if not info["evaluated"]:
        yield warning("There is neither a validation nor a test split: nothing can be scored on these data.")


def _verdict(name: str, kept: int, out: Counter[str]) -> Html:
    """What was never to be in the split is named, but is not missing from it."""
    missing = sum(count for reason, count in out.items() if reason not in BY_DEFINITION)
    whole = f"{name}: {kept:,} of {kept + missing:,}"
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(out.items()))
    if missing:
        return warning(f"{whole}: figures on it are not comparable. Left out: {reasons}")
    return fine(f"{whole}; not counted: {reasons}" if out else whole)


def counts(info: Info) -> Section:
    def content(_: Pictures) -> Html:
        places = [(source, split) for source in info["sources"] for split in _by_split(info, source)]
        cards = (
            tag("div", tag("h3", f"{source} {split}"), bars(_by_class(info, split, source))) for source, split in places
        )
        rows = [_row(info, split, source) for source, split in places]
        if len(info["sources"]) > 1:
            rows += [_row(info, split, *info["sources"]) for split in _by_split(info, *info["sources"])]
        header = ("source", "split", *info["classes"], "all")
        return join(tag("div", *cards, class_="cards"), table(header, rows))

    return Section("classes", "Expressions", content)


def _row(info: Info, split: str, *sources: str) -> tuple[object, ...]:
    numbers = _by_class(info, split, *sources).values()
    return "all" if len(sources) > 1 else sources[0], split, *numbers, sum(numbers)


@dataclass(frozen=True, slots=True)
class _Sheet:
    """Some pictures of one class of a source's split."""

    emotion: str
    rows: Sequence[int]
    of: int

    def html(self, pictures: Pictures) -> Html:
        words = f"{len(self.rows):,} of {self.of:,}"
        image = contact_sheet([pictures[row] for row in self.rows])
        shown = picture(image, f"{self.emotion}: {words}", style=f"width:{4.2 * min(len(self.rows), COLUMNS):.4g}rem")
        return tag("figure", tag("figcaption", chip(self.emotion), tag("span", words, class_="soft")), shown)


def contact_sheets(info: Info, index: Index) -> Section:
    sheets = _sheets(info, index)

    def content(pictures: Pictures) -> Html:
        if not sheets:
            return soft("There is nothing but what is held out of train.")
        blocks = (
            join(
                tag("h3", f"{source} {split}"),
                tag("div", *(sheet.html(pictures) for sheet in drawn), class_="sheets"),
            )
            for (source, split), drawn in sheets.items()
        )
        return join(*blocks)

    rows = [row for drawn in sheets.values() for sheet in drawn for row in sheet.rows]
    return Section("sheets", "Contact sheets", content, rows)


def _sheets(info: Info, index: Index) -> dict[tuple[str, str], list[_Sheet]]:
    """By source and split, in order; a split that is only held out of train looks like train."""
    rows: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    columns = zip(index.column("source"), index.split, index.column("emotion"), index.reason, strict=True)
    for row, (source, split, emotion, reason) in enumerate(columns):
        if reason is None:
            rows[source, split, emotion].append(row)
    return {
        (source, split): [
            _Sheet(emotion, spread(found, _whole_lines(min(size, len(found)))), len(found))
            for emotion in info["classes"]
            if (found := rows[source, split, emotion])
        ]
        for source in info["sources"]
        for split, size in SHEETS.items()
        if split in info["counts"].get(source, {})
    }


def _whole_lines(count: int) -> int:
    """So many that no line of the sheet is broken off."""
    return count if count < COLUMNS else count - count % COLUMNS
