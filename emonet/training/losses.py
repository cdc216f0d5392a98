"""The loss: how far the scores of every head are from what they should say."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from emonet.faces import Faces
from emonet.heads import LEAST_PRIOR, SEEN, Head, sizes
from emonet.training.config import TrainConfig
from emonet.training.sampling import class_weights

Objective = Callable[[Tensor, Tensor], Tensor]


def make_objective(config: TrainConfig, heads: tuple[Head, ...], faces: Faces, device: torch.device) -> Objective:
    """Make the function from scores and targets, both (N, all heads' classes), to a loss for each picture (N,)."""
    weights = _label_weights(config, heads, faces, device)
    if config.loss == "hinge":
        return lambda scores, targets: _squared_hinge(scores, targets, weights[0])
    counts = list(sizes(heads))
    offset = _log_priors(heads, device) if config.balance == "logits" else None

    def objective(scores: Tensor, targets: Tensor) -> Tensor:
        moved = scores if offset is None else scores + offset
        parts = zip(torch.split(moved, counts, 1), torch.split(targets, counts, 1), weights, strict=True)
        losses = [F.cross_entropy(said, wanted, weight, reduction="none") for said, wanted, weight in parts]
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum(0)

    return objective


def count_right(scores: Tensor, labels: Tensor, heads: tuple[Head, ...]) -> Tensor:
    """Count the pictures whose label is the likeliest class of its head; stays on the device.

    The votes are asked only where there are no labels.
    """
    counts = list(sizes(heads))
    asked = [head.name != SEEN for head in heads]
    rows = zip(torch.split(scores, counts, 1), torch.split(labels, counts, 1), asked, strict=True)
    right = [
        ((said.argmax(1) == wanted.argmax(1)) & (wanted.amax(1) > 0)).sum()
        for said, wanted, by_label in rows
        if by_label or not any(asked)
    ]
    return torch.stack(right).sum()


def _label_weights(
    config: TrainConfig, heads: tuple[Head, ...], faces: Faces, device: torch.device
) -> list[Tensor | None]:
    """The weights of the classes, for each head of labels; votes have none."""
    weights = class_weights(faces, config)
    tensor = None if weights is None else torch.tensor(weights, device=device)
    return [None if head.name == SEEN else tensor for head in heads]


def _log_priors(heads: Sequence[Head], device: torch.device) -> Tensor:
    """Logit adjustment (Menon et al., 2021): a network that learns with the prior added to its scores gives, without
    it, what it would say if all classes were equally frequent."""
    priors = np.concatenate([np.maximum(head.prior, LEAST_PRIOR) for head in heads])
    return torch.from_numpy(np.log(priors)).float().to(device)


def _squared_hinge(scores: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    """Each class against the rest, the margin 1, as in a support vector machine with the L2 loss."""
    losses = (1 - (2 * targets - 1) * scores).clamp_min(0).square()
    return losses.mean(1) if weights is None else (losses * targets.mul(weights).sum(1, keepdim=True)).mean(1)
