"""The base class of all networks, and two contexts to look at one while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from threading import get_ident
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from emonet.models.inputs import InputSpec

# Takes the name of a module, the module, its first input and its output.
Observer = Callable[[str, nn.Module, Tensor, Tensor], None]


class Network(nn.Module):
    """Map scaled face crops to one logit for each class.

    A subclass takes `classes` and options of its own. All have defaults and are stored in the model file, so they must
    be JSON. `forward` maps crops (N, channels, size, size) to logits (N, classes). In evaluation the same crops must
    get the same logits, bit for bit.

    Attributes:
        title: One line for lists of networks.
        input: The crops that the network was made for.
        fit: How the network learns: by `gradient` descent, or by one call of `memorise`.

    Examples:
        >>> import torch
        >>> from emonet.models import Network
        >>> class Linear(Network):
        ...     title = "one dense layer"
        ...
        ...     def __init__(self, classes=7):
        ...         super().__init__()
        ...         self.dense = torch.nn.Linear(48 * 48, classes)
        ...
        ...     def forward(self, x):
        ...         return self.dense(x.flatten(1))
        >>> Linear()(torch.zeros(2, 1, 48, 48)).shape
        torch.Size([2, 7])
    """

    title: ClassVar[str]
    input: InputSpec = InputSpec()
    fit: ClassVar[Literal["gradient", "memorise"]] = "gradient"

    def __call__(self, x: Tensor) -> Tensor:
        logits: Tensor = super().__call__(x)
        return logits

    def forward(self, x: Tensor) -> Tensor:  # (N, channels, size, size) -> (N, classes)
        raise NotImplementedError

    def prepare(self, x: Tensor) -> None:
        """Set the weights that are computed from training images instead of learned.

        Training calls this once, before the first step of new weights. It does not when it resumes a run or begins with
        the weights of another model.

        Args:
            x: Some thousand training images as `forward` takes them, not augmented.
        """

    def fold(self) -> None:
        """Merge layers that only training needs apart.

        Logits stay the same but for rounding. The weights have other names afterwards. So this is for networks in use,
        whose weights are not stored again.
        """

    def memorise(self, x: Tensor, labels: Tensor) -> None:
        """Learn training images at once. Networks with `fit = "memorise"` must have this.

        Args:
            x: Images as `forward` takes them.
            labels: The index of the class of each image, (N,).
        """
        raise NotImplementedError


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Set a model to evaluation, and its modules back afterwards."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def observing(model: nn.Module, observe: Observer) -> Iterator[None]:
    """Call `observe` after each module of a model that turns one tensor into another.

    Calls of the model by other threads are not observed: a network that answers may be looked into meanwhile.
    """
    thread = get_ident()

    def hook(name: str, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if get_ident() == thread and inputs and isinstance(inputs[0], Tensor) and isinstance(output, Tensor):
            observe(name, module, inputs[0], output)

    with ExitStack() as hooks:
        for name, module in model.named_modules():
            hooks.callback(module.register_forward_hook(partial(hook, name)).remove)
        yield
