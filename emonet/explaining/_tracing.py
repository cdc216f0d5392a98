"""What happens inside a network while it answers: its convolutions, their activations, and where maps lie on x."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from emonet.errors import OptionError
from emonet.models import Network
from emonet.models._crops import Crop
from emonet.models._network import evaluating
from emonet.models._piecewise import AdaptivePiecewiseLinear

# Torch's functions by name, without the underscore of those in place; modules call them, too.
ACTIVATIONS = (
    *("celu", "elu", "gelu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "logsigmoid", "mish", "prelu"),
    *("relu", "relu6", "rrelu", "selu", "sigmoid", "silu", "softplus", "softsign", "tanh"),
)

LEAST = 4  # pixels a side of maps that still tell places apart: every pixel of smaller ones sees most of the picture

YX = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Mark:
    """What is known of maps on their way: how they lie on x, and what they came from.

    The middle of the first pixel is at `start` on x, those that follow are `step` pixels of x apart.
    """

    start: YX = (0.0, 0.0)
    step: YX = (1.0, 1.0)
    sides: YX = (0.0, 0.0)  # as the last convolution made them
    waiting: tuple[int, ...] = ()  # the convolutions whose maps are in it without an activation so far


@dataclass(slots=True)
class Convolution:
    """One as it was called. Its maps are copied where they are wanted: what follows often works in place."""

    name: str
    before: Tensor  # its own answer
    after: Tensor | None = None  # what the activation made of it


class Tracing(TorchFunctionMode):
    """While it is entered, follows x through every function of torch. `deepest` are the last maps of a convolution that
    tell places apart, after all that left their size as it was: batch norm, activation, the way around a block.

    That is a matter of which tensor is made of which, not of what is called next: two ways often run side by side.
    """

    def __init__(self, x: Tensor, *, copying: bool) -> None:
        super().__init__()
        self.convolutions: list[Convolution] = []
        self.deepest: Tensor | None = None
        self._copying, self._sides = copying, _sides(x)
        self._marks: dict[int, tuple[Tensor, Mark]] = {}  # with the tensor, so that no other gets its id
        self._mark(x, Mark())

    def of(self, tensor: Tensor) -> Mark:
        """Maps that were no maps in between are thought to cover the whole of x."""
        if id(tensor) in self._marks:
            return self._marks[id(tensor)][1]
        return _merged([(self._sides, Mark())], _sides(tensor))

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        known = [tensor for tensor in _tensors((*args, *(kwargs or {}).values())) if id(tensor) in self._marks]
        marks = [(_sides(tensor), self.of(tensor)) for tensor in known]  # before they are worked on in place
        answer = func(*args, **(kwargs or {}))
        if marks:
            for tensor in _tensors((answer,)):
                self._descend(tensor, marks, getattr(func, "__name__", ""))
        return answer

    def _descend(self, tensor: Tensor, marks: list[tuple[YX, Mark]], function: str) -> None:
        if tensor.ndim < 4:  # no maps any more
            return
        self._mark(tensor, _merged(marks, _sides(tensor)))
        if function.rstrip("_") in ACTIVATIONS:
            self.activate(tensor)

    def _mark(self, tensor: Tensor, mark: Mark) -> None:
        self._marks[id(tensor)] = tensor, mark
        least = 2.0 if self.deepest is None else min(LEAST, *_sides(self.deepest))
        if tensor.ndim == 4 and _sides(tensor) == mark.sides and min(mark.sides) >= least:
            self.deepest = tensor

    def activate(self, tensor: Tensor) -> None:
        """Gives an activation's answer to the convolutions that waited for it and whose maps are still its own."""
        mark = self.of(tensor)
        for convolution in (self.convolutions[place] for place in mark.waiting):
            if self._copying and convolution.before.shape == tensor.shape:
                convolution.after = tensor.detach().clone()
        self._mark(tensor, replace(mark, waiting=()))

    def convolve(self, name: str, module: nn.Conv2d, inputs: tuple[Tensor], answer: Tensor) -> None:
        """A hook: after a convolution of this name."""
        before = answer.detach()
        self.convolutions.append(Convolution(name, before.clone() if self._copying else before))
        mark, reaches = self.of(inputs[0]), list(map(_reach, _paddings(module), module.kernel_size, module.dilation))
        start = _pair(a + b * c for a, b, c in zip(mark.start, mark.step, reaches, strict=True))
        step = _pair(a * b for a, b in zip(mark.step, module.stride, strict=True))
        self._mark(answer, Mark(start, step, _sides(answer), (len(self.convolutions) - 1,)))

    def crop(self, _module: Crop, inputs: tuple[Tensor], answer: Tensor) -> None:
        """A hook: after the middle was cut out."""
        mark, cut = self.of(inputs[0]), zip(_sides(inputs[0]), _sides(answer), strict=True)
        spare = [(large - small) // 2 for large, small in cut]
        start = _pair(a + b * c for a, b, c in zip(mark.start, mark.step, spare, strict=True))
        self._mark(answer, replace(mark, start=start))

    def bend(self, _module: nn.Module, inputs: tuple[Tensor], answer: Tensor) -> None:
        """A hook: after our own activation, which torch has no function of."""
        self._mark(answer, self.of(inputs[0]))
        self.activate(answer)


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)


def _merged(marks: list[tuple[YX, Mark]], sides: YX) -> Mark:
    """The mean of what is as large; what was pooled, or laid out in another way, covers the same part of x."""
    alike = [mark for known, mark in marks if known == sides]
    if not alike:
        known, mark = marks[0]
        step = _pair(a * b / c for a, b, c in zip(mark.step, known, sides, strict=True))
        start = _pair(a + (b - c) / 2 for a, b, c in zip(mark.start, step, mark.step, strict=True))
        return replace(mark, start=start, step=step)
    start, step = (
        _pair(sum(values) / len(alike) for values in zip(*pairs, strict=True))
        for pairs in ([mark.start for mark in alike], [mark.step for mark in alike])
    )
    waiting = tuple(dict.fromkeys(place for mark in alike for place in mark.waiting))
    return Mark(start, step, sides if any(mark.sides == sides for mark in alike) else alike[0].sides, waiting)


def _sides(tensor: Tensor) -> YX:
    return _pair(tensor.shape[-2:])


def _pair(values: Iterable[float]) -> YX:
    first, second = values
    return float(first), float(second)


def _paddings(module: nn.Conv2d) -> tuple[int | None, ...]:
    """On top and on the left; None where it keeps the size."""
    if isinstance(module.padding, str):
        return (None, None) if module.padding == "same" else (0, 0)
    return module.padding


def _reach(padding: int | None, kernel: int, dilation: int) -> float:
    """How far into its input, in pixels, is the middle of what a convolution's first pixel sees."""
    wide = dilation * (kernel - 1)
    return wide / 2 - (wide // 2 if padding is None else padding)


@contextmanager
def tracing(network: Network, x: Tensor, *, copying: bool = False) -> Iterator[Tracing]:
    """The network in evaluation, and a tracing of what it does with x meanwhile; after the block it is as it was."""
    followed = Tracing(x, copying=copying)
    with ExitStack() as hooks:
        for name, module in network.named_modules():
            if (hook := _hook(followed, name, module)) is not None:
                hooks.callback(module.register_forward_hook(hook).remove)
        with evaluating(network), followed:
            yield followed


def _hook(followed: Tracing, name: str, module: nn.Module) -> Callable[..., None] | None:
    if isinstance(module, nn.Conv2d):
        return partial(followed.convolve, name)
    if isinstance(module, Crop):
        return followed.crop
    return followed.bend if isinstance(module, AdaptivePiecewiseLinear) else None


def check_convolutions(network: Network) -> None:
    """Raises where there is nothing to trace."""
    if not any(isinstance(module, nn.Conv2d) for module in network.modules()):
        by_heart = ": it learns by heart" if network.learns == "by_heart" else ""
        raise OptionError(f"{type(network).__name__} has no convolution that could be looked into{by_heart}")


def check_pictures(network: Network, x: Tensor) -> None:
    """Raises unless x is a batch of pictures with as many channels as the network takes."""
    if x.ndim != 4 or x.shape[1] != network.input.channels or not len(x):
        channels = network.input.channels
        raise OptionError(f"x must be scaled pictures (N, {channels}, height, width), got {tuple(x.shape)}")
