"""One training of a protocol: what it learns from, what it is chosen on, and what it is then scored on, once.

The training is given a view of the data set that holds nothing of what is scored: it cannot look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar
from typing import Protocol as Interface

from emonet.datasets.store import Store
from emonet.datasets.store.regrouped import regrouped
from emonet.errors import OptionError
from emonet.heads import LABELS
from emonet.inference import load_model
from emonet.protocols.rows import Row, without_copies
from emonet.training.config import TrainConfig
from emonet.training.heads import find_head
from emonet.training.teacher_labels import load_teacher_labels


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A split of a view of the data set, which is scored."""

    store: Store
    split: str
    people: tuple[str, ...]  # who is on its pictures, where that is known


@dataclass(frozen=True, slots=True)
class Round:
    """`scored` has names: rounds that score something of the same name are pooled."""

    name: str  # of its folder
    config: TrainConfig
    learned: Store  # holds train and dev, and no other rows
    scored: Mapping[str, HeldOut]
    chosen: str  # what was chosen on what, in words
    left_out: int = 0  # training rows whose copies are scored


class Protocol(Interface):
    """Options of a protocol as a frozen dataclass, and the rounds that they make."""

    title: ClassVar[str]

    def rounds(self, store: Store, config: TrainConfig) -> list[Round]:
        """All rounds, before the first is trained: what is impossible is said at once."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """The options, as JSON has them."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """The rows of a round, and how people call what is chosen on and scored. Copies of scored rows are not learned."""

    train: Sequence[Row]
    dev: Sequence[Row]
    scored: Mapping[str, Sequence[Row]]
    dev_words: str
    scored_words: str


def make_round(store: Store, name: str, config: TrainConfig, parts: Parts) -> Round:
    """A round of rows that are grouped anew. Where everything is learned from, dev is as well."""
    scored = list(chain.from_iterable(parts.scored.values()))
    train, dev = without_copies(parts.train, scored), without_copies(parts.dev, scored)
    views = {
        title: HeldOut(regrouped(store, {"test": _keys(rows)}, {"scored": title}), "test", people_on(rows))
        for title, rows in parts.scored.items()
    }
    return Round(
        name,
        config,
        learned_view(store, name, train, dev, config),
        views,
        f"{chosen_words(config, parts.dev_words)}; scored once on {parts.scored_words}",
        len(parts.train) + len(parts.dev) - len(train) - len(dev),
    )


def learned_view(store: Store, name: str, train: Sequence[Row], dev: Sequence[Row], config: TrainConfig) -> Store:
    """What a training is given."""
    splits = {"train": [*_keys(train), *_keys(dev)]} if config.all_train else {"train": _keys(train), "dev": _keys(dev)}
    return regrouped(store, splits, {"round": name})


def chosen_words(config: TrainConfig, where: str) -> str:
    """What a training chooses, and on what."""
    asked = {
        "epoch": config.keep == "best",
        "learning rate": config.schedule == "plateau",
        "number of epochs": config.stop_after > 0,
        "data order": config.orders > 1,
    }
    chosen = [] if config.all_train else [name for name, does in asked.items() if does]
    return f"{', '.join(chosen)}: on {where}" if chosen else "nothing was chosen: a fixed schedule"


def check_config(config: TrainConfig) -> None:
    """Refuses options that say otherwise what is learned from and chosen on."""
    if config.fold >= 0 or config.sources:
        raise OptionError("the protocol says what is learned from and chosen on: leave out fold and sources")
    if config.leave_out >= 0 or config.out_of_fold:
        raise OptionError("the protocol says what is learned from: do without leave_out and out_of_fold")


def check_start(config: TrainConfig, rows: Sequence[Row]) -> None:
    """Raises if the weights to start from, or a teacher, may have learned from these rows."""
    learned = {name: load_model(name).training.get("sources", {}) for name in (*config.starts, *config.teacher)}
    learned |= {name: load_teacher_labels(Path(name)).about.get("sources", ()) for name in config.teacher_labels}
    for name, known in learned.items():
        if seen := sorted({row.source for row in rows} & set(known)):
            raise OptionError(f"{name} learned from {', '.join(seen)} already: take weights that know nothing of it")


def label_head(config: TrainConfig, held_out: HeldOut) -> str:
    """Name the head that answers with the labels of what is scored; empty where the network has only one.

    Raises:
        ValueError: The labels of what is scored have several heads.
    """
    sources = held_out.store.table(held_out.split, ["source"])["source"].unique().to_pylist()
    heads = {find_head(source, list(config.heads)) for source in sources} if config.heads else {""}
    if len(heads) > 1:
        raise OptionError(
            f"what is scored together must have one head, and {', '.join(sorted(sources))} have "
            f"{', '.join(sorted(heads))}: give heads {LABELS!r} in their place, or score one data set"
        )
    return next(iter(heads))


def _keys(rows: Sequence[Row]) -> list[str]:
    return [row.key for row in rows]


def people_on(rows: Sequence[Row]) -> tuple[str, ...]:
    """Who is on the pictures, where that is known."""
    return tuple(sorted({f"{row.source}/{row.subject}" for row in rows if row.subject is not None}))
