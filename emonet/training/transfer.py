"""Weights of other models: heads that two models share, and a network that begins with another's weights."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from torch import Tensor

from emonet.heads import Head, sizes
from emonet.inference.checkpoint import Checkpoint
from emonet.models import Network, create_meta_model
from emonet.training.config import TrainConfig

Pair = tuple[int, int]  # the places of a head among theirs and among ours


def shared_heads(theirs: Sequence[Head], ours: Sequence[Head]) -> list[Pair]:
    """Pair the heads of one name; a model's only head and our only head are a pair whatever their names are."""
    names = [head.name for head in theirs]
    pairs = [(names.index(head.name), place) for place, head in enumerate(ours) if head.name in names]
    return pairs or ([(0, 0)] if len(theirs) == len(ours) == 1 else [])


def shared_columns(theirs: Sequence[Head], ours: Sequence[Head]) -> tuple[list[int], list[int]]:
    """Say where the classes of shared heads stand among their scores, and where among ours.

    A shared head with other classes has none.
    """
    pairs = [(a, b) for a, b in shared_heads(theirs, ours) if theirs[a].classes == ours[b].classes]
    return (
        [column for place, _ in pairs for column in _columns(theirs, place)],
        [column for _, place in pairs for column in _columns(ours, place)],
    )


def _columns(heads: Sequence[Head], place: int) -> range:
    starts = list(accumulate(sizes(heads), initial=0))
    return range(starts[place], starts[place + 1])


def load_start(network: Network, start: Checkpoint, heads: tuple[Head, ...], config: TrainConfig) -> None:
    """Load another model's weights into a new network. Heads that the other lacks keep their new weights."""
    theirs, ours = shared_columns(start.heads, heads)
    own = network.state_dict()
    of_heads = _depend_on_classes(config, sum(sizes(heads)))
    weights: dict[str, Tensor] = {}
    for name, tensor in start.weights.items():
        if name in of_heads and tensor.shape[1:] == own[name].shape[1:]:
            weights[name] = own[name].clone()
            weights[name][ours] = tensor[theirs].to(own[name].dtype)
        elif not config.new_head or tensor.shape == own[name].shape:
            weights[name] = tensor
    network.load_state_dict(weights, strict=not config.new_head)


def _depend_on_classes(config: TrainConfig, count: int) -> set[str]:
    """Name the weights whose shape changes with the number of classes."""
    shapes = [
        {
            name: tensor.shape
            for name, tensor in create_meta_model(config.model, classes=n, **config.arguments).state_dict().items()
        }
        for n in (count, count + 1)
    ]
    return {name for name, shape in shapes[0].items() if shapes[1][name] != shape}
