"""What the network should answer to each training image (the targets), and how far it is from that (the loss).

The targets of all heads stand side by side, in the columns of the network's output. The row of an image holds, for each
head, class probabilities times the weight of the image: zeros where the head has nothing to learn from it. The losses
are linear in the targets. So mixing images, teachers and weights all work on these rows.

A label is smoothed, and may give a share to what people voted. Teacher labels come from networks that did not learn
from the image, so one answer per image is enough. Live teachers have memorised their training images and would only
repeat the labels, so they see the augmented and mixed image of each step; their share is added last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from emonet.errors import OptionError
from emonet.faces import Faces
from emonet.heads import LEAST_PRIOR, SEEN, Head, find_labelled, sizes
from emonet.training.config import TrainConfig
from emonet.training.heads import make_seen_targets
from emonet.training.sampling import make_class_weights
from emonet.training.teacher_labels import TeacherLabels
from emonet.training.transfer import match_columns

Objective = Callable[[Tensor, Tensor], Tensor]


def make_targets(faces: Faces, heads: tuple[Head, ...], config: TrainConfig) -> Tensor:
    """Make the targets of all images from labels and votes.

    Returns:
        Class probabilities times the weight of each head (N, all heads' classes).
    """
    weights = weigh_heads(heads, config)
    labels = _make_label_targets(faces, config) if any(head.name != SEEN for head in heads) else torch.empty(0)
    parts = [
        torch.from_numpy(make_seen_targets(faces))
        if head.name == SEEN
        else labels * torch.from_numpy(find_labelled(head, heads, faces.sources))[:, None]
        for head in heads
    ]
    return torch.cat([part * weights[head.name] for head, part in zip(heads, parts, strict=True)], dim=1)


def weigh_heads(heads: tuple[Head, ...], config: TrainConfig) -> Mapping[str, float]:
    """Return the weight of each head's loss, by its name."""
    return {head.name: config.heads.get(head.name, 1.0) for head in heads}


def weigh_columns(heads: tuple[Head, ...], config: TrainConfig) -> Tensor:
    """Return for each column the weight of its head, (all heads' classes,)."""
    weights = weigh_heads(heads, config)
    columns = zip(heads, sizes(heads), strict=True)
    return torch.tensor([weights[head.name] for head, count in columns for _ in range(count)])


def blend_labels(
    targets: Tensor, given: Sequence[TeacherLabels], faces: Faces, heads: tuple[Head, ...], config: TrainConfig
) -> Tensor:
    """Give the mean of teacher labels its share of the targets.

    Args:
        targets: What `make_targets` made (N, all heads' classes).
        given: Teacher labels from one or several files.
        faces: The training images.
        heads: The heads of the run.
        config: Its `teacher_share` says how much the teacher labels count.

    Returns:
        New targets. Images and heads without teacher labels keep their old ones.
    """
    sums, counts = torch.zeros_like(targets), torch.zeros_like(targets)
    for labels in given:
        places = torch.from_numpy(labels.find_rows(faces.keys))
        theirs, ours = match_columns(labels.heads, heads)
        rows = torch.nonzero(places >= 0)
        sums[rows, ours] += torch.from_numpy(labels.answers)[places[rows], theirs]
        counts[rows, ours] += 1
    answers = sums / counts.clamp_min(1) * weigh_columns(heads, config)
    return targets.lerp(answers, config.teacher_share * (counts > 0).float())


def _make_label_targets(faces: Faces, config: TrainConfig) -> Tensor:
    """Make class probabilities (N, classes): labels, partly replaced by what the votes suggest, then smoothed."""
    targets = F.one_hot(torch.from_numpy(faces.labels), len(faces.classes)).float()
    if config.votes_share:
        targets = targets.lerp(_expect_labels(faces), config.votes_share)
    return targets.lerp(torch.full_like(targets, 1 / targets.shape[1]), config.smoothing)


def _expect_labels(faces: Faces) -> Tensor:
    """Estimate how probable each label is, given the votes alone.

    Voters and labels mean different things by the same words, so this is fitted on all images with votes. Images
    without votes keep their labels.
    """
    from sklearn.linear_model import LogisticRegression

    votes = np.zeros((len(faces), 1)) if faces.votes is None else faces.votes
    voted = votes.sum(1) > 0
    if len(np.unique(faces.labels[voted])) < 2:
        raise OptionError(
            "`votes_share` needs votes on images of two classes or more: `emonet build --ferplus` adds them"
        )
    shares = votes[voted] / votes[voted].sum(1, keepdims=True)
    model = LogisticRegression(max_iter=1000).fit(shares, faces.labels[voted])
    expected = np.eye(len(faces.classes), dtype=np.float32)[faces.labels]
    expected[voted] = 0
    expected[np.ix_(voted, model.classes_)] = model.predict_proba(shares)
    return torch.from_numpy(expected)


def make_objective(config: TrainConfig, heads: tuple[Head, ...], faces: Faces, device: torch.device) -> Objective:
    """Make the loss function of a run.

    Returns:
        A function from logits and targets, both (N, all heads' classes), to the loss of each image (N,).
    """
    weights = _make_loss_weights(config, heads, faces, device)
    if config.loss == "hinge":
        return lambda scores, targets: _measure_squared_hinge(scores, targets, weights[0])
    counts = list(sizes(heads))
    offset = _make_log_priors(heads, device) if config.balance == "logits" else None

    def objective(scores: Tensor, targets: Tensor) -> Tensor:
        moved = scores if offset is None else scores + offset
        parts = zip(torch.split(moved, counts, 1), torch.split(targets, counts, 1), weights, strict=True)
        losses = [F.cross_entropy(given, wanted, weight, reduction="none") for given, wanted, weight in parts]
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum(0)

    return objective


def count_right(scores: Tensor, labels: Tensor, heads: tuple[Head, ...]) -> Tensor:
    """Count the images whose label is the most probable class of its head. Stays on the device.

    An image that is mixed from two data sets counts in the head in which its target is largest. The head `seen` counts
    only where no other head exists.
    """
    counts = list(sizes(heads))
    by_label = [head.name != SEEN for head in heads]
    rows = zip(torch.split(scores, counts, 1), torch.split(labels, counts, 1), by_label, strict=True)
    own = [(given, wanted) for given, wanted, has_labels in rows if has_labels or not any(by_label)]
    right = torch.stack([given.argmax(1) == wanted.argmax(1) for given, wanted in own])  # (heads, N)
    largest, chosen = torch.stack([wanted.amax(1) for _, wanted in own]).max(0)  # (N,)
    return (right.gather(0, chosen[None])[0] & (largest > 0)).sum()


def _make_loss_weights(
    config: TrainConfig, heads: tuple[Head, ...], faces: Faces, device: torch.device
) -> list[Tensor | None]:
    """Return the weights of the classes for each head; the head `seen` has none."""
    weights = make_class_weights(faces, config)
    tensor = None if weights is None else torch.tensor(weights, device=device)
    return [None if head.name == SEEN else tensor for head in heads]


def _make_log_priors(heads: Sequence[Head], device: torch.device) -> Tensor:
    """Make the offsets of logit adjustment (Menon et al., 2021).

    A network that learns with the log prior added to its logits answers, without it, as if all classes were equally
    frequent.
    """
    priors = np.concatenate([np.maximum(head.prior, LEAST_PRIOR) for head in heads])
    return torch.from_numpy(np.log(priors)).float().to(device)


def _measure_squared_hinge(scores: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    """Compare each class with the rest, with margin 1, as a support vector machine with the L2 loss does."""
    losses = (1 - (2 * targets - 1) * scores).clamp_min(0).square()
    return losses.mean(1) if weights is None else (losses * targets.mul(weights).sum(1, keepdim=True)).mean(1)
