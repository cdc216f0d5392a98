"""What every network here is: a module that takes scaled faces and gives one score a class."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, Literal

from torch import Tensor, nn

from emonet.models.inputs import InputSpec


class Network(nn.Module):
    """Subclasses take `classes` and options of their own, all with defaults, and say what pictures they were made for.

    `forward` maps (N, channels, size, size) to scores (N, classes), whose softmax are the probabilities.
    """

    title: ClassVar[str]  # a line for lists
    input: InputSpec = InputSpec()
    learns: ClassVar[Literal["by_gradient", "by_heart"]] = "by_gradient"

    def __call__(self, x: Tensor) -> Tensor:
        scores: Tensor = super().__call__(x)
        return scores

    def forward(self, x: Tensor) -> Tensor:  # (N, channels, size, size) -> (N, classes)
        raise NotImplementedError

    def prepare(self, x: Tensor) -> None:
        """Set what is computed from training images instead of learned.

        Training calls this once, before the first step of new weights, not of a run that goes on or of `init`.

        Args:
            x: Some thousand training images as `forward` takes them, not augmented.
        """

    def fold(self) -> None:
        """Merge layers that only training needs apart; answers stay the same but for rounding.

        The state has other names afterwards. So this is for networks in use, whose weights are not stored again.
        """

    def memorise(self, x: Tensor, labels: Tensor) -> None:
        """All the learning there is, in networks that learn by heart: x as `forward` takes it, labels (N,)."""
        raise NotImplementedError


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """In evaluation for a while. Parts may be in it already, where they are frozen."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
