"""`plain_cnn`: convolutions one after the other, without residual connections: fast on a processor, of any size.

Three methods can be switched on: whitened patches and kernels that begin as the identity, which made the records of
CIFAR-10 (Jordan's airbench), and branches that are merged after training, which make plain networks as good as residual
ones (RepVGG, Ding et al., 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_weights

from emonet.models._arguments import check_choice, check_dropout, check_each, check_switch, check_whole
from emonet.models._crops import Crop
from emonet.models._network import Network
from emonet.models.inputs import InputSpec
from emonet.models.se_resnet import Gate

Halve = Literal["stride", "first", "last"]
Activation = Literal["relu", "gelu"]

WHITE_FLOOR = 5e-4  # added to variances, so that the noise of smooth patches is not enlarged; airbench's


class PlainCnn(Network):
    """Apply stages of 3x3 convolutions with batch norm, and a dense layer.

    Args:
        classes: How many logits.
        widths: Channels of each stage.
        convolutions: How many each stage has.
        gates: Whether a stage ends with squeeze and excitation.
        halve: Each stage halves the resolution: its first convolution does (`stride`), or max-pooling after its first
            or its last convolution. With `last`, the last stage does not.
        whiten: Side of the patches that a fixed first layer whitens, which `prepare` computes; 0: no such layer.
        branches: Learn with a 1x1 convolution and the identity beside each 3x3 convolution; `fold` merges them.
        dirac: Let kernels begin as the identity, for as many channels as there are inputs.
        activation: relu or gelu.
        crop: Pixels a side of the crop, which lies at a random place in training.
        dropout: Share of the last means that is dropped.
    """

    title = "plain convolutions in stages, of any size"
    input = InputSpec(size=48, channels=1, scaling="standardised")

    def __init__(
        self,
        classes: int = 7,
        *,
        widths: Sequence[int] = (32, 64, 128, 256),
        convolutions: Sequence[int] = (1, 2, 2, 2),
        gates: Sequence[bool] = (False, False, False, False),
        halve: Halve = "stride",
        whiten: int = 0,
        branches: bool = False,
        dirac: bool = False,
        activation: Activation = "relu",
        crop: int = 44,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        _check_stages(widths, convolutions, gates)
        for name, switch in (("branches", branches), ("dirac", dirac)):
            check_switch(name, switch)
        check_choice("halve", halve, get_args(Halve))
        check_choice("activation", activation, get_args(Activation))
        check_whole("whiten", whiten, 0)
        check_whole("crop", crop)
        check_dropout("dropout", dropout)
        self.crop = Crop(crop, self.input.size)
        self.whitening = Whitening(whiten, activation) if whiten else nn.Identity()
        halvings = [halve if halve != "last" or stage < len(widths) else "none" for stage in range(1, len(widths) + 1)]
        before = [2 * whiten**2 if whiten else 1, *widths]
        self.stages = nn.Sequential(
            *(
                nn.Sequential(*_create_stage(*stage, branches=branches, activation=activation))
                for stage in zip(before[:-1], widths, convolutions, gates, halvings, strict=True)
            )
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(widths[-1], classes)
        if dirac:
            _begin_as_identity(self)

    def forward(self, x: Tensor) -> Tensor:  # (N, 1, 48, 48) -> (N, classes)
        x = self.stages(self.whitening(self.crop(x)))  # (N, width, 3, 3), with four stages
        logits: Tensor = self.head(self.dropout(x.mean(dim=(2, 3))))
        return logits

    def prepare(self, x: Tensor) -> None:
        if isinstance(self.whitening, Whitening):
            self.whitening.prepare(x)

    def fold(self) -> None:
        for module in list(self.modules()):
            for name, layer in list(module.named_children()):
                if isinstance(layer, Convolution):
                    setattr(module, name, layer.merge())


class EmonetFast(PlainCnn):
    """Answer fast with at most 0.6 million parameters.

    One face costs at most 25 million multiplications.
    """

    title = "ours: the fast one"

    def __init__(
        self,
        classes: int = 7,
        *,
        widths: Sequence[int] = (32, 64, 128, 192),
        convolutions: Sequence[int] = (2, 2, 2, 1),
        crop: int = 44,
        dropout: float = 0.3,
    ) -> None:
        gates = [False] * len(widths)
        super().__init__(classes, widths=widths, convolutions=convolutions, gates=gates, crop=crop, dropout=dropout)


def _check_stages(widths: Sequence[int], convolutions: Sequence[int], gates: Sequence[bool]) -> None:
    check_whole("the number of stages", len(widths))
    for name, values in (("convolutions", convolutions), ("gates", gates)):
        check_each(name, values, len(widths))
    for width, count, gate in zip(widths, convolutions, gates, strict=True):
        check_whole("widths", width)
        check_whole("convolutions", count)
        check_switch("gates", gate)


def _create_stage(
    before: int, width: int, count: int, gate: bool, halve: str, *, branches: bool, activation: Activation
) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for place in range(1, count + 1):
        stride = 2 if halve == "stride" and place == 1 else 1
        layers.append(Convolution(before, width, stride, branches=branches))
        if (halve == "first" and place == 1) or (halve == "last" and place == count):
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
        layers.append(_create_activation(activation))
        before = width
    return [*layers, Gate(width)] if gate else layers


class Convolution(nn.Module):
    """Apply a 3x3 convolution with batch norm, and add up the branches beside it.

    The branches are a 1x1 convolution and, if the shape allows it, the identity, each with batch norm.
    """

    def __init__(self, before: int, width: int, stride: int, *, branches: bool) -> None:
        super().__init__()
        convolutions: list[nn.Module] = [nn.Conv2d(before, width, 3, stride, padding=1, bias=False)]
        if branches:
            convolutions.append(nn.Conv2d(before, width, 1, stride, bias=False))
        if branches and stride == 1 and before == width:
            convolutions.append(nn.Identity())
        self.convolutions = nn.ModuleList(convolutions)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in convolutions)
        self.before, self.width, self.stride = before, width, stride

    def forward(self, x: Tensor) -> Tensor:  # (N, before, H, W) -> (N, width, H / stride, W / stride)
        first, *others = [norm(layer(x)) for layer, norm in zip(self.convolutions, self.norms, strict=True)]
        y: Tensor = sum(others, start=first)
        return y

    @torch.no_grad()
    def merge(self) -> nn.Conv2d:
        """Create one convolution that answers the same in evaluation."""
        merged = [_merge(layer, norm) for layer, norm in zip(self.convolutions, self.norms, strict=True)]
        kernels, biases = zip(*merged, strict=True)
        whole = nn.Conv2d(self.before, self.width, 3, self.stride, padding=1, device="meta")
        whole.weight = nn.Parameter(torch.stack(kernels).sum(0))
        whole.bias = nn.Parameter(torch.stack(biases).sum(0))
        return whole


def _merge(layer: nn.Module, norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Merge a convolution, or the identity, with its batch norm, into a 3x3 kernel and biases."""
    names = ("running_mean", "running_var", "eps", "weight", "bias")
    mean, variance, eps, weight, bias = (getattr(norm, name) for name in names)
    if isinstance(layer, nn.Conv2d):
        kernel = F.pad(layer.weight, [(3 - layer.kernel_size[0]) // 2] * 4)
    else:
        kernel = nn.init.dirac_(weight.new_empty(len(weight), len(weight), 3, 3))
    return fuse_conv_bn_weights(kernel, None, mean, variance, eps, weight, bias)


class Whitening(nn.Module):
    """Project patches on the directions in which they vary, to the same variance.

    Each direction is used both ways. The kernels are fixed, the biases are learned.
    """

    kernel: Tensor

    def __init__(self, side: int, activation: Activation) -> None:
        super().__init__()
        pixels = torch.eye(side**2)  # until it is prepared, a channel for each pixel
        self.register_buffer("kernel", torch.cat([pixels, -pixels]).view(-1, 1, side, side))
        self.bias = nn.Parameter(torch.zeros(2 * side**2))
        self.side, self.activate = side, _create_activation(activation)

    def forward(self, x: Tensor) -> Tensor:  # (N, 1, H, W) -> (N, 2 side^2, H - side + 1, W - side + 1)
        y: Tensor = self.activate(F.conv2d(x, self.kernel, self.bias))
        return y

    @torch.no_grad()
    def prepare(self, x: Tensor) -> None:
        """Compute the kernels from images.

        This runs on the processor, so that the bits are the same everywhere.
        """
        patches = F.unfold(x.cpu(), self.side)  # (N, side^2, places)
        moments = (patches @ patches.mT).double().mean(0) / patches.shape[2]
        values, vectors = torch.linalg.eigh(moments)
        kernels = (vectors / (values + WHITE_FLOOR).sqrt()).mT
        self.kernel.copy_(torch.cat([kernels, -kernels]).view(self.kernel.shape))


def _create_activation(activation: Activation) -> nn.Module:
    return nn.ReLU(inplace=True) if activation == "relu" else nn.GELU()


def _begin_as_identity(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
            with torch.no_grad():
                nn.init.dirac_(module.weight[: module.in_channels])
