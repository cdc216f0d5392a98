"""What a run learns from and what it is chosen on. Validation and test are never opened here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.labels import LabelRules
from emonet.datasets.store import Store
from emonet.errors import OptionError
from emonet.faces import Faces, read_faces
from emonet.heads import SEEN, Head
from emonet.inference import load_model
from emonet.inference.checkpoint import Checkpoint
from emonet.labels import Emotion
from emonet.models import create_meta_model
from emonet.models.inputs import InputSpec
from emonet.training.averaging import mean_weights
from emonet.training.config import TrainConfig
from emonet.training.heads import check_examples, plan_heads, votes_of, with_priors, without_priors
from emonet.training.teacher_labels import TeacherLabels, load_teacher_labels
from emonet.training.transfer import shared_columns, shared_heads

TRAIN, DEV = "train", "dev"


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Pictures, and how the network sees them."""

    train: Faces
    dev: Faces | None  # none where everything is learned from
    spec: InputSpec
    heads: tuple[Head, ...]  # with the share of each class in what they learn from
    start: Checkpoint | None  # of the weights to start from
    teachers: tuple[Checkpoint, ...]
    teacher_labels: tuple[TeacherLabels, ...] = ()
    contents: Mapping[str, list[str]] = field(default_factory=dict)  # hashes of the files that options name

    @property
    def teacher_columns(self) -> list[tuple[list[int], list[int]]]:
        """For each teacher, where the classes of shared heads stand among its scores, and where among the pupil's."""
        return [shared_columns(teacher.heads, self.heads) for teacher in self.teachers]

    def stored_heads(self, config: TrainConfig) -> tuple[Head, ...]:
        """The heads with the prior that their answers have in them: none where it was adjusted for in training."""
        return without_priors(self.heads) if config.balance == "logits" else self.heads

    def words(self) -> str:
        """What there is, in a line."""
        sources = Counter(self.train.sources.tolist())
        learned = ", ".join(f"{count:,} {source}" for source, count in sorted(sources.items()))
        chosen = "none" if self.dev is None else f"{len(self.dev):,}"
        left_out = ", ".join(f"{count:,} {name}" for name, count in sorted(self.train.left_out.items()))
        voted = int((votes_of(self.train).sum(1) > 0).sum())
        seen = f"; {voted:,} of {len(self.train):,} have votes" if SEEN in [head.name for head in self.heads] else ""
        rest = f"; left out: {left_out}" if left_out else ""
        return f"to learn from: {learned}{seen}{self._taught_words()}; to choose on: {chosen}{rest}"

    def _taught_words(self) -> str:
        if not self.teacher_labels:
            return ""
        known = np.any([labels.places(self.train.keys) >= 0 for labels in self.teacher_labels], axis=0)
        learned = set() if self.dev is None else _learned(self.teacher_labels) & set(self.dev.keys)
        warning = f" (their networks learned from {len(learned):,} of those to choose on)" if learned else ""
        return f"; teacher labels for {np.count_nonzero(known):,} of {len(self.train):,}{warning}"


def gather_material(config: TrainConfig, store: Store) -> Material:
    """Reads the pictures; whatever does not fit together is an error here, before the first step."""
    starts = [load_model(name) for name in config.starts]
    teachers = tuple(load_model(teacher) for teacher in config.teacher)
    labels = tuple(load_teacher_labels(Path(name)) for name in config.teacher_labels)
    classes = _classes(config, store)
    start = _mean(starts, config)
    spec = _spec(config, start)
    _check_splits(config, store)
    read = partial(read_faces, store, spec=spec, classes=classes, sources=config.sources, storage=config.storage)
    if config.all_train:
        train, dev = read([split for split in (TRAIN, DEV) if split in store.splits]), None
    elif config.fold >= 0:
        train, dev = read([TRAIN], folds=(config.fold, False)), read([TRAIN], folds=(config.fold, True))
    else:
        train, dev = read([TRAIN]), read([DEV])
    _check_faces(config, train, dev)
    folds_of(train, config)  # raises if the options ask for folds that are not there
    heads = plan_heads(train, config)
    for name, one in zip(config.starts, starts, strict=True):
        _check_start(name, one, config, heads)
    for name, teacher in zip(config.teacher, teachers, strict=True):
        _check_teacher(name, teacher, config, heads, spec)
    for name, given in zip(config.teacher_labels, labels, strict=True):
        _check_teacher_labels(name, given, train, heads)
    spec = spec if spec.measured else spec.with_statistics(train.pixels)
    contents: dict[str, Sequence[Checkpoint | TeacherLabels]] = {
        "init": starts,
        "teacher": teachers,
        "teacher_labels": labels,
    }
    hashes = {name: [one.identity for one in files] for name, files in contents.items() if files}
    material = Material(train, dev, spec, with_priors(heads, train, config), start, teachers, labels, hashes)
    return without_fold(material, config)


def without_fold(material: Material, config: TrainConfig) -> Material:
    """Leave out a fold of the training pictures if the options say so; pixels are still scaled as for all of them."""
    if config.leave_out < 0:
        return material
    train = material.train.part(folds_of(material.train, config) != config.leave_out)
    check_examples(material.heads, train)
    return replace(material, train=train, heads=with_priors(material.heads, train, config))


def folds_of(faces: Faces, config: TrainConfig) -> NDArray[np.int64]:
    """Give the fold of each picture, -1 where there is none; raise if the options ask for folds that are not there."""
    folds = np.full(len(faces), -1) if faces.folds is None else faces.folds
    known = sorted(set(folds.tolist()) - {-1})
    if (config.out_of_fold or config.leave_out >= 0) and len(known) < 2:
        raise OptionError("the training pictures have no folds: `emonet build --folds N` numbers them")
    if config.leave_out >= 0 and config.leave_out not in known:
        raise OptionError(f"leave_out must be one of the folds {', '.join(map(str, known))}, got {config.leave_out}")
    return folds


def _spec(config: TrainConfig, start: Checkpoint | None) -> InputSpec:
    """The network's own pictures, or those of the weights that it starts from, but for what was asked for."""
    own = start.input if start else create_meta_model(config.model, **config.arguments).input
    asked = {name: getattr(config, name) for name in ("size", "channels", "scaling") if getattr(config, name)}
    forget = {name for name in ("channels", "scaling") if asked.get(name, getattr(own, name)) != getattr(own, name)}
    return InputSpec.from_dict(own.to_dict() | asked | ({"mean": (), "std": ()} if forget else {}))


def _classes(config: TrainConfig, store: Store) -> tuple[Emotion, ...]:
    if not config.classes:
        return store.classes
    chosen = LabelRules.parse(config.classes).classes
    if missing := [emotion for emotion in chosen if emotion not in store.classes]:
        there = ", ".join(store.classes)
        raise OptionError(f"{store.path} has no class {', '.join(missing)}; its classes are {there}")
    return chosen


def _check_start(name: str, start: Checkpoint, config: TrainConfig, heads: Sequence[Head]) -> None:
    if start.model != config.model or dict(start.arguments) != dict(config.arguments):
        raise OptionError(
            f"{name} is {start.model!r} with {dict(start.arguments)}, "
            f"and the run trains {config.model!r} with {dict(config.arguments)}"
        )
    if not config.new_head:
        _check_classes(name, start.heads, heads, "; new_head begins its last layer anew")


def _check_classes(name: str, theirs: Sequence[Head], ours: Sequence[Head], hint: str = "") -> None:
    """Raise if no head is shared, or a shared one has other classes."""
    pairs = [(theirs[a], ours[b]) for a, b in shared_heads(theirs, ours)]
    for their, our in pairs:
        if their.classes != our.classes:
            raise OptionError(
                f"{name} answers {', '.join(their.classes)}, and the data have {', '.join(our.classes)}{hint}"
            )
    if not pairs:
        known, asked = (", ".join(head.name for head in heads) for heads in (theirs, ours))
        raise OptionError(f"{name} has the heads {known}, and the run none of them: {asked}{hint}")


def _mean(starts: Sequence[Checkpoint], config: TrainConfig) -> Checkpoint | None:
    """One of several: networks that went on from one another are often better in the middle (Wortsman et al., 2022)."""
    if not starts:
        return None
    answered = [[(head.name, head.classes) for head in one.heads] for one in starts]
    if any(one.input != starts[0].input for one in starts) or any(one != answered[0] for one in answered):
        raise OptionError(f"{config.init} have no mean: they do not see pictures alike, or answer other classes")
    return replace(starts[0], weights=mean_weights([one.weights for one in starts]))


def _check_teacher(name: str, teacher: Checkpoint, config: TrainConfig, heads: Sequence[Head], spec: InputSpec) -> None:
    _check_classes(name, teacher.heads, heads)
    if (teacher.input.size, teacher.input.channels) != (spec.size, spec.channels):
        raise OptionError(
            f"{name} sees pictures of {teacher.input.size} pixels and {teacher.input.channels} channels, "
            f"{config.model!r} of {spec.size} and {spec.channels}"
        )


def _check_teacher_labels(name: str, labels: TeacherLabels, train: Faces, heads: Sequence[Head]) -> None:
    _check_classes(name, labels.heads, heads)
    if not (labels.places(train.keys) >= 0).any():
        raise OptionError(
            f"{name} was made for another data set: it has labels for {len(labels.keys):,} pictures, such as "
            f"{labels.keys[0] if labels.keys else 'none'}, and for 0 of the {len(train):,} training pictures, such as "
            f"{train.keys[0]}"
        )


def _learned(given: Sequence[TeacherLabels]) -> set[str]:
    """The pictures that some of the networks behind teacher labels learned from."""
    return {key for labels in given for key, fold in zip(labels.keys, labels.folds.tolist(), strict=True) if fold >= 0}


def _check_splits(config: TrainConfig, store: Store) -> None:
    if TRAIN not in store.splits:
        raise OptionError(f"{store.path} has nothing to train on: its splits are {', '.join(store.splits)}")
    if DEV not in store.splits and config.fold < 0 and not config.all_train:
        raise OptionError(
            f"{store.path} has no split 'dev' to choose the epoch on: build it with --dev, "
            "choose on a fold, or learn from everything with all_train"
        )


def _check_faces(config: TrainConfig, train: Faces, dev: Faces | None) -> None:
    there = {*train.sources.tolist(), *(train.left_out.keys() - set(Emotion))}
    if unknown := sorted({*config.sources, *config.source_weights} - set(train.sources.tolist())):
        known = ", ".join(sorted(there)) or "nowhere"
        raise OptionError(f"no training pictures from {', '.join(unknown)}; there are some from {known}")
    if not len(train):
        raise OptionError("no training pictures are left" + _fold_hint(config))
    if dev is not None and not len(dev):
        raise OptionError("no pictures are left to choose on" + _fold_hint(config))


def _fold_hint(config: TrainConfig) -> str:
    return f": fold {config.fold} is empty; `emonet build --folds N` numbers them from 0" if config.fold >= 0 else ""
