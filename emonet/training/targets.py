"""What the network shall answer to each training picture: its label, or partly what votes or teachers say.

Labels of expressions are noisy, and say nothing of how alike two are. Ten people's votes on a picture, and other
networks' answers to it, know better. They are asked for once, of pictures as they are, and serve for all that
augmentation makes of these.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from emonet.checkpoint import Checkpoint
from emonet.classifier import Classifier
from emonet.devices import Machine
from emonet.training.config import TrainConfig
from emonet.training.data import Faces


def make_targets(faces: Faces, teachers: Sequence[Checkpoint], config: TrainConfig, machine: Machine) -> Tensor:
    """Class probabilities (N, classes): of labels the votes take their share, and of both the teachers theirs."""
    targets = F.one_hot(torch.from_numpy(faces.labels), len(faces.classes)).float()
    if config.votes_share:
        targets = targets.lerp(_expected(faces), config.votes_share)
    if teachers:
        answers = torch.stack([_answers(teacher, faces, machine) for teacher in teachers])
        targets = targets.lerp(answers.mean(0), config.teacher_share)
    return targets


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


def _answers(teacher: Checkpoint, faces: Faces, machine: Machine) -> Tensor:
    classify = Classifier(teacher.network().to(machine.device), teacher.input, machine, view="mirror")
    return torch.from_numpy(classify(faces.pixels))
