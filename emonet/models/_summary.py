"""What a network is made of, layer by layer: shapes, parameters, and how many multiplications a picture costs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from emonet.models._network import Network, evaluating

STATISTICS = ("running_mean", "running_var")  # of batch norm; Keras counts them


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer as it was called: its place in the network, its kind, and its answer for one picture."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    macs: int


@dataclass(frozen=True, slots=True)
class Summary:
    """`parameters` counts as Keras does, with batch norm's mean and variance; `trainable` without them.

    `macs` are the multiplications, each with an addition, of convolutions and dense layers for one picture.
    """

    layers: tuple[Layer, ...]
    trainable: int
    parameters: int
    macs: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def summary(model: Network, size: int | None = None) -> Summary:
    """Counts a network in use, for pictures of its own size or another; nothing is computed, and it is not changed."""
    side = model.input.size if size is None else size
    shapes, macs = ({}, {}) if model.learns == "by_heart" else _traced(model, side)
    modules = dict(model.named_modules())
    return Summary(
        layers=tuple(_layer(name, modules[name], shape, macs.get(name, 0)) for name, shape in shapes.items()),
        trainable=sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad),
        parameters=_count(model),
        macs=macs.get("", 0),
    )


def _layer(name: str, module: nn.Module, shape: tuple[int, ...], macs: int) -> Layer:
    return Layer(name, type(module).__name__, shape, _count(module), macs)


def _count(module: nn.Module) -> int:
    statistics = (buffer for name, buffer in module.named_buffers() if name.rpartition(".")[2] in STATISTICS)
    return sum(tensor.numel() for tensor in (*module.parameters(), *statistics))


def _traced(model: Network, side: int) -> tuple[dict[str, tuple[int, ...]], dict[str, int]]:
    """Shapes of the innermost layers in the order they were called, and MACs of all layers, "" being the network."""
    x = torch.empty(1, model.input.channels, side, side, device="meta")
    tensors = {name: tensor.to("meta") for name, tensor in (*model.named_parameters(), *model.named_buffers())}
    with evaluating(model), _noting(model) as shapes, FlopCounterMode(display=False) as counter, torch.no_grad():
        functional_call(model, tensors, (x,))
    counts = {name.partition(".")[2]: flops for name, flops in counter.get_flop_counts().items() if name != "Global"}
    return shapes, {name: sum(flops.values()) // 2 for name, flops in counts.items()}


@contextmanager
def _noting(model: nn.Module) -> Iterator[dict[str, tuple[int, ...]]]:
    """The shapes that the innermost layers answer meanwhile, without the batch."""
    shapes: dict[str, tuple[int, ...]] = {}

    def note(name: str, _module: nn.Module, _inputs: Any, answer: Tensor) -> None:
        shapes[name] = tuple(answer.shape[1:])

    with ExitStack() as hooks:
        for name, module in model.named_modules():
            if not any(module.children()):
                hooks.callback(module.register_forward_hook(partial(note, name)).remove)
        yield shapes
