"""The options of a training: one frozen dataclass. A new option is a new field of it, and nothing else.

The annotation of a field is its help text, its limits and its choices (`emonet/options.py`). The command line, the TOML
file and the stored model have the option then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Annotated, Any

from emonet.inference.views import View
from emonet.labels import Emotion
from emonet.options import Option, check_options, from_table, option_fields, split_names, to_table
from emonet.training import choices
from emonet.training.contradictions import check_together


class Panel(StrEnum):
    """The groups of options that `emonet train --help` shows."""

    NETWORK = "Network"
    DATA = "Data"
    AUGMENTATION = "Augmentation"
    LEARNING = "Learning"
    CHOICE = "Choice"
    MACHINE = "Machine"


NETWORK, DATA, AUGMENTATION, LEARNING, CHOICE, MACHINE = (partial(Option, panel=panel) for panel in Panel)

CLASSES = tuple(str(emotion) for emotion in Emotion)


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """The options of one training run.

    Options of `Panel.MACHINE` but `precision` may change when a run is resumed; all others may not.

    Raises:
        OptionError: A value cannot be used, or options contradict one another.
    """

    model: Annotated[str, NETWORK("Name of the network to train; `emonet models` lists the names.")] = "emonet"
    arguments: Annotated[Mapping[str, Any], NETWORK("Set an argument of the network.", flag="--set")] = field(
        default_factory=dict
    )
    size: Annotated[int, NETWORK("Side of the input images in pixels; 0: as the network needs.", 0, 1024)] = 0
    channels: Annotated[
        int, NETWORK("Channels of the input images: 1 (grey), 3 (colour); 0: as the network needs.", 0, 3)
    ] = 0
    scaling: Annotated[
        str,
        NETWORK(
            "Scale pixels: unit, centred, standardised, per_picture or local_contrast.", default="as the network needs"
        ),
    ] = ""
    init: Annotated[
        str, NETWORK("Start from the weights of this model; of several, separated by commas, their mean.")
    ] = ""
    new_head: Annotated[
        bool, NETWORK("Train the last layers from scratch where the model of --init has other classes.")
    ] = False
    heads: Annotated[
        Mapping[str, float],
        NETWORK(
            "Learn a head for these labels, name=weight of its loss. Names: a data set; seen (the FER+ votes); "
            "labels (all data sets without a head of their own).",
            0,
            1000,
            default="one head",
        ),
    ] = field(default_factory=dict)

    classes: Annotated[
        str, DATA("Use only these classes: fer6 or another list's name, or names separated by commas.")
    ] = ""
    fold: Annotated[int, DATA("Choose the epoch on this fold of the training split; -1: on the split dev.", -1)] = -1
    leave_out: Annotated[int, DATA("Do not use this fold of the training split at all; -1: use all folds.", -1)] = -1
    all_train: Annotated[
        bool, DATA("Train on dev too, by a fixed schedule: nothing is left to choose the epoch by.")
    ] = False
    sources: Annotated[tuple[str, ...], DATA("Use only these of the merged data sets.")] = ()
    source_weights: Annotated[
        Mapping[str, float], DATA("Show a data set's images so many times an epoch, such as jaffe=4.", 0, 1000)
    ] = field(default_factory=dict)
    balance_sources: Annotated[bool, DATA("Show each data set equally often.")] = False
    balance: Annotated[
        choices.Balance,
        DATA(
            "Treat rare classes: none, weights (in the loss), oversample, or logits (adjusted by the classes' shares)."
        ),
    ] = "none"
    class_weights: Annotated[
        Mapping[str, float], DATA("Weight a class in the loss, such as disgust=2.", 0, 1000, keys=CLASSES)
    ] = field(default_factory=dict)
    oversample: Annotated[
        Mapping[str, float], DATA("Show a class so many times an epoch, such as disgust=4.", 0, 1000, keys=CLASSES)
    ] = field(default_factory=dict)

    augment: Annotated[
        str, AUGMENTATION("Augment with none, mirror, tilted, classic, turned, shifted, strong or degraded.")
    ] = "strong"
    augment_from: Annotated[
        Mapping[str, str], AUGMENTATION("Change the augmentation from an epoch on, such as 30=mirror.")
    ] = field(default_factory=dict)
    alternate_mirror: Annotated[bool, AUGMENTATION("Mirror each image in every second epoch, not at random.")] = False
    repeats: Annotated[
        int, AUGMENTATION("Put so many views of each image into a batch; epochs then show fewer images.", 1, 64)
    ] = 1
    size_from: Annotated[
        Mapping[str, int], AUGMENTATION("Shrink images from a share of the steps on, such as 0.5=32 pixels.", 8, 1024)
    ] = field(default_factory=dict)
    augment_with: Annotated[
        choices.AugmentWith,
        AUGMENTATION("Augment by albumentations, torch, or auto: torch on a GPU or without albumentations."),
    ] = "auto"
    mixup: Annotated[
        float, AUGMENTATION("Blend pairs of images (mixup): alpha of the Beta distribution; 0: off.", 0, 10)
    ] = 0.0
    cutmix: Annotated[
        float, AUGMENTATION("Paste parts of other images (CutMix): alpha of the Beta distribution; 0: off.", 0, 10)
    ] = 0.0
    mix_until: Annotated[float, AUGMENTATION("Stop mixup and CutMix after this share of the epochs.", 0, 1)] = 1.0

    epochs: Annotated[int, LEARNING("Number of passes over the training data.", 1, 100_000)] = 60
    epoch_images: Annotated[
        int,
        LEARNING(
            "Show the images of a small data set several times an epoch, so that there are about so many; 0: once.",
            0,
            default="the recipe's, without --epochs, --steps and --init",
        ),
    ] = 0
    steps: Annotated[int, LEARNING("Stop after so many steps; 0: after the epochs.", 0)] = 0
    batch_size: Annotated[int, LEARNING("Number of images in a batch, of all processes together.", 1, 1_000_000)] = 128
    optimizer: Annotated[
        choices.Optimizer,
        LEARNING("Optimize with sgd (Nesterov momentum), adam, adamw, or muon (for kernels; sgd for the rest)."),
    ] = "sgd"
    learning_rate: Annotated[
        float, LEARNING("Highest learning rate. With muon it is that of the kernels: try 0.02.", 0, 100)
    ] = 0.1
    rest_rate: Annotated[
        float, LEARNING("With muon: highest learning rate of all weights that are not kernels.", 0, 100)
    ] = 0.1
    momentum: Annotated[float, LEARNING("With sgd and muon: Nesterov momentum.", 0, 1)] = 0.9
    weight_decay: Annotated[float, LEARNING("Weight decay. Keras' l2(x) is a weight decay of 2x.", 0, 10)] = 5e-4
    decay: Annotated[
        choices.Decay, LEARNING("Weights that decay: kernels (of convolutions and dense layers) or all.")
    ] = "kernels"
    schedule: Annotated[
        choices.Schedule,
        LEARNING(
            "Lower the learning rate: constant, cosine, plateau (when dev stops improving) or trapezoid "
            "(linearly at the end)."
        ),
    ] = "cosine"
    warmup: Annotated[float, LEARNING("Number of epochs in which the learning rate rises from zero.", 0)] = 2.0
    decay_share: Annotated[
        float, LEARNING("With trapezoid: the last share of the steps, in which the rate falls.", 0.01, 1)
    ] = 0.3
    factor: Annotated[float, LEARNING("With plateau: multiply the learning rate by this.", 0, 1)] = 0.5
    patience: Annotated[int, LEARNING("With plateau: wait so many epochs for a better one.", 1)] = 5
    loss: Annotated[
        choices.Loss, LEARNING("Loss function: softmax (cross-entropy) or hinge (squared, one class against the rest).")
    ] = "softmax"
    smoothing: Annotated[float, LEARNING("Smooth the labels by this share.", 0, 0.99)] = 0.0
    teacher: Annotated[
        tuple[str, ...],
        LEARNING("Learn also from the probabilities of this model; of several, from their mean.", path=True),
    ] = ()
    teacher_labels: Annotated[
        tuple[str, ...],
        LEARNING("Learn also from a file that --out-of-fold wrote; of several, from their mean.", path=True),
    ] = ()
    teacher_share: Annotated[
        float, LEARNING("Weight of the teacher's probabilities; the labels have the rest.", 0, 1)
    ] = 0.5
    teacher_views: Annotated[
        int,
        LEARNING(
            "Show so many fixed views of each image in turn, and ask the teacher once for each; 0: new views "
            "each epoch.",
            0,
            1000,
        ),
    ] = 0
    votes_share: Annotated[
        float, LEARNING("Weight of the FER+ votes, as expected labels; the labels have the rest.", 0, 1)
    ] = 0.0
    clip: Annotated[float, LEARNING("Limit the norm of the gradient; 0: no limit.", 0)] = 0.0
    ema: Annotated[float, LEARNING("Keep a moving average of the weights, with this decay; 0: off.", 0, 0.999999)] = 0.0
    average_last: Annotated[
        int, LEARNING("With --keep last: keep the mean of so many last epochs' weights, instead of --ema; 0: off.", 0)
    ] = 0
    bn_batches: Annotated[int, LEARNING("Estimate batch norm anew from so many batches at the end; 0: off.", 0)] = 0
    window: Annotated[
        int,
        LEARNING(
            "Shuffle within windows of so many images, from row groups at random; 0: shuffle all.",
            0,
            default="8192 where images are streamed, else 0",
        ),
    ] = 0
    seed: Annotated[int, LEARNING("Seed of the first weights, the order of images, augmentation and dropout.", 0)] = 0
    order: Annotated[int, LEARNING("Change the order of images and the augmentation without changing the seed.", 0)] = 0

    choose_by: Annotated[choices.Measure, CHOICE("Choose the best epoch on dev by accuracy, macro_f1 or loss.")] = (
        "accuracy"
    )
    keep: Annotated[choices.Keep, CHOICE("Keep the weights of the best or of the last epoch.")] = "best"
    stop_after: Annotated[int, CHOICE("Stop after so many epochs without a better one; 0: never.", 0)] = 0
    members: Annotated[int, CHOICE("Train so many networks with seeds of their own, and average them.", 1, 100)] = 1
    orders: Annotated[
        int, CHOICE("Train with so many orders of the images, and keep the network that is best on dev.", 1, 100)
    ] = 1
    out_of_fold: Annotated[
        bool,
        CHOICE(
            "Train a network for each fold on the other folds, write its probabilities for the fold to "
            "teacher_labels.parquet, and average the networks. Build the data set with --folds."
        ),
    ] = False
    label_view: Annotated[View, CHOICE("With --out-of-fold: test-time augmentation: none, mirror or ten_crop.")] = (
        "mirror"
    )

    precision: Annotated[
        choices.Precision, MACHINE("Compute with fp32, bf16, or auto: bf16 where the processor has it.")
    ] = "auto"
    channels_last: Annotated[
        bool, MACHINE("Lay images out with the channels last, which is faster on most machines.")
    ] = True
    compile: Annotated[
        bool, MACHINE("Use torch.compile: it takes some time at first, and pays for long trainings.")
    ] = False
    device: Annotated[str, MACHINE("Train on auto, cpu, mps, cuda, or cuda:1 for one of several GPUs.")] = "auto"
    workers: Annotated[
        int, MACHINE("Threads that augment images; -1: as many as pay. The result is the same.", -1, 1000)
    ] = -1
    part_size: Annotated[
        int,
        MACHINE(
            "Learn at most so many images of a batch at once, and add up the gradients; 0: each process learns its "
            "share at once.",
            0,
            1_000_000,
        ),
    ] = 0
    storage: Annotated[
        choices.Storage,
        MACHINE(
            "Keep decoded images in memory, on disk, or stream them from the data set while learning; auto: in memory "
            "if they fit, or else stream."
        ),
    ] = "auto"
    wait_seconds: Annotated[
        float, MACHINE("With several processes: end when another has not answered for so many seconds.", 1, 86_400)
    ] = 300.0
    save_every: Annotated[float, MACHINE("Save the state every so many seconds within an epoch.", 0)] = 120.0
    tensorboard: Annotated[bool, MACHINE("Write a log for TensorBoard too; needs emonet[log].")] = False

    @property
    def starts(self) -> tuple[str, ...]:
        """The models of `init`."""
        return split_names(self.init, paths=True)

    def __post_init__(self) -> None:
        check_options(self)
        check_together(self)

    def policy(self, epoch: int) -> str:
        """Return the name of the augmentation of an epoch; the first epoch is 1."""
        begun = {int(first): policy for first, policy in self.augment_from.items() if int(first) <= epoch}
        return begun[max(begun)] if begun else self.augment

    def shown_size(self, done: float) -> int | None:
        """Return the size that images are shrunk to when this share of the steps is done; None: not shrunk."""
        begun = {float(share): size for share, size in self.size_from.items() if float(share) <= done}
        return begun[max(begun)] if begun else None

    def identity(self) -> dict[str, Any]:
        """Return the options that must not change when a run is resumed: all but those of `Panel.MACHINE`."""
        machine = {option.name for option in option_fields(TrainConfig) if option.option.panel == Panel.MACHINE}
        return {name: value for name, value in self.to_dict().items() if name not in machine - {"precision"}}

    def to_dict(self) -> dict[str, Any]:
        """Return every option by its name, as JSON takes it."""
        return to_table(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainConfig:
        """Make a config from what `to_dict` gave, or from a part of it; unknown names raise an OptionError."""
        return from_table(cls, values)
