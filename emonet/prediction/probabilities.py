"""The probabilities of a prediction: a dict that cannot be changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from emonet.errors import OptionError
from emonet.labels import Emotion

SUM_TOLERANCE = 1e-6


class Probabilities(dict[Emotion, float]):
    """The probability of each class, which sum to 1: a dict that cannot be changed.

    It compares with plain dicts, and pickle, copy and json take it as one.

    Raises:
        OptionError: The values do not lie between 0 and 1 or do not sum to 1.
    """

    __slots__ = ()

    def __init__(self, shares: Mapping[Any, float]) -> None:
        super().__init__({Emotion(emotion): float(share) for emotion, share in dict(shares).items()})
        if not all(0 <= share <= 1 for share in self.values()) or abs(sum(self.values()) - 1) > SUM_TOLERANCE:
            raise OptionError(f"probabilities must be from 0 to 1 and sum to 1, got {dict(self)}")

    def __reduce__(self) -> tuple[type[Probabilities], tuple[dict[Emotion, float]]]:
        return Probabilities, (dict(self),)

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("the probabilities of a prediction cannot be changed; dict(...) makes a copy that can")

    __setitem__ = __delitem__ = __ior__ = update = pop = popitem = clear = setdefault = _refuse
