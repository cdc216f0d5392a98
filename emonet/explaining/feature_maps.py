"""Feature maps: what each convolution of a network makes of an image, before and after its activation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from emonet.errors import OptionError
from emonet.explaining.grad_cam import Maps, check_network
from emonet.models import Network
from emonet.models._network import evaluating, observing
from emonet.models._piecewise import AdaptivePiecewiseLinear

ACTIVATIONS = (
    *(nn.CELU, nn.ELU, nn.GELU, nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh, nn.LeakyReLU, nn.LogSigmoid, nn.Mish),
    *(nn.PReLU, nn.ReLU, nn.RReLU, nn.SELU, nn.Sigmoid, nn.SiLU, nn.Softplus, nn.Softsign, nn.Tanh),
    AdaptivePiecewiseLinear,
)


@dataclass(frozen=True, slots=True, eq=False)
class FeatureMaps:
    """The maps of one convolution for one image, each (channels, height, width).

    Attributes:
        name: The name of the convolution in the network, with dots.
        before: What the convolution answers.
        after: What the next activation makes of that; None if another convolution, or the end, comes first.
    """

    name: str
    before: Maps
    after: Maps | None

    def __post_init__(self) -> None:
        if self.before.ndim != 3 or (self.after is not None and self.after.shape != self.before.shape):
            shapes = self.before.shape, None if self.after is None else self.after.shape
            raise OptionError(f"maps before and after must be (channels, height, width) alike, got {shapes}")


def feature_maps(network: Network, x: Tensor) -> list[FeatureMaps]:
    """Compute the maps of every convolution, in the order in which they run.

    Maps of a single pixel are left out: they weigh channels, and there is nothing to see. Activations must be modules
    (`nn.ReLU`); those that a network calls as functions (`F.relu`) are not seen.

    Args:
        network: Any network with convolutions. It is left as it was.
        x: One scaled image (1, C, H, W), on the device of the network.

    Raises:
        OptionError: The network has no convolution, or x is not one image for it.
    """
    check_network(network, x)
    if len(x) != 1:
        raise OptionError(f"feature maps are those of one image, got {len(x)}")
    recorder = _Recorder()
    with torch.no_grad(), evaluating(network), observing(network, recorder.observe):
        network(x)
    return [
        FeatureMaps(one.name, _first(one.before), None if one.after is None else _first(one.after))
        for one in recorder.convolutions
        if max(one.before.shape[2:]) > 1
    ]


@dataclass(slots=True)
class _Convolution:
    name: str
    x: Tensor
    before: Tensor
    after: Tensor | None = None


class _Recorder:
    """Copy what convolutions and the activations behind them answer: later layers often work in place."""

    def __init__(self) -> None:
        self.convolutions: list[_Convolution] = []
        self._waiting: list[_Convolution] = []  # for an activation

    def observe(self, name: str, module: nn.Module, x: Tensor, y: Tensor) -> None:
        if isinstance(module, nn.Conv2d):
            # Maps that go into another convolution wait no longer, unless both take the same x: these are added up.
            self._waiting = [one for one in self._waiting if one.x is x or one.before.shape != x.shape]
            self._waiting.append(_Convolution(name, x, y.detach().clone()))
            self.convolutions.append(self._waiting[-1])
        elif isinstance(module, ACTIVATIONS):
            for one in self._waiting:
                if one.before.shape == y.shape:
                    one.after = y.detach().clone()
            self._waiting = [one for one in self._waiting if one.after is None]


def _first(maps: Tensor) -> Maps:
    return np.asarray(maps[0].float().numpy(force=True), np.float32)
