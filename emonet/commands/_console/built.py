"""What `emonet build` shows: the plan of a dry run, and what came out."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import typer

from emonet.datasets.sample import BROKEN, SPLITS
from emonet.labels import Emotion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emonet.datasets.builder import Built, Prepared

SHOWN = 5  # examples of what is broken


def show_plan(prepared: Prepared) -> None:
    """What would be read, and how it compares with what its publishers counted."""
    for name, reader in prepared.readers.items():
        found = prepared.surveys[name]
        typer.echo(f"{name}: {reader.path} recognised as {reader.layout.title}")
        framing = "cropped by its publisher" if reader.layout.framing else "to be cropped"
        people = "people are known" if reader.layout.subjects else "people are not known"
        typer.echo(f"  {len(found.samples):,} pictures to work on, {framing}, {people}")
        for split in sorted({split for split, _ in found.counts}):
            numbers = {
                str(e or "unlabelled"): found.counts[split, e] for e in (*Emotion, None) if found.counts[split, e]
            }
            typer.echo(f"  {split or 'no official split'}: {_listed(numbers)}")
        reasons = Counter(one.reason for one in found.rejected)
        if reasons:
            typer.echo(f"  rejected: {_listed(reasons)}")
    for warning in prepared.warnings():
        typer.echo(f"warning: {warning}")


def show_result(built: Built) -> None:
    """Tables of what is in the data set, what is not and why, and what was found in more than one place."""
    from rich.console import Console
    from rich.table import Table

    store, info = built.store, built.store.info
    if not built.new:
        typer.echo("was complete already")
    splits = [split for split in SPLITS if split in store.splits]
    table = Table("source", *splits, box=None, pad_edge=False)
    for source, counts in info.counts.items():
        table.add_row(source, *(f"{sum(counts.get(split, {}).values()):,}" for split in splits))
    table.add_row("all", *(f"{store.splits[split]:,}" for split in splits))
    Console().print(table)
    for source, reasons in info.rejected.items():
        typer.echo(f"{source}, rejected: {_listed(reasons)}")
    for split, numbers in info.evaluated.items():
        if numbers.kept != numbers.of:
            typer.echo(f"{split} holds {numbers.kept:,} of {numbers.of:,} pictures: mind figures on it")
    copies = info.copies
    typer.echo(
        f"{copies.redundant_exact_copies:,} redundant copies in {copies.exact_groups:,} groups; "
        f"{copies.evaluated_with_a_training_copy:,} test or validation pictures have a training copy"
    )
    _show_broken(built)
    typer.echo(f"{store.path}: look at {store.path / 'report.html'}")


def _show_broken(built: Built) -> None:
    if not built.broken:
        return
    rejected = built.store.rejected().select(["key", "reason", "detail"]).to_pylist()
    broken = [one for one in rejected if one["reason"] in BROKEN]
    typer.echo(f"{len(broken):,} could not be read, among them:", err=True)
    for one in broken[:SHOWN]:
        typer.echo(f"  {one['key']}: {one['detail']}", err=True)


def _listed(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in numbers.items())
