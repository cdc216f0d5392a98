"""What tests of reports share: evaluations whose every answer is given, of a network that was never trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from emonet.datasets.ferplus import VOTES
from emonet.datasets.store import Store, StoreInfo
from emonet.datasets.store.info import CopyCounts
from emonet.evaluation import Evaluation
from emonet.evaluation.cost import Cost
from emonet.evaluation.intervals import find_clusters
from emonet.evaluation.metrics import score
from emonet.evaluation.votes import score_votes
from emonet.faces import Faces
from emonet.heads import Head, sizes
from emonet.inference.checkpoint import Checkpoint
from emonet.labels import Emotion
from emonet.models import create_model
from emonet.training import TrainConfig
from facecrop import CropSpec

SEVEN = tuple(Emotion)[:7]
FILES = {"train-00000-of-00001.parquet": "0" * 64}
SURE = 0.8, 0.6  # of the first picture's answer, and towards the last's


def store(train=(), *, classes=SEVEN, **info):
    """A data set that has a description alone; `train` is how many pictures of each class there are to learn from."""
    counts = {"fer2013": {"train": dict(zip(classes, train, strict=False))}} if train else {}
    options = {"crop": CropSpec.fer2013().to_dict(), "detector": "whole"}
    about = StoreInfo(
        classes=tuple(classes),
        splits={},
        counts=counts,
        rejected={},
        evaluated={},
        copies=CopyCounts(0, 0, 0, 0, 0, 0, 0, {}),
        sources={},
        votes=VOTES,
        options=options,
        inputs={},
        versions={},
        files=FILES,
    )
    return Store(Path("somewhere/kept"), replace(about, **info))


def training(**config):
    """What a model file says of a run on that data set."""
    return {
        "config": TrainConfig(**config).to_dict(),
        "identity": {"data": store().identity},
        "pictures": 1200,
        "sources": {"fer2013": 1000, "jaffe": 200},
        "epochs": 5,
        "chosen_epoch": 3,
    }


def checkpoint(classes=SEVEN, *, model="lenet28", about=None, heads=(), **arguments):
    heads = heads or (Head("fer2013", classes),)
    network = create_model(model, classes=sum(sizes(heads)), **arguments)
    return Checkpoint(
        model,
        arguments,
        heads,
        CropSpec.fer2013(),
        "whole",
        network.input,
        network.state_dict(),
        about or training(),
    )


def faces(labels, *, classes=SEVEN, source="fer2013", channels=1, size=28, left_out=None, votes=None, **names):
    """Make images of noise; `names` are subjects, sequences and splits, as lists."""
    pixels = np.random.default_rng(0).integers(0, 256, (len(labels), size, size, channels), np.uint8)
    keys = [f"{source}/{number:04}" for number in range(len(labels))]
    counted = None if votes is None else np.array(votes, np.int16)
    known = {name: np.array(values) for name, values in names.items()}
    sources = np.array([source] * len(labels))
    return Faces(pixels, np.array(labels), sources, keys, classes, left_out or {}, counted, **known)


def probabilities(answers, count):
    """The first picture's answer is the surest, and each less sure than the one before."""
    sure = np.linspace(*SURE, len(answers))[:, None]
    there = np.arange(count) == np.array(answers)[:, None]
    return np.where(there, sure, (1 - sure) / (count - 1)).astype(np.float32)


def evaluated(
    labels,
    answers,
    *,
    name="a model",
    split="validation",
    views=("none",),
    made=None,
    data=None,
    head="",
    by_head=(),
    **given,
):
    """A model that gives these answers, places among the classes, by every view."""
    looked = faces(labels, **given)
    said = probabilities(answers, len(looked.classes))
    scores = {"all": score(said, looked.labels, looked.classes, clusters=find_clusters(looked))}
    evaluation = Evaluation(
        name=name,
        checkpoint=made or checkpoint(looked.classes, hidden=4),
        store=data or store([9] * 7),
        split=split,
        faces=looked,
        answers=dict.fromkeys(views, said),
        parts={"all": np.ones(len(labels), np.bool_)},
        scores=dict.fromkeys(views, scores),
        head=head,
        votes=dict.fromkeys(views, score_votes(said, looked)) if looked.votes is not None else {},
        by_head=dict.fromkeys(views, by_head) if by_head else {},
    )
    vars(evaluation)["cost"] = Cost(1234567, 1234000, 56_000_000, 789.4, 1.26, "a machine")  # instead of measuring it
    return evaluation
