"""What protocols know about the images of a data set: subject, class, sequence and copies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from emonet.datasets.curation.duplicates import join_groups
from emonet.datasets.labels import CLASS_LISTS, LabelRules
from emonet.datasets.store import Store
from emonet.errors import OptionError
from emonet.labels import Emotion

COLUMNS = ("key", "source", "emotion", "subject", "sequence", "duplicate_group", "near_group")


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One image, without its pixels."""

    split: str  # of the build
    key: str
    source: str
    emotion: str
    subject: str | None
    sequence: str | None
    duplicate_group: str | None
    near_group: str | None

    @property
    def copies(self) -> Iterator[str]:
        """Names that it has in common with its exact and with its near copies."""
        return (
            f"{kind} {group}"
            for kind, group in (("exact", self.duplicate_group), ("near", self.near_group))
            if group is not None
        )

    @property
    def bonds(self) -> Iterator[str]:
        """Names that it has in common with images of its group: subject, sequence, copies."""
        if self.subject is not None:
            yield f"subject {self.source}/{self.subject}"
        if self.sequence is not None:
            yield f"sequence {self.source}/{self.sequence}"
        yield from self.copies


def read_rows(store: Store, classes: str = "") -> list[ImageRow]:
    """Read the rows of all splits, in order.

    Args:
        store: The data set.
        classes: Which classes, as in the option `classes` of a training; empty for all.
    """
    wanted = set(store.classes)
    if classes:
        wanted = set(LabelRules.parse(classes).classes)
        if missing := sorted(wanted - set(store.classes)):
            there = ", ".join(store.classes)
            whole = _name_list(wanted | set(store.classes))
            raise OptionError(
                f"{store.path} has no class {', '.join(missing)}; its classes are {there}. Leave {classes} out, or "
                f"build the data set with the classes of both: emonet build ... --classes {whole}"
            )
    cells = ((split, row) for split in store.splits for row in store.table(split, COLUMNS).to_pylist())
    return [ImageRow(split, **row) for split, row in cells if row["emotion"] in wanted]


def _name_list(wanted: set[Emotion]) -> str:
    """Name the shortest list of classes that holds all of these."""
    return min(
        (name for name, own in CLASS_LISTS.items() if wanted <= set(own)), key=lambda name: len(CLASS_LISTS[name])
    )


def select_source(store: Store, rows: Iterable[ImageRow], source: str) -> list[ImageRow]:
    """Select the rows of a source; raise OptionError if there are none."""
    own = [row for row in rows if row.source == source]
    if not own:
        there = ", ".join(store.info.counts)
        raise OptionError(f"{store.path} has no images from {source} of these classes; its sources are {there}")
    return own


def check_subjects(store: Store, rows: Sequence[ImageRow]) -> None:
    """Raise OptionError if a subject is not known."""
    unknown = [row.key for row in rows if row.subject is None]
    if unknown:
        raise OptionError(
            f"{store.path}: the subject of {len(unknown):,} of {len(rows):,} images from {rows[0].source} is not "
            f"known ({unknown[0]}), so subjects cannot be kept apart"
        )


def name_groups(rows: Sequence[ImageRow]) -> list[str]:
    """Name the group of each row: the key of the first row of those that belong together."""
    sharing: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        for name in row.bonds:
            sharing[name].append(place)
    links = ((places[0], other) for places in sharing.values() for other in places[1:])
    return [rows[first].key for first in join_groups(len(rows), links)]


def remove_copies(rows: Sequence[ImageRow], scored: Iterable[ImageRow]) -> list[ImageRow]:
    """Return the rows without those that are exact or near copies of a scored row."""
    known = {name for row in scored for name in row.copies}
    return [row for row in rows if known.isdisjoint(row.copies)]


def split_class_lists(classes: str) -> tuple[str, ...]:
    """Split the option `classes` if it names several lists, as in ck6,ck8."""
    names = tuple(classes.split(","))
    return names if all(name in CLASS_LISTS for name in names) else (classes,)
