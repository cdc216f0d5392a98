"""Summarise a network layer by layer: shapes, parameters, and how many multiplications one image costs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from emonet.models._network import Network, evaluating, observing

STATISTICS = ("running_mean", "running_var")  # of batch norm; Keras counts them


@dataclass(frozen=True, slots=True)
class Layer:
    """Describe one layer as it was called.

    Attributes:
        name: Its name in the network, with dots.
        kind: Its class.
        shape: The shape of its output for one image.
        parameters: Its numbers, with the statistics of batch norm.
        macs: Its multiplications, each with an addition, for one image.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    macs: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Describe a network.

    Attributes:
        layers: The innermost layers, in the order in which they were called.
        trainable: The numbers that are learned.
        parameters: The same with the mean and variance of batch norm, as Keras counts.
        macs: Multiplications, each with an addition, of convolutions and dense layers, for one image.
    """

    layers: tuple[Layer, ...]
    trainable: int
    parameters: int
    macs: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON takes them."""
        return asdict(self)


def summarise(model: Network, size: int | None = None) -> Summary:
    """Count the layers of a network in use.

    Nothing is computed, and the network is not changed.

    Args:
        model: The network.
        size: Pixels a side of the images; those that the network was made for if None.
    """
    side = model.input.size if size is None else size
    shapes, macs = ({}, {}) if model.fit == "memorise" else _trace(model, side)
    modules = dict(model.named_modules())
    return Summary(
        layers=tuple(_describe_layer(name, modules[name], shape, macs.get(name, 0)) for name, shape in shapes.items()),
        trainable=sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad),
        parameters=_count(model),
        macs=macs.get("", 0),
    )


def _describe_layer(name: str, module: nn.Module, shape: tuple[int, ...], macs: int) -> Layer:
    return Layer(name, type(module).__name__, shape, _count(module), macs)


def _count(module: nn.Module) -> int:
    statistics = (buffer for name, buffer in module.named_buffers() if name.rpartition(".")[2] in STATISTICS)
    return sum(tensor.numel() for tensor in (*module.parameters(), *statistics))


def _trace(model: Network, side: int) -> tuple[dict[str, tuple[int, ...]], dict[str, int]]:
    """Find the shapes of the innermost layers in the order they are called, and MACs of all; "" is the network."""
    x = torch.empty(1, model.input.channels, side, side, device="meta")
    tensors = {name: tensor.to("meta") for name, tensor in (*model.named_parameters(), *model.named_buffers())}
    shapes: dict[str, tuple[int, ...]] = {}

    def note(name: str, module: nn.Module, _x: Tensor, y: Tensor) -> None:
        if not any(module.children()):
            shapes[name] = tuple(y.shape[1:])

    with evaluating(model), observing(model, note), FlopCounterMode(display=False) as counter, torch.no_grad():
        functional_call(model, tensors, (x,))
    counts = {name.partition(".")[2]: flops for name, flops in counter.get_flop_counts().items() if name != "Global"}
    return shapes, {name: sum(flops.values()) // 2 for name, flops in counts.items()}
