"""What commands print for people, a table, and for programs, JSON."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import typer


def print_json(value: Any) -> None:
    """Print one JSON document."""
    typer.echo(json.dumps(value, indent=2))


def print_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], numbers: Collection[str] = (), *, err: bool = False
) -> None:
    """Print a table; the columns of `numbers` are aligned at their right, and the first column is never wrapped."""
    from rich.console import Console
    from rich.table import Column, Table

    columns = [
        Column(name, justify="right" if name in numbers else "left", no_wrap=name in numbers or place == 0)
        for place, name in enumerate(header)
    ]
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    Console(stderr=err).print(table)
