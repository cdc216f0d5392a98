"""Everything that decides what a training run ends in: one flat, frozen dataclass whose every field is an option."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal, cast

from emonet.errors import OptionError
from emonet.labels import Emotion
from emonet.training.contradictions import check_together
from emonet.training.options import options_of
from emonet.training.policies import find_policy


class Panel(StrEnum):
    """The parts of the configuration, as `--help` shows them."""

    NETWORK = "Network"
    DATA = "Data"
    AUGMENTATION = "Augmentation"
    LEARNING = "Learning"
    CHOICE = "Choice"
    MACHINE = "Machine"


NETWORK, DATA, AUGMENTATION, LEARNING, CHOICE, MACHINE = Panel

MOST = 10**12  # of numbers without a limit of their own: infinity is no number of epochs

Balance = Literal["none", "weights", "oversample", "logits"]
AugmentWith = Literal["albumentations", "torch", "auto"]
Optimizer = Literal["sgd", "adam", "adamw", "muon"]
Decay = Literal["kernels", "all"]
Schedule = Literal["constant", "cosine", "plateau", "trapezoid"]
Loss = Literal["softmax", "hinge"]
Measure = Literal["accuracy", "macro_f1", "loss"]
Keep = Literal["best", "last"]
Precision = Literal["auto", "fp32", "bf16"]
Storage = Literal["auto", "memory", "disk"]
LabelView = Literal["none", "mirror", "ten_crop"]


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """One training run. What belongs to `MACHINE` may differ when a run goes on; all else may not."""

    model: Annotated[str, NETWORK, "A network's name; `emonet models` lists them."] = "emonet"
    arguments: Annotated[Mapping[str, Any], NETWORK, "The network's own arguments, name=value."] = field(
        default_factory=dict
    )
    size: Annotated[int, NETWORK, "Pixels a side of its pictures; 0: what it was made for."] = 0
    channels: Annotated[int, NETWORK, "1 for grey, 3 for colour; 0: what it was made for."] = 0
    scaling: Annotated[str, NETWORK, "unit, centred, standardised, per_picture or local_contrast."] = ""
    init: Annotated[
        str,
        NETWORK,
        "Start from the weights of this model, a file or a bundled one; of several, with commas: their mean.",
    ] = ""
    new_head: Annotated[bool, NETWORK, "With init: begin the layers anew that do not fit, for other classes."] = False

    heads: Annotated[
        Mapping[str, float],
        NETWORK,
        "The label systems to answer in, name=weight of its loss: seen (FER+'s votes), a data set's name, or labels "
        "(those of all data sets without a head of their own). By default there is one.",
    ] = field(default_factory=dict)

    classes: Annotated[str, DATA, "Only these of the data set's classes: fer6, or names with commas."] = ""
    fold: Annotated[int, DATA, "Choose on this fold of the training split; -1: on the split dev."] = -1
    leave_out: Annotated[
        int, DATA, "Neither learn from this fold of the training split nor choose on it; -1: use all folds."
    ] = -1
    all_train: Annotated[bool, DATA, "Learn from dev too, at a fixed schedule, with nothing left to choose on."] = False
    sources: Annotated[tuple[str, ...], DATA, "Only these of the merged data sets."] = ()
    source_weights: Annotated[
        Mapping[str, float], DATA, "How often an epoch shows a source's pictures, name=times."
    ] = field(default_factory=dict)
    balance_sources: Annotated[bool, DATA, "Show each source equally often."] = False
    balance: Annotated[
        Balance,
        DATA,
        "Rare classes: none, weights (in the loss), oversample, or logits (adjusted by the classes' shares).",
    ] = "none"
    class_weights: Annotated[Mapping[str, float], DATA, "Weights in the loss, class=weight."] = field(
        default_factory=dict
    )
    oversample: Annotated[Mapping[str, float], DATA, "How often an epoch shows a class's pictures, class=times."] = (
        field(default_factory=dict)
    )

    augment: Annotated[str, AUGMENTATION, "none, mirror, tilted, classic, turned, shifted, strong or degraded."] = (
        "strong"
    )
    augment_from: Annotated[Mapping[str, str], AUGMENTATION, "Another policy from an epoch on, epoch=policy."] = field(
        default_factory=dict
    )
    alternate_mirror: Annotated[bool, AUGMENTATION, "Mirror each picture in every second epoch, instead of by lot."] = (
        False
    )
    repeats: Annotated[
        int, AUGMENTATION, "Views of each picture in a batch; an epoch then shows so many times fewer pictures."
    ] = 1
    size_from: Annotated[
        Mapping[str, int], AUGMENTATION, "Pictures shrunk to another size from a share of the steps on, share=pixels."
    ] = field(default_factory=dict)
    augment_with: Annotated[
        AugmentWith, AUGMENTATION, "albumentations, torch, or auto: torch on a GPU, or if albumentations is missing."
    ] = "auto"
    mixup: Annotated[float, AUGMENTATION, "Blend pairs of pictures: the Beta distribution's alpha."] = 0.0
    cutmix: Annotated[float, AUGMENTATION, "Paste pieces of other pictures: the Beta distribution's alpha."] = 0.0
    mix_until: Annotated[float, AUGMENTATION, "Mix only in this first share of the epochs."] = 1.0

    epochs: Annotated[int, LEARNING, "Times through the training data."] = 60
    steps: Annotated[int, LEARNING, "End after so many steps; 0: after the epochs."] = 0
    batch_size: Annotated[int, LEARNING, "Pictures a step, of each process."] = 128
    optimizer: Annotated[
        Optimizer,
        LEARNING,
        "sgd (with Nesterov's momentum), adam, adamw or muon (for kernels of convolutions; sgd for the rest).",
    ] = "sgd"
    learning_rate: Annotated[float, LEARNING, "The highest learning rate; with muon, that of kernels: try 0.02."] = 0.1
    rest_rate: Annotated[float, LEARNING, "muon: the highest learning rate of all that is no kernel."] = 0.1
    momentum: Annotated[float, LEARNING, "sgd and muon: Nesterov's momentum."] = 0.9
    weight_decay: Annotated[float, LEARNING, "Keras' l2(x) is a weight_decay of 2x."] = 5e-4
    decay: Annotated[Decay, LEARNING, "What decays: kernels (of convolutions and dense layers) or all."] = "kernels"
    schedule: Annotated[
        Schedule, LEARNING, "constant, cosine (to zero), plateau or trapezoid (constant, then linear to zero)."
    ] = "cosine"
    warmup: Annotated[float, LEARNING, "Epochs in which the rate rises from zero."] = 2.0
    decay_share: Annotated[float, LEARNING, "trapezoid: the last share of the steps, in which the rate falls."] = 0.3
    factor: Annotated[float, LEARNING, "plateau: what the rate is multiplied by."] = 0.5
    patience: Annotated[int, LEARNING, "plateau: after so many epochs without a better one."] = 5
    loss: Annotated[Loss, LEARNING, "softmax (cross-entropy) or hinge (squared, one class against the rest)."] = (
        "softmax"
    )
    smoothing: Annotated[float, LEARNING, "Label smoothing."] = 0.0
    teacher: Annotated[
        tuple[str, ...], LEARNING, "Learn also what these models, with commas, answer on average to the same views."
    ] = ()
    teacher_labels: Annotated[
        tuple[str, ...], LEARNING, "Learn also from files that out_of_fold wrote, with commas; of several: the mean."
    ] = ()
    teacher_share: Annotated[float, LEARNING, "How much their answers count, beside the labels."] = 0.5
    teacher_views: Annotated[
        int,
        LEARNING,
        "Show each picture in so many fixed augmented views, one an epoch, and ask the teacher once for each; 0: a new "
        "view and a new answer in each epoch.",
    ] = 0
    votes_share: Annotated[
        float, LEARNING, "How much the labels that FER+'s votes lead one to expect count, beside the labels."
    ] = 0.0
    clip: Annotated[float, LEARNING, "The greatest norm of the gradient; 0: any."] = 0.0
    ema: Annotated[float, LEARNING, "Decay of the weights' moving average, which is then what is kept; 0: none."] = 0.0
    average_last: Annotated[int, LEARNING, "Instead of ema: the mean of the weights of so many last epochs; 0: no."] = 0
    bn_batches: Annotated[int, LEARNING, "Batches from which batch norm is estimated anew at the end."] = 0
    seed: Annotated[int, LEARNING, "Of the first weights, the order, the augmentation and dropout."] = 0
    order: Annotated[int, LEARNING, "Another order and augmentation of the same seed."] = 0

    choose_by: Annotated[Measure, CHOICE, "accuracy, macro_f1 or loss, on the dev split."] = "accuracy"
    keep: Annotated[Keep, CHOICE, "The best epoch's weights or the last's."] = "best"
    stop_after: Annotated[int, CHOICE, "Stop after so many epochs without a better one; 0: never."] = 0
    members: Annotated[int, CHOICE, "Train so many with seeds of their own, and average them."] = 1
    orders: Annotated[int, CHOICE, "Train with so many data orders, and keep the best on dev."] = 1
    out_of_fold: Annotated[
        bool,
        CHOICE,
        "Train a network for each fold, on all other folds; write its probabilities for that fold to "
        "teacher_labels.parquet, and average the networks. Build the data set with --folds.",
    ] = False
    label_view: Annotated[
        LabelView, CHOICE, "out_of_fold: the views whose probabilities are averaged: none, mirror or ten_crop."
    ] = "mirror"

    precision: Annotated[Precision, MACHINE, "fp32, bf16, or auto: bf16 where the processor has it."] = "auto"
    channels_last: Annotated[bool, MACHINE, "Lay pictures out as the fast kernels like them."] = True
    compile: Annotated[bool, MACHINE, "torch.compile: pays for large networks on a GPU."] = False
    device: Annotated[str, MACHINE, "auto, cpu, mps, cuda, or cuda:1 for one of several cards."] = "auto"
    workers: Annotated[int, MACHINE, "Threads that augment; -1: as many as pay. Changes no bit."] = -1
    storage: Annotated[Storage, MACHINE, "Where decoded pictures lie: memory, disk, or auto: if they fit."] = "auto"
    save_every: Annotated[float, MACHINE, "Seconds between two savings within an epoch."] = 120.0
    tensorboard: Annotated[bool, MACHINE, "Also write for TensorBoard (emonet[log])."] = False

    @property
    def starts(self) -> tuple[str, ...]:
        """The models of `init`."""
        return tuple(self.init.split(",")) if self.init else ()

    def __post_init__(self) -> None:
        for option in options_of(TrainConfig):
            value = option.fitted(getattr(self, option.name))
            option.check(value)
            object.__setattr__(self, option.name, value)
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise OptionError(f"{name} must be a number from {low:g} to {high:g}, got {value!r}")
        self._check_tables()
        self._check_augmentation()
        check_together(self)

    def _check_augmentation(self) -> None:
        """Refuses policies and sizes that are none."""
        for epoch, policy in self.augment_from.items():
            if not epoch.isdecimal() or not isinstance(policy, str):
                raise OptionError(f"augment_from must be of the form epoch=policy, got {epoch}={policy}")
        for share, size in self.size_from.items():
            if not _is_share(share) or isinstance(size, bool) or not isinstance(size, int) or not 8 <= size <= 1024:
                raise OptionError(f"size_from must be of the form share=pixels, from 0=8 to 1=1024, got {share}={size}")
        for policy in (self.augment, *self.augment_from.values()):
            find_policy(policy)

    def _check_tables(self) -> None:
        """Refuses names and values that no data could make right; sources are known only with the data."""
        for name in ("heads", "source_weights", "class_weights", "oversample"):
            for key, value in getattr(self, name).items():
                if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1000:
                    raise OptionError(f"{name} must be numbers from 0 to 1000, got {key}={value!r}")
        for name in ("class_weights", "oversample"):
            if unknown := sorted(set(getattr(self, name)) - set(Emotion)):
                raise OptionError(f"{name} must be of {', '.join(Emotion)}, got {', '.join(unknown)}")
        if "classes" in self.arguments:
            raise OptionError("a network has the classes of its data: choose among them with classes, not in arguments")

    def policy(self, epoch: int) -> str:
        """The name of the augmentation of an epoch; the first is 1."""
        begun = {int(first): policy for first, policy in self.augment_from.items() if int(first) <= epoch}
        return begun[max(begun)] if begun else self.augment

    def shown_size(self, done: float) -> int | None:
        """The size that pictures are shrunk to when so large a share of the steps is done; None for their own."""
        begun = {float(share): size for share, size in self.size_from.items() if float(share) <= done}
        return begun[max(begun)] if begun else None

    def identity(self) -> dict[str, Any]:
        """What must not change when a run goes on: all but the machine's part."""
        machine = {option.name for option in options_of(TrainConfig) if option.panel == MACHINE}
        return {name: value for name, value in self.to_dict().items() if name not in machine - {"precision"}}

    def to_dict(self) -> dict[str, Any]:
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainConfig:
        """From what `to_dict` gave, or a part of it; unknown names are refused."""
        known = [option.name for option in options_of(TrainConfig)]
        if unknown := sorted(set(values) - set(known)):
            raise OptionError(f"unknown options of a training: {', '.join(unknown)}; there are {', '.join(known)}")
        return cls(**values)


def _is_share(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False


_RANGES = cast(
    "dict[str, tuple[float, float]]",
    {
        "size": (0, 1024),
        "channels": (0, 3),
        "fold": (-1, MOST),
        "leave_out": (-1, MOST),
        "mixup": (0, 10),
        "cutmix": (0, 10),
        "mix_until": (0, 1),
        "teacher_share": (0, 1),
        "teacher_views": (0, 1000),
        "votes_share": (0, 1),
        "repeats": (1, 64),
        "epochs": (1, 100_000),
        "steps": (0, MOST),
        "batch_size": (1, 1_000_000),
        "learning_rate": (0, 100),
        "rest_rate": (0, 100),
        "momentum": (0, 1),
        "weight_decay": (0, 10),
        "warmup": (0, MOST),
        "decay_share": (0.01, 1),
        "factor": (0, 1),
        "patience": (1, MOST),
        "smoothing": (0, 0.99),
        "clip": (0, MOST),
        "ema": (0, 0.999999),
        "average_last": (0, MOST),
        "bn_batches": (0, MOST),
        "seed": (0, MOST),
        "order": (0, MOST),
        "stop_after": (0, MOST),
        "members": (1, 100),
        "orders": (1, 100),
        "workers": (-1, 1000),
        "save_every": (0, MOST),
    },
)
