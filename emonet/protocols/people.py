"""Scored on people who were not learned from: CK+ in folds of people, JAFFE one person at a time.

The build's splits do not matter here. What is chosen is chosen on the people who are scored in the next round, and
who are not learned from in this one: never on those who are scored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

from emonet.datasets.curation.splits import Member, assign_folds
from emonet.datasets.store import Store
from emonet.errors import OptionError
from emonet.protocols.round import Parts, Round, check_config, check_start, make_round
from emonet.protocols.rows import Row, check_people, class_lists, group_names, of_source, read_rows
from emonet.training.config import TrainConfig

SEED = 0  # of the folds: they are the same for every training, so that trainings can be compared


@dataclass(frozen=True, slots=True)
class CkPlus:
    """A round a fold, for each list of classes that is asked for; classes are spread evenly over the folds."""

    title: ClassVar[str] = "CK+: folds of people"

    folds: int = 10

    def rounds(self, store: Store, config: TrainConfig) -> list[Round]:
        check_config(config)
        return [one for classes in class_lists(config.classes) for one in self._of_classes(store, config, classes)]

    def _of_classes(self, store: Store, config: TrainConfig, classes: str) -> list[Round]:
        rows = _rows(store, config, "ckplus", classes)
        members = [Member(group, row.emotion) for group, row in zip(group_names(rows), rows, strict=True)]
        assigned = assign_folds(members, self.folds, SEED).tolist()
        parts = {
            f"fold {fold + 1}": [row for row, own in zip(rows, assigned, strict=True) if own == fold]
            for fold in sorted(set(assigned))
        }
        return _in_turn(store, config, parts, "ckplus", classes)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Jaffe:
    """A round a person."""

    title: ClassVar[str] = "JAFFE: one person left out"

    def rounds(self, store: Store, config: TrainConfig) -> list[Round]:
        check_config(config)
        return [one for classes in class_lists(config.classes) for one in self._of_classes(store, config, classes)]

    def _of_classes(self, store: Store, config: TrainConfig, classes: str) -> list[Round]:
        rows = _rows(store, config, "jaffe", classes)
        people = sorted({row.subject for row in rows if row.subject is not None})
        parts = {person: [row for row in rows if row.subject == person] for person in people}
        return _in_turn(store, config, parts, "jaffe", classes)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def _rows(store: Store, config: TrainConfig, source: str, classes: str) -> list[Row]:
    rows = of_source(store, read_rows(store, classes), source)
    check_people(store, rows)
    check_start(config, rows)
    return rows


def _in_turn(
    store: Store, config: TrainConfig, parts: Mapping[str, Sequence[Row]], source: str, classes: str
) -> list[Round]:
    """Each part is scored in one round, and is what its forerunner is chosen on."""
    names, least = list(parts), 2 if config.all_train else 3
    if len(names) < least:
        raise OptionError(f"{source} must make {least} parts or more to be scored, chosen on and learned from in turn")
    title = f"{source} {classes}".strip()
    rounds = []
    for place, name in enumerate(names):
        after = names[(place + 1) % len(names)]
        train = [row for other, rows in parts.items() if other not in (name, after) for row in rows]
        chosen = Parts(train, parts[after], {title: parts[name]}, f"{after}, who are not learned from", name)
        folder = f"{classes} {name}".strip().replace(" ", "-").replace(",", "-")
        rounds.append(make_round(store, folder, replace(config, classes=classes), chosen))
    return rounds
