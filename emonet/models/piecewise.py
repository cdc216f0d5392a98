"""Adaptive piecewise-linear units: activations whose bends are learned, for every unit (Agostinelli et al., 2014)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

HINGES = 5  # of each unit
CHUNK = 2**19  # numbers worked on at a time: what the processor's cache holds


class AdaptivePiecewiseLinear(nn.Module):
    """h(x) = max(0, x) + the sum over s of a_s max(0, b_s - x), with a and b of every unit learned.

    It begins as ReLU: slopes are 0, and hinges normal about 0 with a deviation of 0.5, so that they do not stay alike.
    """

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.slopes = nn.Parameter(torch.zeros(HINGES, *shape))
        self.hinges = nn.Parameter(torch.empty(HINGES, *shape).normal_(0, 0.5))

    def forward(self, x: Tensor) -> Tensor:  # (N, *shape) -> (N, *shape)
        y: Tensor = _Piecewise.apply(x, self.slopes, self.hinges)
        return y


class _Piecewise(torch.autograd.Function):
    """Forwards and backwards a few pictures at a time, so that all is done while they are in the processor's cache, and
    without keeping a term of each hinge for the way back. By torch from the formula it takes far longer.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, slopes: Tensor, hinges: Tensor) -> Tensor:
        ctx.save_for_backward(x, slopes, hinges)
        y = torch.empty_like(x)
        parts = list(zip(_like(x, slopes), _like(x, hinges), strict=True))
        for x_some, y_some in zip(_chunks(x), _chunks(y), strict=True):
            wide = x_some.to(slopes.dtype)
            total = wide.clamp_min(0)
            for slope, hinge in parts:
                total.addcmul_(slope, (hinge - wide).clamp_min_(0))
            y_some.copy_(total)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, slopes, hinges = ctx.saved_tensors
        (of_y,) = gradients
        of_x = torch.empty_like(x)
        parts = list(zip(_like(x, slopes), _like(x, hinges), strict=True))
        of_slopes, of_hinges = torch.zeros_like(slopes), torch.zeros_like(hinges)
        for x_some, g_some, out in zip(_chunks(x), _chunks(of_y), _chunks(of_x), strict=True):
            wide, g_wide = x_some.to(slopes.dtype), g_some.to(slopes.dtype)
            total = g_wide * (wide > 0)
            for place, (slope, hinge) in enumerate(parts):
                below = hinge - wide
                through = g_wide * (below > 0)
                of_hinges[place] += through.sum(0)
                of_slopes[place] += (through * below).sum(0)
                total.addcmul_(slope, through, value=-1)
            out.copy_(total)
        return of_x, of_slopes, of_hinges.mul_(slopes)


def _like(x: Tensor, values: Tensor) -> Tensor:
    """In x's layout in memory, without which every operation on both would be slow."""
    if x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last):
        return values.contiguous(memory_format=torch.channels_last)
    return values


def _chunks(x: Tensor) -> tuple[Tensor, ...]:
    """On a GPU, all at once; and while torch writes down what is done, for any number of pictures."""
    if x.device.type != "cpu" or torch.compiler.is_compiling():
        return (x,)
    return torch.split(x, max(1, CHUNK // x[0].numel()))
