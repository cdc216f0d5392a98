"""The `emonet` console command: one module a command, each importing what it needs when it runs."""

from __future__ import annotations

from collections.abc import Callable

import typer

from emonet.commands._console.endings import run_application
from emonet.commands._console.examples import epilog
from emonet.commands.build import build
from emonet.commands.compare import compare
from emonet.commands.demo import demo
from emonet.commands.evaluate import evaluate
from emonet.commands.export import export
from emonet.commands.export_images import export_images
from emonet.commands.faces import faces
from emonet.commands.info import info
from emonet.commands.models import models
from emonet.commands.predict import predict
from emonet.commands.protocol import protocol
from emonet.commands.train import train
from emonet.commands.tune import tune

app = typer.Typer(
    name="emonet",
    help="From raw facial-expression data sets to a model that reads the faces in your own photos.",
    epilog="Add --debug to any command to see the traceback of an error.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (info, faces, build, train, tune, evaluate, compare, predict, models, export, export_images, demo):
    app.command(epilog=epilog(command.__name__))(command)
app.add_typer(protocol, name="protocol")


def main() -> None:
    """Run the console command `emonet`."""
    run_application(app)


def run(command: Callable[..., None]) -> None:
    """Run one command as a script of its own: the scripts in `tools/` call the same code."""
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    alone.command()(command)
    run_application(alone)
