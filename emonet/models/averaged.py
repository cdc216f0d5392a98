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
    """Average the probabilities of several networks, or of several copies of one.

    Each member has weights of its own.

    Args:
        classes: How many logits.
        model: The name of the network of which there are several copies.
        members: How many copies; or for each member its `model` and `arguments`.
        arguments: What the constructor of the copied network takes.
        heads: How many of the classes each head has, where there are several.
    """

    title = "several networks, or copies of one, their probabilities averaged"

    def __init__(
        self,
        classes: int = 7,
        *,
        model: str = "crop_three",
        members: int | Sequence[Mapping[str, Any]] = 5,
        arguments: Mapping[str, Any] | None = None,
        heads: Sequence[int] = (),
    ) -> None:
        from emonet.models import create_model  # not above: it imports this class

        super().__init__()
        if not isinstance(arguments, Mapping | None):
            raise OptionError(f"arguments must be those of {model!r} by name, got {arguments!r}")
        if isinstance(members, int):
            check_whole("members", members)
            members = [{"model": model, "arguments": arguments or {}}] * members
        elif not members or not all(isinstance(one, Mapping) and set(one) == {"model", "arguments"} for one in members):
            raise OptionError(f"members must be a number, or a model and arguments for each, got {members!r}")
        networks = [create_model(one["model"], **{**one["arguments"], "classes": classes}) for one in members]
        if memorising := [one["model"] for one, made in zip(members, networks, strict=True) if made.fit == "memorise"]:
            raise OptionError(f"{memorising[0]!r} cannot be averaged: it memorises images, and its copies are alike")
        if any(made.input != networks[0].input for made in networks):
            raise OptionError(f"{', '.join(one['model'] for one in members)} cannot be averaged: their input differs")
        if heads and sum(heads) != classes:
            raise OptionError(f"heads must have {classes} classes together, got {list(heads)}")
        self.members = nn.ModuleList(networks)
        self.heads = tuple(heads) or (classes,)
        self.input = networks[0].input

    def forward(self, x: Tensor) -> Tensor:  # (N, channels, size, size) -> (N, classes)
        logits = torch.stack([member(x) for member in self.members])  # (members, N, classes)
        return torch.cat([average_logits(part) for part in torch.split(logits, list(self.heads), dim=2)], dim=1)


def average_logits(logits: Tensor) -> Tensor:  # (members, N, classes) -> (N, classes)
    """Compute logits whose softmax is the mean of the members' probabilities."""
    if len(logits) == 1:
        return logits[0]  # as they are, bit for bit
    return logits.log_softmax(2).logsumexp(0) - math.log(len(logits))
