"""`emonet train`: train a network on a data set; stopped and run again, it goes on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emonet.commands._console.arguments import StorePath
from emonet.commands._console.endings import say_how_to_resume
from emonet.commands._console.options import Given, with_options
from emonet.commands._console.packages import check_training_packages
from emonet.inference.loading import RUN_MODEL
from emonet.training import TrainConfig, recipe

if TYPE_CHECKING:
    from emonet.inference.checkpoint import Checkpoint


@with_options(TrainConfig)
def train(
    store: StorePath,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write the model, its log and its plots to.")],
    *,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another run in the folder.")] = False,
    given: Given,
) -> None:
    """Train a network on a data set.

    Options that are not given are those of the network's recipe, from its publication or our measurements. Everything
    is chosen on the split dev; validation and test are not opened. Stopped and run again, it goes on where it was.
    """
    check_training_packages("train")
    from emonet.commands._console.progress import training_bar
    from emonet.datasets.store import open_store
    from emonet.training.run import train as run
    from emonet.training.session import check_own_run

    config = given.choose(TrainConfig, with_recipe)
    given.end_if_printed(config)
    check_own_run(out)
    first = os.environ.get("RANK", "0") == "0"
    with say_how_to_resume(), training_bar(shown=first) as watch:
        checkpoint = run(config, open_store(store), out, watch, overwrite=overwrite)
    if first:
        _show(checkpoint, out)


def with_recipe(values: dict[str, Any]) -> dict[str, Any]:
    """Add the options of the network's recipe to those that were given."""
    changes = dict(values)
    model = changes.pop("model", TrainConfig().model)
    return recipe(str(model), **changes) | {"model": model}


def _show(checkpoint: Checkpoint, out: Path) -> None:
    training, scores = checkpoint.training, checkpoint.scores
    typer.echo(f"{out / RUN_MODEL}: {checkpoint.model}, {training['seconds'] / 60:.1f} minutes")
    if "teacher_labels" in training:
        typer.echo(f"{out / 'teacher_labels.parquet'}: out-of-fold labels for {training['teacher_labels']:,} images")
    if "chosen_epoch" in training:
        typer.echo(f"epoch {training['chosen_epoch']} of {training['epochs']}")
    if dev := scores.get("dev"):
        typer.echo(f"dev: {_format_scores(dev)}")
        parts = scores["dev_by_source"] if len(scores["dev_by_source"]) > 1 else {}
        for source, part in parts.items():
            typer.echo(f"  {source}: {_format_scores(part)}")


def _format_scores(scores: Mapping[str, Any]) -> str:
    from emonet.evaluation.intervals import WILSON

    low, high = scores["accuracy_interval"]
    method = scores.get("interval_method", WILSON)
    words = "" if method == WILSON else f", {method}"
    return (
        f"{scores['accuracy']:.2%} of {scores['n']:,} (95 % interval {low:.2%} to {high:.2%}{words}), "
        f"macro F1 {scores['macro_f1']:.4f}"
    )
