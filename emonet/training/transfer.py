"""Weights of other models: the heads that two models share, and how a new network loads them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor

from emonet.heads import Head, sizes
from emonet.inference.checkpoint import Checkpoint
from emonet.models import Network, create_meta_model
from emonet.training.config import TrainConfig

Pair = tuple[int, int]  # the places of a head among theirs and among ours


def pair_heads(theirs: Sequence[Head], ours: Sequence[Head]) -> list[Pair]:
    """Pair the heads with the same name. Two models with a single head each share it, whatever its name."""
    names = [head.name for head in theirs]
    pairs = [(names.index(head.name), place) for place, head in enumerate(ours) if head.name in names]
    return pairs or ([(0, 0)] if len(theirs) == len(ours) == 1 else [])


def match_columns(theirs: Sequence[Head], ours: Sequence[Head]) -> tuple[list[int], list[int]]:
    """Match the columns of heads that two models share.

    Returns:
        The columns in their output and, in the same order, the columns in ours. Heads with other classes have none.
    """
    pairs = [(a, b) for a, b in pair_heads(theirs, ours) if theirs[a].classes == ours[b].classes]
    return (
        [column for place, _ in pairs for column in _find_columns(theirs, place)],
        [column for _, place in pairs for column in _find_columns(ours, place)],
    )


def _find_columns(heads: Sequence[Head], place: int) -> range:
    starts = list(accumulate(sizes(heads), initial=0))
    return range(starts[place], starts[place + 1])


def load_start(network: Network, start: Checkpoint, heads: tuple[Head, ...], config: TrainConfig) -> None:
    """Load the weights of another model into a new network.

    Heads that the other model lacks keep their new weights. With `new_head`, so do all layers that do not fit.
    """
    theirs, ours = match_columns(start.heads, heads)
    own = network.state_dict()
    of_heads = _find_head_weights(config, sum(sizes(heads)))
    weights: dict[str, Tensor] = {}
    for name, array in start.weights.items():
        tensor = torch.from_numpy(array)
        if name in of_heads and tensor.shape[1:] == own[name].shape[1:]:
            weights[name] = own[name].clone()
            weights[name][ours] = tensor[theirs].to(own[name].dtype)
        elif not config.new_head or tensor.shape == own[name].shape:
            weights[name] = tensor
    network.load_state_dict(weights, strict=not config.new_head)


def _find_head_weights(config: TrainConfig, count: int) -> set[str]:
    """Find the weights whose shape depends on the number of classes."""
    shapes = [
        {
            name: tensor.shape
            for name, tensor in create_meta_model(config.model, classes=n, **config.arguments).state_dict().items()
        }
        for n in (count, count + 1)
    ]
    return {name for name, shape in shapes[0].items() if shapes[1][name] != shape}
