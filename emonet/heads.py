"""Heads: the label systems that one network answers in, and how one answer is made of them.

The logits of all heads stand side by side in a network's output. Each head has a softmax of its own.

fer2013     the labels that a data set was published with; a head is named after its data set
labels      the labels of every data set that has no head of its own
seen        what people say they see: the share of ten people's votes for each of eight expressions (FER+)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from emonet.labels import Emotion
from facecrop.errors import OptionError

if TYPE_CHECKING:
    from torch import Tensor

SEEN, LABELS, MEAN = "seen", "labels", "mean"
SEEN_CLASSES = tuple(Emotion)

Prior = Literal["training", "even", "sqrt"]
PRIORS: tuple[Prior, ...] = get_args(Prior)
EXPONENTS: Mapping[str, float] = {"training": 0.0, "sqrt": 0.5, "even": 1.0}  # of the prior that is divided out
LEAST_PRIOR = 1e-3  # so that classes with hardly any training images do not become far too likely


@dataclass(frozen=True, slots=True)
class Head:
    """Describe one label system of a network.

    Attributes:
        name: `seen`, `labels`, or the name of a data set.
        classes: In the order of the head's logits.
        prior: The share of each class in what the head learned from; empty if it is not known.
        temperature: What logits are divided by, so that a probability says how often the answer is right. Above 1 the
            head becomes less sure, below 1 more; 1 leaves it as it was trained.
    """

    name: str
    classes: tuple[Emotion, ...]
    prior: tuple[float, ...] = ()
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.temperature < math.inf:
            raise OptionError(f"temperature must be a number above 0, got {self.temperature}")
        if not self.name or self.name == MEAN:
            raise OptionError(f"a head must have a name other than {MEAN!r}, got {self.name!r}")
        if self.prior and not (len(self.prior) == len(self.classes) and all(0 <= one < math.inf for one in self.prior)):
            raise OptionError(f"prior must be a share for each of {len(self.classes)} classes, got {self.prior}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists and texts, as JSON takes them. A temperature of 1 is not named."""
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        if self.temperature == 1:
            del values["temperature"]
        return values

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Head:
        """Read what `to_dict` gave."""
        classes, prior = tuple(map(Emotion, stored["classes"])), tuple(map(float, stored.get("prior", ())))
        return cls(str(stored["name"]), classes, prior, float(stored.get("temperature", 1.0)))


def sizes(heads: Sequence[Head]) -> tuple[int, ...]:
    """Count the logits of each head."""
    return tuple(len(head.classes) for head in heads)


def softmax_heads(logits: Tensor, counts: Sequence[int] = ()) -> Tensor:
    """Turn logits (N, all heads' classes) into probabilities, each head for itself.

    Args:
        logits: Those of all heads side by side.
        counts: How many logits each head has; one head if empty.
    """
    import torch

    if len(counts) < 2:
        return logits.softmax(1)
    return torch.cat([part.softmax(1) for part in torch.split(logits, list(counts), dim=1)], dim=1)


def find_head(source: str, names: Sequence[str]) -> str:
    """Find the head that answers with the labels of a data set.

    Args:
        source: Name of the data set.
        names: Names of all heads.

    Returns:
        Its own head, or `labels`; else the first head that learned any labels, and `seen` where there is no other.
    """
    learned = [name for name in names if name != SEEN]
    return next((name for name in (source, LABELS, *learned) if name in names), SEEN)


def find_labelled(head: Head, heads: Sequence[Head], sources: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Mark the images whose label this head answers (N,).

    Args:
        head: One of the heads. `seen` answers no label.
        heads: All heads.
        sources: The data set of each image, (N,).
    """
    names = [one.name for one in heads]
    own = {source for source in set(sources.tolist()) if find_head(source, names) == head.name}
    return np.isin(sources, list(own)) if head.name != SEEN else np.zeros(len(sources), np.bool_)


def make_divisors(shares: Sequence[float] | NDArray[np.float64], prior: str) -> NDArray[np.float64]:
    """Return what the probability of each class is divided by.

    Args:
        shares: The share of each class in training.
        prior: `training`, `even` or `sqrt`.
    """
    return np.asarray(np.maximum(shares, LEAST_PRIOR) ** EXPONENTS[prior], np.float64)


def find_shared(heads: Sequence[Head]) -> tuple[Emotion, ...]:
    """Find the classes that all heads have, in the order of the first."""
    first, *others = heads
    return tuple(one for one in first.classes if all(one in other.classes for other in others))


def list_answers(heads: Sequence[Head]) -> list[str]:
    """List what may answer: each head, and their mean where they share two classes or more."""
    has_mean = len(heads) > 1 and len(find_shared(heads)) > 1
    return [head.name for head in heads] + ([MEAN] if has_mean else [])


class HeadPart(NamedTuple):
    """What one head gives to an answer.

    Attributes:
        columns: Where the answer's classes stand among the logits of all heads.
        exponent: The power that the probabilities are raised to: 1 divided by the temperature of the head.
        divisors: What to divide the probability of each class by.
    """

    columns: list[int]
    exponent: float
    divisors: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HeadChoice:
    """Make one answer of the probabilities of all heads.

    Args:
        heads: Those of the network, in the order of its logits.
        head: The name of one of them, or `mean`: the mean over the classes that all heads share, at least two.
        prior: `training` leaves the probabilities as they are. `even` divides them by each class's share of the
            training data, as if all classes were equally frequent; `sqrt` by its square root.
    """

    heads: tuple[Head, ...]
    head: str
    prior: str = "training"

    def __post_init__(self) -> None:
        known = list_answers(self.heads)
        if self.head not in known:
            few = ": the heads share fewer than two classes" if self.head == MEAN and len(self.heads) > 1 else ""
            raise OptionError(f"head must be one of {', '.join(known)}, got {self.head!r}{few}")
        if self.prior not in PRIORS:
            raise OptionError(f"prior must be one of {', '.join(PRIORS)}, got {self.prior!r}")
        if self.prior != "training" and (missing := [head.name for head in self._asked if not head.prior]):
            raise OptionError(
                f"prior={self.prior} needs the shares of the classes in training, and the model stores none for "
                f"{', '.join(missing)}: use prior=training, or train it again"
            )

    @property
    def _asked(self) -> list[Head]:
        return [head for head in self.heads if self.head in (head.name, MEAN)]

    @property
    def classes(self) -> tuple[Emotion, ...]:
        """The classes of the answer, in its order."""
        return find_shared(self._asked)

    def parts(self) -> list[HeadPart]:
        """List what each head gives to the answer.

        The answer is the mean, over the heads, of their probabilities: each raised to the exponent, divided, and scaled
        to a sum of 1.
        """
        return [self._make_part(head, sum(sizes(self.heads[: self.heads.index(head)]))) for head in self._asked]

    def _make_part(self, head: Head, start: int) -> HeadPart:
        places = [head.classes.index(one) for one in self.classes]
        plain = self.prior == "training"  # then the head need not store a prior
        divisors = np.ones(len(places)) if plain else make_divisors(head.prior, self.prior)[places]
        return HeadPart([start + place for place in places], 1 / head.temperature, divisors)

    @property
    def columns(self) -> tuple[int, ...]:
        """Where the answer's classes stand among all logits, for the first head."""
        return tuple(self.parts()[0].columns)

    @property
    def is_plain(self) -> bool:
        """Whether the answer is the probabilities of one head, as they are."""
        return self.head != MEAN and self.prior == "training" and self._asked[0].temperature == 1

    def __call__(self, probabilities: NDArray[np.floating]) -> NDArray[np.float32]:
        """Compute the answer (N, classes) from the probabilities of all heads side by side."""
        if self.is_plain:
            return np.asarray(probabilities[:, self.columns], np.float32)
        shares = [
            probabilities[:, part.columns].astype(np.float64) ** part.exponent / part.divisors for part in self.parts()
        ]
        return np.asarray(np.mean([one / one.sum(1, keepdims=True) for one in shares], axis=0), np.float32)
