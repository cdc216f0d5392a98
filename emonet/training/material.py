"""What a run learns from and chooses the best epoch on. The splits validation and test are never opened here."""

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
from emonet.evaluation.votes import seen_majority
from emonet.faces import Faces, read_faces
from emonet.heads import SEEN, Head
from emonet.inference import load_model
from emonet.inference.averaging import average_weights
from emonet.inference.checkpoint import Checkpoint
from emonet.labels import Emotion
from emonet.models import create_meta_model
from emonet.models.inputs import InputSpec
from emonet.training.config import TrainConfig
from emonet.training.heads import add_priors, check_examples, plan_heads, select_votes, set_even_priors
from emonet.training.teacher_labels import TeacherLabels, load_teacher_labels
from emonet.training.transfer import match_columns, pair_heads

TRAIN, DEV = "train", "dev"


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Images, heads and other models of a run.

    Attributes:
        train: What the network learns from.
        dev: What the best epoch is chosen on; None where the network learns from everything.
        spec: How the network sees images.
        heads: The heads, with the share of each class in what they learn from.
        start: The weights to start from, if any.
        teachers: Models whose answers the network learns.
        teacher_labels: Files of soft labels that the network learns.
        contents: Hashes of the files that options name, by option.
    """

    train: Faces
    dev: Faces | None
    spec: InputSpec
    heads: tuple[Head, ...]
    start: Checkpoint | None
    teachers: tuple[Checkpoint, ...]
    teacher_labels: tuple[TeacherLabels, ...] = ()
    contents: Mapping[str, list[str]] = field(default_factory=dict)

    def match_teacher_columns(self) -> list[tuple[list[int], list[int]]]:
        """Match each teacher's columns with those of the network: theirs, and in the same order ours."""
        return [match_columns(teacher.heads, self.heads) for teacher in self.teachers]

    def make_stored_heads(self, config: TrainConfig) -> tuple[Head, ...]:
        """Make the heads for the model file: priors are even where training adjusted the logits for them."""
        return set_even_priors(self.heads) if config.balance == "logits" else self.heads

    def summarize(self) -> str:
        """Say in one line what there is."""
        sources = Counter(self.train.sources.tolist())
        learned = ", ".join(f"{count:,} {source}" for source, count in sorted(sources.items()))
        chosen = "none" if self.dev is None else f"{len(self.dev):,}"
        left_out = ", ".join(f"{count:,} {name}" for name, count in sorted(self.train.left_out.items()))
        voted = int((select_votes(self.train).sum(1) > 0).sum())
        seen = f"; {voted:,} of {len(self.train):,} have votes" if SEEN in [head.name for head in self.heads] else ""
        rest = f"; left out: {left_out}" if left_out else ""
        return f"to learn from: {learned}{seen}{self._summarize_teacher_labels()}; to choose on: {chosen}{rest}"

    def _summarize_teacher_labels(self) -> str:
        if not self.teacher_labels:
            return ""
        known = np.any([labels.find_rows(self.train.keys) >= 0 for labels in self.teacher_labels], axis=0)
        to_choose_on = [] if self.dev is None else self.dev.keys
        learned = set(to_choose_on) & set[str]().union(*(labels.learned_keys for labels in self.teacher_labels))
        warning = f" (their networks learned from {len(learned):,} of those to choose on)" if learned else ""
        return f"; teacher labels for {np.count_nonzero(known):,} of {len(self.train):,}{warning}"


def gather_material(config: TrainConfig, store: Store) -> Material:
    """Read the images and the models of a run, and check that they fit together, before the first step.

    Raises:
        OptionError: Options do not fit the data, or other models do not fit the network.
        MissingFileError: A file that an option names does not exist.
    """
    starts = [load_model(name) for name in config.starts]
    teachers = tuple(load_model(teacher) for teacher in config.teacher)
    labels = tuple(load_teacher_labels(Path(name)) for name in config.teacher_labels)
    classes = _choose_classes(config, store)
    start = average_weights(starts) if len(starts) > 1 else next(iter(starts), None)
    spec = _choose_spec(config, start)
    train, dev = _read_splits(config, store, spec, classes)
    find_folds(train, config)  # raises if the options ask for folds that do not exist
    heads = plan_heads(train, config, dev.sources.tolist() if dev is not None and config.fold >= 0 else ())
    _check_votes(dev, heads)
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
    material = Material(train, dev, spec, add_priors(heads, train, config), start, teachers, labels, hashes)
    return leave_out_fold(material, config)


def list_unused(material: Material, config: TrainConfig) -> list[str]:
    """List classes that options name and the data do not have: recipes name some, and so do mistakes."""
    options = {"--class-weights": config.class_weights, "--oversample": config.oversample}
    unused = {name: [one for one in of if one not in material.train.classes] for name, of in options.items()}
    return [
        f"{name} does nothing for {', '.join(of)}: the data have no such class" for name, of in unused.items() if of
    ]


def leave_out_fold(material: Material, config: TrainConfig) -> Material:
    """Leave out a fold of the training images if the options say so; images are still scaled as with all folds."""
    if config.leave_out < 0:
        return material
    train = material.train.part(find_folds(material.train, config) != config.leave_out)
    check_examples(material.heads, train)
    return replace(material, train=train, heads=add_priors(material.heads, train, config))


def find_folds(faces: Faces, config: TrainConfig) -> NDArray[np.int64]:
    """Find the fold of each image (N,); -1 where there is none.

    Raises:
        OptionError: The options ask for folds that do not exist.
    """
    folds = np.full(len(faces), -1) if faces.folds is None else faces.folds
    known = sorted(set(folds.tolist()) - {-1})
    if (config.out_of_fold or config.leave_out >= 0) and len(known) < 2:
        raise OptionError("the training images have no folds: `emonet build --folds N` numbers them")
    if config.leave_out >= 0 and config.leave_out not in known:
        raise OptionError(f"`leave_out` must be one of the folds {', '.join(map(str, known))}, got {config.leave_out}")
    return folds


def _read_splits(
    config: TrainConfig, store: Store, spec: InputSpec, classes: tuple[Emotion, ...]
) -> tuple[Faces, Faces | None]:
    """Read the images to learn from and those to choose the epoch on."""
    _check_splits(config, store)
    read = partial(read_faces, store, spec=spec, classes=classes, sources=config.sources, storage=config.storage)
    dev: Faces | None
    if config.all_train:
        train, dev = read([split for split in (TRAIN, DEV) if split in store.splits]), None
    elif config.fold >= 0:
        train, dev = read([TRAIN], folds=(config.fold, False)), read([TRAIN], folds=(config.fold, True))
    else:
        train, dev = read([TRAIN]), read([DEV])
    _check_faces(config, train, dev)
    return train, dev


def find_spec(config: TrainConfig) -> InputSpec:
    """Find the size and channels of the images that the run's network sees."""
    return _choose_spec(config, load_model(config.starts[0]) if config.starts else None)


def _choose_spec(config: TrainConfig, start: Checkpoint | None) -> InputSpec:
    """Choose how the network sees images: as the weights it starts from, or as its own input; options change both."""
    own = start.input if start else create_meta_model(config.model, **config.arguments).input
    asked = {name: getattr(config, name) for name in ("size", "channels", "scaling") if getattr(config, name)}
    forget = {name for name in ("channels", "scaling") if asked.get(name, getattr(own, name)) != getattr(own, name)}
    return InputSpec.from_dict(own.to_dict() | asked | ({"mean": (), "std": ()} if forget else {}))


def _choose_classes(config: TrainConfig, store: Store) -> tuple[Emotion, ...]:
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
            f"{name} is {start.model!r} with {dict(start.arguments)}, and the run trains {config.model!r} with "
            f"{dict(config.arguments)}: weights to begin from must be of the same network"
        )
    if not config.new_head:
        _check_classes(name, start.heads, heads, "; `new_head` trains a new last layer")


def _check_classes(name: str, theirs: Sequence[Head], ours: Sequence[Head], hint: str = "") -> None:
    """Raise if no head is shared, or a shared head has other classes."""
    pairs = [(theirs[a], ours[b]) for a, b in pair_heads(theirs, ours)]
    for their, our in pairs:
        if their.classes != our.classes:
            raise OptionError(
                f"{name} answers {', '.join(their.classes)}, and the data have {', '.join(our.classes)}{hint}"
            )
    if not pairs:
        known, asked = (", ".join(head.name for head in heads) for heads in (theirs, ours))
        raise OptionError(f"{name} has the heads {known}, and the run none of them: {asked}{hint}")


def _check_teacher(name: str, teacher: Checkpoint, config: TrainConfig, heads: Sequence[Head], spec: InputSpec) -> None:
    _check_classes(name, teacher.heads, heads)
    if (teacher.input.size, teacher.input.channels) != (spec.size, spec.channels):
        raise OptionError(
            f"{name} sees images of {teacher.input.size} pixels and {teacher.input.channels} channels, "
            f"{config.model!r} of {spec.size} and {spec.channels}"
        )


def _check_teacher_labels(name: str, labels: TeacherLabels, train: Faces, heads: Sequence[Head]) -> None:
    _check_classes(name, labels.heads, heads)
    if not (labels.find_rows(train.keys) >= 0).any():
        raise OptionError(
            f"{name} was made for another data set: it has labels for {len(labels.keys):,} images, such as "
            f"{labels.keys[0] if labels.keys else 'none'}, and for 0 of the {len(train):,} training images, such as "
            f"{train.keys[0]}"
        )


def _check_splits(config: TrainConfig, store: Store) -> None:
    if TRAIN not in store.splits:
        raise OptionError(f"{store.path} has nothing to train on: its splits are {', '.join(store.splits)}")
    if DEV not in store.splits and config.fold < 0 and not config.all_train:
        raise OptionError(
            f"{store.path} has no split 'dev' to choose the epoch on: build it with --dev, "
            "choose on a `fold`, or learn from everything with `all_train`"
        )


def _check_votes(dev: Faces | None, heads: Sequence[Head]) -> None:
    if dev is not None and all(head.name == SEEN for head in heads) and not (seen_majority(dev) >= 0).any():
        raise OptionError(
            f"dev has no votes to choose by: none of its {len(dev):,} images has a majority, and the only head is "
            f"{SEEN!r}. Add votes with `emonet build --ferplus`, or a head of labels, or use `all_train`"
        )


def _check_faces(config: TrainConfig, train: Faces, dev: Faces | None) -> None:
    there = {*train.sources.tolist(), *(train.left_out.keys() - set(Emotion))}
    if unknown := sorted({*config.sources, *config.source_weights} - set(train.sources.tolist())):
        known = ", ".join(sorted(there)) or "nowhere"
        raise OptionError(f"no training images from {', '.join(unknown)}; there are some from {known}")
    hint = f": fold {config.fold} is empty; `emonet build --folds N` numbers them from 0" if config.fold >= 0 else ""
    if not len(train):
        raise OptionError("no training images are left" + hint)
    if dev is not None and not len(dev):
        raise OptionError("no images are left to choose on" + hint)
