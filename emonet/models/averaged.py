"""An ensemble as one network: the mean of its members' probabilities. So an ensemble is one checkpoint, too."""

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
    """`members` copies of another network, each with weights of its own; it takes the pictures that they take."""

    title = "several copies of one network, their probabilities averaged"

    def __init__(
        self,
        classes: int = 7,
        *,
        model: str = "crop_three",
        members: int = 5,
        arguments: Mapping[str, Any] | None = None,
        heads: Sequence[int] = (),  # how many of the classes each head has, where there are several
    ) -> None:
        from emonet.models import create_model  # here, for it knows this class

        super().__init__()
        check_whole("members", members)
        if not isinstance(arguments, Mapping | None):
            raise OptionError(f"arguments must be those of {model!r} by name, got {arguments!r}")
        of_each = {**(arguments or {}), "classes": classes}
        copies = [create_model(model, **of_each) for _ in range(members)]
        if copies[0].learns == "by_heart":
            raise OptionError(f"copies of {model!r} would not differ: it learns by heart")
        if heads and sum(heads) != classes:
            raise OptionError(f"heads must have {classes} classes together, got {list(heads)}")
        self.members = nn.ModuleList(copies)
        self.heads = tuple(heads) or (classes,)
        self.input = copies[0].input

    def forward(self, x: Tensor) -> Tensor:  # (N, channels, size, size) -> (N, classes)
        scores = torch.stack([member(x) for member in self.members])  # (members, N, classes)
        return torch.cat([mean_scores(part) for part in torch.split(scores, list(self.heads), dim=2)], dim=1)


def mean_scores(scores: Tensor) -> Tensor:  # (members, N, classes) -> (N, classes)
    """Scores whose softmax is the mean of the members' probabilities; one member's own are left as they are."""
    if len(scores) == 1:
        return scores[0]
    return scores.log_softmax(2).logsumexp(0) - math.log(len(scores))
