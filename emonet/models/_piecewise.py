"""Adaptive piecewise-linear units: activations whose bends are learned for each unit (Agostinelli et al., 2014)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

HINGES = 5  # of each unit
CHUNK = 2**17  # numbers worked on at a time: what the processor's cache holds

_where_above = torch.ops.aten.threshold_backward  # (values, x, 0): the values where x is above 0, else 0, in one pass


class AdaptivePiecewiseLinear(nn.Module):
    """Apply an activation whose bends are learned for each unit.

    It is h(x) = max(0, x) + the sum over s of a_s max(0, b_s - x), with a and b learned. It begins as ReLU: the slopes
    a are 0. The hinges b are normal about 0 with a deviation of 0.5, so that they do not stay alike.
    """

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.slopes = nn.Parameter(torch.zeros(HINGES, *shape))
        self.hinges = nn.Parameter(torch.empty(HINGES, *shape).normal_(0, 0.5))

    def forward(self, x: Tensor) -> Tensor:  # (N, *shape) -> (N, *shape)
        y: Tensor = _Piecewise.apply(x, self.slopes, self.hinges)
        return y


class _Piecewise(torch.autograd.Function):
    """Compute the activation and its gradients for a few units of all images at a time.

    These stay in the processor's cache, and no term of a hinge is kept for the way back. Torch's own gradient of the
    formula takes far longer.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, slopes: Tensor, hinges: Tensor) -> Tensor:
        layout = _find_layout(x)
        x = x.contiguous(memory_format=layout)
        ctx.layout = layout
        ctx.save_for_backward(x, slopes, hinges)
        y = torch.empty_like(x)
        for x_some, y_some, slopes_some, hinges_some in _split_units(layout, x, y, slopes, hinges):
            wide = x_some.to(slopes.dtype)
            total = wide.clamp_min(0)
            for slope, hinge in zip(slopes_some, hinges_some, strict=True):
                total.addcmul_(slope, (hinge - wide).clamp_min_(0))
            y_some.copy_(total)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, slopes, hinges = ctx.saved_tensors
        y_gradient = gradients[0].contiguous(memory_format=ctx.layout)
        x_gradient = torch.empty_like(x)
        slopes_gradient, hinges_gradient = (
            torch.empty_like(_lay_out(ctx.layout, values)) for values in (slopes, hinges)
        )
        pieces = _split_units(ctx.layout, x, y_gradient, x_gradient, slopes, hinges, slopes_gradient, hinges_gradient)
        for x_some, g_some, out, slopes_some, hinges_some, out_slopes, out_hinges in pieces:
            wide, g_wide = x_some.to(slopes.dtype), g_some.to(slopes.dtype)
            total = _where_above(g_wide, wide, 0)
            for place, (slope, hinge) in enumerate(zip(slopes_some, hinges_some, strict=True)):
                below = hinge - wide
                through = _where_above(g_wide, below, 0)
                out_hinges[place] = through.sum(0)
                out_slopes[place] = below.mul_(through).sum(0)
                total.addcmul_(slope, through, value=-1)
            out.copy_(total)
        return x_gradient, slopes_gradient, hinges_gradient.mul_(slopes)


def _find_layout(x: Tensor) -> torch.memory_format:
    """Find the memory format of x. All else is laid out like it: otherwise each operation would be slow."""
    if x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last):
        return torch.channels_last
    return torch.contiguous_format


def _lay_out(layout: torch.memory_format, values: Tensor) -> Tensor:
    return values.contiguous(memory_format=layout)


def _split_units(layout: torch.memory_format, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Split tensors into pieces of the same few units, each (images or hinges, units), as views where they are written.

    On a GPU, and while torch compiles or exports, there is one piece with all units.
    """
    x = tensors[0]
    flat = [_flatten(layout, _lay_out(layout, one)) for one in tensors]
    if x.device.type != "cpu" or torch.compiler.is_compiling():
        return iter([tuple(flat)])
    width = max(1, CHUNK // max(1, len(x)))
    return zip(*(torch.split(one, width, dim=1) for one in flat), strict=True)


def _flatten(layout: torch.memory_format, values: Tensor) -> Tensor:
    """Flatten to (count, units), a view."""
    return (values.movedim(1, -1) if layout == torch.channels_last else values).flatten(1)
