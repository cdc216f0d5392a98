"""Score subjects who were not learned from: CK+ in folds of subjects, JAFFE one subject at a time.

The splits of the build do not matter here. What is chosen is chosen on the subjects who are scored in the next round.
They are not learned from in this one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

from emonet.datasets.curation.splits import Member, assign_folds
from emonet.datasets.store import Store
from emonet.errors import OptionError
from emonet.protocols.round import Parts, Round, check_config, check_start, make_round
from emonet.protocols.rows import ImageRow, check_subjects, name_groups, read_rows, select_source, split_class_lists
from emonet.training.config import TrainConfig

SEED = 0  # of the folds: the same for every training, so that trainings can be compared


@dataclass(frozen=True, slots=True)
class SubjectFolds:
    """CK+ in folds of subjects: a round for each fold and each list of classes.

    Attributes:
        folds: How many folds; classes are spread evenly over them.
    """

    title: ClassVar[str] = "CK+: folds of people"

    folds: int = 10

    def rounds(self, store: Store, config: TrainConfig) -> list[Round]:
        """Make the rounds."""
        return _make_for_each_list(self._make_rounds, store, config)

    def _make_rounds(self, store: Store, config: TrainConfig, classes: str) -> list[Round]:
        rows = _read_rows(store, config, "ckplus", classes)
        members = [Member(group, row.emotion) for group, row in zip(name_groups(rows), rows, strict=True)]
        assigned = assign_folds(members, self.folds, SEED).tolist()
        parts = {
            f"fold {fold + 1}": [row for row, own in zip(rows, assigned, strict=True) if own == fold]
            for fold in sorted(set(assigned))
        }
        return _take_turns(store, config, parts, "ckplus", classes)

    def to_dict(self) -> dict[str, Any]:
        """Return the options as plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class LeaveOneSubjectOut:
    """JAFFE with one subject left out: a round for each subject."""

    title: ClassVar[str] = "JAFFE: one person left out"

    def rounds(self, store: Store, config: TrainConfig) -> list[Round]:
        """Make the rounds."""
        return _make_for_each_list(self._make_rounds, store, config)

    def _make_rounds(self, store: Store, config: TrainConfig, classes: str) -> list[Round]:
        rows = _read_rows(store, config, "jaffe", classes)
        subjects = sorted({row.subject for row in rows if row.subject is not None})
        parts = {subject: [row for row in rows if row.subject == subject] for subject in subjects}
        return _take_turns(store, config, parts, "jaffe", classes)

    def to_dict(self) -> dict[str, Any]:
        """Return the options as plain values."""
        return asdict(self)


def _read_rows(store: Store, config: TrainConfig, source: str, classes: str) -> list[ImageRow]:
    rows = select_source(store, read_rows(store, classes), source)
    check_subjects(store, rows)
    check_start(config, rows)
    return rows


def _make_for_each_list(
    make: Callable[[Store, TrainConfig, str], list[Round]], store: Store, config: TrainConfig
) -> list[Round]:
    """Make the rounds for each list of classes that the options ask for."""
    check_config(config)
    return [one for classes in split_class_lists(config.classes) for one in make(store, config, classes)]


def _take_turns(
    store: Store, config: TrainConfig, parts: Mapping[str, Sequence[ImageRow]], source: str, classes: str
) -> list[Round]:
    """Make a round for each part, which is scored; choices are made on the part that is scored next."""
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
