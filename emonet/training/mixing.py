"""Mixing samples of a batch in pairs, pictures and targets alike: mixup blends them, cutmix pastes a piece of one."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from torch import Tensor

from emonet.errors import OptionError


@dataclass(frozen=True, slots=True)
class Mixing:
    """The alpha of each one's Beta(alpha, alpha), from which the share of the partner is drawn; 0 leaves it out."""

    mixup: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self) -> None:
        for name in ("mixup", "cutmix"):
            if not 0 <= getattr(self, name) < math.inf:
                raise OptionError(f"{name} must be a finite alpha, 0 or more, got {getattr(self, name)!r}")

    def __call__(self, x: Tensor, targets: Tensor, chance: random.Random) -> tuple[Tensor, Tensor]:
        """x (N, channels, height, width) and targets (N, classes), each sample with the one before it as its partner.

        The batch must be in random order. Where both are wanted, the lot chooses one for the whole batch.
        """
        wanted = [(mix, alpha) for mix, alpha in ((_mixup, self.mixup), (_cutmix, self.cutmix)) if alpha]
        if not wanted:
            return x, targets
        mix, alpha = chance.choice(wanted)
        mixed, share = mix(x, chance.betavariate(alpha, alpha), chance)
        return mixed, targets.lerp(targets.roll(1, 0), share)


def _mixup(x: Tensor, share: float, _: random.Random) -> tuple[Tensor, float]:
    return x.lerp(x.roll(1, 0), share), share


def _cutmix(x: Tensor, share: float, chance: random.Random) -> tuple[Tensor, float]:
    """A piece about any place of the picture; what lies outside is lost, and the share becomes that of the rest."""
    height, width = x.shape[-2:]
    top, bottom = _stretch(height, math.sqrt(share), chance)
    left, right = _stretch(width, math.sqrt(share), chance)
    mixed = x.clone()
    mixed[..., top:bottom, left:right] = x[..., top:bottom, left:right].roll(1, 0)
    return mixed, (bottom - top) * (right - left) / (height * width)


def _stretch(side: int, share: float, chance: random.Random) -> tuple[int, int]:
    centre, half = chance.randrange(side), side * share / 2
    return max(round(centre - half), 0), min(round(centre + half), side)
