"""Compare what two models answered to the same images.

Both saw the same images, so their difference is known better than either accuracy: it is computed image by image, and
its interval is a bootstrap over people, sequences or images (`intervals.py`). McNemar's exact test asks whether the
images that one model alone answered rightly could be shared out by chance.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emonet.evaluation.answers import Answers
from emonet.evaluation.intervals import Clusters, Interval, draw_sums, estimate_mean, estimate_share, find_interval
from emonet.evaluation.matching import Matched, Run, match_runs

__all__ = ["Comparison", "compare_answers"]


@dataclass(frozen=True, slots=True)
class Compared:
    """Hold what one model scored, or several runs of one recipe.

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
    """Hold how much better the second is; below 0 it is worse.

    Attributes:
        value: The second minus the first.
        interval: Where it lies with 95 % confidence.
        interval_method: How the interval was computed.
    """

    value: float
    interval: tuple[float, float]
    interval_method: str


@dataclass(frozen=True, slots=True)
class McNemar:
    """Hold McNemar's exact test of two runs.

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
    """Hold the recalls of one class.

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
    """Hold an image that one of the two answers rightly more often.

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
    """Hold how two models differ on the same images.

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


def compare_answers(
    first: Run | Sequence[Run],
    second: Run | Sequence[Run],
    *,
    view: str = "",
    scored: str = "",
    common: bool = False,
) -> Comparison:
    """Compare what two models answered to the same images.

    Args:
        first: Answers, or the file or folder that holds them; several for the seeds of one recipe.
        second: What the first is compared with, of one or several runs too.
        view: The view of both; by default the last one that all runs have.
        scored: Which of several titles of a protocol to compare.
        common: Whether to compare the images that all runs answered, and leave out the others.

    Returns:
        The differences, the second minus the first.

    Raises:
        OptionError: The runs answered different images, labels differ, or there is no such view or title.
        MissingFileError: There is no such file, or a folder holds no answers.
        DatasetError: A file holds no answers.

    Examples:
        Two evaluations, and three seeds of two recipes::

            compare_answers("report-a", "report-b").accuracy.interval
            compare_answers(["a-1", "a-2", "a-3"], ["b-1", "b-2", "b-3"]).runs_p_value
    """
    matched = match_runs(_list_runs(first), _list_runs(second), view=view, scored=scored, common=common)
    a, b = matched.first, matched.second
    difference, macro, classes = _compare_classes(matched)
    return Comparison(
        matched.scored,
        matched.view,
        len(matched.keys),
        matched.left_out,
        _summarize(matched.names[0], a.names, a.right, matched),
        _summarize(matched.names[1], b.names, b.right, matched),
        difference,
        macro,
        _test_pairs(a.right, b.right),
        _test_runs(a.right.mean(1), b.right.mean(1)),
        classes,
        _find_flips(matched),
        tuple(_list_remarks(matched)),
    )


def _list_runs(given: Run | Sequence[Run]) -> list[Run]:
    return [given] if isinstance(given, Answers | str | os.PathLike) else list(given)


def _summarize(name: str, runs: tuple[str, ...], right: NDArray[np.bool_], matched: Matched) -> Compared:
    accuracies, several = right.mean(1), len(runs) > 1
    mean, clusters = right.mean(0), matched.clusters
    interval = estimate_mean(mean, clusters) if several else estimate_share(right[0], clusters)
    return Compared(
        name,
        runs,
        tuple(accuracies.tolist()),
        float(accuracies.mean()),
        float(accuracies.std(ddof=1)) if several else None,
        interval.ends,
        interval.method,
        float(np.mean([mean[matched.labels == label].mean() for label in matched.classes])),
    )


def _compare_classes(matched: Matched) -> tuple[Difference, Difference, tuple[ClassDifference, ...]]:
    """Compute the differences of accuracy, of macro recall and of each class, with one draw of clusters for all."""
    first, second = matched.first.right.mean(0), matched.second.right.mean(0)
    of_class = np.stack([matched.labels == label for label in matched.classes], axis=1).astype(np.float64)
    better = (second - first)[:, None] * of_class
    count, clusters = len(matched.classes), matched.clusters
    drawn = draw_sums(clusters.sum(np.concatenate([better, of_class], axis=1)))
    gains, there = drawn[:, :count], drawn[:, count:]
    recalls = np.divide(gains, there, where=there > 0, out=np.full_like(gains, np.nan))
    own = better.sum(0) / of_class.sum(0)
    whole = _make_difference(float((second - first).mean()), gains.sum(1) / there.sum(1), clusters)
    macro = _make_difference(float(own.mean()), recalls.mean(1), clusters)
    classes = (
        ClassDifference(
            name,
            int(of_class[:, place].sum()),
            float(first[matched.labels == name].mean()),
            float(second[matched.labels == name].mean()),
            _make_difference(float(own[place]), recalls[:, place], clusters),
        )
        for place, name in enumerate(matched.classes)
    )
    return whole, macro, tuple(classes)


def _make_difference(value: float, drawn: NDArray[np.float64], clusters: Clusters) -> Difference:
    interval: Interval = find_interval(drawn, clusters)
    return Difference(value, interval.ends, interval.method)


def _test_pairs(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> tuple[McNemar, ...]:
    from scipy.stats import binomtest

    if len(first) != len(second):
        return ()
    found = []
    for one, other in zip(first, second, strict=True):
        only_first, only_second = int((one & ~other).sum()), int((other & ~one).sum())
        flips = only_first + only_second
        found.append(McNemar(only_first, only_second, float(binomtest(only_first, flips).pvalue) if flips else 1.0))
    return tuple(found)


def _test_runs(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    from scipy.stats import ttest_ind

    if min(len(first), len(second)) < 2 or not (np.ptp(first) or np.ptp(second)):
        return None
    return float(ttest_ind(first, second, equal_var=False).pvalue)


def _find_flips(matched: Matched) -> tuple[Flip, ...]:
    a, b = matched.first, matched.second
    first, second = a.right.mean(0), b.right.mean(0)
    change = b.probability.mean(0) - a.probability.mean(0)
    rows = np.flatnonzero(first != second)
    order = np.lexsort((-np.abs(change[rows]), -np.abs(second - first)[rows]))
    return tuple(
        Flip(
            matched.keys[row],
            str(matched.labels[row]),
            _find_commonest(a.answers[:, row]),
            _find_commonest(b.answers[:, row]),
            float(first[row]),
            float(second[row]),
            float(a.probability[:, row].mean()),
            float(b.probability[:, row].mean()),
        )
        for row in rows[order].tolist()
    )


def _find_commonest(answers: NDArray[np.str_]) -> str:
    names, counts = np.unique(answers, return_counts=True)
    return str(names[counts.argmax()])


def _list_remarks(matched: Matched) -> list[str]:
    remarks = list(matched.remarks)
    if matched.left_out:
        remarks.append(f"{matched.left_out:,} images are left out, which not all runs answered")
    if not matched.clusters.are_images:
        remarks.append(
            f"McNemar's test takes images as independent, and these are of {matched.clusters.words}: go by the interval"
        )
    if len(matched.first.names) > 1 or len(matched.second.names) > 1:
        remarks.append("intervals are for these runs on other images; how much seeds differ is the deviation over runs")
    return remarks
