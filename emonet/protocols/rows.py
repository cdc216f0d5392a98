"""What protocols know of a data set's pictures: who is on them, which class they have, what they are copies of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from emonet.datasets.curation.duplicates import join_groups
from emonet.datasets.labels import CLASS_LISTS, LabelRules
from emonet.datasets.store import Store
from emonet.errors import OptionError

COLUMNS = ("key", "source", "emotion", "subject", "sequence", "duplicate_group", "near_group")


@dataclass(frozen=True, slots=True)
class Row:
    """One picture, without its pixels."""

    split: str  # that the build gave it
    key: str
    source: str
    emotion: str
    subject: str | None
    sequence: str | None
    duplicate_group: str | None
    near_group: str | None

    @property
    def copies(self) -> Iterator[str]:
        """Names that it shares with its exact copies, and with its near ones."""
        return (
            f"{kind} {group}"
            for kind, group in (("exact", self.duplicate_group), ("near", self.near_group))
            if group is not None
        )

    @property
    def bonds(self) -> Iterator[str]:
        """Names that it shares with whatever must not be parted from it: person, sequence, copies."""
        if self.subject is not None:
            yield f"person {self.source}/{self.subject}"
        if self.sequence is not None:
            yield f"sequence {self.source}/{self.sequence}"
        yield from self.copies


def read_rows(store: Store, classes: str = "") -> list[Row]:
    """All rows of all splits, in order; of some classes, if they are named as the option `classes` of a training is."""
    wanted = set(store.classes)
    if classes:
        wanted = set(LabelRules.parse(classes).classes)
        if missing := sorted(wanted - set(store.classes)):
            there = ", ".join(store.classes)
            raise OptionError(f"{store.path} has no class {', '.join(missing)}; its classes are {there}")
    cells = ((split, row) for split in store.splits for row in store.table(split, COLUMNS).to_pylist())
    return [Row(split, **row) for split, row in cells if row["emotion"] in wanted]


def of_source(store: Store, rows: Iterable[Row], source: str) -> list[Row]:
    """A source's rows, of which there must be some."""
    own = [row for row in rows if row.source == source]
    if not own:
        there = ", ".join(store.info["counts"])
        raise OptionError(f"{store.path} has no pictures from {source} of these classes; its sources are {there}")
    return own


def check_people(store: Store, rows: Sequence[Row]) -> None:
    """Raises where not everybody is known: whoever is scored might have been learned from."""
    unknown = [row.key for row in rows if row.subject is None]
    if unknown:
        raise OptionError(
            f"{store.path}: nobody can tell who is on {len(unknown):,} of {len(rows):,} pictures from "
            f"{rows[0].source} ({unknown[0]}), so no figure for people who were not learned from can be claimed"
        )


def group_names(rows: Sequence[Row]) -> list[str]:
    """For each row a name that all share that belong together; that is the key of the first of them."""
    sharing: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        for name in row.bonds:
            sharing[name].append(place)
    links = ((places[0], other) for places in sharing.values() for other in places[1:])
    return [rows[first].key for first in join_groups(len(rows), links)]


def without_copies(rows: Sequence[Row], scored: Iterable[Row]) -> list[Row]:
    """The rows of which no copy, exact or near, is scored."""
    known = {name for row in scored for name in row.copies}
    return [row for row in rows if known.isdisjoint(row.copies)]


def class_lists(classes: str) -> tuple[str, ...]:
    """Several lists of classes where all are lists' names (ck6,ck8), else the one that the names make."""
    names = tuple(classes.split(","))
    return names if all(name in CLASS_LISTS for name in names) else (classes,)
