"""Adaptive piecewise-linear units: activations whose bends are learned, for every unit (Agostinelli et al., 2014)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

HINGES = 5  # of each unit
CHUNK = 2**17  # numbers worked on at a time: what the processor's cache holds

_where_above = torch.ops.aten.threshold_backward  # (of, x, 0) is `of` where x is above 0, in one pass


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
    """Forwards and backwards a few units of all pictures at a time, so that all is done while they lie in the cache
    of the processor, and without keeping a term of each hinge for the way back. By torch from the formula it takes far
    longer.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, slopes: Tensor, hinges: Tensor) -> Tensor:
        layout = _layout(x)
        x = x.contiguous(memory_format=layout)
        ctx.layout = layout
        ctx.save_for_backward(x, slopes, hinges)
        y = torch.empty_like(x)
        for x_some, y_some, slopes_some, hinges_some in _chunks(layout, x, y, slopes, hinges):
            wide = x_some.to(slopes.dtype)
            total = wide.clamp_min(0)
            for slope, hinge in zip(slopes_some, hinges_some, strict=True):
                total.addcmul_(slope, (hinge - wide).clamp_min_(0))
            y_some.copy_(total)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, slopes, hinges = ctx.saved_tensors
        of_y = gradients[0].contiguous(memory_format=ctx.layout)
        of_x = torch.empty_like(x)
        of_slopes, of_hinges = (torch.empty_like(_laid_out(ctx.layout, values)) for values in (slopes, hinges))
        pieces = _chunks(ctx.layout, x, of_y, of_x, slopes, hinges, of_slopes, of_hinges)
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
        return of_x, of_slopes, of_hinges.mul_(slopes)


def _layout(x: Tensor) -> torch.memory_format:
    """How x lies in memory; everything is laid out like it, without which every operation would be slow."""
    if x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last):
        return torch.channels_last
    return torch.contiguous_format


def _laid_out(layout: torch.memory_format, values: Tensor) -> Tensor:
    return values.contiguous(memory_format=layout)


def _chunks(layout: torch.memory_format, *all_of: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """All of the same few units in each of the tensors, as (pictures or hinges, units); those to be written are views.

    On a GPU all units at once; and while torch writes down what is done, for any number of pictures.
    """
    x = all_of[0]
    flat = [_flat(layout, _laid_out(layout, one)) for one in all_of]
    if x.device.type != "cpu" or torch.compiler.is_compiling():
        return iter([tuple(flat)])
    width = max(1, CHUNK // max(1, len(x)))
    return zip(*(torch.split(one, width, dim=1) for one in flat), strict=True)


def _flat(layout: torch.memory_format, values: Tensor) -> Tensor:
    """(count, units), a view."""
    return (values.movedim(1, -1) if layout == torch.channels_last else values).flatten(1)
