"""The `emonet` console command: one module a command, each importing what it needs when it runs."""

from __future__ import annotations

import typer

from emonet.commands.faces import faces
from emonet.commands.info import info

app = typer.Typer(
    name="emonet",
    help="From raw facial-expression data sets to a model that reads the faces in your own photos.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(info)
app.command()(faces)


@app.callback()
def emonet() -> None:
    """Keeps `emonet COMMAND` the form even while there is one command."""


def main() -> None:
    """Runs the command line; a caller's mistake is one line on standard error and exit status 1."""
    try:
        app()
    except (ValueError, OSError) as error:
        typer.echo(f"emonet: {error}", err=True)
        raise SystemExit(1) from error
