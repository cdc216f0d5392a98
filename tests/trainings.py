"""Shared by the tests of training: tiny data sets, and very short runs on them."""

from __future__ import annotations

import imitations

from emonet.datasets.builder import BuildOptions, build_dataset, prepare
from emonet.training import TrainConfig, train
from emonet.training.log import Silent, read_rows

FIVE = {"model": "tuned_five", "arguments": {"widths": [4, 4, 4, 8]}}
FIVE_DROPPING = {"model": "tuned_five", "arguments": {"widths": [4, 4, 4, 8], "dropout": [0.0, 0.2, 0.2, 0.5]}}
LENET = {"model": "lenet28", "arguments": {"hidden": 8}}
# With batch norm, random crops and dropout.
FAST = {"model": "emonet_fast", "arguments": {"widths": [4, 8, 8], "convolutions": [2, 1, 1], "dropout": 0.1}}

QUICK = {
    "epochs": 3,
    "batch_size": 8,
    "optimizer": "adam",
    "learning_rate": 0.003,
    "warmup": 0,
    "augment": "none",
    "workers": 0,
    "precision": "fp32",
    "device": "cpu",
}


def write_faces(path, portrait, *, training=35, tests=7):
    return imitations.write_fer2013_csv(path, imitations.fer2013_rows(portrait, training=training, tests=tests))


def build_store(folder, inputs, **options):
    """Build a store from images that are used whole. All are of one photo, so that near copies stay."""
    options = {"detector": "whole", "leaks": "exact", **options}
    chosen = BuildOptions({name: str(path) for name, path in inputs.items()}, **options)
    return build_dataset(prepare(chosen), folder, workers=1).store


def build_faces(folder, portrait, **options):
    """Build 28 training faces in three folds, and 7 each for dev, validation and test."""
    table = write_faces(folder / "fer2013.csv", portrait)
    return build_store(folder / "store", {"fer2013": table}, **{"dev": 7, "folds": 3, **options})


def build_voted(folder, portrait, **options):
    """Build the same faces, four of five with votes of FER+: most are for the label, one is for "unknown"."""
    rows = imitations.fer2013_rows(portrait, training=35, tests=7)
    table = imitations.write_fer2013_csv(folder / "fer2013.csv", rows)
    lines = [imitations.FERPLUS_HEADER]
    for number, row in enumerate(rows):
        votes = [7 * (row.code == code) + (code in (0, 6)) for code in (6, 3, 5, 4, 0, 1, 2, 7)] + [1, 0]
        lines.append(",".join([row.usage, f"fer{number:07d}.png", *(str(vote * (number % 5 > 0)) for vote in votes)]))
    votes = imitations.write_text(folder / "fer2013new.csv", "\n".join(lines) + "\n")
    return build_store(folder / "store", {"fer2013": table}, **{"dev": 7, "folds": 3, "ferplus": str(votes), **options})


def fit_on_few(patch):
    """Fit temperatures on few images, which say little: a fit may end at the last temperature that is tried."""
    patch.setattr("emonet.evaluation.calibration.FEWEST_IMAGES", 1)
    patch.setattr("emonet.evaluation.calibration.EDGE", 1)


def quick(**options):
    """Return the options of a very short training of a small network."""
    return TrainConfig.from_dict(FIVE | QUICK | options)


def trained(store, folder, watch=None, *, overwrite=False, draw=False, **options):
    """Train, by default without drawings, which take longer than the training of such small networks."""
    return train(quick(**options), store, folder, watch, overwrite=overwrite, draw=draw)


def log(folder):
    return read_rows(folder / "log.csv")


class Stopping(Silent):
    """Stops a run after so many steps or epochs, as Ctrl-C does."""

    def __init__(self, *, steps=0, epochs=0):
        self._steps, self._epochs = steps, epochs

    def step(self, *_):
        self._steps -= 1
        if self._steps == 0:
            raise KeyboardInterrupt

    def epoch(self, *_):
        self._epochs -= 1
        if self._epochs == 0:
            raise KeyboardInterrupt
