"""`emonet average`: make one model of several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emonet.commands._console.arguments import check_model_out


def average(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help="The models: two or more, each as for --model.")
    ],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Model file to write.")],
    weights: Annotated[
        bool,
        typer.Option(
            "--weights",
            help="Average the weights: one network, as fast as each of them. All began with the same weights.",
        ),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file that is to be written.")] = False,
) -> None:
    """Make one model file of several models.

    It answers with the mean of their probabilities, and takes as long as all of them together. With --weights it is a
    single network with the mean of their weights: that helps where one of them was trained from the other, or all from
    the same. Whether it is better than the best of them, `emonet evaluate OUT STORE --split dev` tells.
    """
    from emonet.errors import OptionError
    from emonet.inference import load_model
    from emonet.inference.averaging import average_answers, average_weights

    if len(models) < 2:
        raise OptionError("there is nothing to average: give two models or more")
    check_model_out(out, overwrite=overwrite)
    opened = [load_model(name) for name in models]
    made = average_weights(opened) if weights else average_answers(opened)
    made.save(out, half=True)
    typer.echo(f"{out}: the mean {'weights' if weights else 'answers'} of {len(models)} models")
    typer.echo(f"how sure it may be has still to be found: emonet models {out} --fit-temperature STORE")
