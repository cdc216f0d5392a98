"""An ensemble as one network: the mean of its members' probabilities. So an ensemble is one model file, too."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from emonet.models._arguments import check_whole
from emonet.models._network import Network
from facecrop.errors import OptionError


class Averaged(Network):
    """Average the probabilities of several copies of one network.

    Each copy has weights of its own.

    Args:
        classes: How many logits.
        model: The name of the network.
        members: How many copies.
        arguments: What the constructor of the network takes.
        heads: How many of the classes each head has, where there are several.
    """

    title = "several copies of one network, their probabilities averaged"

    def __init__(
        self,
        classes: int = 7,
        *,
        model: str = "crop_three",
        members: int = 5,
        arguments: Mapping[str, Any] | None = None,
        heads: Sequence[int] = (),
    ) -> None:
        from emonet.models import create_model  # not above: it imports this class

        super().__init__()
        check_whole("members", members)
        if not isinstance(arguments, Mapping | None):
            raise OptionError(f"arguments must be those of {model!r} by name, got {arguments!r}")
        of_each = {**(arguments or {}), "classes": classes}
        copies = [create_model(model, **of_each) for _ in range(members)]
        if copies[0].fit == "memorise":
            raise OptionError(f"copies of {model!r} would not differ: it memorises images")
        if heads and sum(heads) != classes:
            raise OptionError(f"heads must have {classes} classes together, got {list(heads)}")
        self.members = nn.ModuleList(copies)
        self.heads = tuple(heads) or (classes,)
        self.input = copies[0].input

    def forward(self, x: Tensor) -> Tensor:  # (N, channels, size, size) -> (N, classes)
        logits = torch.stack([member(x) for member in self.members])  # (members, N, classes)
        return torch.cat([average_logits(part) for part in torch.split(logits, list(self.heads), dim=2)], dim=1)


def average_logits(logits: Tensor) -> Tensor:  # (members, N, classes) -> (N, classes)
    """Compute logits whose softmax is the mean of the members' probabilities."""
    if len(logits) == 1:
        return logits[0]  # as they are, bit for bit
    return logits.log_softmax(2).logsumexp(0) - math.log(len(logits))
