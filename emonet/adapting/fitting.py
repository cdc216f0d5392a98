"""Fit a new head: the model's own logits, scaled, plus what the features add.

The logits of class c are s * o + w . z + b, where z are the standardised features and o is the logit that the model's
own heads give c. What is added is drawn towards nothing, the more the larger the penalty: with a few faces the head
stays near the model's own, with many it becomes a logistic regression on the features. Everything is linear in the
features, so that the head is some rows of the last layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from emonet.heads import MEAN, Head, HeadChoice

PENALTIES = (1e4, 3e3, 1e3, 300.0, 100.0, 30.0, 10.0)  # of half the squared weights; the largest first
FLAT = 1e-6  # features that vary less are not used
STOP = {"maxiter": 200, "ftol": 1e-6}  # of the search for the weights

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Layer(NamedTuple):
    """A dense layer: logits are features @ weights.T + bias."""

    weights: Array  # (classes, D)
    bias: Array  # (classes,)

    def __call__(self, features: Array) -> Array:
        """Compute logits (..., classes) of features (..., D)."""
        logits: Array = features @ self.weights.T + self.bias
        return logits


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Faces to learn from.

    Attributes:
        features: What the last layer is given (N, views, D).
        labels: The class of each face (N,).
        own: The layer that gives the model's own logits of the classes.
    """

    features: Array
    labels: Labels
    own: Layer

    @property
    def shares(self) -> Array:
        """The share of each class."""
        counts = np.bincount(self.labels, minlength=len(self.own.bias))
        return np.asarray(counts / counts.sum(), np.float64)

    def part(self, mask: Mask) -> Examples:
        """Return some of the faces."""
        return Examples(self.features[mask], self.labels[mask], self.own)


def make_own_layer(layer: Layer, choice: HeadChoice, classes: Sequence[str]) -> Layer:
    """Make the layer of the logits that a model's heads give some classes.

    It is the mean over the heads that answer by default, each centred: the logits of a head mean nothing by
    themselves, but their differences do. A class that none of these heads knows is taken from the other heads, and
    one that no head knows lies in the middle.

    Args:
        layer: The rows of all heads.
        choice: The default answer of the model.
        classes: The classes of the new head.
    """
    asked = [head for head in choice.heads if choice.head in (head.name, MEAN)]
    others = [head for head in choice.heads if head not in asked]
    rows: dict[str, list[tuple[Array, float]]] = {str(name): [] for name in classes}
    for head in [*asked, *others]:
        centred = _centre(layer, choice.heads, head, classes)
        for name, row in centred.items():
            if head in asked or not rows[name]:
                rows[name].append(row)
    width = layer.weights.shape[1]
    weights = [np.mean([row for row, _ in found], axis=0) if found else np.zeros(width) for found in rows.values()]
    bias = [float(np.mean([one for _, one in found])) if found else 0.0 for found in rows.values()]
    return Layer(np.array(weights), np.array(bias))


def _centre(layer: Layer, heads: Sequence[Head], head: Head, classes: Sequence[str]) -> dict[str, tuple[Array, float]]:
    """Return the rows of a head's classes less their mean, by its temperature, for the classes that it knows."""
    start = sum(len(one.classes) for one in heads[: list(heads).index(head)])
    places = {str(name): start + head.classes.index(name) for name in classes if name in head.classes}
    if not places:
        return {}
    within = list(places.values())
    weights, bias = (rows[within] / head.temperature for rows in (layer.weights, layer.bias))
    rows = zip(weights - weights.mean(0), bias - bias.mean(), strict=True)
    return {name: (row, float(one)) for name, (row, one) in zip(places, rows, strict=True)}


def fit_path(examples: Examples, penalties: Sequence[float] = PENALTIES) -> list[Layer]:
    """Fit a head for each penalty, each beginning where the one before it ended.

    Args:
        examples: The faces.
        penalties: The largest first.
    """
    from scipy.optimize import minimize

    rows = examples.features.reshape(-1, examples.features.shape[2])
    labels = np.repeat(examples.labels, examples.features.shape[1])
    mean, std = rows.mean(0), rows.std(0)
    scale = np.where(std > FLAT, 1 / np.maximum(std, FLAT), 0.0)
    known = _Problem((rows - mean) * scale, examples.own(rows), labels, 1 / examples.features.shape[1])
    count = len(examples.own.bias)
    at = np.zeros(1 + count + count * rows.shape[1])
    at[0] = 1.0
    found = []
    for penalty in penalties:
        at = minimize(known.measure, at, (penalty,), "L-BFGS-B", jac=True, options=STOP).x
        added = at[1 + count :].reshape(count, -1) * scale
        weights = at[0] * examples.own.weights + added
        found.append(Layer(weights, at[0] * examples.own.bias + at[1 : 1 + count] - added @ mean))
    return found


class _Problem(NamedTuple):
    """What is to be made small: the log loss, and how far the head is from the model's own."""

    z: Array  # standardised features (rows, D)
    own: Array  # the model's own logits (rows, classes)
    labels: Labels
    weight: float  # of a row: the views of a face count as one

    def measure(self, at: Array, penalty: float) -> tuple[float, Array]:
        """Return the value and its gradient."""
        count = self.own.shape[1]
        scale, bias, added = at[0], at[1 : 1 + count], at[1 + count :].reshape(count, -1)
        logits = scale * self.own + self.z @ added.T + bias
        logits -= logits.max(1, keepdims=True)
        rows = np.arange(len(logits))
        probabilities = np.exp(logits)
        sums = probabilities.sum(1, keepdims=True)
        loss = self.weight * float(np.log(sums[:, 0]).sum() - logits[rows, self.labels].sum())
        probabilities /= sums
        probabilities[rows, self.labels] -= 1
        probabilities *= self.weight
        loss += (penalty * float((added**2).sum()) + float((bias**2).sum()) + (scale - 1) ** 2) / 2
        slope = probabilities.T @ self.z + penalty * added
        gradient = [[float((probabilities * self.own).sum()) + scale - 1], probabilities.sum(0) + bias, slope.ravel()]
        return loss, np.concatenate(gradient)


def answer(layer: Layer, features: Array) -> Array:
    """Compute probabilities (N, classes), the mean over the views of each face."""
    logits = layer(features)
    logits -= logits.max(2, keepdims=True)
    shares = np.exp(logits)
    means: Array = (shares / shares.sum(2, keepdims=True)).mean(1)
    return means


def sum_losses(layers: Sequence[Layer], examples: Examples) -> Array:
    """Sum the log losses of faces for each of several layers (layers,)."""
    rows = np.arange(len(examples.labels))
    shares = [answer(layer, examples.features)[rows, examples.labels] for layer in layers]
    return np.array([-np.log(np.maximum(share, 1e-12)).sum() for share in shares])
