"""What a comparison finds: the scores of both, their differences, McNemar's test, and the images that flipped."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Compared:
    """What one model scored, or several runs of one recipe.

    Attributes:
        name: The name of the model, or of the runs.
        runs: The name of each run.
        accuracies: The accuracy of each run.
        accuracy: Their mean.
        deviation: Their standard deviation (with n - 1); None for one run.
        accuracy_interval: Where the accuracy lies with 95 % confidence, for these runs on other images.
        interval_method: How the interval was computed.
        macro_recall: The mean of the recalls of the classes, averaged over the runs.
    """

    name: str
    runs: tuple[str, ...]
    accuracies: tuple[float, ...]
    accuracy: float
    deviation: float | None
    accuracy_interval: tuple[float, float]
    interval_method: str
    macro_recall: float


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better the second is; below 0 it is worse.

    Attributes:
        value: The second minus the first.
        interval: Where it lies with 95 % confidence; None where too few show a class, or it is the same for all.
        interval_method: How the interval was computed, or why there is none.
    """

    value: float
    interval: tuple[float, float] | None
    interval_method: str


@dataclass(frozen=True, slots=True)
class McNemar:
    """McNemar's exact test of two runs.

    Attributes:
        only_first: Images that the first alone answered rightly.
        only_second: Images that the second alone answered rightly.
        p_value: How likely shares as uneven as these are, if both runs are equally good and images are independent.
    """

    only_first: int
    only_second: int
    p_value: float


@dataclass(frozen=True, slots=True)
class ClassDifference:
    """The recalls of one class.

    Attributes:
        name: The class.
        n: Its images.
        first: The recall of the first.
        second: The recall of the second.
        difference: The second minus the first.
    """

    name: str
    n: int
    first: float
    second: float
    difference: Difference


@dataclass(frozen=True, slots=True)
class Flip:
    """An image that one of the two answers rightly more often.

    Attributes:
        key: The image.
        label: Its class.
        first_answer: The answer of the first; the most frequent one of several runs.
        second_answer: The answer of the second.
        first_right: The share of the first's runs that are right.
        second_right: The share of the second's runs that are right.
        first_probability: The probability that the first gives to the label, a mean over runs.
        second_probability: The probability that the second gives to the label.
    """

    key: str
    label: str
    first_answer: str
    second_answer: str
    first_right: float
    second_right: float
    first_probability: float
    second_probability: float

    @property
    def gained(self) -> bool:
        """Whether the second is right more often."""
        return self.second_right > self.first_right


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two models differ on the same images.

    Attributes:
        scored: What the images were scored as: a split, or a title of a protocol.
        view: The view of both.
        n: Images that are compared.
        left_out: Images that not all runs answered; 0 unless that was allowed.
        first: What the first scored.
        second: What the second scored.
        accuracy: The difference of the accuracies.
        macro_recall: The difference of the macro recalls.
        mcnemar: McNemar's test of each pair of runs, in order; empty if one has more runs than the other.
        runs_p_value: Welch's t-test over the runs' accuracies; None unless both have several that differ.
        classes: The differences by class.
        flips: The images that flipped, the largest change first.
        remarks: What one has to know to read the figures.
    """

    scored: str
    view: str
    n: int
    left_out: int
    first: Compared
    second: Compared
    accuracy: Difference
    macro_recall: Difference
    mcnemar: tuple[McNemar, ...]
    runs_p_value: float | None
    classes: tuple[ClassDifference, ...]
    flips: tuple[Flip, ...]
    remarks: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return all figures, as JSON takes them."""
        return asdict(self)
