"""What does `emonet adapt` gain, and what does it cost, with 50, 100 and 200 labelled faces?

    python benchmarks/adapt.py STORE [--model emonet] [--split validation] [--draws 10] [--table]

The faces of a split are divided at random into two halves: a head learns from 50, 100 or 200 faces of one half, as many
of each class as there are, and is scored on the whole other half, beside the model as it was. Labels:

    published    those of the data set: nothing changes
    people       what most of FER+'s ten people see, kept to happy, sad, surprise and neutral
    unpleasant   the same, but angry, disgust, fear and sad are one class, labelled sad

Each is also done with degraded faces: 16 pixels wide, darker or brighter by a gamma of 0.6, and JPEG of quality 30.
Each cell holds accuracy and macro recall in %, means over the draws, after also with the standard deviation of the
accuracy. "From nothing" is a logistic regression that does not begin with the model's own head. "Summed" adds up the
model's own probabilities of the classes that were made one, which needs no labels, but somebody who knows what the
labels mean. "Rose" is how often the accuracy was higher after than before, "written" how often the cross-validation of
the labelled faces alone let the head be written, "cross-validated" the accuracy that it gave.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
from numpy.typing import NDArray

from emonet.adapting.features import Features, compute_features, find_last_layer
from emonet.adapting.fitting import Array, Examples, Layer, answer, make_own_layer
from emonet.adapting.head import read_last_layer
from emonet.adapting.judging import Judgement, divide_by_prior, fit_head, judge, restrict
from emonet.datasets import open_store
from emonet.datasets.ferplus import find_majorities
from emonet.evaluation.intervals import separate_images
from emonet.faces import Faces, read_faces
from emonet.html.formatting import markdown_table
from emonet.inference import Checkpoint, load_model, open_machine
from emonet.labels import Emotion
from emonet.models.inputs import Pixels

SIZES = (50, 100, 200)
UNPLEASANT = (Emotion.ANGRY, Emotion.DISGUST, Emotion.FEAR, Emotion.SAD)
KEPT = (Emotion.HAPPY, Emotion.SAD, Emotion.SURPRISE, Emotion.NEUTRAL)
SIDE, GAMMA, QUALITY = 16, 0.6, 30
LEAST = 5  # faces of a class that are learned from


@dataclass(frozen=True)
class Task:
    """Labels of faces (N,), as places in `classes`; -1 for faces that have none."""

    name: str
    classes: tuple[Emotion, ...]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Drawn:
    """What one draw gave: accuracy and macro recall, before and after."""

    learned: int
    before: tuple[float, float]
    after: tuple[float, float]
    summed: tuple[float, float]
    from_nothing: tuple[float, float]
    cross_validated: float
    written: bool
    seconds: float


def list_tasks(faces: Faces) -> list[Task]:
    """List the label systems."""
    places = {emotion: place for place, emotion in enumerate(Emotion)}
    published = np.array([places[emotion] for emotion in faces.classes])[faces.labels]
    seen = np.full(len(faces), -1) if faces.votes is None else find_majorities(faces.votes)
    joined = np.where(np.isin(seen, [places[one] for one in UNPLEASANT]), places[Emotion.SAD], seen)
    return [
        _make_task("published", published),
        _make_task("people", np.where(np.isin(seen, [places[one] for one in KEPT]), seen, -1)),
        _make_task("unpleasant", np.where(np.isin(joined, [places[one] for one in KEPT]), joined, -1)),
    ]


def _make_task(name: str, places: NDArray[np.int64]) -> Task:
    found = np.unique(places[places >= 0])
    labels = np.full(len(places), -1)
    for label, place in enumerate(found):
        labels[places == place] = label
    return Task(name, tuple(list(Emotion)[place] for place in found), labels)


def degrade(pixels: Pixels) -> Pixels:
    """Make faces small, of another light, and badly packed."""
    return np.stack([_degrade(image) for image in pixels])


def _degrade(image: Pixels) -> Pixels:
    side = image.shape[0]
    small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
    lit = np.asarray(255 * (large / 255.0) ** GAMMA, np.uint8).reshape(image.shape)
    _, packed = cv2.imencode(".jpg", lit, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    kind = cv2.IMREAD_GRAYSCALE if image.shape[2] == 1 else cv2.IMREAD_COLOR
    return np.asarray(cv2.imdecode(packed, kind), np.uint8).reshape(image.shape)


def measure(model: Checkpoint, features: Features, task: Task, size: int, seed: int) -> Drawn:
    """Learn from some faces of one half, and score on the other."""
    layer = read_last_layer(model, find_last_layer(model.network(), model))
    choice, count = model.choice(), len(task.classes)
    order = np.random.default_rng(seed).permutation(np.flatnonzero(task.labels >= 0))
    half, rest = order[: len(order) // 2], order[len(order) // 2 :]
    each = max(LEAST, size // count)
    learned = np.concatenate([half[task.labels[half] == label][:each] for label in range(count)])
    before = restrict(choice, features.probabilities, task.classes)
    labels = task.labels[rest]

    def learn(own: Layer) -> tuple[Judgement, tuple[float, float]]:
        examples = Examples(features.values[learned], task.labels[learned], own)
        alone, prior = separate_images(len(learned)), model.default_prior
        judgement = judge(examples, before[learned], task.classes, alone, prior, folds=5)
        said = answer(fit_head(examples, judgement.penalty), features.values[rest])
        return judgement, score(divide_by_prior(said, examples.shares, prior), labels)

    own = make_own_layer(layer, choice, task.classes)
    began = perf_counter()
    judgement, after = learn(own)
    seconds = perf_counter() - began
    return Drawn(
        len(learned),
        score(before[rest], labels),
        after,
        score(sum_unpleasant(choice(features.probabilities[rest]), choice.classes, task), labels),
        learn(Layer(np.zeros_like(own.weights), np.zeros_like(own.bias)))[1],
        judgement.after.accuracy,
        judgement.is_better,
        seconds,
    )


def sum_unpleasant(probabilities: NDArray[np.floating], known: Sequence[Emotion], task: Task) -> Array:
    """Add up the probabilities of the classes that a task takes as one, if it does."""
    merged = UNPLEASANT if task.name == "unpleasant" else (Emotion.SAD,)
    of_class = [merged if emotion == Emotion.SAD else (emotion,) for emotion in task.classes]
    return np.stack([sum(probabilities[:, known.index(one)] for one in parts) for parts in of_class], axis=1)


def score(probabilities: Array, labels: NDArray[np.int64]) -> tuple[float, float]:
    """Compute accuracy and macro recall."""
    right = probabilities.argmax(1) == labels
    return float(right.mean()), float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))


def list_rows(name: str, drawn: Sequence[Drawn]) -> Iterator[str]:
    """Yield the cells of a row."""
    yield name
    yield f"{drawn[0].learned}"
    for part in ("before", "after", "from_nothing", "summed"):
        accuracy, recall = 100 * np.array([getattr(one, part) for one in drawn]).T
        spread = f" ± {accuracy.std(ddof=1):.1f}" if part == "after" else ""
        yield f"{accuracy.mean():.1f}{spread} / {recall.mean():.1f}"
    gains = np.array([one.after[0] - one.before[0] for one in drawn])
    yield f"{(gains > 0).sum()} of {len(drawn)}"
    yield f"{sum(one.written for one in drawn)} of {len(drawn)}"
    yield f"{100 * np.mean([one.cross_validated for one in drawn]):.1f}"
    yield f"{np.mean([one.seconds for one in drawn]):.1f}"


HEADER = ("labels", "faces", "before", "after", "from nothing", "summed", "rose", "written", "cross-validated", "s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("--model", default="emonet")
    parser.add_argument("--split", default="validation")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--table", action="store_true", help="print a table for the documentation")
    given = parser.parse_args()
    model = load_model(given.model)
    faces = read_faces(open_store(given.store), [given.split], model.input, storage="memory")
    layer, machine = find_last_layer(model.network(), model), open_machine("cpu", "fp32")
    rows = []
    for domain, pixels in (("", faces.array), (", degraded", degrade(faces.array))):
        features = compute_features(model, layer, pixels, machine)
        for task in list_tasks(faces):
            for size in SIZES:
                drawn = [measure(model, features, task, size, seed) for seed in range(given.draws)]
                rows.append(tuple(list_rows(f"{task.name}{domain}", drawn)))
                if not given.table:
                    print("; ".join(f"{name} {cell}" for name, cell in zip(HEADER, rows[-1], strict=True)), flush=True)
    if given.table:
        print(markdown_table(HEADER, rows, align_right=True))


if __name__ == "__main__":
    main()
