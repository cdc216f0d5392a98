"""Put the answers of several runs in one order, and refuse runs that cannot be compared."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from emonet.errors import OptionError
from emonet.evaluation.answers import Answers, read_answers
from emonet.evaluation.intervals import Clusters, separate_images
from emonet.labels import Emotion

Run: TypeAlias = Answers | str | os.PathLike[str]

SHOWN = 3  # keys in a message


@dataclass(frozen=True, slots=True, eq=False)
class RunAnswers:
    """The answers of the runs of one model or recipe, in the order of the matched images.

    Attributes:
        names: The name of each run.
        answers: The class that each run answered (runs, N).
        right: Whether it is the label (runs, N).
        probability: That of the label; 0 where the model does not know it (runs, N).
    """

    names: tuple[str, ...]
    answers: NDArray[np.str_]
    right: NDArray[np.bool_]
    probability: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """The answers of both to the same images.

    Attributes:
        scored: What the images were scored as.
        view: The view.
        names: The name of each.
        keys: The images.
        labels: Their classes (N,).
        clusters: Which of them belong together.
        first: The answers of the first.
        second: The answers of the second.
        left_out: Images that not all runs answered.
        remarks: What differs between the runs.
    """

    scored: str
    view: str
    names: tuple[str, str]
    keys: list[str]
    labels: NDArray[np.str_]
    clusters: Clusters
    first: RunAnswers
    second: RunAnswers
    left_out: int
    remarks: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that occur."""
        there = set(self.labels.tolist())
        return tuple(str(emotion) for emotion in Emotion if emotion in there)


def match_runs(first: Sequence[Run], second: Sequence[Run], *, view: str, scored: str, common: bool) -> Matched:
    """Read all runs and put their images in one order; see `compare_answers` for the arguments."""
    if not first or not second:
        raise OptionError("name one run or more on each side")
    runs = [*first, *second]
    opened = [_choose_title(run, scored) for run in runs]
    names = name_runs(runs, opened)
    chosen = _choose_view(opened, view)
    keys = _match_keys(names, opened, common=common)
    orders = [_find_rows(one, keys) for one in opened]
    labels = _match_labels(names, opened, orders, keys)
    people = opened[0].clusters.part(orders[0])
    clusters = people if people.count > 1 else separate_images(len(keys))
    read = [_read(one, order, labels, chosen) for one, order in zip(opened, orders, strict=True)]
    own, other = slice(None, len(first)), slice(len(first), None)
    return Matched(
        " and ".join(dict.fromkeys(one.scored[0] for one in opened)),
        chosen,
        (", ".join(names[own]), ", ".join(names[other])),
        keys,
        labels,
        clusters,
        _stack(names[own], read[own], labels),
        _stack(names[other], read[other], labels),
        len({key for one in opened for key in one.keys}) - len(keys),
        (*_list_remarks(names, opened), *_remark_on_one(people, clusters)),
    )


def list_titles(runs: Sequence[Run]) -> list[str]:
    """List the titles that all runs have answers for; one empty title if each run has only one."""
    titles = [_open(run).scored for run in runs]
    if all(len(one) == 1 for one in titles):
        return [""]
    shared = [title for title in titles[0] if all(title in other for other in titles)]
    if not shared:
        listed = "; ".join(f"{run}: {', '.join(own)}" for run, own in zip(runs, titles, strict=True))
        raise OptionError(f"the runs have nothing in common that was scored: {listed}")
    return shared


def name_runs(runs: Sequence[Run], opened: Sequence[Answers]) -> list[str]:
    """Name runs after their models, or after their places where two models have the same name."""
    names = [one.name for one in opened]
    places = [
        f"{one.name} {number}" if isinstance(run, Answers) else _shorten(run)
        for number, (run, one) in enumerate(zip(runs, opened, strict=True), start=1)
    ]
    return [name if names.count(name) == 1 else place for name, place in zip(names, places, strict=True)]


def _shorten(path: str | os.PathLike[str]) -> str:
    """Name an answers file after its folder."""
    file = Path(path)
    return str(file.parent) if file.is_file() else str(file)


def _open(run: Run) -> Answers:
    return run if isinstance(run, Answers) else read_answers(run)


def _choose_title(run: Run, scored: str) -> Answers:
    answers = _open(run)
    if scored:
        return answers.select(scored)
    if len(answers.scored) != 1:
        raise OptionError(
            f"{'the answers' if isinstance(run, Answers) else run} hold what was scored as "
            f"{', '.join(answers.scored) or 'nothing'}: choose one as `scored`"
        )
    return answers


def _choose_view(opened: Sequence[Answers], view: str) -> str:
    """Choose the last view that all have, unless one is asked for."""
    shared = [name for name in opened[0].views if all(name in one.views for one in opened)]
    if not shared:
        raise OptionError("the runs have no view in common: " + "; ".join(", ".join(one.views) for one in opened))
    if view and view not in shared:
        raise OptionError(f"view must be one that all runs have, {', '.join(shared)}; got {view!r}")
    return view or shared[-1]


def _match_keys(names: Sequence[str], opened: Sequence[Answers], *, common: bool) -> list[str]:
    """Return the images that are compared, in the order of the first run."""
    known = [set(one.keys) for one in opened]
    for name, one, own in zip(names, opened, known, strict=True):
        if len(own) < len(one):
            raise OptionError(f"{name} answers {len(one) - len(own):,} images twice: its answers cannot be compared")
    shared = set.intersection(*known)
    if not shared:
        raise OptionError(f"{' and '.join(names)} have no image in common: were they scored on the same data set?")
    if not common:
        for name, other in zip(names[1:], known[1:], strict=True):
            _check_same(names[0], known[0], name, other)
    return [key for key in opened[0].keys if key in shared]


def _check_same(first: str, known: set[str], second: str, other: set[str]) -> None:
    missing = [(second, sorted(known - other)), (first, sorted(other - known))]
    if lacks := [f"{name} lacks {len(keys):,} ({', '.join(keys[:SHOWN])})" for name, keys in missing if keys]:
        raise OptionError(
            f"{first} and {second} were not scored on the same images: {'; '.join(lacks)}. Score both on the same "
            "split, or compare the images that they have in common (--common)"
        )


def _find_rows(answers: Answers, keys: Sequence[str]) -> NDArray[np.int64]:
    places = {key: place for place, key in enumerate(answers.keys)}
    return np.array([places[key] for key in keys], np.int64)


def _match_labels(
    names: Sequence[str], opened: Sequence[Answers], orders: Sequence[NDArray[np.int64]], keys: Sequence[str]
) -> NDArray[np.str_]:
    labels = opened[0].labels[orders[0]]
    for name, one, order in zip(names[1:], opened[1:], orders[1:], strict=True):
        if (wrong := np.flatnonzero(one.labels[order] != labels)).size:
            shown = ", ".join(keys[row] for row in wrong[:SHOWN].tolist())
            raise OptionError(
                f"{names[0]} and {name} have other labels for {wrong.size:,} images ({shown}): score both on the same "
                "data set"
            )
    return labels


_Read: TypeAlias = tuple[NDArray[np.str_], NDArray[np.float64]]


def _read(answers: Answers, order: NDArray[np.int64], labels: NDArray[np.str_], view: str) -> _Read:
    """Read the answers of a run, and the probability that it gives to each label."""
    classes, probabilities = answers.classes(view), answers.probabilities(view)[order]
    of_label = np.zeros(len(labels))
    for place, name in enumerate(classes):
        own = labels == name
        of_label[own] = probabilities[own, place]
    return answers.answer(view)[order], of_label


def _stack(names: Sequence[str], read: Sequence[_Read], labels: NDArray[np.str_]) -> RunAnswers:
    answers, of_label = (np.stack(parts) for parts in zip(*read, strict=True))
    return RunAnswers(tuple(names), answers, answers == labels, of_label)


def _remark_on_one(people: Clusters, clusters: Clusters) -> Iterator[str]:
    if clusters is not people and len(clusters.groups) > 1:
        yield f"all images are of {people.words}: the intervals say nothing of others"


def _list_remarks(names: Sequence[str], opened: Sequence[Answers]) -> Iterator[str]:
    if len({one.about.get("store_identity") for one in opened}) > 1:
        yield "the runs were scored on data sets whose files differ: crops may differ, too"
    answered = [f"{one.about.get('head')} with the prior {one.about.get('prior')}" for one in opened]
    if len(set(answered)) > 1:
        listed = "; ".join(f"{name}: {words}" for name, words in zip(names, answered, strict=True))
        yield f"the runs answered by different heads or priors: {listed}"
    seen: dict[str, str] = {}
    for name, one in zip(names, opened, strict=True):
        weights = json.dumps(one.about.get("model_identity"), sort_keys=True)
        if weights in seen:
            yield f"{seen[weights]} and {name} are answers of the same weights"
        seen.setdefault(weights, name)
