"""`apl_fmp`: activations that are learned for every unit (APL), and max-pooling by a fraction (FMP).

The source reports six classes without disgust, on FER2013: 66.22 % of PublicTest (F1 66.07), 65.385 % of PrivateTest,
and in its own ablation 57.3, 58.4, 59.5, 60.7 and 66.2. Its listing and its text differ: the listing pools by 2.6
and drops no input; the text pools by the square root of 2, which makes 90.7 million parameters, and drops a tenth.
The defaults are the listing's.

Guesses. APL begins as ReLU: slopes at 0 (its authors' are within 0.2 of it), hinges as its authors' about 0 with a
deviation of 0.5, because hinges that begin alike stay alike. The regions of an image are drawn anew at each step, and
all its maps share them; in TensorFlow the whole batch does. `pool="max"` takes 3x3 every 2 pixels, as the first
pooling does. `prelu` learns a slope for each map, beginning at 0.25.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from emonet.models import _like_keras as like_keras
from emonet.models._arguments import check_between, check_choice, check_dropout, check_whole
from emonet.models._network import Network
from emonet.models._piecewise import AdaptivePiecewiseLinear
from emonet.models.averaged import average_logits
from emonet.models.inputs import InputSpec
from facecrop.errors import OptionError

Activation = Literal["apl", "prelu", "relu"]
Pool = Literal["fmp", "max"]

POOLED = 20  # pixels a side of what the second pooling takes


class AplFmp(Network):
    """Apply three convolutions with learned activations and fractional max-pooling.

    The regions of pooling are random in training. In evaluation they are fixed, so that answers repeat.

    Args:
        classes: How many logits.
        activation: apl, prelu or relu.
        pool: fmp, or max for max-pooling.
        ratio: By how much fractional max-pooling divides the side.
        draws: How many sets of regions are averaged in evaluation.
        input_dropout: Share of the pixels that is dropped.
        dropout: Share of the units before the dense layers that is dropped.
    """

    title = "3 convolutions, learned activations, fractional max-pooling"
    input = InputSpec(size=48, channels=1, scaling="unit")

    def __init__(
        self,
        classes: int = 6,
        *,
        activation: Activation = "apl",
        pool: Pool = "fmp",
        ratio: float = 2.6,
        draws: int = 1,
        input_dropout: float = 0.0,
        dropout: float = 0.25,
    ) -> None:
        super().__init__()
        check_choice("activation", activation, get_args(Activation))
        check_choice("pool", pool, get_args(Pool))
        check_between("ratio", ratio, 1.2, 4)
        check_whole("draws", draws)
        check_dropout("input_dropout", input_dropout)
        check_dropout("dropout", dropout)
        if pool == "max" and draws > 1:
            raise OptionError(f"draws must be 1 where pool is max, which draws nothing, got {draws}")
        self.draws = draws
        units = partial(_create_units, activation)
        fractional = pool == "fmp"
        side = int(POOLED / ratio) - 1 if fractional else 8  # of the last maps: 6
        if fractional and ratio < 2:
            millions = 128 * side**2 * 4096 / 1e6
            warnings.warn(f"pooling by {ratio} makes a dense layer of {millions:.0f} million weights", stacklevel=2)
        self.layers = nn.Sequential(
            nn.Dropout(input_dropout),
            nn.Conv2d(1, 64, 5, padding=1),  # (N, 64, 46, 46)
            units(64, 46, 46),
            nn.MaxPool2d(3, 2),  # (N, 64, 22, 22)
            nn.Conv2d(64, 64, 5, padding=1),  # (N, 64, 20, 20)
            units(64, POOLED, POOLED),
            FractionalMaxPool(ratio, draws) if fractional else nn.MaxPool2d(3, 2),  # (draws N, 64, 7, 7)
            nn.Conv2d(64, 128, 4, padding=1),  # (draws N, 128, 6, 6)
            units(128, side, side),
            nn.Flatten(),  # (draws N, 4608)
            nn.Dropout(dropout),
            nn.Linear(128 * side**2, 4096),
            units(4096),
            nn.Linear(4096, classes),
        )
        like_keras.initialise(self)

    def forward(self, x: Tensor) -> Tensor:  # (N, 1, 48, 48) -> (N, classes)
        logits = self.layers(x)  # (draws N, classes)
        return average_logits(logits.unflatten(0, (-1, x.shape[0])))


class FractionalMaxPool(nn.Module):
    """Max-pool to 1/ratio of the side, in steps that vary (Graham, 2014).

    Torch has no `overlapping`: its regions are all of one size, and overlap where they are larger than the step. Here
    they are one pixel larger than the longest step (4 where the steps are 2 and 3), so that neighbours share one line
    of pixels, or two after a short step. In TensorFlow, overlapping regions are of 3 or 4 pixels and always share one.

    In evaluation the whole batch is answered `draws` times, one answer after the other.
    """

    def __init__(self, ratio: float, draws: int = 1) -> None:
        super().__init__()
        self.ratio = ratio
        self.kernel = math.ceil(ratio) + 1
        self._pool_randomly = _leave_uncompiled()
        # Spread evenly over the square whatever their number; the first is its centre.
        self.places = [((0.5 + 0.7549 * draw) % 1, (0.5 + 0.5698 * draw) % 1) for draw in range(draws)]

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> (draws N, C, H / ratio, W / ratio)
        if not self.training:
            return torch.cat([self._pool_side(self._pool_side(x, 3, across), 2, down) for across, down in self.places])
        return self._pool_randomly(x, self.kernel, self.ratio)  # a line after it would be compiled apart

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_pool_randomly"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _pool_randomly=_leave_uncompiled())

    def _pool_side(self, x: Tensor, dim: int, place: float) -> Tensor:
        """Pool along one side, region by region: ONNX does not have torch's function."""
        starts = _find_starts(x.shape[dim], int(x.shape[dim] / self.ratio), self.kernel, place)
        return torch.cat([x.narrow(dim, start, self.kernel).amax(dim, keepdim=True) for start in starts], dim)


@cache
def _leave_uncompiled() -> Callable[..., Tensor]:
    """Return `_pool_randomly`, which torch's compiler passes over; its import takes longer than that of networks."""
    found: Callable[..., Tensor] = torch.compiler.disable(_pool_randomly)  # type: ignore[no-untyped-call]  # not annotated
    return found


def _pool_randomly(x: Tensor, kernel: int, ratio: float) -> Tensor:
    """Pool by torch's function. Compiled before a convolution, its gradients are wrong: PyTorch's issue 197888."""
    places = torch.rand(len(x), 1, 2, device=x.device)
    return functional.fractional_max_pool2d(
        x.float(),  # half precision is too coarse to place regions with
        kernel,
        output_size=tuple(int(side / ratio) for side in x.shape[2:]),
        _random_samples=places.expand(-1, x.shape[1], -1).contiguous(),
    ).to(x.dtype)


def _find_starts(side: int, count: int, kernel: int, place: float) -> list[int]:
    """Find where the regions begin, by torch's formula and in its precision; the last ends with the image."""
    step, offset = np.float32(side - kernel) / np.float32(max(1, count - 1)), np.float32(place)
    return [int((region + offset) * step) - int(offset * step) for region in range(count - 1)] + [side - kernel]


def _create_units(activation: Activation, *shape: int) -> nn.Module:
    if activation == "apl":
        return AdaptivePiecewiseLinear(*shape)
    return nn.PReLU(shape[0]) if activation == "prelu" else nn.ReLU()
