"""Measure how coverage and accuracy change with the least confidence, and read what was measured from a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emonet.errors import MissingFileError, OptionError
from emonet.inference.coverage import CoverageCurve, CoveragePoint
from emonet.inference.learned import learned_from_dev

if TYPE_CHECKING:
    from emonet.datasets.store import Store
    from emonet.evaluation.evaluation import Evaluation
    from emonet.inference.checkpoint import Checkpoint

STEPS = 20  # points of a curve: every 5 %
FIGURES = "evaluation.json"  # in the folder of a report
HOW = "measure it with `emonet evaluate MODEL STORE --split dev -o REPORT`"


def measure_coverage(evaluation: Evaluation) -> tuple[CoverageCurve, ...]:
    """Measure the curve of each view that was scored."""
    choice, labels = evaluation.choice, evaluation.faces.labels
    data = f"{evaluation.store.path.name}, {evaluation.scored}"
    return tuple(
        CoverageCurve(choice.head, choice.prior, view, data, len(labels), find_points(probabilities, labels))
        for view, probabilities in evaluation.answers.items()
    )


def measure_on_dev(checkpoint: Checkpoint, store: Store) -> tuple[CoverageCurve, ...]:
    """Measure the curves of a model's default answer on dev, as it is and with mirror averaging.

    Raises:
        OptionError: The data set has no dev, or the model learned from it.
    """
    from emonet.evaluation.evaluation import evaluate

    check_dev_is_new(checkpoint, store)
    return evaluate(checkpoint, store, "dev").coverage


def check_dev_is_new(checkpoint: Checkpoint, store: Store) -> None:
    """Raise OptionError if a model learned from the split dev of a data set: it is too sure of these images."""
    there = [source for source, splits in store.info.counts.items() if sum(splits.get("dev", {}).values())]
    if learned_from_dev(checkpoint.training, there or None):
        raise OptionError(
            "the model learned from dev, or the weights that it began with did: how sure it may be cannot be "
            "measured there"
        )


def find_points(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], steps: int = STEPS
) -> tuple[CoveragePoint, ...]:
    """Find the least confidence for each step of coverage, from all faces down.

    Args:
        probabilities: Of each image, (N, classes).
        labels: The index of the true class of each image, (N,).
        steps: How many points.
    """
    confidence = probabilities.max(1).astype(np.float64)
    right = probabilities.argmax(1) == labels
    sorted_down = np.sort(confidence)[::-1]
    points = []
    for step in range(steps, 0, -1):
        least = float(sorted_down[max(0, round(len(labels) * step / steps) - 1)])
        answered = confidence >= least
        points.append(CoveragePoint(float(answered.mean()), least, float(right[answered].mean())))
    return tuple(points)


def read_curves(report: Path, checkpoint: Checkpoint) -> tuple[CoverageCurve, ...]:
    """Read the curves of a model from the report of `emonet evaluate`.

    Args:
        report: The folder of the report.
        checkpoint: The model that the report must be of.

    Raises:
        MissingFileError: There is no such report.
        OptionError: The report is of another model, or of other images than dev.
    """
    path = report / FIGURES
    if not path.is_file():
        raise MissingFileError(f"no {FIGURES} in {report}: {HOW}")
    told = json.loads(path.read_text(encoding="utf-8"))
    if "coverage" not in told or told.get("identity") != checkpoint.identity:
        raise OptionError(f"{report} is the report of another model, or an old one: {HOW}")
    if told["split"] != "dev" or learned_from_dev(told["training"], told.get("sources") or None):
        raise OptionError(f"{report} is of images that are not dev, or that the model learned from: {HOW}")
    return tuple(map(CoverageCurve.from_dict, told["coverage"]))
