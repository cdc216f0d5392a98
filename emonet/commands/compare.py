"""`emonet compare`: how two models, or several runs of two recipes, differ on the same images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emonet.commands._console.options import Given, with_options
from emonet.commands._console.output import print_json, print_table
from emonet.commands._console.packages import check_training_packages
from emonet.errors import OptionError
from emonet.folders import check_own
from emonet.options import Option, check_options, split_names

if TYPE_CHECKING:
    from emonet.evaluation.differences import Compared, Comparison

RunsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="ANSWERS",
        help="Two or more; each is compared with the first. Folders that `emonet evaluate -o` or `emonet protocol` "
        "wrote, or their answers.parquet. Separate several seeds of one recipe by commas.",
    ),
]


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """The options of `emonet compare`."""

    view: Annotated[str, Option("Compare the answers of this view.", default="the last that all have")] = ""
    scored: Annotated[
        str, Option("Of a protocol that scored several things, compare this one.", default="each that all have")
    ] = ""
    common: Annotated[bool, Option("Compare the images that all have answers for, and leave out the others.")] = False
    flips: Annotated[int, Option("Number of flipped images to list.", 0)] = 10

    def __post_init__(self) -> None:
        check_options(self)


@with_options(CompareOptions)
def compare(
    runs: RunsArgument,
    *,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder to write comparison.html, comparison.json and flips.csv to."),
    ] = None,
    store: Annotated[
        Path | None, typer.Option("--store", help="Show the crops of flipped images, from this data set.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as one JSON object.")] = False,
    given: Given,
) -> None:
    """Compare two models on the same images: is one better, by how much, and on which images?

    The difference is the second minus the first, with its 95 % interval: over people or sequences where they are known,
    over images where not. McNemar's exact test is of the images that one alone answers rightly.
    """
    check_training_packages("compare")
    options = given.choose(CompareOptions)
    given.end_if_printed(options)
    if store is not None and out is None:
        raise OptionError("--store shows crops on a page: say with --out where to write it")
    if out is not None:
        from emonet.report.comparison import FIGURES, write_comparison

        check_own(out, "a comparison", [FIGURES])
    comparisons = [*_compare_all(runs, options)]
    page = None
    if out is not None:
        from emonet.datasets.store import open_store

        page = write_comparison(comparisons, out, store=open_store(store) if store else None)
    if as_json:
        print_json({"comparisons": [one.to_dict() for one in comparisons]})
    else:
        for one in comparisons:
            _show(one, options.flips)
    if page:
        typer.echo(f"look at {page}", err=as_json)


def _compare_all(given: Sequence[str], options: CompareOptions) -> Iterator[Comparison]:
    """Compare each with the first, for each title that all have answers for."""
    from emonet.evaluation import compare_answers
    from emonet.evaluation.matching import list_titles

    first, *others = [_split(text) for text in given]
    if not others:
        raise OptionError("name two or more to compare: emonet compare A B")
    titles = [options.scored] if options.scored else list_titles([run for runs in (first, *others) for run in runs])
    for title in titles:
        for other in others:
            yield compare_answers(first, other, view=options.view, scored=title, common=options.common)


def _split(text: str) -> list[str]:
    """Split the runs of one recipe at commas, but for a path that has commas of its own."""
    return [text] if Path(text).exists() else list(split_names(text, paths=True))


def _show(comparison: Comparison, flips: int) -> None:
    from emonet.report import comparison as page

    typer.echo(f"{comparison.scored}: {comparison.n:,} images, view {comparison.view}")
    rows = [_describe(letter, one) for letter, one in (("A", comparison.first), ("B", comparison.second))]
    numbers = ("accuracy", "95 %", "macro recall", "over runs")
    print_table(("", "model", *numbers), rows, numbers)
    for sentence in page.describe_verdict(comparison):
        typer.echo(sentence)
    typer.echo("")
    print_table(page.CLASS_HEADER, page.class_rows(comparison), page.CLASS_HEADER[1:])
    typer.echo(f"\n{page.flip_counts(comparison)}")
    if listed := [*page.flip_rows(comparison)][:flips]:
        print_table(page.FLIP_HEADER, listed, page.FLIP_HEADER[-1:])
    for remark in comparison.remarks:
        typer.echo(f"emonet: {remark}", err=True)
    typer.echo("")


def _describe(letter: str, one: Compared) -> tuple[str, ...]:
    low, high = one.accuracy_interval
    spread = "" if one.deviation is None else f"{len(one.runs)} runs ± {100 * one.deviation:.2f}"
    interval = f"{100 * low:.1f}-{100 * high:.1f}"
    return letter, one.name, f"{one.accuracy:.2%}", interval, f"{one.macro_recall:.2%}", spread
