"""The `emonet` console command: one module a command, each importing what it needs when it runs."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

import emonet
from emonet.commands._console.endings import ending_in_one_line, run_application
from emonet.commands._console.examples import epilog

COMMANDS = (  # the names of their modules
    *("info", "faces", "datasets", "build", "review", "train", "tune", "evaluate", "compare"),
    *(
        "predict",
        "adapt",
        "video",
        "models",
        "average",
        "share",
        "export",
        "export_images",
        "page",
        "app",
        "demo",
        "protocol",
    ),
)

MODULES = {"app": "web_app"}  # `emonet.commands.app` is the command line itself

if TYPE_CHECKING:
    app: typer.Typer


def create_app(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """Create the console command with some of its commands, whose modules are imported."""
    made = typer.Typer(
        name="emonet",
        help="From raw facial-expression data sets to a model that reads the faces in your own photos.",
        epilog="Add --debug to any command to see the traceback of an error.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    made.callback()(_take_version)  # a callback also lets a single command keep its name
    for name in names:
        command = getattr(import_module(f"emonet.commands.{MODULES.get(name, name)}"), name)
        if isinstance(command, typer.Typer):
            made.add_typer(command, name=name)
        else:
            made.command(help=_unwrap(command), epilog=epilog(name))(ending_in_one_line(command))
    return made


def _unwrap(command: Callable[..., None]) -> str:
    """Join the lines of each paragraph of a docstring: terminals have other widths than the code."""
    paragraphs = (inspect.getdoc(command) or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"emonet {emonet.__version__}")
        raise typer.Exit


def _take_version(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop."),
    ] = False,
) -> None: ...


def main() -> None:
    """Run the console command `emonet`. Only the module of the command that is asked for is imported."""
    asked = sys.argv[1].replace("-", "_") if len(sys.argv) > 1 else ""
    run_application(create_app([asked] if asked in COMMANDS else COMMANDS))


def run(command: Callable[..., None]) -> None:
    """Run one command as a script of its own: the scripts in `tools/` call the same code."""
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    alone.command()(command)
    run_application(alone)


def __getattr__(name: str) -> Any:
    """Create `app`, with all commands, when it is first asked for."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = globals()["app"] = create_app()
    return made
