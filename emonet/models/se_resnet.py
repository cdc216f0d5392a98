"""Our most accurate network: residual blocks with squeeze and excitation (Hu et al., 2017), for faces of 48 pixels.

The resolution is halved early: a convolution at full size would cost as much as all that follow. Images are cropped to
44 of their 48 pixels, at a random place in training.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from emonet.models._arguments import check_dropout, check_whole
from emonet.models._crops import Crop
from emonet.models._network import Network
from emonet.models.inputs import InputSpec
from facecrop.errors import OptionError

SQUEEZE = 8  # channels for each hidden unit of a gate


class SEResNet(Network):
    """Apply a stem, stages of residual blocks, and a dense layer.

    Args:
        classes: How many logits.
        stem: Channels of each convolution of the stem; the last one halves the resolution.
        widths: Channels of each stage; all stages but the first halve the resolution.
        blocks: How many residual blocks each stage has.
        crop: Pixels a side of the crop, which lies at a random place in training.
        dropout: Share of the last means that is dropped.
    """

    title = "a residual network with squeeze and excitation, of any size"
    input = InputSpec(size=48, channels=1, scaling="standardised")

    def __init__(
        self,
        classes: int = 7,
        *,
        stem: Sequence[int] = (32, 64),
        widths: Sequence[int] = (64, 128, 256, 224),
        blocks: Sequence[int] = (1, 2, 2, 1),
        crop: int = 44,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        for name, values in {"stem": stem, "widths": widths, "blocks": blocks}.items():
            for value in values:
                check_whole(name, value)
        if len(widths) != len(blocks) or not widths or not stem:
            raise OptionError(f"stem must not be empty, widths and blocks be as many, got {stem}, {widths}, {blocks}")
        check_whole("crop", crop)
        check_dropout("dropout", dropout)
        self.crop = Crop(crop, self.input.size)
        self.stem = nn.Sequential(*_create_stem(stem))
        self.stages = nn.Sequential(*_create_stages(stem[-1], widths, blocks))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:  # (N, 1, 48, 48) -> (N, classes)
        x = self.stem(self.crop(x))  # (N, stem, 22, 22)
        x = self.stages(x)  # (N, width, 3, 3)
        logits: Tensor = self.head(self.dropout(x.mean(dim=(2, 3))))
        return logits


def _create_stem(widths: Sequence[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    before = 1
    for place, width in enumerate(widths, start=1):
        stride = 2 if place == len(widths) else 1
        layers += [_create_convolution(before, width, stride), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        before = width
    return layers


def _create_stages(before: int, widths: Sequence[int], blocks: Sequence[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
        for block in range(count):
            layers.append(ResidualBlock(before, width, stride=2 if stage and not block else 1))
            before = width
    return layers


class ResidualBlock(nn.Module):
    """Apply two convolutions and a gate, and add the input."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.first, self.norm_first = _create_convolution(before, width, stride), nn.BatchNorm2d(width)
        self.second, self.norm_second = _create_convolution(width, width, 1), nn.BatchNorm2d(width)
        self.gate = Gate(width)
        self.around = _create_shortcut(before, width, stride)
        self.activate = nn.ReLU(inplace=True)  # a module, so that feature maps can be looked at behind it

    def forward(self, x: Tensor) -> Tensor:
        y = self.activate(self.norm_first(self.first(x)))
        y = self.gate(self.norm_second(self.second(y)))
        added: Tensor = self.activate(y + self.around(x))
        return added


class Gate(nn.Module):
    """Weigh each channel by the means of all channels (squeeze and excitation)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(width, max(1, width // SQUEEZE))
        self.excite = nn.Linear(max(1, width // SQUEEZE), width)

    def forward(self, x: Tensor) -> Tensor:
        weights = torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean(dim=(2, 3))))))  # (N, width)
        return x * weights[:, :, None, None]


def _create_shortcut(before: int, width: int, stride: int) -> nn.Module:
    if stride == 1 and before == width:
        return nn.Identity()
    halved = [nn.AvgPool2d(2, ceil_mode=True)] if stride == 2 else []
    return nn.Sequential(*halved, nn.Conv2d(before, width, 1, bias=False), nn.BatchNorm2d(width))


def _create_convolution(before: int, width: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(before, width, 3, stride, padding=1, bias=False)


class Emonet(SEResNet):
    """Answer accurately with at most 4 million parameters, 8 MB in 16 bits."""

    title = "ours: the most accurate"
