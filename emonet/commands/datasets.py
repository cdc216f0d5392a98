"""`emonet datasets`: list the data sets that `emonet build` reads; show one with its files and its codes."""

from __future__ import annotations

import inspect
from typing import Annotated, Any

import typer

from emonet.commands._console.output import print_json, print_table
from emonet.datasets import READERS
from emonet.datasets.reader import Published, Reader
from emonet.errors import OptionError
from emonet.labels import Emotion


def datasets(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Show this data set: its files, codes, counts and terms.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON array, or one object for one data set.")
    ] = False,
) -> None:
    """List the data sets that can be read: classes, published counts, people, terms, and where to ask for them.

    Counts are those that the publishers state. Each name is an option of `emonet build`.
    """
    if name is not None and name not in READERS:
        raise OptionError(f"there is no data set {name!r}; there are {', '.join(READERS)}")
    if as_json:
        print_json([*map(_describe, READERS.values())] if name is None else _describe(READERS[name]))
    elif name is None:
        _show_all()
    else:
        _show(READERS[name])


def _describe(reader: type[Reader]) -> dict[str, Any]:
    published = reader.published
    return {
        "name": reader.name,
        "title": reader.title,
        "option": f"--{reader.name}",
        "classes": _list_classes(reader),
        "images": reader.images,
        "sequences": reader.sequences,
        "people": reader.people,
        "published": None if published is None else {"unit": published.unit, "counts": _count(published)},
        "choices": [
            {"option": _option(reader, choice), "values": list(asked.values), "default": asked.values[0]}
            for choice, asked in reader.choices.items()
        ],
        "expected": reader.expected,
        "terms": reader.terms,
        "home": reader.home,
    }


def _list_classes(reader: type[Reader]) -> list[str]:
    return [str(emotion) for emotion in Emotion if emotion in reader.classes]


def _count(published: Published) -> dict[str, dict[str, int]]:
    """Return the publisher's counts by split, `all` where there are no splits, and by class."""
    return {
        split or "all": {str(emotion): count for emotion, count in counts.items()}
        for split, counts in published.counts.items()
    }


def _option(reader: type[Reader], choice: str) -> str:
    return f"--{reader.name}-{choice.replace('_', '-')}"


def _show_all() -> None:
    numbers = ("classes", "images", "sequences", "people")
    rows = [
        (
            name,
            reader.title,
            str(len(reader.classes)),
            *map(_number, (reader.images, reader.sequences, reader.people)),
        )
        for name, reader in READERS.items()
    ]
    print_table(("name", "data set", *numbers), rows, numbers)
    for name, reader in READERS.items():
        typer.echo(
            f"\n{name}: {', '.join(_list_classes(reader))}\n  where to ask for it: {reader.home}\n  {reader.terms}"
        )
    typer.echo("\nemonet datasets NAME shows the files, codes and counts of one, and the options it adds to a build.")


def _show(reader: type[Reader]) -> None:
    """Show what the module says of the raw data, the published counts, the choices and the terms."""
    typer.echo(inspect.getdoc(inspect.getmodule(reader)))
    if reader.published is not None:
        typer.echo(f"\nPublished {reader.published.unit}:")
        counts = _count(reader.published)
        rows = [
            (emotion, *(_number(numbers.get(emotion)) for numbers in counts.values()))
            for emotion in _list_classes(reader)
        ]
        totals = ("all", *(f"{sum(numbers.values()):,}" for numbers in counts.values()))
        print_table(("class", *counts), [*rows, totals], tuple(counts))
    typer.echo(f"\nemonet build --{reader.name} PATH, from {reader.accepts}")
    for choice, asked in reader.choices.items():
        default, *others = asked.values
        typer.echo(f"  {_option(reader, choice)} {default} (default), {', '.join(others)}")
    typer.echo(f"Terms of weights that learned from it: {reader.terms}\nWhere to ask for it: {reader.home}")


def _number(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"
