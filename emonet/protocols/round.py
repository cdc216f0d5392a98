"""One training of a protocol: what it learns from, what choices are made on, and what is scored once at the end.

The training is given a view of the data set that does not hold the scored images, so it cannot use them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar
from typing import Protocol as Interface

from emonet.datasets.store import Store
from emonet.datasets.store.regrouped import regroup
from emonet.errors import OptionError
from emonet.evaluation.remarks import list_learned_sources
from emonet.heads import LABELS, find_head
from emonet.inference import load_model
from emonet.inference.model_file import ADAPTED, LEARNED_VALIDATION
from emonet.protocols.rows import ImageRow, remove_copies
from emonet.training.config import TrainConfig
from emonet.training.teacher_labels import load_teacher_labels


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A split that is scored.

    Attributes:
        store: The data set, or a view of it.
        split: The split.
        people: Its subjects, where they are known.
    """

    store: Store
    split: str
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Round:
    """One training, and what is scored after it.

    Attributes:
        name: The name of its folder.
        config: The training.
        learned: What the training is given: train and dev, and no other rows.
        scored: Name -> what is scored; scores of the same name are pooled over rounds.
        chosen: What was chosen on what, in words.
        left_out: How many training rows were left out because copies of them are scored.
    """

    name: str
    config: TrainConfig
    learned: Store
    scored: Mapping[str, HeldOut]
    chosen: str
    left_out: int = 0


class Protocol(Interface):
    """What a protocol must have: a frozen dataclass of its options that makes rounds."""

    title: ClassVar[str]

    def rounds(self, store: Store, config: TrainConfig) -> list[Round]:
        """Make all rounds; raise OptionError if one is impossible."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return the options as plain values."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """The rows of a round, and the words for dev and for what is scored."""

    train: Sequence[ImageRow]
    dev: Sequence[ImageRow]
    scored: Mapping[str, Sequence[ImageRow]]
    dev_words: str
    scored_words: str


def make_round(store: Store, name: str, config: TrainConfig, parts: Parts) -> Round:
    """Make a round of some rows.

    Args:
        store: The data set.
        name: The name of the round.
        config: The training. With `all_train` dev is learned from, too.
        parts: The rows. Copies of scored rows are not learned from.
    """
    scored = list(chain.from_iterable(parts.scored.values()))
    train, dev = remove_copies(parts.train, scored), remove_copies(parts.dev, scored)
    views = {
        title: HeldOut(regroup(store, {"test": _list_keys(rows)}, {"scored": title}), "test", find_subjects(rows))
        for title, rows in parts.scored.items()
    }
    return Round(
        name,
        config,
        make_training_view(store, name, train, dev, config),
        views,
        f"{describe_choices(config, parts.dev_words)}; scored once on {parts.scored_words}",
        len(parts.train) + len(parts.dev) - len(train) - len(dev),
    )


def make_training_view(
    store: Store, name: str, train: Sequence[ImageRow], dev: Sequence[ImageRow], config: TrainConfig
) -> Store:
    """Make the view of the data set that a training is given."""
    splits = (
        {"train": [*_list_keys(train), *_list_keys(dev)]}
        if config.all_train
        else {"train": _list_keys(train), "dev": _list_keys(dev)}
    )
    return regroup(store, splits, {"round": name})


def describe_choices(config: TrainConfig, where: str) -> str:
    """Say what a training chooses, and on what."""
    asked = {
        "epoch": config.keep == "best",
        "learning rate": config.schedule == "plateau",
        "number of epochs": config.stop_after > 0,
        "data order": config.orders > 1,
    }
    chosen = [] if config.all_train else [name for name, does in asked.items() if does]
    return f"{', '.join(chosen)}: on {where}" if chosen else "nothing was chosen: a fixed schedule"


def check_config(config: TrainConfig) -> None:
    """Raise OptionError for options of a training that the protocol decides."""
    if config.fold >= 0 or config.sources:
        raise OptionError("the protocol decides what is learned from and chosen on: leave out `fold` and `sources`")
    if config.leave_out >= 0 or config.out_of_fold:
        raise OptionError("the protocol decides what is learned from: leave out `leave_out` and `out_of_fold`")


def check_start(config: TrainConfig, rows: Sequence[ImageRow]) -> None:
    """Raise OptionError if a start or a teacher learned from the data of these rows."""
    learned = {name: list_learned_sources(load_model(name)) for name in (*config.starts, *config.teacher)}
    learned |= {name: load_teacher_labels(Path(name)).about.get("sources") for name in config.teacher_labels}
    for name, known in learned.items():
        if known is None:
            raise OptionError(f"what {name} learned from is not known: take weights of which it is recorded")
        if seen := sorted({row.source for row in rows} & set(known)):
            raise OptionError(f"{name} learned from {', '.join(seen)} already: take weights that did not")


def check_scored_splits(config: TrainConfig, scored: Sequence[str]) -> None:
    """Raise OptionError if a start or a teacher may have learned from the scored splits that its data set has.

    It may know train and dev of the same data set: they are not scored.

    Args:
        config: The training.
        scored: The splits that are scored.
    """
    about = {name: load_model(name).training for name in (*config.starts, *config.teacher)}
    about |= {name: load_teacher_labels(Path(name)).about for name in config.teacher_labels}
    for name, known in about.items():
        if "sources" not in known or ADAPTED in known:
            raise OptionError(f"what {name} learned from is not known: take weights of which it is recorded")
        if "validation" in scored and known.get(LEARNED_VALIDATION):
            raise OptionError(f"{name} learned from validation, which is scored: take weights that did not")


def find_label_head(config: TrainConfig, held_out: HeldOut) -> str:
    """Find the head of the labels that are scored; empty if the network has only one.

    Raises:
        OptionError: The labels of what is scored belong to several heads.
    """
    sources = held_out.store.table(held_out.split, ["source"])["source"].unique().to_pylist()
    heads = {find_head(source, list(config.heads)) for source in sources} if config.heads else {""}
    if len(heads) > 1:
        raise OptionError(
            f"what is scored together must have one head, and {', '.join(sorted(sources))} have "
            f"{', '.join(sorted(heads))}: give `heads` {LABELS!r} in their place, or score one data set"
        )
    return next(iter(heads))


def _list_keys(rows: Sequence[ImageRow]) -> list[str]:
    return [row.key for row in rows]


def find_subjects(rows: Sequence[ImageRow]) -> tuple[str, ...]:
    """List the subjects of rows, where they are known."""
    return tuple(sorted({f"{row.source}/{row.subject}" for row in rows if row.subject is not None}))
