"""What the network shall answer to each training picture: its label, smoothed, or partly what votes or teachers say.

Labels of expressions are noisy, and say nothing of how alike two are. Ten people's votes on a picture, and other
networks' answers to it, know better. Votes are on pictures as they are. Teachers look at each picture as augmentation
and mixing made it this time, for they know their training pictures by heart, and have little to say of them.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from emonet.training.config import TrainConfig
from emonet.training.data import Faces


def make_targets(faces: Faces, config: TrainConfig) -> Tensor:
    """Class probabilities (N, classes): of labels the votes take their share, and smoothing of both."""
    targets = F.one_hot(torch.from_numpy(faces.labels), len(faces.classes)).float()
    if config.votes_share:
        targets = targets.lerp(_expected(faces), config.votes_share)
    return targets.lerp(torch.full_like(targets, 1 / targets.shape[1]), config.smoothing)


def _expected(faces: Faces) -> Tensor:
    """How probable each label is by the votes alone: voters and labels mean different things by the same words, so that
    is learned from all pictures with votes. Pictures without keep their labels."""
    from sklearn.linear_model import LogisticRegression

    votes = np.zeros((len(faces), 1)) if faces.votes is None else faces.votes
    voted = votes.sum(1) > 0
    if len(np.unique(faces.labels[voted])) < 2:
        raise ValueError(
            "votes_share wants votes on pictures of two classes or more: `emonet build --ferplus` joins them"
        )
    shares = votes[voted] / votes[voted].sum(1, keepdims=True)
    model = LogisticRegression(max_iter=1000).fit(shares, faces.labels[voted])
    expected = np.eye(len(faces.classes), dtype=np.float32)[faces.labels]
    expected[voted] = 0
    expected[np.ix_(voted, model.classes_)] = model.predict_proba(shares)
    return torch.from_numpy(expected)
