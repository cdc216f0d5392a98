"""`emonet train`: a network from a data set on disk; stopped and run again, it goes on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emonet.commands._console.config_options import ConfigPath, chosen_config, with_config_options
from emonet.commands._console.status import STOPPED

if TYPE_CHECKING:
    from emonet.inference.checkpoint import Checkpoint


@with_config_options
def train(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="A data set that `emonet build` wrote.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the model, its log and pictures.")],
    *,
    config: ConfigPath = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another run in the folder.")] = False,
    given: dict[str, Any],
) -> None:
    """Train a network on a data set.

    Options that are not given are those of the network's recipe, after its publication or our measurements. Everything
    is chosen on the split dev; validation and test are not opened. Stopped and run again, it goes on where it was.
    """
    from emonet.commands._console.training_bar import training_bar
    from emonet.datasets.store import open_store
    from emonet.training.run import train as run

    chosen = chosen_config(config, given)
    first = os.environ.get("RANK", "0") == "0"
    try:
        with training_bar(shown=first) as watch:
            checkpoint = run(chosen, open_store(store), out, watch, overwrite=overwrite)
    except KeyboardInterrupt:
        typer.echo("emonet: stopped; run the same command again to go on", err=True)
        raise typer.Exit(STOPPED) from None
    if first:
        _show(checkpoint, out)


def _show(checkpoint: Checkpoint, out: Path) -> None:
    training, scores = checkpoint.training, checkpoint.scores
    typer.echo(f"{out / 'model.safetensors'}: {checkpoint.model}, {training['seconds'] / 60:.1f} minutes")
    if "teacher_labels" in training:
        typer.echo(f"{out / 'teacher_labels.parquet'}: out-of-fold labels for {training['teacher_labels']:,} pictures")
    if "chosen_epoch" in training:
        typer.echo(f"epoch {training['chosen_epoch']} of {training['epochs']}")
    if dev := scores.get("dev"):
        typer.echo(f"dev: {_words(dev)}")
        parts = scores["dev_by_source"] if len(scores["dev_by_source"]) > 1 else {}
        for source, part in parts.items():
            typer.echo(f"  {source}: {_words(part)}")


def _words(scores: Mapping[str, Any]) -> str:
    low, high = scores["accuracy_interval"]
    return (
        f"{scores['accuracy']:.2%} of {scores['n']:,} (95 % interval {low:.2%} to {high:.2%}), "
        f"macro F1 {scores['macro_f1']:.4f}"
    )
