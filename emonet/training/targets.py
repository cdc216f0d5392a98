"""What each head should answer to each training picture: its label, smoothed, or partly what votes or teachers say.

The targets of all heads stand side by side, as the network's scores do. A head's row sums to how much the picture
counts for it, and is zero where the head has nothing to learn from the picture. Losses are linear in targets, so mixing
pictures, teachers and weights are all done on these rows.

Votes are on pictures as they are. Teachers look at each picture as augmentation and mixing made it this time, for they
have memorised their training pictures, and would only repeat the labels. Teacher labels come from networks that did not
learn from the picture, so one answer for each picture will do. Live teachers take their share after them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from emonet.errors import OptionError
from emonet.faces import Faces
from emonet.heads import SEEN, Head, sizes
from emonet.training.config import TrainConfig
from emonet.training.heads import labelled, seen_targets
from emonet.training.teacher_labels import TeacherLabels
from emonet.training.transfer import shared_columns


def make_targets(faces: Faces, heads: tuple[Head, ...], config: TrainConfig) -> Tensor:
    """Make the targets (N, all heads' classes): labels, votes and smoothing, times the weight of each head."""
    weights = head_weights(heads, config)
    labels = _label_targets(faces, config) if any(head.name != SEEN for head in heads) else torch.empty(0)
    parts = [
        torch.from_numpy(seen_targets(faces))
        if head.name == SEEN
        else labels * torch.from_numpy(labelled(head, heads, faces))[:, None]
        for head in heads
    ]
    return torch.cat([part * weights[head.name] for head, part in zip(heads, parts, strict=True)], dim=1)


def head_weights(heads: tuple[Head, ...], config: TrainConfig) -> Mapping[str, float]:
    """How much the loss of each head counts."""
    return {head.name: config.heads.get(head.name, 1.0) for head in heads}


def column_weights(heads: tuple[Head, ...], config: TrainConfig) -> Tensor:
    """The weight of the head that each column belongs to (all heads' classes,)."""
    weights = head_weights(heads, config)
    columns = zip(heads, sizes(heads), strict=True)
    return torch.tensor([weights[head.name] for head, count in columns for _ in range(count)])


def blend_labels(
    targets: Tensor, given: Sequence[TeacherLabels], faces: Faces, heads: tuple[Head, ...], config: TrainConfig
) -> Tensor:
    """Give the mean of teacher labels its share of the targets. Pictures and heads without any keep their targets."""
    sums, counts = torch.zeros_like(targets), torch.zeros_like(targets)
    for labels in given:
        places = torch.from_numpy(labels.places(faces.keys))
        theirs, ours = shared_columns(labels.heads, heads)
        rows = torch.nonzero(places >= 0)
        sums[rows, ours] += torch.from_numpy(labels.answers)[places[rows], theirs]
        counts[rows, ours] += 1
    answers = sums / counts.clamp_min(1) * column_weights(heads, config)
    return targets.lerp(answers, config.teacher_share * (counts > 0).float())


def _label_targets(faces: Faces, config: TrainConfig) -> Tensor:
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
        raise OptionError(
            "votes_share wants votes on pictures of two classes or more: `emonet build --ferplus` joins them"
        )
    shares = votes[voted] / votes[voted].sum(1, keepdims=True)
    model = LogisticRegression(max_iter=1000).fit(shares, faces.labels[voted])
    expected = np.eye(len(faces.classes), dtype=np.float32)[faces.labels]
    expected[voted] = 0
    expected[np.ix_(voted, model.classes_)] = model.predict_proba(shares)
    return torch.from_numpy(expected)
