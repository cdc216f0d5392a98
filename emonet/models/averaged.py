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
        members: How many copies; or for each member its `model`, its `arguments`, and the `temperatures` that its
            logits are divided by, one for each head.
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
        counts = tuple(heads) or (classes,)
        if sum(counts) != classes:
            raise OptionError(f"heads must have {classes} classes together, got {list(heads)}")
        if isinstance(members, int):
            check_whole("members", members)
            members = [{"model": model, "arguments": arguments or {}, "temperatures": [1.0] * len(counts)}] * members
        elif not members or not all(_is_member(one, len(counts)) for one in members):
            raise OptionError(
                f"members must be a number, or a model, arguments and temperatures for each, got {members!r}"
            )
        networks = [create_model(one["model"], **{**one["arguments"], "classes": classes}) for one in members]
        if memorising := [one["model"] for one, made in zip(members, networks, strict=True) if made.fit == "memorise"]:
            raise OptionError(f"{memorising[0]!r} cannot be averaged: it memorises images, and its copies are alike")
        if any(made.input != networks[0].input for made in networks):
            raise OptionError(f"{', '.join(one['model'] for one in members)} cannot be averaged: their input differs")
        self.members = nn.ModuleList(networks)
        self.heads = counts
        self.input = networks[0].input
        self.temperatures = [tuple(map(float, one["temperatures"])) for one in members]

    def forward(self, x: Tensor) -> Tensor:  # (N, channels, size, size) -> (N, classes)
        answers = [
            [logits / warm for logits, warm in zip(member(x).split(list(self.heads), dim=1), temperatures, strict=True)]
            for member, temperatures in zip(self.members, self.temperatures, strict=True)
        ]
        return torch.cat([average_logits(torch.stack(of_head)) for of_head in zip(*answers, strict=True)], dim=1)


def _is_member(given: object, heads: int) -> bool:
    if not isinstance(given, Mapping) or set(given) != {"model", "arguments", "temperatures"}:
        return False
    temperatures = given["temperatures"]
    return isinstance(temperatures, Sequence) and len(temperatures) == heads and all(one > 0 for one in temperatures)


def average_logits(logits: Tensor) -> Tensor:  # (members, N, classes) -> (N, classes)
    """Compute logits whose softmax is the mean of the members' probabilities."""
    if len(logits) == 1:
        return logits[0]  # as they are, bit for bit
    return logits.log_softmax(2).logsumexp(0) - math.log(len(logits))
