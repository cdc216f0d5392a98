"""The page of a comparison: the figures, the differences by class, and the images that flipped, with their crops.

FOLDER/comparison.html        the page
FOLDER/comparison.json        all figures, as `emonet compare --json` prints them
FOLDER/flips.csv              every image that one of the two answers rightly more often
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from emonet.atomic import write_atomically
from emonet.datasets.store import Store, decode
from emonet.evaluation.differences import ClassDifference, Comparison, Difference, Flip
from emonet.html.formatting import percent
from emonet.html.images import EmbeddedImage, embed_pixels
from emonet.html.render import write_page

PAGE, FIGURES, FLIPS = "comparison.html", "comparison.json", "flips.csv"
CLASS_HEADER = ("class", "n", "recall A", "recall B", "B - A", "95 %", "gained", "lost")
FLIP_HEADER = ("flipped image", "label", "A", "B", "P(label) of A, B")
FLIP_FIELDS = (
    *("scored", "first", "second", "key", "label", "first_answer", "second_answer"),
    *("first_right", "second_right", "first_probability", "second_probability"),
)
SHOWN = 60  # flips of each kind on the page: every one is in flips.csv

Crops = Mapping[str, EmbeddedImage]


def write_comparison(
    comparisons: Sequence[Comparison], folder: str | os.PathLike[str], *, store: Store | None = None
) -> Path:
    """Write the page of some comparisons, and their figures beside it.

    Args:
        comparisons: What `compare_answers` returned; each is a section.
        folder: Where the page is written.
        store: The data set whose crops are shown; none are shown if None.

    Returns:
        The path of the page.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    figures = {"comparisons": [one.to_dict() for one in comparisons]}
    with write_atomically(folder / FIGURES) as temporary:
        temporary.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    _write_flips(comparisons, folder / FLIPS)
    shown = {flip.key for one in comparisons for gained in (True, False) for flip in _select(one, gained=gained)}
    crops = {} if store is None else _read_crops(store, shown)
    write_page(
        folder / PAGE,
        "comparison.html.j2",
        title="Comparison",
        sections={},
        comparisons=[_describe(one, crops) for one in comparisons],
        has_crops=store is not None,
        shown=SHOWN,
    )
    return folder / PAGE


def describe_verdict(comparison: Comparison) -> list[str]:
    """Say in sentences how the two differ."""
    whole, macro = comparison.accuracy, comparison.macro_recall
    sentences = [
        f"accuracy, B - A: {_points(whole)}: {_judge(whole)}{' by these runs' if comparison.first.deviation else ''}",
        f"macro recall, B - A: {_points(macro)}",
        f"95 %: {whole.interval_method}",
    ]
    for test in comparison.mcnemar:
        only = f"only A is right on {test.only_first:,}, only B on {test.only_second:,}"
        sentences.append(f"McNemar's exact test: {only}; p = {test.p_value:.2g}")
    if comparison.runs_p_value is not None:
        sentences.append(f"over runs (Welch's t-test): p = {comparison.runs_p_value:.2g}")
    return sentences


def _points(difference: Difference) -> str:
    return f"{100 * difference.value:+.2f} points ({_ends(difference, 2) or difference.interval_method})"


def _ends(difference: Difference, digits: int) -> str:
    if difference.interval is None:
        return ""
    low, high = difference.interval
    return f"{100 * low:+.{digits}f} to {100 * high:+.{digits}f}"


def _judge(difference: Difference) -> str:
    low, high = difference.interval or (0, 0)
    if low <= 0 <= high:
        return "maybe no difference"
    return f"{'B' if low > 0 else 'A'} is better"


def class_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """Return the recalls of each class, in the order of CLASS_HEADER."""
    return [
        _class_row(one, [flip for flip in comparison.flips if flip.label == one.name]) for one in comparison.classes
    ]


def _class_row(one: ClassDifference, flips: Sequence[Flip]) -> tuple[str, ...]:
    gained = sum(flip.gained for flip in flips)
    interval = _ends(one.difference, 1) or "-"
    recalls = f"{one.first:.1%}", f"{one.second:.1%}", f"{100 * one.difference.value:+.1f}"
    return one.name, f"{one.n:,}", *recalls, interval, f"{gained:,}", f"{len(flips) - gained:,}"


def flip_counts(comparison: Comparison) -> str:
    """Say how many images flipped."""
    gained = sum(flip.gained for flip in comparison.flips)
    lost = len(comparison.flips) - gained
    return f"{len(comparison.flips):,} of {comparison.n:,} images flipped: B gained {gained:,} and lost {lost:,}"


def flip_rows(comparison: Comparison) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield what FLIP_HEADER names of each flipped image."""
    for flip in comparison.flips:
        yield flip.key, flip.label, flip.first_answer, flip.second_answer, _label_words(flip)


def _label_words(flip: Flip) -> str:
    """Write how probable the label was to each."""
    return f"{100 * flip.first_probability:.0f}, {percent(flip.second_probability, 0)}"


def _write_flips(comparisons: Sequence[Comparison], path: Path) -> None:
    with write_atomically(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(FLIP_FIELDS)
        for one in comparisons:
            pair = {"scored": one.scored, "first": one.first.name, "second": one.second.name}
            for flip in one.flips:
                writer.writerow([pair[name] if name in pair else getattr(flip, name) for name in FLIP_FIELDS])


def _select(comparison: Comparison, *, gained: bool) -> list[Flip]:
    return [flip for flip in comparison.flips if flip.gained is gained][:SHOWN]


def _read_crops(store: Store, keys: set[str]) -> dict[str, EmbeddedImage]:
    """Read the crops of some images; those that the data set lacks are shown without one."""
    found = {}
    for split in store.splits:
        for batch in store.batches(split, ["key", "image"]):
            for row, key in enumerate(batch.column("key").to_pylist()):
                if key in keys:
                    found[key] = embed_pixels(decode(batch.column("image")[row].as_py()))
    return found


def _describe(comparison: Comparison, crops: Crops) -> dict[str, Any]:
    return {
        "scored": comparison.scored,
        "n": comparison.n,
        "view": comparison.view,
        "models": [
            (
                letter,
                one.name,
                percent(one.accuracy, 2),
                f"{100 * one.accuracy_interval[0]:.1f} to {percent(one.accuracy_interval[1])}",
                one.interval_method,
                percent(one.macro_recall, 2),
                "" if one.deviation is None else f"{len(one.runs)} runs ± {percent(one.deviation, 2)}",
            )
            for letter, one in (("A", comparison.first), ("B", comparison.second))
        ],
        "verdict": describe_verdict(comparison),
        "remarks": comparison.remarks,
        "columns": {name: "chip" if name == "class" else "number" for name in CLASS_HEADER},
        "classes": [[cell.replace("%", " %") for cell in row] for row in class_rows(comparison)],
        "counts": flip_counts(comparison),
        "kinds": [_describe_flips(comparison, crops, gained=gained) for gained in (True, False)],
    }


def _describe_right(comparison: Comparison) -> str:
    several = len(comparison.first.runs) > 1 or len(comparison.second.runs) > 1
    return "is right more often" if several else "alone is right"


def _describe_flips(comparison: Comparison, crops: Crops, *, gained: bool) -> dict[str, Any]:
    flips = _select(comparison, gained=gained)
    return {
        "heading": f"{'B' if gained else 'A'} {_describe_right(comparison)}",
        "of": sum(flip.gained is gained for flip in comparison.flips),
        "flips": [
            {
                "key": flip.key,
                "label": flip.label,
                "answers": (flip.first_answer, flip.second_answer),
                "probability": _label_words(flip),
                "crop": crops.get(flip.key),
            }
            for flip in flips
        ],
    }
