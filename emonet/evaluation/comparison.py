"""Compare what two models answered to the same images.

Both saw the same images, so their difference is known better than either accuracy: it is computed image by image, and
its interval is a bootstrap over people, sequences or images (`intervals.py`). McNemar's exact test asks whether the
images that one model alone answered rightly could be shared out by chance.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from emonet.evaluation.answers import Answers
from emonet.evaluation.differences import ClassDifference, Compared, Comparison, Difference, Flip, McNemar
from emonet.evaluation.intervals import (
    Interval,
    draw_sums,
    estimate_mean,
    estimate_share,
    find_interval,
    separate_images,
)
from emonet.evaluation.matching import Matched, Run, match_runs

__all__ = ["Comparison", "compare_answers"]

FEWEST_HOLDERS = 5  # people, sequences or images that must show each class, for an interval of macro recall


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
    alike = np.isin(mean, (0, 1)).all()  # all runs are right about the same images
    interval = estimate_share(right[0], clusters) if alike else estimate_mean(mean, clusters)
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
    whole = _make_difference(float((second - first).mean()), find_interval(gains.sum(1) / there.sum(1), clusters))
    macro = _find_macro(float(own.mean()), recalls.mean(1), matched)
    classes = (
        ClassDifference(
            name,
            int(of_class[:, place].sum()),
            float(first[matched.labels == name].mean()),
            float(second[matched.labels == name].mean()),
            _make_difference(
                float(own[place]),
                _find_class_interval(recalls[:, place], second - first, matched, matched.labels == name),
            ),
        )
        for place, name in enumerate(matched.classes)
    )
    return whole, macro, tuple(classes)


def _find_macro(value: float, drawn: NDArray[np.float64], matched: Matched) -> Difference:
    """Find the interval of macro recall; too few who show a class say too little of how its recall differs."""
    holders = {name: matched.clusters.part(matched.labels == name) for name in matched.classes}
    rarest = min(holders, key=lambda name: holders[name].count)
    if holders[rarest].count < FEWEST_HOLDERS:
        return Difference(value, None, f"no interval: only {holders[rarest].words} with {rarest}")
    return _make_difference(value, find_interval(drawn, matched.clusters))


def _find_class_interval(
    drawn: NDArray[np.float64], better: NDArray[np.float64], matched: Matched, rows: NDArray[np.bool_]
) -> Interval:
    """Find the interval of a class, which few people may show; of one person, images are drawn."""
    holders = matched.clusters.part(rows)
    if holders.count > 1 or holders.are_images:
        return find_interval(drawn, matched.clusters, holders.count)
    found = estimate_mean(better[rows], separate_images(int(rows.sum())))
    return replace(found, method=f"{found.method}, all of {holders.words}")


def _make_difference(value: float, interval: Interval) -> Difference:
    if math.isclose(*interval.ends, abs_tol=1e-9):
        return Difference(value, None, "no interval: the difference is the same for all")
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
