"""`emonet tune`: search for better options of a training; stopped and run again, it goes on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emonet.commands._console.arguments import StorePath
from emonet.commands._console.endings import say_how_to_resume
from emonet.commands._console.options import Given, print_options, with_options
from emonet.commands._console.packages import check_training_packages
from emonet.html.formatting import count_of
from emonet.options import format_toml, from_table
from emonet.training import TrainConfig
from emonet.tuning import TuneOptions, list_spaces, read_space
from emonet.tuning.options import flatten_search, split_options

if TYPE_CHECKING:
    from emonet.tuning import Tuned

SPACES = ", ".join(list_spaces())


@with_options(TuneOptions, TrainConfig)
def tune(
    store: StorePath,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write the trials and the best options to.")],
    *,
    space: Annotated[
        str,
        typer.Option("--space", help=f"Search a space of emonet's ({SPACES}) or of a TOML file; --search adds to it."),
    ] = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another study in the folder.")] = False,
    given: Given,
) -> None:
    """Search for better options of a training, by many short trainings.

    Trials are compared on the split dev, or on folds of train; validation and test are not opened. Options of the
    training hold for all trials. Stopped and run again, it goes on; run several times at once, it goes faster.
    """
    check_training_packages("tune", "optuna", extra="tune")
    from emonet.tuning.journal import check_optuna

    check_optuna()
    from emonet.commands._console.progress import training_bar
    from emonet.datasets.store import open_store
    from emonet.tuning.run import tune as run

    own, training = split_options(_merge(read_space(space) if space else {}, dict(given.values)))
    options = from_table(TuneOptions, own)
    if given.print_config:
        print_options(options)
        typer.echo(format_toml(training), nl=False)
        return
    with say_how_to_resume(), training_bar(shown=True) as watch:
        found = run(options, open_store(store), out, training, watch, overwrite=overwrite)
    _show(found, out, store)


def _merge(space: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Put what was given over a space; of the search, option by option."""
    search = {**flatten_search(space.get("search", {})), **flatten_search(given.get("search", {}))}
    return {**space, **given, "search": search}


def _show(found: Tuned, out: Path, store: Path) -> None:
    if found.config is None:
        typer.echo(f"no trial is complete yet; look at {out / 'tuning.html'}")
        return
    config, trials = found.config, count_of(len(found.trials), "trial")
    typer.echo(f"{out / 'best.toml'}: {config.choose_by} {found.score:.4f}, the best of {trials}")
    typer.echo(f"look at {out / 'tuning.html'}; train with emonet train {store} -o RUN --config {out / 'best.toml'}")
