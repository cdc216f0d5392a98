"""`knn`: the nearest training images vote. A baseline that learns nothing: it keeps the images themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from emonet.models._arguments import check_whole
from emonet.models._network import Network
from emonet.models.inputs import InputSpec
from facecrop.errors import OptionError

LEAST = 1e-6  # the probability of a class without a vote: its logit must be finite


class Knn(Network):
    """Let the nearest training images vote, by scikit-learn.

    `memorise` takes the place of training.

    Args:
        classes: How many logits.
        neighbours: How many images vote.
        examples: How many images a stored network holds.
    """

    title = "the nearest training images vote, by scikit-learn"
    input = InputSpec(size=48, channels=1, scaling="unit")
    fit = "memorise"

    def __init__(self, classes: int = 7, *, neighbours: int = 5, examples: int = 0) -> None:
        super().__init__()
        check_whole("neighbours", neighbours)
        check_whole("examples", examples, 0)
        self.classes = classes
        self.neighbours = neighbours
        self.examples: Tensor
        self.labels: Tensor
        self.register_buffer("examples", torch.zeros(examples, self.input.channels, self.input.size, self.input.size))
        self.register_buffer("labels", torch.zeros(examples, dtype=torch.long))

    def memorise(self, x: Tensor, labels: Tensor) -> None:  # (N, 1, 48, 48), (N,)
        """Keep these images, scaled as in use, in place of any others."""
        if x.shape != (len(labels), *self.examples.shape[1:]):
            shape = ", ".join(map(str, self.examples.shape[1:]))
            raise OptionError(f"{len(labels)} labels need images ({len(labels)}, {shape}), got {tuple(x.shape)}")
        if wrong := set(labels.tolist()) - set(range(self.classes)):
            raise OptionError(f"labels must be from 0 to {self.classes - 1}, got {', '.join(map(str, sorted(wrong)))}")
        self.examples, self.labels = x.detach().clone(), labels.detach().clone()

    def forward(self, x: Tensor) -> Tensor:  # (N, 1, 48, 48) -> (N, classes)
        classifier = self._create_classifier()
        shares = np.zeros((len(x), self.classes))
        shares[:, classifier.classes_] = classifier.predict_proba(_flatten(x))  # of the classes that were memorised
        return torch.from_numpy(shares).to(x).clamp_min(LEAST).log()

    def _create_classifier(self) -> Any:
        """Create the classifier anew for each batch, which costs next to nothing: the work is in comparing."""
        from sklearn.neighbors import KNeighborsClassifier

        if len(self.examples) < self.neighbours:
            raise OptionError(f"{self.neighbours} neighbours of {len(self.examples)} images: memorise more of them")
        classifier = KNeighborsClassifier(self.neighbours, algorithm="brute")
        return classifier.fit(_flatten(self.examples), self.labels.numpy(force=True))


def _flatten(x: Tensor) -> np.ndarray[Any, Any]:
    return x.flatten(1).numpy(force=True)
