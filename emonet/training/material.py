"""What a run learns from and what it is chosen on. Validation and test are never opened here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from emonet.checkpoint import Checkpoint
from emonet.datasets.labels import LabelRules
from emonet.datasets.store import Store
from emonet.inputs import InputSpec
from emonet.labels import Emotion
from emonet.models import outline
from emonet.training.averaging import mean_weights
from emonet.training.config import TrainConfig
from emonet.training.data import Faces, read_faces
from emonet.weights import open_model

TRAIN, DEV = "train", "dev"


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Pictures, and how the network sees them."""

    train: Faces
    dev: Faces | None  # none where everything is learned from
    spec: InputSpec
    start: Checkpoint | None  # of the weights to start from
    teachers: tuple[Checkpoint, ...]

    def words(self) -> str:
        """What there is, in a line."""
        sources = Counter(self.train.sources.tolist())
        learned = ", ".join(f"{count:,} {source}" for source, count in sorted(sources.items()))
        chosen = "none" if self.dev is None else f"{len(self.dev):,}"
        left_out = ", ".join(f"{count:,} {name}" for name, count in sorted(self.train.left_out.items()))
        return f"to learn from: {learned}; to choose on: {chosen}" + (f"; left out: {left_out}" if left_out else "")


def gather_material(config: TrainConfig, store: Store) -> Material:
    """Reads the pictures; whatever does not fit together is an error here, before the first step."""
    starts = [open_model(name) for name in config.starts]
    teachers = tuple(open_model(teacher) for teacher in config.teacher)
    classes = _classes(config, store)
    for name, one in zip(config.starts, starts, strict=True):
        _check_start(name, one, config, classes)
    start = _mean(starts, config)
    spec = _spec(config, start)
    for name, teacher in zip(config.teacher, teachers, strict=True):
        _check_teacher(name, teacher, config, classes, spec)
    _check_splits(config, store)
    read = partial(read_faces, store, spec=spec, classes=classes, sources=config.sources, storage=config.storage)
    if config.all_train:
        train, dev = read([split for split in (TRAIN, DEV) if split in store.splits]), None
    elif config.fold >= 0:
        train, dev = read([TRAIN], folds=(config.fold, False)), read([TRAIN], folds=(config.fold, True))
    else:
        train, dev = read([TRAIN]), read([DEV])
    _check_faces(config, train, dev)
    return Material(train, dev, spec if spec.measured else spec.with_statistics(train.pixels), start, teachers)


def _spec(config: TrainConfig, start: Checkpoint | None) -> InputSpec:
    """The network's own pictures, or those of the weights that it starts from, but for what was asked for."""
    own = start.input if start else outline(config.model, **config.arguments).input
    asked = {name: getattr(config, name) for name in ("size", "channels", "scaling") if getattr(config, name)}
    forget = {name for name in ("channels", "scaling") if asked.get(name, getattr(own, name)) != getattr(own, name)}
    return InputSpec.from_dict(own.to_dict() | asked | ({"mean": (), "std": ()} if forget else {}))


def _classes(config: TrainConfig, store: Store) -> tuple[Emotion, ...]:
    if not config.classes:
        return store.classes
    chosen = LabelRules.parse(config.classes).classes
    if missing := [emotion for emotion in chosen if emotion not in store.classes]:
        there = ", ".join(store.classes)
        raise ValueError(f"{store.path} has no class {', '.join(missing)}; its classes are {there}")
    return chosen


def _check_start(name: str, start: Checkpoint, config: TrainConfig, classes: Sequence[Emotion]) -> None:
    if start.model != config.model or dict(start.arguments) != dict(config.arguments):
        raise ValueError(
            f"{name} is {start.model!r} with {dict(start.arguments)}, "
            f"and the run trains {config.model!r} with {dict(config.arguments)}"
        )
    if start.classes != tuple(classes) and not config.new_head:
        raise ValueError(
            f"{name} answers {', '.join(start.classes)}, and the data have {', '.join(classes)}; "
            "new_head begins its last layer anew"
        )


def _mean(starts: Sequence[Checkpoint], config: TrainConfig) -> Checkpoint | None:
    """One of several: networks that went on from one another are often better in the middle (Wortsman et al., 2022)."""
    if not starts:
        return None
    if any(one.input != starts[0].input or one.classes != starts[0].classes for one in starts):
        raise ValueError(f"{config.init} have no mean: they do not see pictures alike, or answer other classes")
    return replace(starts[0], weights=mean_weights([one.weights for one in starts]))


def _check_teacher(
    name: str, teacher: Checkpoint, config: TrainConfig, classes: Sequence[Emotion], spec: InputSpec
) -> None:
    if teacher.classes != tuple(classes):
        raise ValueError(f"{name} answers {', '.join(teacher.classes)}, and the data have {', '.join(classes)}")
    if (teacher.input.size, teacher.input.channels) != (spec.size, spec.channels):
        raise ValueError(
            f"{name} sees pictures of {teacher.input.size} pixels and {teacher.input.channels} channels, "
            f"{config.model!r} of {spec.size} and {spec.channels}"
        )


def _check_splits(config: TrainConfig, store: Store) -> None:
    if TRAIN not in store.splits:
        raise ValueError(f"{store.path} has nothing to train on: its splits are {', '.join(store.splits)}")
    if DEV not in store.splits and config.fold < 0 and not config.all_train:
        raise ValueError(
            f"{store.path} has no split 'dev' to choose the epoch on: build it with --dev, "
            "choose on a fold, or learn from everything with all_train"
        )


def _check_faces(config: TrainConfig, train: Faces, dev: Faces | None) -> None:
    there = {*train.sources.tolist(), *(train.left_out.keys() - set(Emotion))}
    if unknown := sorted({*config.sources, *config.source_weights} - set(train.sources.tolist())):
        known = ", ".join(sorted(there)) or "nowhere"
        raise ValueError(f"no training pictures from {', '.join(unknown)}; there are some from {known}")
    if not len(train):
        raise ValueError("no training pictures are left" + _fold_hint(config))
    if dev is not None and not len(dev):
        raise ValueError("no pictures are left to choose on" + _fold_hint(config))


def _fold_hint(config: TrainConfig) -> str:
    return f": fold {config.fold} is empty; `emonet build --folds N` numbers them from 0" if config.fold >= 0 else ""
